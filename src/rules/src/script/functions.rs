//! Lists all functions that a script may call. Registration, checks and documentation use this list. A script can call
//! no other function; the engine itself provides only operators. A test runs the example of each function.

use std::cmp::Ordering;

use rhai::{Dynamic, Engine, INT, ImmutableString};
use rust_decimal::Decimal;

use super::host::{self, PriorityHandle, Quote, ResultHandle};
use super::run::with_run;
use super::values::HostResult;
use crate::rows::{AdjustmentKind, Hook};

/// The syntax of a function call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `name(…)`; the first argument may also precede the name, as in `text.len()`.
    Function,
    /// `object.name(…)`, where the value is the name of the host object.
    Method(&'static str),
    /// `object.name`, where the value is the name of the host object.
    Property(&'static str),
}

/// A function or property for scripts.
pub struct Function {
    /// The name.
    pub name: &'static str,
    /// The syntax of a call.
    pub form: Form,
    /// The number of arguments.
    pub arguments: usize,
    /// The signature in readable form, for example `quote.add(amount, label)`.
    pub signature: &'static str,
    /// A description.
    pub about: &'static str,
    /// An example script.
    pub example: &'static str,
    /// The hook in which the example runs.
    pub hook: Hook,
    register: fn(&mut Engine),
}

macro_rules! functions {
    ($($form:ident $(($object:literal))? $name:ident / $arguments:literal $signature:literal, $hook:ident, $about:literal, $example:literal, $register:expr;)*) => {
        /// All functions; the functions of host objects come first.
        pub const FUNCTIONS: &[Function] = &[$(Function {
            name: stringify!($name),
            form: Form::$form $(($object))?,
            arguments: $arguments,
            signature: $signature,
            about: $about,
            example: $example,
            hook: Hook::$hook,
            register: $register,
        }),*];
    };
}

functions! {
    Property("quote") from / 0 "quote.from", Price,
        "The lowest price so far, before rounding and taxes.",
        r#"if quote.from < 100 { quote.floor(100, "at least a hundred"); }"#,
        |engine| { engine.register_get("from", |_: &mut Quote| with_run(|run| host::range(run).map(|(from, _)| from))); };
    Property("quote") to / 0 "quote.to", Price,
        "The highest price so far.",
        r#"if quote.to > 900 { quote.cap(900, "at most nine hundred"); }"#,
        |engine| { engine.register_get("to", |_: &mut Quote| with_run(|run| host::range(run).map(|(_, to)| to))); };
    Method("quote") add / 2 "quote.add(amount, label)", Price,
        "Adds to both ends of the price; a negative amount subtracts. The trace shows the label.",
        r#"quote.add(25.50, "weekend");"#,
        |engine| { engine.register_fn("add", |_: &mut Quote, amount: Dynamic, label: &str| host::change(AdjustmentKind::Add, &amount, label)); };
    Method("quote") percent / 2 "quote.percent(rate, label)", Price,
        "Adds this percentage of the price so far.",
        r#"quote.percent(-10, "spring promotion");"#,
        |engine| { engine.register_fn("percent", |_: &mut Quote, rate: Dynamic, label: &str| host::change(AdjustmentKind::Percent, &rate, label)); };
    Method("quote") multiply / 2 "quote.multiply(factor, label)", Price,
        "Multiplies both ends of the price.",
        r#"quote.multiply(1.3, "after hours");"#,
        |engine| { engine.register_fn("multiply", |_: &mut Quote, factor: Dynamic, label: &str| host::change(AdjustmentKind::Multiply, &factor, label)); };
    Method("quote") floor / 2 "quote.floor(amount, label)", Price,
        "Raises both ends of the price to at least the amount.",
        r#"quote.floor(150, "smallest job");"#,
        |engine| { engine.register_fn("floor", |_: &mut Quote, amount: Dynamic, label: &str| host::change(AdjustmentKind::Floor, &amount, label)); };
    Method("quote") cap / 2 "quote.cap(amount, label)", Price,
        "Lowers both ends of the price to at most the amount.",
        r#"quote.cap(2000, "largest job");"#,
        |engine| { engine.register_fn("cap", |_: &mut Quote, amount: Dynamic, label: &str| host::change(AdjustmentKind::Cap, &amount, label)); };
    Method("quote") set / 2 "quote.set(amount, label)", Price,
        "Sets both ends of the price to the amount.",
        r#"quote.set(99, "inspection");"#,
        |engine| { engine.register_fn("set", |_: &mut Quote, amount: Dynamic, label: &str| host::change(AdjustmentKind::Set, &amount, label)); };
    Property("priority") level / 0 "priority.level", Priority,
        "The priority so far: \"P1\" to \"P4\".",
        r#"if priority.level == "P4" { priority.set("P3", 3600); }"#,
        |engine| { engine.register_get("level", |_: &mut PriorityHandle| with_run(|run| host::current_priority(run).map(|(level, _)| level.name().to_owned()))); };
    Property("priority") sla_seconds / 0 "priority.sla_seconds", Priority,
        "The current number of seconds within which to call back.",
        r#"if priority.sla_seconds > 1800 { priority.set("P3", 1800); }"#,
        |engine| { engine.register_get("sla_seconds", |_: &mut PriorityHandle| with_run(|run| host::current_priority(run).map(|(_, sla)| sla))); };
    Method("priority") set / 2 "priority.set(level, seconds)", Priority,
        "Sets the priority and the seconds within which somebody should call back.",
        r#"if says("flood*") { priority.set("P1", 900); }"#,
        |engine| { engine.register_fn("set", |_: &mut PriorityHandle, level: &str, sla: INT| host::set_priority(level, sla)); };
    Method("result") set / 1 "result.set(value)", Tool,
        "The tool's response: a string, a number, true, false or a list.",
        r#"result.set([1, "two", 3.5]);"#,
        |engine| { engine.register_fn("set", |_: &mut ResultHandle, value: Dynamic| host::set_result(&value)); };
    Method("result") say / 1 "result.say(text)", Tool,
        "Adds a sentence for the caller: at most 8 sentences of at most 500 characters.",
        r#"result.say("We can come tomorrow.");"#,
        |engine| { engine.register_fn("say", |_: &mut ResultHandle, text: &str| host::say(text)); };
    Function fact / 1 "fact(name)", Price,
        "A fact by name, or `()` if it is unknown. Strings are cut to 2,000 characters.",
        r#"let metres = fact("metres"); if metres != () { quote.add(metres * 2, "per metre"); }"#,
        |engine| { engine.register_fn("fact", host::fact); };
    Function has / 1 "has(name)", Price,
        "Whether a fact is known.",
        r#"if !has("area") { quote.add(40, "unknown area"); }"#,
        |engine| { engine.register_fn("has", host::has); };
    Function says / 1 "says(word)", Priority,
        "Whether the caller said a word, as in conditions: accents and case do not matter, and a word may end with `*`.",
        r#"if says("sewage") || says("égout*") { priority.set("P2", 1800); }"#,
        |engine| { engine.register_fn("says", host::says); };
    Function mentions / 1 "mentions(word)", Priority,
        "Whether the words occur, even if denied, past or about somebody else.",
        r#"if mentions("flood*") && !says("flood*") { priority.set("P3", 3600); }"#,
        |engine| { engine.register_fn("mentions", host::mentions); };
    Function arg / 1 "arg(name)", Tool,
        "The assistant's argument with this name, or `()` if it is missing.",
        r#"let rooms = arg("rooms"); if rooms == () { result.say("How many rooms?"); }"#,
        |engine| { engine.register_fn("arg", host::arg); };
    Function log / 1 "log(value)", Tool,
        "Shows a line in a test run (at most 100 lines); has no effect in calls.",
        r#"log("metres: " + 12);"#,
        |engine| { engine.register_fn("log", |value: Dynamic| host::log(&value)); };
    Function round / 2 "round(value, places)", Tool,
        "Rounds to this number of decimal places; a half is rounded away from zero.",
        "result.set(round(2.345, 2));",
        |engine| { engine.register_fn("round", |value: Dynamic, places: INT| host::round(&value, places)); };
    Function whole / 1 "whole(value)", Tool,
        "The whole part of a number, for counting.",
        "for floor in 0..whole(2.9) { log(floor); }",
        |engine| { engine.register_fn("whole", |value: Dynamic| host::whole(&value)); };
    Function abs / 1 "abs(value)", Tool,
        "A number without its sign.",
        "result.set(abs(-3.5));",
        |engine| { engine.register_fn("abs", |value: Dynamic| host::abs(&value)); };
    Function min / 2 "min(a, b)", Tool,
        "The smaller of two numbers.",
        "result.set(min(3, 2.5));",
        |engine| { engine.register_fn("min", |a: Dynamic, b: Dynamic| host::pick(a, b, false)); };
    Function max / 2 "max(a, b)", Tool,
        "The greater of two numbers.",
        "result.set(max(3, 2.5));",
        |engine| { engine.register_fn("max", |a: Dynamic, b: Dynamic| host::pick(a, b, true)); };
    Function number / 1 "number(value)", Tool,
        "The number in a string, with a decimal point or comma; `()` if the string is not a number.",
        r#"result.set(number("12,5"));"#,
        |engine| { engine.register_fn("number", |value: Dynamic| host::parsed(&value)); };
    Function text / 1 "text(value)", Tool,
        "A value as a string.",
        r#"result.set("about " + text(12.5));"#,
        |engine| { engine.register_fn("text", |value: Dynamic| super::values::to_text(&value)); };
    Function len / 1 "len(value)", Tool,
        "The number of characters or list items.",
        r#"result.set(len("drain") + [1, 2].len());"#,
        |engine| { engine.register_fn("len", |value: Dynamic| host::len(&value)); };
    Function contains / 2 "contains(whole, part)", Tool,
        "Whether a list contains a value, or a string contains another string; the same as `part in whole`.",
        r#"result.set(contains(["H1", "H2"], "H2") && "trap" in "grease trap");"#,
        |engine| { engine.register_fn("contains", |whole: Dynamic, wanted: Dynamic| host::contains(&whole, &wanted)); };
    Function lower / 1 "lower(text)", Tool,
        "A string in lower case.",
        r#"result.set(lower("Montréal"));"#,
        |engine| { engine.register_fn("lower", |text: &str| text.to_lowercase()); };
    Function trim / 1 "trim(text)", Tool,
        "A string without spaces at its ends.",
        r#"result.set(trim(" H2X 1Y4 "));"#,
        |engine| { engine.register_fn("trim", |text: &str| text.trim().to_owned()); };
    Function starts_with / 2 "starts_with(text, start)", Price,
        "Whether a string begins with another string.",
        r#"let code = fact("postal_code"); if code != () && starts_with(code, "J4") { quote.add(20, "South Shore"); }"#,
        |engine| { engine.register_fn("starts_with", |text: &str, start: &str| text.starts_with(start)); };
    Function split / 2 "split(text, separator)", Tool,
        "The parts of a string between separators, trimmed.",
        r#"result.set(split("kitchen, bath", ","));"#,
        |engine| { engine.register_fn("split", host::split); };
    Function type_of / 1 "type_of(value)", Tool,
        "The type of a value: \"i64\", \"decimal\", \"string\", \"bool\", \"array\" or \"()\".",
        "result.set(type_of(1.5));",
        |_| {};
}

/// Registers all functions, and the operators that Rhai has only in its packages.
pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Quote>("quote");
    engine.register_type_with_name::<PriorityHandle>("priority");
    engine.register_type_with_name::<ResultHandle>("result");
    for function in FUNCTIONS {
        (function.register)(engine);
    }
    engine
        .register_fn("-", |value: INT| -> HostResult<INT> {
            value.checked_neg().ok_or_else(|| "the number is too large".into())
        })
        .register_fn("-", |value: Decimal| -value)
        .register_fn("!", |value: bool| !value)
        .register_fn("/", host::quotient)
        .register_fn("/=", |a: &mut Dynamic, b: INT| host::divide(a, &b.into()))
        .register_fn("/=", |a: &mut Dynamic, b: Decimal| host::divide(a, &Dynamic::from(b)))
        .register_fn("+", |a: ImmutableString, b: Dynamic| host::joined(&a.into(), &b))
        .register_fn("+", |a: Dynamic, b: ImmutableString| host::joined(&a, &b.into()))
        // Rhai calls this function for `${…}` in a string.
        .register_fn("to_string", |value: Dynamic| super::values::to_text(&value));
    for (name, holds) in COMPARISONS {
        let compare = move |a: &Dynamic, b: &Dynamic| holds(host::compared(a, b));
        engine
            .register_fn(*name, move |a: ImmutableString, b: INT| compare(&a.into(), &b.into()))
            .register_fn(*name, move |a: ImmutableString, b: Decimal| {
                compare(&a.into(), &Dynamic::from(b))
            })
            .register_fn(*name, move |a: INT, b: ImmutableString| compare(&a.into(), &b.into()))
            .register_fn(*name, move |a: Decimal, b: ImmutableString| {
                compare(&Dynamic::from(a), &b.into())
            });
    }
}

