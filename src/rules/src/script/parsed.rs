//! Parses the source of one script, before its libraries are known. It also finds errors that Rhai would report only at
//! run time: calls of unknown functions, and the few constructs that escape Rhai's limits.

use std::sync::Arc;
use std::time::Duration;

use rhai::{AST, ASTNode, Expr, FnAccess, ParseError, ParseErrorType, Position, Stmt};

use super::compile_clock;
use super::engine::{ENGINE, MAX_DEPTHS, MAX_FUNCTIONS, MAX_IMPORTS, scope};
use super::functions::{FUNCTIONS, Form};
use crate::fault::TextFault;
use crate::rows::{Hook, Script};
use crate::suggestion::did_you_mean;

/// Maximum length of a source, in bytes.
pub const MAX_SOURCE: usize = 32 * 1024;
/// CPU time limit for compiling one source.
const COMPILE_DEADLINE: Duration = Duration::from_millis(100);
/// Maximum number of names in a row that are separated only by commas. Rhai compares each parameter of a function with
/// all earlier parameters.
const MAX_ROW: usize = 300;
/// Maximum number of arguments in one call.
const MAX_ARGUMENTS: usize = 8;

/// A script that is valid, as far as it can be checked without its libraries.
#[derive(Debug)]
pub(super) struct ParsedScript {
    pub ast: Arc<AST>,
    pub imports: Vec<Import>,
    pub functions: Vec<Own>,
}

/// An import statement: `import "code" as alias;`
#[derive(Debug)]
pub(super) struct Import {
    pub code: String,
    pub alias: String,
    pub at: Position,
}

/// A function that a script defines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Own {
    pub name: String,
    pub parameters: Vec<String>,
    pub is_private: bool,
}

pub(super) fn fault(at: Position, problem: &'static str, text: String) -> TextFault {
    TextFault {
        line: at.line(),
        position: at.position(),
        problem,
        text,
    }
}

/// Parses a script. Adds the CPU time of parsing to `spent`, even if there is an error.
pub(super) fn parse(row: &Script, spent: &mut Duration) -> Result<ParsedScript, TextFault> {
    let source = &row.source;
    if source.len() > MAX_SOURCE {
        let text = format!("a script has at most {MAX_SOURCE} bytes; this one has {}", source.len());
        return Err(fault(Position::NONE, "too_long", text));
    }
    if longest_row_of_names(source) > MAX_ROW {
        let text = format!("more than {MAX_ROW} names in a row, separated only by commas");
        return Err(fault(Position::NONE, "too_complex", text));
    }
    let timed = compile_clock::within(COMPILE_DEADLINE, || ENGINE.compile_with_scope(&scope(), source));
    *spent += timed.took;
    if timed.is_over {
        let text = format!("this takes longer than {} ms to compile", COMPILE_DEADLINE.as_millis());
        return Err(fault(Position::NONE, "too_complex", text));
    }
    let mut ast = timed.done.map_err(|error| syntax(&error, source))?;
    ast.set_source(row.code.as_str());
    let imports = imports(&ast)?;
    if row.hook == Hook::Library {
        only_functions(&ast)?;
    }
    let functions = ast.iter_functions().map(|function| Own {
        name: function.name.to_owned(),
        parameters: function.params.iter().map(|name| (*name).to_owned()).collect(),
        is_private: function.access == FnAccess::Private,
    });
    Ok(ParsedScript {
        imports,
        functions: functions.collect(),
        ast: Arc::new(ast),
    })
}

/// Translates an error of Rhai into Ringbook's words, with the nearest existing name.
fn syntax(error: &ParseError, source: &str) -> TextFault {
    let known = || {
        let functions = FUNCTIONS.iter().map(|function| function.name);
        functions.chain(["quote", "priority", "result"]).chain(names(source))
    };
    let near = |wrong: &str| did_you_mean(wrong, known().filter(|name| *name != wrong));
    let (problem, text) = match error.err_type() {
        ParseErrorType::VariableUndefined(name) => {
            let hint = match near(name) {
                hint if hint.is_empty() => format!("; a fact is read with fact(\"{name}\")"),
                hint => hint,
            };
            ("unknown_variable", format!("there is no variable `{name}`{hint}"))
        }
        ParseErrorType::ModuleUndefined(name) => {
            let text = format!("nothing is imported as `{name}`{}", near(name));
            ("unknown_library", text)
        }
        ParseErrorType::ExprTooDeep => {
            let (outside, within) = MAX_DEPTHS;
            let text = format!("expressions and blocks nest at most {outside} deep, and {within} in functions");
            ("too_deep", text)
        }
        ParseErrorType::TooManyFunctions => ("too_many", format!("a script has at most {MAX_FUNCTIONS} functions")),
        other => {
            let told: String = other.to_string().chars().take(300).collect();
            ("syntax", format!("this script does not compile: {told}"))
        }
    };
    fault(error.position(), problem, text)
}

