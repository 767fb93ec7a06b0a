//! Parses conditions: Rhai parses the source, and this module compiles it to [`Test`]s. An error contains its line and
//! character, and the nearest valid name.

use rhai::{AST, Dynamic, Engine, Expr, FnCallExpr, OptimizationLevel, Position, Stmt};
use rust_decimal::Decimal;

use super::condition::{Op, Test};
use super::facts::Fact;
use super::fault::TextFault;
use super::hearing::{LexiconBuilder, WordId};
use super::rows::FactKind;
use super::suggestion::did_you_mean;
use super::vocabulary::{Slot, Vocabulary};
use super::words::fold;

/// Maximum length of a condition, in bytes.
pub const MAX_SOURCE: usize = 4096;

/// Compiles conditions with one vocabulary.
pub struct Conditions<'a> {
    engine: Engine,
    vocabulary: &'a Vocabulary,
    /// Returns the literals with which a text fact may be compared, if the fact has a closed set of values.
    closed: &'a dyn Fn(Slot) -> Option<Vec<String>>,
}

impl<'a> Conditions<'a> {
    /// Creates a compiler for the facts of a vocabulary. `closed` returns all possible values of a fact, or `None` if
    /// the fact allows any value.
    #[must_use]
    pub fn new(vocabulary: &'a Vocabulary, closed: &'a dyn Fn(Slot) -> Option<Vec<String>>) -> Self {
        let mut engine = Engine::new_raw();
        engine.set_optimization_level(OptimizationLevel::None);
        engine.set_max_expr_depths(64, 8);
        Self {
            engine,
            vocabulary,
            closed,
        }
    }

    /// Compiles one condition; `hidden` lists facts that are not known yet when the condition is evaluated.
    ///
    /// # Errors
    /// The first error, with line and character.
    pub fn compile(&self, source: &str, hidden: &[Slot], words: &mut LexiconBuilder) -> Result<Test, TextFault> {
        if source.trim().is_empty() {
            return Ok(Test::Always(true));
        }
        if source.len() > MAX_SOURCE {
            return Err(fault(
                Position::NONE,
                "too_long",
                format!("a condition has at most {MAX_SOURCE} bytes"),
            ));
        }
        let ast = self.engine.compile_expression(source).map_err(|error| {
            let text = format!(
                "this is not a condition: {}{}",
                error.err_type(),
                in_signs(error.err_type())
            );
            fault(error.position(), "syntax", text)
        })?;
        let expr = only_expression(&ast).ok_or_else(|| too_rich(Position::NONE, "this"))?;
        Compiler {
            conditions: self,
            hidden,
            words,
        }
        .test(expr)
    }
}

fn only_expression(ast: &AST) -> Option<&Expr> {
    match ast.statements() {
        [Stmt::Expr(expr)] => Some(expr),
        _ => None,
    }
}

/// Returns a hint if the source contains a word or sign that other languages use as an operator.
fn in_signs(error: &rhai::ParseErrorType) -> &'static str {
    let text = error.to_string();
    let said = |word: &str| text.contains(&format!("'{word}'"));
    match () {
        () if said("and") => " (write `&&` for \"and\")",
        () if said("or") => " (write `||` for \"or\")",
        () if said("=") => " (write `==` for \"is\")",
        () => "",
    }
}

fn fault(at: Position, problem: &'static str, text: String) -> TextFault {
    TextFault {
        line: at.line(),
        position: at.position(),
        problem,
        text,
    }
}

fn too_rich(at: Position, what: &str) -> TextFault {
    let text = format!(
        "a condition cannot contain {what}: it may contain facts, literals, == != < <= > >=, in [..], &&, ||, !, says(\"…\"), mentions(\"…\") and denies(\"…\"); use a script for more"
    );
    fault(at, "too_rich", text)
}

/// One operand of a comparison.
enum Operand {
    Fact(Slot, FactKind),
    Literal(Fact, Position),
}

struct Compiler<'a, 'w> {
    conditions: &'a Conditions<'a>,
    hidden: &'a [Slot],
    words: &'w mut LexiconBuilder,
}

impl Compiler<'_, '_> {
    fn test(&mut self, expr: &Expr) -> Result<Test, TextFault> {
        match expr {
            Expr::BoolConstant(value, _) => Ok(Test::Always(*value)),
            Expr::Variable(..) => {
                let (slot, kind) = self.fact(expr)?;
                if kind == FactKind::Boolean {
                    Ok(Test::Truth(slot))
                } else {
                    let name = self.conditions.vocabulary.name(slot);
                    let text = format!(
                        "`{name}` is {}, not true or false: compare it with something",
                        a_kind(kind)
                    );
                    Err(fault(expr.position(), "wrong_type", text))
                }
            }
            Expr::And(parts, _) => Ok(Test::All(self.tests(parts)?)),
            Expr::Or(parts, _) => Ok(Test::Any(self.tests(parts)?)),
            Expr::FnCall(call, at) => self.call(call, *at),
            other => Err(too_rich(other.position(), describe(other))),
        }
    }

