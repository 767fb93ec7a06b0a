//! The only Rhai engine of the process. It provides only the functions of [`super::functions`]. The engine's limits
//! bound the memory of a script; [`super::run`] bounds its time. Scripts share the engine, and no run leaves state in
//! it.

use std::ops::{Range, RangeInclusive};
use std::sync::LazyLock;

use rhai::{
    Array, Dynamic, Engine, EvalAltResult, INT, LexError, Module, ModuleResolver, OptimizationLevel, Position, Scope,
    Shared, Token,
};

use super::host::{PriorityHandle, Quote, ResultHandle};
use super::values::{MAX_LIST, MAX_TEXT};
use super::{compile_clock, functions, run};

/// Maximum number of operations in one run.
pub(super) const MAX_OPERATIONS: u64 = 200_000;
/// Number of operations between two checks of the clock.
const CLOCK_EVERY: u64 = 16;
/// Maximum number of variables in one call.
pub(super) const MAX_VARIABLES: usize = 32;
/// Maximum depth of function calls.
pub(super) const MAX_CALLS: usize = 8;
/// Maximum number of functions in one script.
pub(super) const MAX_FUNCTIONS: usize = 64;
/// Maximum number of libraries that one script imports.
pub(super) const MAX_IMPORTS: usize = 16;
/// Maximum depths of expressions and blocks: the first outside functions, the second inside functions.
pub(super) const MAX_DEPTHS: (usize, usize) = (48, 32);

pub(super) static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let mut engine = Engine::new_raw();
    engine.set_optimization_level(OptimizationLevel::None);
    functions::register(&mut engine);
    engine
        .register_iterator::<Range<INT>>()
        .register_iterator::<RangeInclusive<INT>>()
        .register_iterator::<Array>();

    // The registered number operators take precedence over Rhai's operators: 3 / 2 is 1.5.
    engine.set_fast_operators(false);
    engine.set_strict_variables(true);
    engine.set_allow_anonymous_fn(false);
    engine.set_max_operations(MAX_OPERATIONS);
    engine.set_max_call_levels(MAX_CALLS);
    engine.set_max_expr_depths(MAX_DEPTHS.0, MAX_DEPTHS.1);
    engine.set_max_string_size(MAX_TEXT);
    engine.set_max_array_size(MAX_LIST);
    engine.set_max_map_size(16);
    engine.set_max_variables(MAX_VARIABLES);
    engine.set_max_functions(MAX_FUNCTIONS);
    engine.set_max_modules(MAX_IMPORTS);
    // Interned strings would need a lock that all threads share.
    engine.set_max_strings_interned(0);
    engine.set_fail_on_invalid_map_property(true);
    engine.set_module_resolver(OwnLibraries);
    // Object maps (`#{`) are disabled, because their keys escape the size limits. The feature `no_object` would also
    // remove `quote.add(…)`. Powers are disabled, because one power can take longer than a thousand other operations.
    for symbol in [
        "eval",
        "export",
        "print",
        "debug",
        "Fn",
        "call",
        "curry",
        "sleep",
        "timestamp",
        "is_def_fn",
        "is_def_var",
        "is_shared",
        "#{",
        "**",
        "**=",
    ] {
        engine.disable_symbol(symbol);
    }
    #[expect(deprecated, reason = "the API is not deprecated, but may change with Rhai's version")]
    engine.on_parse_token(|token, _, _| {
        if compile_clock::token() {
            return Token::LexError(Box::new(LexError::Runtime("the time to compile is over".to_owned())));
        }
        token
    });
    engine.on_print(|_| {});
    engine.on_debug(|_, _, _| {});
    engine.on_progress(|operations| {
        let over = operations % CLOCK_EVERY == 0 && run::is_over(operations);
        over.then_some(Dynamic::UNIT)
    });
    engine
});

/// The variables of a script: the host objects.
pub(super) fn scope() -> Scope<'static> {
    let mut scope = Scope::new();
    scope.push("quote", Quote);
    scope.push("priority", PriorityHandle);
    scope.push("result", ResultHandle);
    scope
}

/// `import` finds only the libraries of the running script's own rulebook.
struct OwnLibraries;

impl ModuleResolver for OwnLibraries {
    fn resolve(
        &self,
        _engine: &Engine,
        _source: Option<&str>,
        path: &str,
        at: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        run::library(path).ok_or_else(|| EvalAltResult::ErrorModuleNotFound(path.to_owned(), at).into())
    }
}