/// Returns the length of the longest run of names that are separated only by commas. Names in strings and comments do
/// not count.
fn longest_row_of_names(source: &str) -> usize {
    let (mut longest, mut row, mut in_name) = (0, 0, false);
    let mut rest = source.char_indices();
    while let Some((at, c)) = rest.next() {
        let tail = source.get(at..).unwrap_or_default();
        let skipped = match c {
            '"' => text_length(tail),
            '/' if tail.starts_with("//") => tail.find('\n').unwrap_or(tail.len()),
            '/' if tail.starts_with("/*") => comment_length(tail),
            _ => 0,
        };
        if skipped > 0 {
            // A comment does not end a run of names; a string does.
            row = if c == '"' { 0 } else { row };
            in_name = false;
            let end = at + skipped;
            while rest.clone().next().is_some_and(|(next, _)| next < end) {
                rest.next();
            }
        } else if c.is_alphanumeric() || c == '_' {
            row += usize::from(!in_name);
            longest = longest.max(row);
            in_name = true;
        } else {
            in_name = false;
            if c != ',' && !c.is_whitespace() {
                row = 0;
            }
        }
    }
    longest
}

/// The length of the string literal at the beginning of `tail`, including the quotes.
fn text_length(tail: &str) -> usize {
    let mut escaped = false;
    for (at, c) in tail.char_indices().skip(1) {
        match c {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return at + 1,
            _ => escaped = false,
        }
    }
    tail.len()
}

/// The length of the comment at the beginning of `tail`; comments nest.
fn comment_length(tail: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(rest) = tail.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    tail.len()
}

/// Returns every name in a source, without parsing the source.
fn names(source: &str) -> impl Iterator<Item = &str> {
    let words = source.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.len() <= 64 && word.starts_with(|c: char| c.is_ascii_alphabetic()))
}

/// Returns the imports of a script. They must be outside functions and blocks, so that a script's libraries are known
/// before it runs.
fn imports(ast: &AST) -> Result<Vec<Import>, TextFault> {
    let mut imports: Vec<Import> = Vec::new();
    for stmt in ast.statements() {
        let Stmt::Import(import, at) = stmt else { continue };
        let (path, alias) = &**import;
        let Expr::StringConstant(code, code_at) = path else {
            let text = "import takes the code of a library in quotes: import \"money\" as money;";
            return Err(fault(*at, "bad_import", text.to_owned()));
        };
        if alias.name.is_empty() {
            let text = format!("give the import a name: import \"{code}\" as {code};");
            return Err(fault(*at, "bad_import", text));
        }
        if imports.iter().any(|known| known.alias == alias.name.as_str()) {
            let text = format!("two libraries are imported as `{}`", alias.name);
            return Err(fault(alias.pos, "bad_import", text));
        }
        imports.push(Import {
            code: code.to_string(),
            alias: alias.name.to_string(),
            at: *code_at,
        });
    }
    if imports.len() > MAX_IMPORTS {
        let text = format!("a script imports at most {MAX_IMPORTS} libraries");
        return Err(fault(Position::NONE, "too_many", text));
    }
    Ok(imports)
}

fn only_functions(ast: &AST) -> Result<(), TextFault> {
    let other = |stmt: &&Stmt| !matches!(stmt, Stmt::Import(..) | Stmt::Noop(..));
    match ast.statements().iter().find(other) {
        None => Ok(()),
        Some(stmt) => {
            let text = "a library has only functions and imports: other code would never run";
            Err(fault(stmt.position(), "not_in_library", text.to_owned()))
        }
    }
}

/// Checks every call, property and assignment. `library` returns the functions of the import that has this alias.
pub(super) fn check<'a>(
    parsed: &'a ParsedScript,
    library: &dyn Fn(&str) -> Option<&'a [Own]>,
) -> Result<(), TextFault> {
    let check = Check { parsed, library };
    let mut found = None;
    parsed.ast.walk(&mut |path| {
        if let Some(node) = path.last() {
            found = check.node(node, path.len());
        }
        found.is_none()
    });
    found.map_or(Ok(()), Err)
}

struct Check<'a, 'p> {
    parsed: &'p ParsedScript,
    library: &'a dyn Fn(&str) -> Option<&'p [Own]>,
}

