//! Implements the host objects `quote`, `priority` and `result`, and the other functions of scripts.
//! [`super::functions`] registers them.
//!
//! Every effect is recorded in the run when it happens, so the trace shows the real effects of a script.

use std::cmp::Ordering;

use rhai::{Array, Dynamic, INT};
use rust_decimal::{Decimal, RoundingStrategy};

use super::run::{Run, with_run};
use super::values::{self, HostResult, MAX_LIST, clean, number};
use crate::decision::{MoneyStep, Step};
use crate::price::{self, Effect, Running};
use crate::rows::{AdjustmentKind, Per, Priority, Resource};

/// `quote`: the current price range.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quote;
/// `priority`: the current priority.
#[derive(Debug, Clone, Copy)]
pub(super) struct PriorityHandle;
/// `result`: the response of a tool and the spoken text.
#[derive(Debug, Clone, Copy)]
pub(super) struct ResultHandle;

pub(super) const MAX_STEPS: usize = 64;
const MAX_SENTENCES: usize = 8;
/// Maximum number of lines, and of characters in a line, in the log that a test run shows.
pub(super) const MAX_LOG: (usize, usize) = (100, 200);

/// Both ends of the current price.
pub(super) fn range(run: &Run) -> Result<(Decimal, Decimal), String> {
    Ok(price_of(run)?.range)
}

fn price_of(run: &Run) -> Result<Running, String> {
    run.price
        .ok_or_else(|| "no price is known when this script runs".to_owned())
}

pub(super) fn current_priority(run: &Run) -> Result<(Priority, i64), String> {
    run.priority
        .ok_or_else(|| "no priority is known when this script runs".to_owned())
}

fn note(run: &mut Run, did: String, money: Option<MoneyStep>) -> Result<(), String> {
    if run.steps.len() >= MAX_STEPS {
        return Err(format!("a script changes price and priority at most {MAX_STEPS} times"));
    }
    let mut step = Step::plain(Resource::Scripts, &run.code, did);
    step.money = money;
    run.steps.push(step);
    Ok(())
}

/// Changes both ends of the price.
pub(super) fn change(kind: AdjustmentKind, amount: &Dynamic, label: &str) -> HostResult<()> {
    let amount = number(amount).ok_or("the amount must be a number")?;
    with_run(|run| {
        let before = price_of(run)?;
        let effect = before.adjusted(kind, Per::Job, amount);
        let label = clean(&label.chars().take(120).collect::<String>());
        let (after, label) = match effect.ok_or_else(|| "the amount is too large".to_owned())? {
            Effect::Changed(after) => (after, label),
            Effect::Besides(after) => (after, format!("{label}: once for the job, besides the price per unit")),
            Effect::LeftOut => {
                let did = format!("{label}: left out, because the quantity of the job is unknown");
                return note(run, did, None);
            }
        };
        run.price = Some(after);
        let money = price::money_step(Some(kind), before.range, after.range);
        note(run, label, Some(money))
    })
}

