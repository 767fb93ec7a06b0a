//! Compiles all scripts of a rulebook, each with the libraries that it imports. A script is recompiled only if the
//! script or one of its libraries changed; all other scripts are shared. Circular imports are refused, and the circle
//! is reported.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rhai::{Dynamic, EncapsulatedEnviron, FnAccess, FnNamespace, FuncRegistration, Module, Position, RhaiFunc, Shared};

use super::parsed::{self, Import, Own, ParsedScript};
use super::run::Modules;
use super::{CompiledScript, LinkedSize};
use crate::fair_pool::is_abandoned;
use crate::fault::{Fault, TextFault};
use crate::rows::{Hook, Resource, RowSet, Script, StoredRow};
use crate::suggestion::did_you_mean;

/// Maximum number of scripts in a rulebook.
pub const MAX_SCRIPTS: usize = 200;
/// Maximum total bytes of all scripts of a rulebook.
pub const MAX_TOGETHER: usize = 1024 * 1024;
/// Maximum depth of library imports; larger than the maximum depth of function calls.
pub const MAX_DEPTH: usize = 16;
/// Maximum bytes of a script and all libraries that it uses, each counted once.
pub const MAX_LINKED: usize = 512 * 1024;
/// CPU time limit for compiling all scripts of a rulebook.
const COMPILE_TOGETHER: Duration = Duration::from_secs(5);

/// Compiles every script.
pub(crate) fn compile(
    rows: &RowSet,
    reuse: &[Arc<CompiledScript>],
    faults: &mut Vec<Fault>,
) -> Vec<Arc<CompiledScript>> {
    if let Some(fault) = too_many(rows) {
        faults.push(fault);
        return Vec::new();
    }
    let mut linker = Linker {
        rows,
        reuse,
        done: BTreeMap::new(),
        open: Vec::new(),
        spent: Duration::ZERO,
        faults,
    };
    let codes = rows.scripts.keys();
    let mut compiled: Vec<Arc<CompiledScript>> = codes.filter_map(|code| linker.link(code)).collect();
    compiled.sort_by_key(|script| script.row().rank);
    compiled
}

/// Compiles one script as part of a rulebook.
pub(crate) fn compile_one(
    rows: &RowSet,
    reuse: &[Arc<CompiledScript>],
    script: Script,
) -> Result<Arc<CompiledScript>, Vec<Fault>> {
    let mut rows = rows.clone();
    let code = script.code.clone();
    let same = rows.scripts.get(&code).is_some_and(|stored| stored.row == script);
    if !same {
        rows.scripts.insert(
            code.clone(),
            Arc::new(StoredRow {
                version: 0,
                row: script,
            }),
        );
    }
    let mut faults = Vec::new();
    let mut linker = Linker {
        rows: &rows,
        reuse,
        done: BTreeMap::new(),
        open: Vec::new(),
        spent: Duration::ZERO,
        faults: &mut faults,
    };
    linker.link(&code).ok_or(faults)
}

fn too_many(rows: &RowSet) -> Option<Fault> {
    let mut together = 0;
    for (place, stored) in rows.scripts.values().enumerate() {
        together += stored.row.source.len();
        if place < MAX_SCRIPTS && together <= MAX_TOGETHER {
            continue;
        }
        let text = format!("a rulebook has at most {MAX_SCRIPTS} scripts of {MAX_TOGETHER} bytes together");
        let fault = parsed::fault(Position::NONE, "too_many", text);
        return Some(fault.at(Resource::Scripts, &stored.row.code, "source"));
    }
    None
}

struct Linker<'a> {
    rows: &'a RowSet,
    reuse: &'a [Arc<CompiledScript>],
    /// The linked scripts; `None` for a script with an error.
    done: BTreeMap<String, Option<Arc<CompiledScript>>>,
    /// The chain of scripts that are being linked. Each script imports the next script in the list.
    open: Vec<String>,
    /// CPU time spent on parsing so far.
    spent: Duration,
    faults: &'a mut Vec<Fault>,
}

