//! Lists the facts, functions and libraries of a rulebook's conditions and scripts. The lists are generated from the
//! code and the rows.

use poem_openapi::{Object, OpenApi};

use super::auth::{Key, Viewer};
use super::errors::{Fails, NoExtraErrors};
use super::responses::ReadResponse;
use super::state::{AdminState, RulebookInPath};
use rules::Rulebook;
use rules::rows::{FactKind, Hook};
use rules::script::functions::FUNCTIONS;
use rules::script::{CompiledScript, LIMITS, Limit};
use rules::vocabulary::{CONDITIONS, DERIVED, GIVEN, about};

pub struct VocabularyApi(pub AdminState);

/// The names that conditions and scripts may use.
#[derive(Debug, Object)]
pub struct VocabularyView {
    /// The head revision.
    revision: i64,
    /// Facts: in a condition by name, in a script as `fact("name")`.
    facts: Vec<FactView>,
    /// The other terms of a condition.
    conditions: Vec<TermView>,
    /// The functions of a script.
    functions: Vec<FunctionView>,
    /// The libraries that a script may import.
    libraries: Vec<LibraryView>,
    /// The limits of a script.
    limits: Vec<LimitView>,
}

/// A fact.
#[derive(Debug, Object)]
pub struct FactView {
    /// The name.
    name: String,
    /// The fact's type.
    kind: FactKind,
    /// `derived` by Ringbook, `given` by every message, or `mapped` by the rulebook.
    origin: String,
    /// The fact's meaning.
    about: String,
    /// The possible values, if the fact has a fixed set of values.
    values: Vec<String>,
}

/// A term of a condition.
#[derive(Debug, Object)]
pub struct TermView {
    /// The term's syntax.
    written: String,
    /// The term's meaning.
    about: String,
}

/// A function or property of a script.
#[derive(Debug, Object)]
pub struct FunctionView {
    /// The name.
    name: String,
    /// The function's syntax.
    signature: String,
    /// What the function does.
    about: String,
    /// A script that uses the function.
    example: String,
    /// The example's hook.
    hook: Hook,
}

/// A library of this rulebook.
#[derive(Debug, Object)]
pub struct LibraryView {
    /// The code.
    code: String,
    /// The import statement.
    import: String,
    /// The functions.
    functions: Vec<String>,
}

/// A limit.
#[derive(Debug, Object)]
pub struct LimitView {
    /// What is limited.
    name: String,
    /// The maximum.
    most: i64,
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook/vocabulary")]
impl VocabularyApi {
    /// Read the facts and functions of conditions and scripts
    #[oai(path = "/", method = "get")]
    async fn get_vocabulary(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
    ) -> Result<ReadResponse<VocabularyView>, Fails<NoExtraErrors>> {
        let loaded = self.0.open(&key, &rulebook.0).await?;
        Ok(ReadResponse::new(view(&loaded.rulebook)))
    }
}

fn view(book: &Rulebook) -> VocabularyView {
    let of_ringbook = |(name, kind): &(&'static str, FactKind), origin: &str| FactView {
        name: (*name).to_owned(),
        kind: *kind,
        origin: origin.to_owned(),
        about: about(name).to_owned(),
        values: book.closed_values(name).unwrap_or_default(),
    };
    let derived = DERIVED.iter().map(|fact| of_ringbook(fact, "derived"));
    let given = GIVEN.iter().map(|fact| of_ringbook(fact, "given"));
    let known = |name: &str| DERIVED.iter().chain(GIVEN).any(|(fact, _)| *fact == name);
    let mappings = book.rows().fact_mappings.values().map(|stored| &stored.row);
    let mapped = mappings
        .filter(|mapping| !known(&mapping.code))
        .map(|mapping| FactView {
            name: mapping.code.clone(),
            kind: mapping.kind,
            origin: "mapped".to_owned(),
            about: format!("Read from {}.", mapping.pointers.join(", ")),
            values: mapping.values.keys().cloned().collect(),
        });
    let judged = book.rows().classifiers.values().map(|stored| FactView {
        name: stored.row.code.clone(),
        kind: FactKind::Number,
        origin: "derived".to_owned(),
        about: format!("How likely the call is {}, 0 to 100.", stored.row.learns),
        values: Vec::new(),
    });
    let libraries = book.rows().scripts.values().map(|stored| &stored.row);
    let libraries = libraries
        .filter(|row| row.hook == Hook::Library)
        .map(|row| LibraryView {
            code: row.code.clone(),
            import: format!("import \"{0}\" as {0};", row.code),
            functions: book
                .script(&row.code)
                .map(CompiledScript::signatures)
                .unwrap_or_default(),
        });
    VocabularyView {
        revision: book.revision(),
        facts: derived.chain(judged).chain(given).chain(mapped).collect(),
        conditions: CONDITIONS
            .iter()
            .map(|(written, about)| TermView {
                written: (*written).to_owned(),
                about: (*about).to_owned(),
            })
            .collect(),
        functions: FUNCTIONS
            .iter()
            .map(|function| FunctionView {
                name: function.name.to_owned(),
                signature: function.signature.to_owned(),
                about: function.about.to_owned(),
                example: function.example.to_owned(),
                hook: function.hook,
            })
            .collect(),
        libraries: libraries.collect(),
        limits: LIMITS
            .iter()
            .map(|Limit { name, most }| LimitView {
                name: (*name).to_owned(),
                most: i64::try_from(*most).unwrap_or(i64::MAX),
            })
            .collect(),
    }
}