    fn tests(&mut self, parts: &[Expr]) -> Result<Vec<Test>, TextFault> {
        parts.iter().map(|part| self.test(part)).collect()
    }

    fn call(&mut self, call: &FnCallExpr, at: Position) -> Result<Test, TextFault> {
        let is_operator = call.op_token.is_some();
        match (call.name.as_str(), &*call.args) {
            ("says", words) if !is_operator => Ok(Test::Says(self.phrases("says", words, at)?)),
            ("mentions", words) if !is_operator => Ok(Test::Mentions(self.phrases("mentions", words, at)?)),
            ("denies", words) if !is_operator => Ok(Test::Denies(self.phrases("denies", words, at)?)),
            ("!", [Expr::FnCall(inner, at)]) if is_in(inner) => Ok(match self.call(inner, *at)? {
                Test::In(slot, literals) => Test::NotIn(slot, literals),
                other => Test::Not(Box::new(other)),
            }),
            ("!", [inner]) if is_operator => Ok(Test::Not(Box::new(self.test(inner)?))),
            ("contains", [list, item]) if is_in(call) => self.membership(list, item),
            (name, [left, right]) if is_operator && Op::read(name).is_some() => {
                let op = Op::read(name).ok_or_else(|| too_rich(at, name))?;
                self.comparison(left, op, right, at)
            }
            (name, _) if is_operator => Err(too_rich(at, &format!("the operator `{name}`"))),
            (name, _) => {
                let hint = did_you_mean(name, ["says", "mentions", "denies"].into_iter());
                let text = format!("there is no function `{name}` in a condition{hint} (use a script for more)");
                Err(fault(at, "unknown_function", text))
            }
        }
    }

