//! What the host objects `quote`, `priority` and `result` do, and what scripts can ask. [`super::functions`] offers it.
//!
//! Every act is recorded in the run as it happens, so the trace of a script is what it really did.

use std::cmp::Ordering;

use rhai::{Array, Dynamic, INT};
use rust_decimal::{Decimal, RoundingStrategy};

use super::run::{Run, with_run};
use super::values::{self, MAX_LIST, Outcome, clean, number};
use crate::decision::{MoneyStep, Step};
use crate::price::{self, Effect, Running};
use crate::rows::{AdjustmentKind, Per, Priority, Resource};

/// `quote`: the price range so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quote;
/// `priority`: how urgent it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct PriorityHandle;
/// `result`: what a tool answers and what is said.
#[derive(Debug, Clone, Copy)]
pub(super) struct ResultHandle;

pub(super) const MAX_STEPS: usize = 64;
const MAX_SENTENCES: usize = 8;
/// The most that a test run shows of what was logged.
pub(super) const MAX_LOG: (usize, usize) = (100, 200);

/// Both ends of the price so far.
pub(super) fn range(run: &Run) -> Result<(Decimal, Decimal), String> {
    Ok(price_of(run)?.range)
}

fn price_of(run: &Run) -> Result<Running, String> {
    run.price.ok_or_else(|| "there is no price here".to_owned())
}

/// The priority so far.
pub(super) fn current_priority(run: &Run) -> Result<(Priority, i64), String> {
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

/// Changes both ends of the price.
pub(super) fn change(kind: AdjustmentKind, amount: &Dynamic, label: &str) -> Outcome<()> {
    let amount = number(amount).ok_or("the amount must be a number")?;
    with_run(|run| {
        let before = price_of(run)?;
        let effect = before.adjusted(kind, Per::Job, amount);
        let label = clean(&label.chars().take(120).collect::<String>());
        let (after, label) = match effect.ok_or_else(|| "the amount is too large".to_owned())? {
            Effect::Changed(after) => (after, label),
            Effect::Besides(after) => (after, format!("{label}: once for the job, besides the price of one")),
            Effect::LeftOut => {
                let did = format!("{label}: left out, for the quantity of the job is not known");
                return note(run, did, None);
            }
        };
        run.price = Some(after);
        let money = price::money_step(Some(kind), before.range, after.range);
        note(run, label, Some(money))
    })
}

/// Sets the priority and the seconds within which somebody should call back.
pub(super) fn set_priority(level: &str, sla: INT) -> Outcome<()> {
    with_run(|run| {
        current_priority(run)?;
        let all = [Priority::P1, Priority::P2, Priority::P3, Priority::P4];
        let priority = all.into_iter().find(|priority| priority.name() == level);
        let priority = priority.ok_or("priority.set(…) takes \"P1\" to \"P4\"")?;
        if !(0..=31_536_000).contains(&sla) {
            return Err("priority.set(…) takes seconds from 0 to a year".to_owned());
        }
        run.priority = Some((priority, sla));
        note(run, format!("set {level}, {sla} s"), None)
    })
}

/// What a tool answers.
pub(super) fn set_result(value: &Dynamic) -> Outcome<()> {
    let value = values::to_json(value)?;
    with_run(|run| {
        run.result = Some(value);
        Ok(())
    })
}

/// A sentence for the caller.
pub(super) fn say(text: &str) -> Outcome<()> {
    with_run(|run| {
        if run.said.len() >= MAX_SENTENCES || text.chars().count() > 500 {
            return Err(format!(
                "say(…) takes at most {MAX_SENTENCES} sentences of at most 500 characters"
            ));
        }
        run.said.push(clean(text.trim()));
        Ok(())
    })
}

/// A line for whoever tries the script.
pub(super) fn log(value: &Dynamic) -> Outcome<()> {
    let wanted = with_run(|run| Ok(run.log.as_ref().is_some_and(|lines| lines.len() < MAX_LOG.0)))?;
    if wanted {
        let line: String = values::to_text(value)?.chars().take(MAX_LOG.1).collect();
        with_run(|run| {
            run.log.get_or_insert_default().push(line);
            Ok(())
        })?;
    }
    Ok(())
}

/// A fact, or `()`.
pub(super) fn fact(name: &str) -> Outcome<Dynamic> {
    with_run(|run| Ok(run.facts.get(name).map_or(Dynamic::UNIT, values::from_fact)))
}

/// Whether a fact is known.
pub(super) fn has(name: &str) -> Outcome<bool> {
    with_run(|run| Ok(run.facts.contains_key(name)))
}

/// Whether something is so, now, at the caller's.
pub(super) fn says(word: &str) -> Outcome<bool> {
    with_run(|run| Ok(run.presence(word).is_some_and(|presence| presence.said)))
}

/// Whether its words occur, whatever is said about them.
pub(super) fn mentions(word: &str) -> Outcome<bool> {
    with_run(|run| Ok(run.presence(word).is_some_and(|presence| presence.mentioned)))
}

/// What the assistant gave the tool, or `()`.
pub(super) fn arg(name: &str) -> Outcome<Dynamic> {
    with_run(|run| {
        run.asked_arguments = true;
        Ok(())
    })?;
    with_run(|run| run.args.get(name).map_or(Ok(Dynamic::UNIT), values::from_json))
}

/// A half goes up, away from zero.
pub(super) fn round(value: &Dynamic, places: INT) -> Outcome<Decimal> {
    let value = number(value).ok_or("round(…) takes a number")?;
    let places = u32::try_from(places).ok().filter(|places| *places <= 12);
    let places = places.ok_or("round(…) takes 0 to 12 places")?;
    Ok(value.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero))
}