impl Linker<'_> {
    fn link(&mut self, code: &str) -> Option<Arc<CompiledScript>> {
        if let Some(done) = self.done.get(code) {
            return done.clone();
        }
        let stored = self.rows.scripts.get(code)?;
        let known = self.reuse.iter().find(|known| known.row().code == code);
        let parsed = match known.filter(|known| *known.row() == stored.row) {
            Some(known) => Ok(Arc::clone(&known.parsed)),
            None if self.spent > COMPILE_TOGETHER || is_abandoned() => Err(takes_too_long()),
            None => parsed::parse(&stored.row, &mut self.spent).map(Arc::new),
        };
        self.open.push(code.to_owned());
        let linked = parsed
            .map_err(Some)
            .and_then(|parsed| self.with_libraries(parsed, stored, known));
        self.open.pop();
        let in_source = |fault: TextFault| fault.at(Resource::Scripts, code, "source");
        let linked = linked.map_err(|fault| self.faults.extend(fault.map(in_source))).ok();
        self.done.insert(code.to_owned(), linked.clone());
        linked
    }

    /// Links a script with its libraries. If a library has an error, the returned error is `None`, because the
    /// library's error is already reported.
    fn with_libraries(
        &mut self,
        parsed: Arc<ParsedScript>,
        stored: &Arc<StoredRow<Script>>,
        known: Option<&Arc<CompiledScript>>,
    ) -> Result<Arc<CompiledScript>, Option<TextFault>> {
        let mut libraries = BTreeMap::new();
        for import in &parsed.imports {
            self.find(import).map_err(Some)?;
            let library = self.link(&import.code).ok_or(None)?;
            libraries.insert(import.code.clone(), library);
        }
        let version = libraries
            .values()
            .map(|library| library.version)
            .fold(stored.version, i64::max);
        let same = known.filter(|known| {
            known.version == version
                && Arc::ptr_eq(&known.parsed, &parsed)
                && known.libraries.len() == libraries.len()
                && known
                    .libraries
                    .values()
                    .zip(libraries.values())
                    .all(|(a, b)| Arc::ptr_eq(a, b))
        });
        if let Some(same) = same {
            return Ok(Arc::clone(same));
        }
        let linked = linked(&stored.row, &libraries).map_err(Some)?;
        let functions = |alias: &str| -> Option<&[Own]> {
            let import = parsed.imports.iter().find(|import| import.alias == alias)?;
            Some(libraries.get(&import.code)?.parsed.functions.as_slice())
        };
        parsed::check(&parsed, &functions).map_err(Some)?;
        let modules: Modules = libraries
            .iter()
            .filter_map(|(code, library)| Some((code.clone(), library.module.clone()?)))
            .collect();
        let modules = Arc::new(modules);
        let is_library = stored.row.hook == Hook::Library;
        Ok(Arc::new(CompiledScript {
            version,
            ast: Arc::clone(&parsed.ast),
            row: stored.row.clone(),
            module: is_library.then(|| Shared::new(module(&stored.row.code, &parsed, &modules))),
            libraries,
            modules,
            linked,
            parsed,
        }))
    }

    /// Checks that an import is a library, and that the imports do not form a circle.
    fn find(&self, import: &Import) -> Result<(), TextFault> {
        let wrong = |problem, text| Err(parsed::fault(import.at, problem, text));
        let code = &import.code;
        match self.rows.scripts.get(code).map(|stored| stored.row.hook) {
            Some(Hook::Library) => {}
            Some(hook) => {
                let text = format!("`{code}` is not a library: its hook is `{}`", hook.name());
                return wrong("unknown_library", text);
            }
            None => {
                let libraries = self.rows.scripts.values().map(|stored| &stored.row);
                let libraries = libraries.filter(|row| row.hook == Hook::Library);
                let hint = did_you_mean(code, libraries.map(|row| row.code.as_str()));
                return wrong("unknown_library", format!("there is no library `{code}`{hint}"));
            }
        }
        match self.open.iter().position(|open| open == code) {
            None => Ok(()),
            Some(from) => {
                let round: Vec<&str> = self.open.iter().skip(from).map(String::as_str).collect();
                let text = format!(
                    "libraries import each other in a circle: {} -> {code}",
                    round.join(" -> ")
                );
                wrong("library_cycle", text)
            }
        }
    }
}

fn takes_too_long() -> TextFault {
    let text = format!(
        "the scripts of this rulebook take longer than {} s to compile together",
        COMPILE_TOGETHER.as_secs()
    );
    parsed::fault(Position::NONE, "too_complex", text)
}

/// Counts the size of a script with its libraries before linking, so that exponential growth is refused in advance.
fn linked(row: &Script, libraries: &BTreeMap<String, Arc<CompiledScript>>) -> Result<LinkedSize, TextFault> {
    let mut linked = LinkedSize::default();
    for library in libraries.values().map(|library| &library.linked) {
        linked.depth = linked.depth.max(library.depth + 1);
        linked.parts.extend(library.parts.clone());
    }
    linked.parts.insert(row.code.clone(), row.source.len());
    if linked.depth > MAX_DEPTH {
        let text = format!(
            "at most {MAX_DEPTH} libraries import each other in a row; here {} do",
            linked.depth
        );
        return Err(parsed::fault(Position::NONE, "too_deep", text));
    }
    let bytes: usize = linked.parts.values().sum();
    if bytes > MAX_LINKED {
        let text = format!(
            "a script has at most {MAX_LINKED} bytes with all libraries that it uses; this one has {bytes}, in {} scripts",
            linked.parts.len()
        );
        return Err(parsed::fault(Position::NONE, "too_long", text));
    }
    Ok(linked)
}

/// Compiles a library to the Rhai module that scripts import. The module contains the public functions; each function
/// has access to the library's imports.
///
/// The library's imports are not part of its module. `Module::eval_ast_as_new` would make the imports sub-modules. It
/// would index all their functions under every path that leads to them. Libraries that import each other under many
/// names would then grow exponentially.
fn module(code: &str, parsed: &ParsedScript, modules: &Modules) -> Module {
    let imports = parsed
        .imports
        .iter()
        .filter_map(|import| Some((import.alias.as_str().into(), modules.get(&import.code)?.clone())));
    let env = Shared::new(EncapsulatedEnviron {
        lib: std::iter::once(parsed.ast.shared_lib().clone()).collect(),
        imports: imports.collect(),
        constants: None,
    });
    let mut module = Module::new();
    let public = parsed.ast.iter_fn_def();
    for function in public.filter(|function| function.access == FnAccess::Public) {
        let parameters = vec![TypeId::of::<Dynamic>(); function.params.len()];
        let shared = RhaiFunc::Script {
            fn_def: Shared::clone(function),
            env: Some(Shared::clone(&env)),
        };
        FuncRegistration::new(function.name.as_str())
            .with_namespace(FnNamespace::Internal)
            .set_into_module_raw(&mut module, parameters, shared);
    }
    module.set_id(code);
    module.build_index();
    module
}
