//! What a backtest found, as the API, the database and the command line show it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use rules::money::Money;
use rules::rows::Priority;

/// What would be different with the candidate, over the calls looked at so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct BacktestResult {
    /// Calls decided with both; a call counts once, by the decision that its lead carries.
    pub calls: u64,
    /// Calls left out because what they said was erased.
    pub erased: u64,
    /// Calls left out because they could not be read again; only where the candidate maps facts differently.
    pub unreadable: u64,
    /// Calls whose stored decision is not the base's any more: older changes did that, and nothing here counts it.
    pub differ_already: u64,
    /// Calls for which anything changes: service, area, price, its taxes, priority or texts.
    pub changed: u64,
    /// What changes in the quotes, by currency.
    pub money: Vec<MoneyChange>,
    /// Calls quoted in another currency.
    pub currency_changed: Listed,
    /// How many calls each priority has before (the row, P1 to P4) and after (the column).
    pub priorities: Vec<Vec<u64>>,
    /// The calls that move between priorities.
    pub moves: Vec<Move>,
    /// The texts that would be sent.
    pub texts: Texts,
    /// Calls that match no service although they did.
    pub lost_service: Listed,
    /// Calls that match a service although they did not.
    pub gained_service: Listed,
    /// Calls without a price although they had one.
    pub lost_price: Listed,
    /// Calls with a price although they had none.
    pub gained_price: Listed,
    /// Calls decided without a script that failed.
    pub degraded: Degraded,
    /// Prices that tools were asked for during calls; only where the backtest was told to look at them.
    pub tool_quotes: Option<ToolQuotes>,
    /// The calls that change most, at most twenty, side by side.
    pub most_changed: Vec<ChangedCall>,
    /// What changes in the quotes, by service and currency.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default, skip_serializing_if_is_empty)]
    pub services: Vec<ServiceChange>,
    /// Quotes to be drawn, before and after: the newest 200 that change, and the newest 100 that do not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default, skip_serializing_if_is_empty)]
    pub quotes: Vec<QuotedCall>,
}

/// What changes in the quotes of one currency; a quote is a range, before tax.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct MoneyChange {
    /// The currency.
    pub currency: String,
    /// Calls with a price before and after.
    pub quotes: u64,
    /// Those whose price changes.
    pub changed: u64,
    /// Those whose price stays and of which only the taxes change.
    #[serde(default)]
    pub taxes_only: u64,
    /// Those that become dearer: the sum of both ends rises.
    pub dearer: u64,
    /// Those that become cheaper.
    pub cheaper: u64,
    /// The sum of the lowest prices, before.
    pub before_from: Money,
    /// The sum of the highest prices, before.
    pub before_to: Money,
    /// By how much the sum of the lowest prices changes.
    pub change_from: Money,
    /// By how much the sum of the highest prices changes.
    pub change_to: Money,
    /// The greatest change of one quote, with its sign: of its lowest or its highest price, whichever changes more.
    pub most: Money,
    /// The call with that change.
    pub most_call: Option<String>,
}

/// What changes in the quotes of one service in one currency.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct ServiceChange {
    /// The service that the candidate finds; absent for quotes without a service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The currency.
    pub currency: String,
    /// Calls with a price before and after.
    pub quotes: u64,
    /// Those that become dearer.
    pub dearer: u64,
    /// Those that become cheaper.
    pub cheaper: u64,
    /// By how much the dearer ones rise together, in the middle of their ranges.
    pub dearer_by: Money,
    /// By how much the cheaper ones fall together, without a sign.
    pub cheaper_by: Money,
}

/// A call that has a price before and after, in the same currency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct QuotedCall {
    /// The call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// The service that the candidate finds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The currency.
    pub currency: String,
    /// The middle of the price range before tax, with the base.
    pub before: Money,
    /// The same with the candidate.
    pub after: Money,
    /// The priority with the base.
    pub priority_before: Priority,
    /// The priority with the candidate.
    pub priority_after: Priority,
}

/// Calls that move from one priority to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
pub struct Move {
    /// The priority before.
    pub from: Priority,
    /// The priority after.
    pub to: Priority,
    /// How many.
    pub count: u64,
    /// The newest of them, at most a hundred.
    pub calls: Vec<String>,
}

/// A number of calls, and which.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Object)]
pub struct Listed {
    /// How many.
    pub count: u64,
    /// The newest of them, at most a hundred.
    pub calls: Vec<String>,
}

/// The texts that decisions send.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Object)]
pub struct Texts {
    /// With the base.
    pub before: u64,
    /// With the candidate.
    pub after: u64,
    /// Calls that send more.
    pub calls_with_more: u64,
    /// Calls that send fewer.
    pub calls_with_fewer: u64,
}

/// Decisions that had to leave out a script.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Object)]
pub struct Degraded {
    /// With the base.
    pub before: u64,
    /// With the candidate.
    pub after: u64,
    /// The candidate's scripts that failed, and how often.
    pub scripts: BTreeMap<String, u64>,
}

/// Prices that tools were asked for during calls.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Object)]
pub struct ToolQuotes {
    /// Those decided with both.
    pub looked_at: u64,
    /// Those left out because they cannot be read again.
    pub unreadable: u64,
    /// What changes in them, by currency.
    pub money: Vec<MoneyChange>,
}

/// A call, before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct ChangedCall {
    /// The call.
    pub call_id: Option<String>,
    /// Its stored decision.
    pub decision_id: Uuid,
    /// The instant that it was decided for.
    pub at: DateTime<Utc>,
    /// With the base.
    pub before: Side,
    /// With the candidate.
    pub after: Side,
    /// The rows that made the difference.
    pub rows: Vec<RowPart>,
}

/// What is decided about a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Side {
    /// The service found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The service area.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area: Option<String>,
    /// The currency of the price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Lowest price before tax.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Money>,
    /// Highest price before tax.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Money>,
    /// Lowest price with taxes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_from: Option<Money>,
    /// Highest price with taxes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_to: Option<Money>,
    /// The priority.
    pub priority: Priority,
    /// How many texts are sent.
    pub texts: u64,
}

/// A row's part in the difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct RowPart {
    /// The kind of row, as `adjustments`.
    pub resource: String,
    /// Its code.
    pub code: String,
    /// What it did before; nothing when it took no part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What it does after; nothing when it takes no part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}