impl Check<'_, '_> {
    fn node(&self, node: &ASTNode<'_>, depth: usize) -> Option<TextFault> {
        match node {
            ASTNode::Expr(Expr::FnCall(call, at)) | ASTNode::Stmt(Stmt::FnCall(call, at)) => {
                if call.is_qualified() {
                    let path = &call.namespace.path;
                    let root = path.first().map_or("", |part| part.name.as_str());
                    return self.in_library(root, path.len(), &call.name, call.args.len(), *at);
                }
                let operator =
                    call.op_token.is_some() || !call.name.starts_with(|c: char| c.is_alphabetic() || c == '_');
                (!operator)
                    .then(|| self.call(&call.name, call.args.len(), false, *at))
                    .flatten()
            }
            ASTNode::Expr(Expr::MethodCall(call, at)) => self.call(&call.name, call.args.len(), true, *at),
            ASTNode::Expr(Expr::Property(property, at)) => property_fault(&property.2, *at),
            ASTNode::Expr(Expr::Variable(variable, _, at)) if !variable.2.is_empty() => {
                let own = variable.2.root() == "global";
                let text = "a library contains only functions, so nothing else can be read from it";
                (!own).then(|| fault(*at, "not_in_library", text.to_owned()))
            }
            ASTNode::Stmt(Stmt::Import(_, at)) => {
                let outermost = depth == 1 && self.parsed.ast.statements().iter().any(|stmt| stmt.position() == *at);
                let text = "`import` must be at the top, outside of functions and blocks";
                (!outermost).then(|| fault(*at, "bad_import", text.to_owned()))
            }
            ASTNode::Stmt(Stmt::Assignment(assignment)) => match &assignment.1.lhs {
                Expr::Variable(..) | Expr::ThisPtr(..) => None,
                Expr::Dot(..) => {
                    let text = "a property cannot be assigned to; a price is changed with quote.set(amount, label)";
                    Some(fault(assignment.1.lhs.position(), "bad_assignment", text.to_owned()))
                }
                _ => {
                    let text = "a list or string cannot change in place: build a new one with `+` or `+=`";
                    Some(fault(assignment.1.lhs.position(), "bad_assignment", text.to_owned()))
                }
            },
            _ => None,
        }
    }

    fn call(&self, name: &str, given: usize, is_method: bool, at: Position) -> Option<TextFault> {
        if given > MAX_ARGUMENTS {
            let text = format!("a call takes at most {MAX_ARGUMENTS} arguments");
            return Some(fault(at, "too_many", text));
        }
        let own = self.parsed.functions.iter().filter(|own| own.name == name);
        let own = own.map(|own| (own.parameters.len(), signature(own)));
        let ours = FUNCTIONS.iter().filter(|function| function.name == name);
        let ours = ours.filter_map(|function| match (function.form, is_method) {
            (Form::Property(_), _) => None,
            (Form::Method(_), false) => Some((function.arguments + 1, function.signature.to_owned())),
            (Form::Function, true) => Some((function.arguments - 1, function.signature.to_owned())),
            _ => Some((function.arguments, function.signature.to_owned())),
        });
        let known: Vec<(usize, String)> = own.chain(ours).collect();
        let names = self.parsed.functions.iter().map(|own| own.name.as_str());
        let names = names.chain(
            FUNCTIONS
                .iter()
                .filter(|function| callable(function.form))
                .map(|function| function.name),
        );
        called(name, given, &known, names, at)
    }

    fn in_library(&self, alias: &str, parts: usize, name: &str, given: usize, at: Position) -> Option<TextFault> {
        let Some(functions) = (self.library)(alias).filter(|_| parts == 1) else {
            let aliases = self.parsed.imports.iter().map(|import| import.alias.as_str());
            let text = format!("nothing is imported as `{alias}`{}", did_you_mean(alias, aliases));
            return Some(fault(at, "unknown_library", text));
        };
        let public: Vec<&Own> = functions.iter().filter(|own| !own.is_private).collect();
        let known: Vec<_> = public
            .iter()
            .filter(|own| own.name == name)
            .map(|own| (own.parameters.len(), signature(own)))
            .collect();
        called(name, given, &known, public.iter().map(|own| own.name.as_str()), at)
    }
}

const fn callable(form: Form) -> bool {
    !matches!(form, Form::Property(_))
}

/// Returns the signature of a function as the function's definition writes it.
pub(super) fn signature(own: &Own) -> String {
    format!("{}({})", own.name, own.parameters.join(", "))
}

fn called<'a>(
    name: &str,
    given: usize,
    known: &[(usize, String)],
    names: impl Iterator<Item = &'a str>,
    at: Position,
) -> Option<TextFault> {
    if known.iter().any(|(takes, _)| *takes == given) {
        return None;
    }
    if known.is_empty() {
        let text = format!("there is no function `{name}`{}", did_you_mean(name, names));
        return Some(fault(at, "unknown_function", text));
    }
    let signatures: Vec<&str> = known.iter().map(|(_, signature)| signature.as_str()).collect();
    let text = format!(
        "`{name}` does not take this many arguments: {}",
        signatures.join(" or ")
    );
    Some(fault(at, "wrong_arguments", text))
}

fn property_fault(name: &str, at: Position) -> Option<TextFault> {
    let properties = || {
        let found = FUNCTIONS.iter().filter(|function| !callable(function.form));
        found.map(|function| function.name)
    };
    if properties().any(|known| known == name) {
        return None;
    }
    let text = format!("there is no property `{name}`{}", did_you_mean(name, properties()));
    Some(fault(at, "unknown_property", text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_a_row_are_counted_through_comments() {
        assert_eq!(
            longest_row_of_names("fn f(a, b /* ( , */, // )\n c) { [1, x, y, z] }"),
            4
        );
        assert_eq!(longest_row_of_names("let s = \"a, b, c \\\" d, e\"; f(s)"), 2);
        assert_eq!(longest_row_of_names("/* /* a, b */ c, d, e */ f"), 1);
        assert_eq!(longest_row_of_names("\"a, b, c"), 0);
        assert_eq!(longest_row_of_names("/* é"), 0);
    }
}
