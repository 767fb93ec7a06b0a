//! Writes the result of a backtest as a table for a terminal.

use std::fmt::Write as _;
use std::time::Duration;

use super::backtest::per_second;
use authoring::backtest::{BacktestResult, ChangedCall, MoneyChange, Side};
use rules::money::Money;

/// Maximum number of call ids that the table lists after a count.
const MAX_NAMED: usize = 5;

/// The result of a backtest.
pub(super) struct BacktestRun {
    pub days: u16,
    pub base: i64,
    pub took: Duration,
    pub result: BacktestResult,
}

/// The whole table.
pub(super) fn table(ran: &BacktestRun) -> String {
    let found = &ran.result;
    let mut text = format!(
        "{} calls of the last {} days, against revision {}: {} change ({:.1} s, {} calls/s)\n",
        found.calls,
        ran.days,
        ran.base,
        found.changed,
        ran.took.as_secs_f64(),
        per_second(found.calls, ran.took)
    );
    for (count, what) in [
        (found.erased, "skipped: the data of the caller was erased"),
        (found.unreadable, "skipped: the facts could not be extracted again"),
        (
            found.differ_already,
            "already differ from their stored decision because of older changes",
        ),
    ] {
        if count > 0 {
            line(&mut text, "", &format!("{count} {what}"));
        }
    }
    for money in &found.money {
        quotes(&mut text, "Quotes", money);
    }
    if let Some(quotes_asked) = &found.tool_quotes {
        line(
            &mut text,
            "Tool quotes",
            &format!("{} compared", quotes_asked.looked_at),
        );
        for money in &quotes_asked.money {
            quotes(&mut text, "", money);
        }
    }
    let calls = [
        ("Other currency", &found.currency_changed),
        ("No price now", &found.lost_price),
        ("Price now", &found.gained_price),
        ("No service now", &found.lost_service),
        ("Service now", &found.gained_service),
    ];
    for (name, listed) in calls.into_iter().filter(|(_, listed)| listed.count > 0) {
        line(&mut text, name, &named(listed.count, &listed.calls));
    }
    priorities(&mut text, found);
    let texts = &found.texts;
    let more = format!(
        "{} -> {}; {} calls send more, {} fewer",
        texts.before, texts.after, texts.calls_with_more, texts.calls_with_fewer
    );
    line(&mut text, "SMS messages", &more);
    if found.degraded.before + found.degraded.after > 0 {
        let mut scripts = format!(
            "{} -> {} decided without a script",
            found.degraded.before, found.degraded.after
        );
        for (script, count) in &found.degraded.scripts {
            let _ = write!(scripts, "; {script} failed {count} times");
        }
        line(&mut text, "Scripts", &scripts);
    }
    if !found.most_changed.is_empty() {
        text.push_str("\nThe calls that change most\n");
    }
    for call in &found.most_changed {
        changed(&mut text, call);
    }
    text.truncate(text.trim_end().len());
    text
}

fn line(text: &mut String, name: &str, what: &str) {
    let _ = writeln!(text, "{name:<16}{what}");
}

fn quotes(text: &mut String, name: &str, money: &MoneyChange) {
    let MoneyChange { currency, .. } = money;
    let mut count = format!(
        "{} in {currency}, {} change: {} dearer, {} cheaper",
        money.quotes, money.changed, money.dearer, money.cheaper
    );
    if money.taxes_only > 0 {
        let _ = write!(count, "; {} only in their taxes", money.taxes_only);
    }
    line(text, name, &count);
    let sums = format!(
        "lowest prices {} (of {}), highest {} (of {})",
        signed(money.change_from),
        money.before_from,
        signed(money.change_to),
        money.before_to
    );
    line(text, "", &sums);
    if money.most != Money::default() {
        let call = money.most_call.as_deref().unwrap_or("a call without an id");
        line(text, "", &format!("at most {}: {call}", signed(money.most)));
    }
}

fn signed(money: Money) -> String {
    let plus = if money.minor() > 0 { "+" } else { "" };
    format!("{plus}{money}")
}

fn priorities(text: &mut String, found: &BacktestResult) {
    line(
        text,
        "Priorities",
        "before \\ after      P1        P2        P3        P4",
    );
    for (before, row) in ["P1", "P2", "P3", "P4"].iter().zip(&found.priorities) {
        let mut cells = format!("{before:<12}");
        for count in row {
            let _ = write!(cells, "{count:>10}");
        }
        line(text, "", &cells);
    }
    for moved in &found.moves {
        let which = named(moved.count, &moved.calls);
        line(text, "", &format!("{:?} -> {:?}: {which}", moved.from, moved.to));
    }
}