    fn phrases(&mut self, function: &str, words: &[Expr], at: Position) -> Result<Vec<WordId>, TextFault> {
        if words.is_empty() {
            return Err(fault(
                at,
                "no_words",
                format!("{function}(…) needs at least one phrase"),
            ));
        }
        let mut ids = Vec::with_capacity(words.len());
        for word in words {
            let Expr::StringConstant(text, at) = word else {
                return Err(fault(
                    word.position(),
                    "wrong_type",
                    format!("{function}(…) takes phrases in quotes"),
                ));
            };
            let id = self.words.id(text).map_err(|why| fault(*at, "bad_word", why))?;
            ids.push(id);
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    fn membership(&mut self, list: &Expr, item: &Expr) -> Result<Test, TextFault> {
        let Operand::Fact(slot, kind) = self.side(item)? else {
            return Err(fault(
                item.position(),
                "wrong_type",
                "the left of `in` must be a fact".to_owned(),
            ));
        };
        let items: Vec<(Fact, Position)> = match list {
            Expr::Array(items, _) => items.iter().map(literal).collect::<Result<_, _>>()?,
            Expr::DynamicConstant(..) | Expr::StringConstant(..) => Vec::new(),
            other => return Err(too_rich(other.position(), "anything but a list in [..] after `in`")),
        };
        if items.is_empty() {
            return Err(fault(
                list.position(),
                "wrong_type",
                "the right of `in` must be a list of literals".to_owned(),
            ));
        }
        let literals = items
            .into_iter()
            .map(|(value, at)| self.fitting(slot, kind, value, at))
            .collect::<Result<_, _>>()?;
        Ok(Test::In(slot, literals))
    }

    fn comparison(&mut self, left: &Expr, op: Op, right: &Expr, at: Position) -> Result<Test, TextFault> {
        let (slot, kind, op, value, value_at) = match (self.side(left)?, self.side(right)?) {
            (Operand::Fact(slot, kind), Operand::Literal(value, value_at)) => (slot, kind, op, value, value_at),
            (Operand::Literal(value, value_at), Operand::Fact(slot, kind)) => {
                (slot, kind, op.flipped(), value, value_at)
            }
            (Operand::Fact(left, left_kind), Operand::Fact(right, right_kind)) => {
                if left_kind != right_kind {
                    let text = format!("{} cannot be compared with {}", a_kind(left_kind), a_kind(right_kind));
                    return Err(fault(at, "wrong_type", text));
                }
                ordered(op, left_kind, at)?;
                return Ok(Test::CompareFacts(left, op, right));
            }
            (Operand::Literal(..), Operand::Literal(..)) => {
                return Err(fault(at, "no_fact", "a comparison needs a fact on one side".to_owned()));
            }
        };
        let value = self.fitting(slot, kind, value, value_at)?;
        ordered(op, kind, at)?;
        Ok(Test::Compare(slot, op, value))
    }

    fn side(&mut self, expr: &Expr) -> Result<Operand, TextFault> {
        match expr {
            Expr::Variable(..) => self.fact(expr).map(|(slot, kind)| Operand::Fact(slot, kind)),
            _ => literal(expr).map(|(value, at)| Operand::Literal(value, at)),
        }
    }

    fn fact(&self, expr: &Expr) -> Result<(Slot, FactKind), TextFault> {
        let Expr::Variable(variable, _, at) = expr else {
            return Err(too_rich(expr.position(), describe(expr)));
        };
        let (name, vocabulary) = (variable.1.as_str(), self.conditions.vocabulary);
        let (slot, kind) = vocabulary.get(name).ok_or_else(|| {
            let hint = did_you_mean(name, vocabulary.names());
            fault(*at, "unknown_fact", format!("there is no fact `{name}`{hint}"))
        })?;
        if self.hidden.contains(&slot) {
            let text = format!("`{name}` is not known yet here: only priority rules see the price");
            return Err(fault(*at, "fact_not_known_here", text));
        }
        Ok((slot, kind))
    }

    /// Converts a literal to the type of the fact with which it is compared.
    fn fitting(&self, slot: Slot, kind: FactKind, value: Fact, at: Position) -> Result<Fact, TextFault> {
        let name = self.conditions.vocabulary.name(slot);
        match (kind, value) {
            (FactKind::Text, Fact::Text(text)) => {
                if let Some(known) = (self.conditions.closed)(slot)
                    && !known.contains(&text)
                {
                    let hint = did_you_mean(&text, known.iter().map(String::as_str));
                    return Err(fault(
                        at,
                        "unknown_value",
                        format!("`{name}` is never \"{text}\"{hint}"),
                    ));
                }
                let folds = self.conditions.vocabulary.folds(slot);
                Ok(Fact::Text(if folds { fold(&text) } else { text }))
            }
            (FactKind::Boolean, value @ Fact::Boolean(_)) | (FactKind::Number, value @ Fact::Number(_)) => Ok(value),
            (FactKind::Time, Fact::Text(text)) => chrono::DateTime::parse_from_rfc3339(&text)
                .map(|time| Fact::Time(time.to_utc()))
                .map_err(|_| {
                    let text =
                        format!("`{name}` is an instant: compare it with a time such as \"2026-12-24T17:00:00-05:00\"");
                    fault(at, "wrong_type", text)
                }),
            (kind, _) => {
                let text = format!("`{name}` is {}: compare it with {}", a_kind(kind), an_example(kind));
                Err(fault(at, "wrong_type", text))
            }
        }
    }
}

/// Whether a call comes from `x in list`, which Rhai turns into `contains(list, x)`. A call of `contains` in the source
/// looks the same.
fn is_in(call: &FnCallExpr) -> bool {
    call.name == "contains" && call.args.len() == 2
}

fn ordered(op: Op, kind: FactKind, at: Position) -> Result<(), TextFault> {
    let orderable = matches!(kind, FactKind::Number | FactKind::Time) || matches!(op, Op::Eq | Op::Ne);
    orderable.then_some(()).ok_or_else(|| {
        let text = format!("{} has no order: use == or != or in [..]", a_kind(kind));
        fault(at, "wrong_type", text)
    })
}

fn literal(expr: &Expr) -> Result<(Fact, Position), TextFault> {
    let fact = match expr {
        Expr::BoolConstant(value, _) => Some(Fact::Boolean(*value)),
        Expr::IntegerConstant(value, _) => Some(Fact::Number(Decimal::from(*value))),
        Expr::StringConstant(text, _) => Some(Fact::Text(text.to_string())),
        Expr::DynamicConstant(value, _) => decimal(value).map(Fact::Number),
        // Rhai folds only the sign of whole numbers.
        Expr::FnCall(call, _) if call.name == "-" => match &*call.args {
            [Expr::DynamicConstant(value, _)] => decimal(value).map(|value| Fact::Number(-value)),
            _ => None,
        },
        _ => None,
    };
    fact.map(|fact| (fact, expr.position()))
        .ok_or_else(|| too_rich(expr.position(), describe(expr)))
}

fn decimal(value: &Dynamic) -> Option<Decimal> {
    value.clone().try_cast::<Decimal>()
}

const fn a_kind(kind: FactKind) -> &'static str {
    match kind.base() {
        FactKind::Number => "a number",
        FactKind::Boolean => "true or false",
        FactKind::Time => "an instant",
        _ => "text",
    }
}

const fn an_example(kind: FactKind) -> &'static str {
    match kind.base() {
        FactKind::Number => "a number without quotes",
        FactKind::Boolean => "true or false",
        FactKind::Time => "an instant in quotes",
        _ => "a string in quotes",
    }
}

const fn describe(expr: &Expr) -> &'static str {
    match expr {
        Expr::FnCall(..) | Expr::MethodCall(..) => "a call or arithmetic",
        Expr::Dot(..) | Expr::Property(..) => "a property or method",
        Expr::Index(..) => "an index",
        Expr::Array(..) => "a list here",
        Expr::InterpolatedString(..) => "an interpolated string",
        Expr::CharConstant(..) => "a single character in '…' (use \"…\")",
        Expr::StringConstant(..) | Expr::IntegerConstant(..) | Expr::DynamicConstant(..) => "a literal alone",
        _ => "this expression",
    }
}