/// The whole part.
pub(super) fn whole(value: &Dynamic) -> Outcome<INT> {
    let value = number(value).ok_or("whole(…) takes a number")?;
    INT::try_from(value.trunc()).map_err(|_| "the number is too large".into())
}

/// Without its sign.
pub(super) fn abs(value: &Dynamic) -> Outcome<Dynamic> {
    if let Ok(whole) = value.as_int() {
        let positive = whole.checked_abs().ok_or("the number is too large")?;
        return Ok(positive.into());
    }
    let value = number(value).ok_or("abs(…) takes a number")?;
    Ok(Dynamic::from(value.abs()))
}

/// The smaller or the greater of two numbers, as it was given.
pub(super) fn pick(a: Dynamic, b: Dynamic, greater: bool) -> Outcome<Dynamic> {
    let both = number(&a).zip(number(&b));
    let (left, right) = both.ok_or("min(…) and max(…) take two numbers")?;
    Ok(if (left >= right) == greater { a } else { b })
}

/// The number in a text, or `()`; a number as it is.
pub(super) fn parsed(value: &Dynamic) -> Dynamic {
    if number(value).is_some() {
        return value.clone();
    }
    read_number(value).map_or(Dynamic::UNIT, Dynamic::from)
}

/// A number, or the one in a text.
fn read_number(value: &Dynamic) -> Option<Decimal> {
    number(value).or_else(|| {
        let text = value.as_immutable_string_ref().ok()?;
        text.trim().replace(',', ".").parse().ok()
    })
}

/// How a text stands to a number; none where it is no number.
pub(super) fn compared(a: &Dynamic, b: &Dynamic) -> Option<Ordering> {
    Some(read_number(a)?.cmp(&read_number(b)?))
}

/// One whole number by another, exactly: a whole number where nothing is left over.
pub(super) fn quotient(a: INT, b: INT) -> Outcome<Dynamic> {
    if let Some(0) = a.checked_rem(b) {
        return Ok((a / b).into());
    }
    exact_quotient(a.into(), b.into())
}

fn exact_quotient(a: Decimal, b: Decimal) -> Outcome<Dynamic> {
    let quotient = a.checked_div(b).ok_or("a number cannot be divided by zero")?;
    Ok(Dynamic::from(quotient))
}

/// The same in place, for numbers of either kind.
pub(super) fn divide(a: &mut Dynamic, b: &Dynamic) -> Outcome<()> {
    *a = match (a.as_int(), b.as_int()) {
        (Ok(a), Ok(b)) => quotient(a, b)?,
        _ => {
            let both = number(a).zip(number(b));
            let (a, b) = both.ok_or("only numbers can be divided")?;
            exact_quotient(a, b)?
        }
    };
    Ok(())
}

/// How many letters or values.
pub(super) fn len(value: &Dynamic) -> Outcome<INT> {
    let count = match (value.as_immutable_string_ref(), value.as_array_ref()) {
        (Ok(text), _) => text.chars().count(),
        (_, Ok(items)) => items.len(),
        _ => return Err("len(…) takes a text or a list".into()),
    };
    Ok(INT::try_from(count).unwrap_or(INT::MAX))
}

/// Whether a list has a value or a text another; `in` asks the same.
pub(super) fn contains(whole: &Dynamic, wanted: &Dynamic) -> Outcome<bool> {
    if let Ok(items) = whole.as_array_ref() {
        return Ok(items.iter().any(|item| values::same(item, wanted)));
    }
    match (whole.as_immutable_string_ref(), wanted.as_immutable_string_ref()) {
        (Ok(text), Ok(part)) => Ok(text.contains(part.as_str())),
        _ => Err("contains(…) and `in` take a list and a value, or a text and a text".into()),
    }
}

/// The parts of a text between separators.
pub(super) fn split(text: &str, separator: &str) -> Outcome<Array> {
    if separator.is_empty() {
        return Err("split(…) needs a separator".into());
    }
    let parts: Array = text
        .split(separator)
        .take(MAX_LIST + 1)
        .map(|part| part.trim().to_owned().into())
        .collect();
    if parts.len() > MAX_LIST {
        return Err(format!("a list has at most {MAX_LIST} values").into());
    }
    Ok(parts)
}

/// Where `+` stands between a text and something else.
pub(super) fn joined(a: &Dynamic, b: &Dynamic) -> Outcome<String> {
    let mut text = values::to_text(a)?;
    text.push_str(&values::to_text(b)?);
    Ok(text)
}
