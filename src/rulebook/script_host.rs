//! What scripts can see and do: the host objects `quote`, `priority` and `result`, and the functions `fact`, `has`,
//! `says`, `arg`, `round`, `min`, `max`, `number` and `text`.
//!
//! Every act is recorded in the run as it happens, so the trace of a script is what it really did.

use rhai::{Dynamic, Engine, EvalAltResult, INT};
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::Value;

use super::decision::{MoneyStep, Step};
use super::facts::Fact;
use super::rows::{AdjustmentKind, Priority, Resource};
use super::script::{Run, with_run};
use super::words;

type Outcome<T> = Result<T, Box<EvalAltResult>>;

/// `quote`: the price range so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quote;
/// `priority`: how urgent it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct PriorityHandle;
/// `result`: what a tool answers and what is said.
#[derive(Debug, Clone, Copy)]
pub(super) struct ResultHandle;

/// Every function and method that a script may call.
pub(super) const FUNCTIONS: &[&str] = &[
    "add",
    "percent",
    "multiply",
    "floor",
    "cap",
    "set",
    "say",
    "fact",
    "has",
    "says",
    "arg",
    "round",
    "min",
    "max",
    "number",
    "text",
    "len",
    "contains",
    "abs",
    "sign",
    "is_zero",
    "is_odd",
    "is_even",
    "to_string",
    "range",
    "type_of",
    "is_def_var",
];

const MAX_STEPS: usize = 64;

/// Offers everything to scripts.
pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Quote>("quote");
    engine.register_type_with_name::<PriorityHandle>("priority");
    engine.register_type_with_name::<ResultHandle>("result");
    engine.register_get("from", |_: &mut Quote| with_run(|run| range(run).map(|(from, _)| from)));
    engine.register_get("to", |_: &mut Quote| with_run(|run| range(run).map(|(_, to)| to)));

    for (name, kind) in [
        ("add", AdjustmentKind::Add),
        ("percent", AdjustmentKind::Percent),
        ("multiply", AdjustmentKind::Multiply),
        ("floor", AdjustmentKind::Floor),
        ("cap", AdjustmentKind::Cap),
        ("set", AdjustmentKind::Set),
    ] {
        let by_decimal = move |_: &mut Quote, amount: Decimal, label: &str| change(kind, amount, label);
        let by_integer = move |_: &mut Quote, amount: INT, label: &str| change(kind, amount.into(), label);
        engine.register_fn(name, by_decimal).register_fn(name, by_integer);
    }

    engine.register_fn("set", |_: &mut PriorityHandle, level: &str, sla: INT| {
        set_priority(level, sla)
    });
    engine.register_get("level", |_: &mut PriorityHandle| {
        with_run(|run| current_priority(run).map(|(level, _)| format!("{level:?}")))
    });
    engine.register_get("sla_seconds", |_: &mut PriorityHandle| {
        with_run(|run| current_priority(run).map(|(_, sla)| sla))
    });

    engine.register_fn("set", |_: &mut ResultHandle, value: Dynamic| -> Outcome<()> {
        let value = to_json(&value)?;
        with_run(|run| {
            run.result = Some(value);
            Ok(())
        })
    });
    engine.register_fn("say", |_: &mut ResultHandle, text: &str| {
        with_run(|run| {
            let room = run.said.len() < 8 && text.chars().count() <= 500;
            if !room {
                return Err("say(…) takes at most 8 sentences of at most 500 characters".to_owned());
            }
            run.said.push(text.trim().to_owned());
            Ok(())
        })
    });

    engine.register_fn("fact", |name: &str| {
        with_run(|run| Ok(run.facts.get(name).map_or(Dynamic::UNIT, from_fact)))
    });
    engine.register_fn("has", |name: &str| with_run(|run| Ok(run.facts.contains_key(name))));
    engine.register_fn("says", |word: &str| with_run(|run| Ok(words::heard(&run.heard, word))));
    engine.register_fn("arg", |name: &str| -> Outcome<Dynamic> {
        with_run(|run| Ok(run.args.get(name).map_or(Dynamic::UNIT, |value| from_json(value, 0))))
    });

    engine.register_fn("round", |value: Decimal, places: INT| -> Outcome<Decimal> {
        let places = u32::try_from(places).ok().filter(|places| *places <= 12);
        let places = places.ok_or("round(…) takes 0 to 12 places")?;
        Ok(value.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero))
    });
    engine.register_fn("len", |text: &str| {
        INT::try_from(text.chars().count()).unwrap_or(INT::MAX)
    });
    engine.register_fn("len", |items: &mut rhai::Array| {
        INT::try_from(items.len()).unwrap_or(INT::MAX)
    });
    engine.register_fn(
        "contains",
        |items: &mut rhai::Array, wanted: Dynamic| -> Outcome<bool> {
            let wanted = to_json(&wanted)?;
            Ok(items.iter().any(|item| to_json(item).is_ok_and(|item| item == wanted)))
        },
    );
    engine.register_fn("min", |a: Decimal, b: Decimal| a.min(b));
    engine.register_fn("max", |a: Decimal, b: Decimal| a.max(b));
    engine.register_fn("min", |a: INT, b: INT| a.min(b));
    engine.register_fn("max", |a: INT, b: INT| a.max(b));
    engine.register_fn("number", |text: &str| {
        text.trim()
            .replace(',', ".")
            .parse::<Decimal>()
            .map_or(Dynamic::UNIT, Dynamic::from)
    });
    engine.register_fn("text", |value: Dynamic| -> Outcome<String> {
        Ok(match to_json(&value)? {
            Value::String(text) => text,
            other => other.to_string(),
        })
    });
}

