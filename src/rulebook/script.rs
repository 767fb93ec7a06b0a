//! Rhai scripts: what rows cannot say, in a sandbox without input, output or a clock.
//!
//! Comes in: a compiled script, facts and, by hook, a price range, a priority or a tool's arguments. Goes out: what the
//! script did, as a whole, or a [`ScriptFault`] and nothing of it. Scripts act through the host objects of
//! [`super::script_host`]; a run ends after [`DEADLINE`] at the latest.

use std::cell::RefCell;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use rhai::packages::{ArithmeticPackage, BasicIteratorPackage, BasicStringPackage, LogicPackage, Package};
use rhai::{AST, ASTNode, Dynamic, Engine, EvalAltResult, Expr, OptimizationLevel, Position, Scope, Stmt};
use rust_decimal::Decimal;
use serde_json::Value;

use super::decision::Step;
use super::facts::Facts;
use super::fault::TextFault;
use super::rows::{Priority, Script};
use super::script_host::{self, PriorityHandle, Quote, ResultHandle};
use super::vocabulary::did_you_mean;

/// The longest source, in bytes.
pub const MAX_SOURCE: usize = 32 * 1024;
/// After this a run is stopped.
pub const DEADLINE: Duration = Duration::from_millis(20);
/// All scripts of one decision together are stopped after this.
pub const TOGETHER: Duration = Duration::from_millis(60);
const MAX_OPERATIONS: u64 = 200_000;
/// Operations between two looks at the clock.
const CLOCK_EVERY: u64 = 16;

/// Why a script's effects were dropped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct ScriptFault {
    /// The script.
    pub code: String,
    /// Line from 1.
    pub line: Option<usize>,
    /// Character from 1.
    pub position: Option<usize>,
    /// What happened, without any of the caller's data unless the script itself threw it.
    pub text: String,
}

/// A script ready to run.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// The row.
    pub row: Script,
    ast: Arc<AST>,
}

/// What a run may read and has done.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub facts: Facts,
    pub heard: String,
    pub args: Value,
    pub range: Option<(Decimal, Decimal)>,
    pub priority: Option<(Priority, i64)>,
    pub result: Option<Value>,
    pub said: Vec<String>,
    pub steps: Vec<Step>,
    pub code: String,
    /// When the scripts of this decision must have ended; each also has its own [`DEADLINE`].
    pub deadline: Option<Instant>,
}

thread_local! {
    /// The run on this thread. Runs are synchronous and never nest, so host functions find theirs here.
    static RUN: RefCell<Option<Run>> = const { RefCell::new(None) };
}

/// Gives the current run to a host function.
pub(super) fn with_run<T>(act: impl FnOnce(&mut Run) -> Result<T, String>) -> Result<T, Box<EvalAltResult>> {
    RUN.with_borrow_mut(|run| match run {
        Some(run) => act(run).map_err(Into::into),
        None => Err("no script is running".into()),
    })
}

/// The one engine of the process: scripts share it, and nothing of a run stays in it.
static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let mut engine = Engine::new_raw();
    engine.set_optimization_level(OptimizationLevel::None);
    ArithmeticPackage::new().register_into_engine(&mut engine);
    LogicPackage::new().register_into_engine(&mut engine);
    BasicStringPackage::new().register_into_engine(&mut engine);
    BasicIteratorPackage::new().register_into_engine(&mut engine);
    script_host::register(&mut engine);

    engine.set_strict_variables(true);
    engine.set_max_operations(MAX_OPERATIONS);
    engine.set_max_call_levels(16);
    engine.set_max_expr_depths(48, 32);
    engine.set_max_string_size(16 * 1024);
    engine.set_max_array_size(512);
    engine.set_max_map_size(128);
    engine.set_max_variables(64);
    engine.set_max_functions(32);
    engine.set_max_modules(0);
    engine.set_fail_on_invalid_map_property(true);
    engine.set_module_resolver(rhai::module_resolvers::DummyModuleResolver::new());
    // Object maps (`#{`) are off, because their keys escape the size limits; the feature `no_object` would also take
    // away `quote.add(…)`.
    for symbol in [
        "eval",
        "import",
        "export",
        "print",
        "debug",
        "Fn",
        "call",
        "curry",
        "sleep",
        "timestamp",
        "#{",
    ] {
        engine.disable_symbol(symbol);
    }
    engine.on_print(|_| {});
    engine.on_debug(|_, _, _| {});
    engine.on_progress(|operations| {
        let due = operations % CLOCK_EVERY == 0
            && RUN.with_borrow(|run| {
                let deadline = run.as_ref().and_then(|run| run.deadline);
                deadline.is_some_and(|deadline| Instant::now() > deadline)
            });
        due.then(|| Dynamic::from("took too long"))
    });
    engine
});

/// Compiles a script.
///
/// # Errors
/// The first fault, with line and character.
pub fn compile(row: &Script) -> Result<Compiled, TextFault> {
    if row.source.len() > MAX_SOURCE {
        return Err(TextFault {
            line: None,
            position: None,
            problem: "too_long",
            text: format!("a script has at most {MAX_SOURCE} bytes"),
        });
    }
    let ast = ENGINE
        .compile_with_scope(&scope(), &row.source)
        .map_err(|error| TextFault {
            line: error.position().line(),
            position: error.position().position(),
            problem: "syntax",
            text: format!("this script does not compile: {}", error.err_type()),
        })?;
    if let Some(fault) = unknown_function(&ast) {
        return Err(fault);
    }
    Ok(Compiled {
        row: row.clone(),
        ast: Arc::new(ast),
    })
}