fn named(count: u64, calls: &[String]) -> String {
    let mut text = count.to_string();
    for (place, call) in calls.iter().take(MAX_NAMED).enumerate() {
        text.push_str(if place == 0 { ": " } else { ", " });
        text.push_str(call);
    }
    if calls.len() > MAX_NAMED {
        text.push_str(", …");
    }
    text
}

fn changed(text: &mut String, call: &ChangedCall) {
    let name = call.call_id.clone().unwrap_or_else(|| call.decision_id.to_string());
    let _ = writeln!(text, "  {name}");
    let _ = writeln!(text, "    before  {}", side(&call.before));
    let _ = writeln!(text, "    after   {}", side(&call.after));
    // If the prices before tax are equal, the lines `before` and `after` show no difference. So show the totals.
    let before_tax = |side: &Side| (side.from, side.to);
    if before_tax(&call.before) == before_tax(&call.after)
        && let (Some(was), Some(is)) = (with_taxes(&call.before), with_taxes(&call.after))
        && was != is
    {
        let _ = writeln!(text, "    with taxes  {was} -> {is}");
    }
    for part in &call.rows {
        let (before, after) = (part.before.as_deref(), part.after.as_deref());
        let what = match (before, after) {
            (Some(before), Some(after)) => format!("{before} -> {after}"),
            (None, after) => format!("now has an effect: {}", after.unwrap_or_default()),
            (Some(before), None) => format!("no longer has an effect: {before}"),
        };
        let _ = writeln!(text, "    {}/{}  {what}", part.resource, part.code);
    }
}

fn side(side: &Side) -> String {
    let service = side.service.as_deref().unwrap_or("no service");
    let price = match (side.from, side.to) {
        (Some(from), Some(to)) => format!("{from} to {to} {}", side.currency.as_deref().unwrap_or_default()),
        _ => "no price".to_owned(),
    };
    format!("{service:<26} {price:<28} {:?}, {} SMS", side.priority, side.texts)
}

fn with_taxes(side: &Side) -> Option<String> {
    let (from, to) = side.total_from.zip(side.total_to)?;
    Some(format!("{from} to {to}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_calls_are_followed_by_the_first_of_them() {
        let calls: Vec<String> = (0..7).map(|number| format!("c{number}")).collect();
        assert_eq!(named(9, &calls), "9: c0, c1, c2, c3, c4, …");
        assert_eq!(named(1, &calls[..1]), "1: c0");
        assert_eq!(named(2, &[]), "2");
        assert_eq!(signed(Money::from_minor(2000)), "+20.00");
        assert_eq!(signed(Money::from_minor(-5)), "-0.05");
    }

    #[test]
    fn where_only_taxes_change_the_totals_are_shown() {
        let side = |total: i64| Side {
            service: None,
            area: None,
            currency: Some("CAD".to_owned()),
            from: Some(Money::from_minor(10_000)),
            to: Some(Money::from_minor(10_000)),
            total_from: Some(Money::from_minor(total)),
            total_to: Some(Money::from_minor(total)),
            priority: rules::rows::Priority::P4,
            texts: 0,
        };
        let call = ChangedCall {
            call_id: Some("c1".to_owned()),
            decision_id: uuid::Uuid::nil(),
            at: chrono::DateTime::UNIX_EPOCH,
            before: side(11_500),
            after: side(10_500),
            rows: Vec::new(),
        };
        let mut text = String::new();
        changed(&mut text, &call);
        assert!(
            text.contains("with taxes  115.00 to 115.00 -> 105.00 to 105.00"),
            "{text}"
        );
        let money = MoneyChange {
            currency: "CAD".to_owned(),
            quotes: 2,
            taxes_only: 2,
            ..MoneyChange::default()
        };
        let mut text = String::new();
        quotes(&mut text, "Quotes", &money);
        assert!(
            text.contains("0 change: 0 dearer, 0 cheaper; 2 only in their taxes"),
            "{text}"
        );
    }

    #[test]
    fn an_empty_result_is_a_short_table() {
        let ran = BacktestRun {
            days: 30,
            base: 1,
            took: Duration::from_secs(1),
            result: BacktestResult::default(),
        };
        let text = table(&ran);
        assert!(
            text.starts_with("0 calls of the last 30 days, against revision 1"),
            "{text}"
        );
        assert!(!text.contains("change most"), "{text}");
    }
}