/// Returns whether a comparison is true if its left and right values have this order. The order is `None` if a string
/// is not a number.
type Holds = fn(Option<Ordering>) -> bool;

/// Comparisons between strings and numbers. Rhai's operators would always treat a string and a number as unequal.
const COMPARISONS: &[(&str, Holds)] = &[
    ("==", |order| order == Some(Ordering::Equal)),
    ("!=", |order| order != Some(Ordering::Equal)),
    ("<", |order| order == Some(Ordering::Less)),
    ("<=", |order| order.is_some_and(Ordering::is_le)),
    (">", |order| order == Some(Ordering::Greater)),
    (">=", |order| order.is_some_and(Ordering::is_ge)),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn signatures_say_what_is_registered() {
        let mut seen = HashSet::new();
        for function in FUNCTIONS {
            let Function {
                name, form, signature, ..
            } = function;
            assert!(seen.insert(*signature), "{signature} is in the list twice");
            let (called, arguments) = signature.split_once('(').unwrap_or((signature, ")"));
            let expected = match form {
                Form::Function => (*name).to_owned(),
                Form::Method(object) | Form::Property(object) => format!("{object}.{name}"),
            };
            assert_eq!(called, expected);
            let arguments = arguments.trim_end_matches(')');
            let count = arguments.split(',').filter(|argument| !argument.is_empty()).count();
            assert_eq!(count, function.arguments, "{signature}");
            assert!(function.example.contains(name), "{signature}");
        }
    }
}