/// Rhai looks functions up when it calls them; a script with a misspelt one is refused before it runs.
fn unknown_function(ast: &AST) -> Option<TextFault> {
    let own: Vec<&str> = ast.iter_functions().map(|function| function.name).collect();
    let mut fault = None;
    ast.walk(&mut |path| {
        let called = match path.last() {
            Some(
                ASTNode::Expr(Expr::FnCall(call, at) | Expr::MethodCall(call, at))
                | ASTNode::Stmt(Stmt::FnCall(call, at)),
            ) => Some((call, *at)),
            _ => None,
        };
        if let Some((call, at)) = called {
            let name = call.name.as_str();
            let known = call.op_token.is_some()
                || !name.starts_with(char::is_alphabetic)
                || script_host::FUNCTIONS.contains(&name)
                || own.contains(&name);
            if !known && fault.is_none() {
                let names = script_host::FUNCTIONS.iter().copied().chain(own.iter().copied());
                fault = Some(TextFault {
                    line: at.line(),
                    position: at.position(),
                    problem: "unknown_function",
                    text: format!("there is no function `{name}`{}", did_you_mean(name, names)),
                });
            }
        }
        fault.is_none()
    });
    fault
}

fn scope() -> Scope<'static> {
    let mut scope = Scope::new();
    scope.push("quote", Quote);
    scope.push("priority", PriorityHandle);
    scope.push("result", ResultHandle);
    scope
}

/// Runs a script and gives back what it did.
pub(super) fn run(script: &Compiled, mut run: Run) -> Result<Run, ScriptFault> {
    run.code.clone_from(&script.row.code);
    let own = Instant::now() + DEADLINE;
    run.deadline = Some(run.deadline.map_or(own, |together| together.min(own)));
    RUN.set(Some(run));
    let outcome = ENGINE.eval_ast_with_scope::<Dynamic>(&mut scope(), &script.ast);
    let done = RUN.take();
    let failed = |at: Position, text: String| ScriptFault {
        code: script.row.code.clone(),
        line: at.line(),
        position: at.position(),
        text,
    };
    match (outcome, done) {
        (Ok(_), Some(run)) => Ok(run),
        (Ok(_), None) => Err(failed(Position::NONE, "the run was lost".to_owned())),
        (Err(error), _) => {
            let inner = error.unwrap_inner();
            let text = match inner {
                EvalAltResult::ErrorTerminated(..) => {
                    format!(
                        "stopped after {} ms, or {} ms of all scripts together",
                        DEADLINE.as_millis(),
                        TOGETHER.as_millis()
                    )
                }
                EvalAltResult::ErrorTooManyOperations(_) => format!("stopped after {MAX_OPERATIONS} operations"),
                other => {
                    let mut bare = other.to_string();
                    if let Some(end) = bare.rfind(" (line ") {
                        bare.truncate(end);
                    }
                    bare.chars().take(300).collect()
                }
            };
            Err(failed(inner.position(), text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rulebook::rows::Hook;

    fn script(source: &str) -> Script {
        Script {
            code: "hostile".to_owned(),
            hook: Hook::Price,
            rank: 1,
            source: source.to_owned(),
        }
    }

    fn priced() -> Run {
        Run {
            range: Some((Decimal::from(100), Decimal::from(200))),
            ..Run::default()
        }
    }

    #[test]
    fn a_script_changes_the_price_exactly() {
        let script = compile(&script(
            r#"if quote.from < 150 { quote.multiply(1.1, "a tenth"); } quote.add(0.05, "five cents");"#,
        ))
        .unwrap();
        let done = run(&script, priced()).unwrap();
        assert_eq!(done.range, Some((Decimal::new(11_005, 2), Decimal::new(22_005, 2))));
        assert_eq!(done.steps.len(), 2);
    }

    #[test]
    fn hostile_scripts_end_in_time() {
        for source in [
            "loop { }",
            "let x = 0; while true { x += 1; }",
            "fn f(n) { f(n + 1) } f(0)",
            r#"let s = "x"; loop { s += s; }"#,
            "let a = []; loop { a += [a]; }",
            "let a = [1]; loop { a += a; }",
            r#"let s = "abcdefgh"; for i in 0..9 { s += s; } for i in 0..100000 { let b = "zz" in s; }"#,
            "let x = 9223372036854775807; x += 1;",
            "1 / 0",
            "quote.from / 0",
            "throw 1",
            "quote.add(79228162514264337593543950335.0, \"big\"); quote.multiply(1000000.0, \"big\");",
            "fact(1)",
            r#"let x = fact("missing"); x + 1"#,
        ] {
            let start = Instant::now();
            let Ok(script) = compile(&script(source)) else {
                panic!("{source} should compile");
            };
            assert!(run(&script, priced()).is_err(), "{source}");
            assert!(
                start.elapsed() < Duration::from_millis(400),
                "{source} took {:?}",
                start.elapsed()
            );
        }
    }

    #[test]
    fn what_reaches_out_does_not_compile() {
        for source in [
            "eval(\"1\")",
            "import \"x\" as y;",
            "print(1)",
            "debug(1)",
            "let f = Fn(\"x\");",
            "let m = #{ a: 1 };",
            "unknown + 1",
            "let x = ;",
            "sleep(30)",
            "timestamp()",
            "quote.nothing()",
            "if true { quote.ad(1, \"x\") }",
        ] {
            assert!(
                compile(&script(source)).is_err_and(|fault| fault.line.is_some()),
                "{source}"
            );
        }
        let deep = format!("{}1{}", "(".repeat(5000), ")".repeat(5000));
        assert!(compile(&script(&deep)).is_err());
        assert!(compile(&script(&"x".repeat(MAX_SOURCE + 1))).is_err());
    }
}