/// Sets the priority and the seconds within which somebody should call back.
pub(super) fn set_priority(level: &str, sla: INT) -> HostResult<()> {
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

/// Sets the response of a tool.
pub(super) fn set_result(value: &Dynamic) -> HostResult<()> {
    let value = values::to_json(value)?;
    with_run(|run| {
        run.result = Some(value);
        Ok(())
    })
}

/// Adds a sentence for the caller.
pub(super) fn say(text: &str) -> HostResult<()> {
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

/// Adds a line to the log for the author of the script.
pub(super) fn log(value: &Dynamic) -> HostResult<()> {
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

/// A fact, or `()` if it is missing.
pub(super) fn fact(name: &str) -> HostResult<Dynamic> {
    with_run(|run| Ok(run.facts.get(name).map_or(Dynamic::UNIT, values::from_fact)))
}

/// Whether a fact is known.
pub(super) fn has(name: &str) -> HostResult<bool> {
    with_run(|run| Ok(run.facts.contains_key(name)))
}

/// Whether a phrase is true now and at the caller's place.
pub(super) fn says(word: &str) -> HostResult<bool> {
    with_run(|run| Ok(run.presence(word).is_some_and(|presence| presence.said)))
}

/// Whether the words of a phrase occur, in any sense.
pub(super) fn mentions(word: &str) -> HostResult<bool> {
    with_run(|run| Ok(run.presence(word).is_some_and(|presence| presence.mentioned)))
}

/// An argument of the tool call, or `()` if it is missing.
pub(super) fn arg(name: &str) -> HostResult<Dynamic> {
    with_run(|run| {
        run.asked_arguments = true;
        Ok(())
    })?;
    with_run(|run| run.args.get(name).map_or(Ok(Dynamic::UNIT), values::from_json))
}

/// Rounds a number; a half is rounded away from zero.
pub(super) fn round(value: &Dynamic, places: INT) -> HostResult<Decimal> {
    let value = number(value).ok_or("round(…) takes a number")?;
    let places = u32::try_from(places).ok().filter(|places| *places <= 12);
    let places = places.ok_or("round(…) takes 0 to 12 places")?;
    Ok(value.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero))
}

/// The integer part.
pub(super) fn whole(value: &Dynamic) -> HostResult<INT> {
    let value = number(value).ok_or("whole(…) takes a number")?;
    INT::try_from(value.trunc()).map_err(|_| "the number is too large".into())
}

/// The absolute value.
pub(super) fn abs(value: &Dynamic) -> HostResult<Dynamic> {
    if let Ok(whole) = value.as_int() {
        let positive = whole.checked_abs().ok_or("the number is too large")?;
        return Ok(positive.into());
    }
    let value = number(value).ok_or("abs(…) takes a number")?;
    Ok(Dynamic::from(value.abs()))
}

/// Returns the smaller or the greater of two numbers, unchanged.
pub(super) fn pick(a: Dynamic, b: Dynamic, greater: bool) -> HostResult<Dynamic> {
    let both = number(&a).zip(number(&b));
    let (left, right) = both.ok_or("min(…) and max(…) take two numbers")?;
    Ok(if (left >= right) == greater { a } else { b })
}

/// Returns the number in a string, or `()` if there is none; a number is returned unchanged.
pub(super) fn parsed(value: &Dynamic) -> Dynamic {
    if number(value).is_some() {
        return value.clone();
    }
    read_number(value).map_or(Dynamic::UNIT, Dynamic::from)
}

/// Returns a number, or the number in a string.
fn read_number(value: &Dynamic) -> Option<Decimal> {
    number(value).or_else(|| {
        let text = value.as_immutable_string_ref().ok()?;
        text.trim().replace(',', ".").parse().ok()
    })
}

/// Compares a string with a number; `None` if the string is not a number.
pub(super) fn compared(a: &Dynamic, b: &Dynamic) -> Option<Ordering> {
    Some(read_number(a)?.cmp(&read_number(b)?))
}

/// Divides two whole numbers exactly; the result is a whole number if there is no remainder.
pub(super) fn quotient(a: INT, b: INT) -> HostResult<Dynamic> {
    if let Some(0) = a.checked_rem(b) {
        return Ok((a / b).into());
    }
    exact_quotient(a.into(), b.into())
}

fn exact_quotient(a: Decimal, b: Decimal) -> HostResult<Dynamic> {
    let quotient = a.checked_div(b).ok_or("a number cannot be divided by zero")?;
    Ok(Dynamic::from(quotient))
}

/// Divides `a` by `b` in place, as [`quotient`] does, for whole and decimal numbers.
pub(super) fn divide(a: &mut Dynamic, b: &Dynamic) -> HostResult<()> {
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

/// The number of characters or list items.
pub(super) fn len(value: &Dynamic) -> HostResult<INT> {
    let count = match (value.as_immutable_string_ref(), value.as_array_ref()) {
        (Ok(text), _) => text.chars().count(),
        (_, Ok(items)) => items.len(),
        _ => return Err("len(…) takes a string or a list".into()),
    };
    Ok(INT::try_from(count).unwrap_or(INT::MAX))
}

/// Whether a list contains a value, or a string contains another string; also used for `in`.
pub(super) fn contains(whole: &Dynamic, wanted: &Dynamic) -> HostResult<bool> {
    if let Ok(items) = whole.as_array_ref() {
        return Ok(items.iter().any(|item| values::same(item, wanted)));
    }
    match (whole.as_immutable_string_ref(), wanted.as_immutable_string_ref()) {
        (Ok(text), Ok(part)) => Ok(text.contains(part.as_str())),
        _ => Err("contains(…) and `in` take a list and a value, or two strings".into()),
    }
}

/// Splits a string at each separator.
pub(super) fn split(text: &str, separator: &str) -> HostResult<Array> {
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

/// Implements `+` if one operand is a string.
pub(super) fn joined(a: &Dynamic, b: &Dynamic) -> HostResult<String> {
    let mut text = values::to_text(a)?;
    text.push_str(&values::to_text(b)?);
    Ok(text)
}