fn range(run: &Run) -> Result<(Decimal, Decimal), String> {
    run.range.ok_or_else(|| "there is no price here".to_owned())
}

fn current_priority(run: &Run) -> Result<(Priority, i64), String> {
    run.priority.ok_or_else(|| "there is no priority here".to_owned())
}

fn note(run: &mut Run, did: String, money: Option<MoneyStep>) -> Result<(), String> {
    if run.steps.len() >= MAX_STEPS {
        return Err(format!("a script acts at most {MAX_STEPS} times"));
    }
    let mut step = Step::plain(Resource::Scripts, &run.code, did);
    step.money = money;
    run.steps.push(step);
    Ok(())
}

fn change(kind: AdjustmentKind, amount: Decimal, label: &str) -> Outcome<()> {
    with_run(|run| {
        let (from, to) = range(run)?;
        let after = super::price::applied(kind, amount, from).zip(super::price::applied(kind, amount, to));
        let (from_after, to_after) = after.ok_or_else(|| "the amount is too large".to_owned())?;
        run.range = Some((from_after, to_after));
        let label: String = label.chars().take(120).collect();
        note(
            run,
            label,
            Some(super::price::money_step(Some(kind), (from, to), (from_after, to_after))),
        )
    })
}

fn set_priority(level: &str, sla: INT) -> Outcome<()> {
    with_run(|run| {
        current_priority(run)?;
        let priority = match level {
            "P1" => Priority::P1,
            "P2" => Priority::P2,
            "P3" => Priority::P3,
            "P4" => Priority::P4,
            _ => return Err("priority.set(…) takes \"P1\" to \"P4\"".to_owned()),
        };
        if sla < 0 {
            return Err("priority.set(…) takes seconds from 0".to_owned());
        }
        run.priority = Some((priority, sla));
        note(run, format!("set {level}, {sla} s"), None)
    })
}

fn from_fact(fact: &Fact) -> Dynamic {
    match fact {
        Fact::Boolean(value) => (*value).into(),
        Fact::Number(value) => Dynamic::from(*value),
        Fact::Text(text) => text.clone().into(),
        Fact::Time(time) => time.to_rfc3339().into(),
    }
}

fn from_json(value: &Value, depth: usize) -> Dynamic {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number
                .to_string()
                .parse::<Decimal>()
                .map_or(Dynamic::UNIT, Dynamic::from),
        },
        Value::String(text) => text.chars().take(4096).collect::<String>().into(),
        Value::Array(items) if depth < 4 => {
            let items: rhai::Array = items.iter().take(256).map(|item| from_json(item, depth + 1)).collect();
            items.into()
        }
        _ => Dynamic::UNIT,
    }
}

/// A script's value as JSON: exact numbers become text, so that no float touches an amount.
fn to_json(value: &Dynamic) -> Outcome<Value> {
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(value) = value.as_bool() {
        return Ok(value.into());
    }
    if let Ok(value) = value.as_int() {
        return Ok(value.into());
    }
    if let Some(value) = value.clone().try_cast::<Decimal>() {
        return Ok(value.to_string().into());
    }
    if let Ok(text) = value.clone().into_immutable_string() {
        return Ok(text.to_string().into());
    }
    if let Ok(items) = value.clone().into_array() {
        return Ok(Value::Array(items.iter().map(to_json).collect::<Outcome<_>>()?));
    }
    Err("only text, numbers, true, false and lists can leave a script".into())
}
