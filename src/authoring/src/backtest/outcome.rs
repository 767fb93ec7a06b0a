//! The result of a backtest, as the API, the database and the command line show it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use rules::money::Money;
use rules::rows::Priority;

/// The differences between candidate and base for the calls processed so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct BacktestResult {
    /// Calls decided with both rulebooks; each call counts once, with the decision of its lead.
    pub calls: u64,
    /// Calls omitted because their facts were erased.
    pub erased: u64,
    /// Calls omitted because their facts could not be extracted again. Facts are extracted again only if the candidate
    /// maps facts differently.
    pub unreadable: u64,
    /// Calls whose stored decision differs from the base's decision because of older changes. Older differences do not
    /// count as changes.
    pub differ_already: u64,
    /// Calls with any change: service, area, price, taxes, priority or SMS messages.
    pub changed: u64,
    /// Changes in the quotes, by currency.
    pub money: Vec<MoneyChange>,
    /// Calls whose quote changes its currency.
    pub currency_changed: Listed,
    /// Call counts; row: priority before; column: priority after.
    pub priorities: Vec<Vec<u64>>,
    /// The calls whose priority changes.
    pub moves: Vec<Move>,
    /// The SMS messages that would be sent.
    pub texts: Texts,
    /// Calls that match a service with the base, but none with the candidate.
    pub lost_service: Listed,
    /// Calls that match a service with the candidate, but none with the base.
    pub gained_service: Listed,
    /// Calls that have a price with the base, but none with the candidate.
    pub lost_price: Listed,
    /// Calls that have a price with the candidate, but none with the base.
    pub gained_price: Listed,
    /// Calls decided without a script, because the script failed.
    pub degraded: Degraded,
    /// Prices that tools quoted during calls, if the backtest includes these prices.
    pub tool_quotes: Option<ToolQuotes>,
    /// The calls that change most, with both decisions; at most twenty.
    pub most_changed: Vec<ChangedCall>,
    /// Changes in the quotes, by service and currency.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default, skip_serializing_if_is_empty)]
    pub services: Vec<ServiceChange>,
    /// Quotes for a chart, before and after: the newest 200 changed quotes and the newest 100 unchanged quotes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default, skip_serializing_if_is_empty)]
    pub quotes: Vec<QuotedCall>,
}

/// Changes in the quotes of one currency; a quote is a range before tax.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct MoneyChange {
    /// Currency of the quotes.
    pub currency: String,
    /// Calls with a price before and after.
    pub quotes: u64,
    /// Calls whose price changes.
    pub changed: u64,
    /// Calls whose price before tax stays and whose taxes change.
    #[serde(default)]
    pub taxes_only: u64,
    /// Calls that become dearer: the sum of both ends rises.
    pub dearer: u64,
    /// Calls that become cheaper.
    pub cheaper: u64,
    /// Sum of the lowest prices before.
    pub before_from: Money,
    /// Sum of the highest prices before.
    pub before_to: Money,
    /// Change in the sum of the lowest prices.
    pub change_from: Money,
    /// Change in the sum of the highest prices.
    pub change_to: Money,
    /// Largest signed change of the lowest or highest price of a quote.
    pub most: Money,
    /// Id of the call with the largest change.
    pub most_call: Option<String>,
}

/// Changes in the quotes of one service in one currency.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct ServiceChange {
    /// The service that the candidate finds; absent for quotes without a service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Currency of the quotes.
    pub currency: String,
    /// Calls with a price before and after.
    pub quotes: u64,
    /// Calls that become dearer.
    pub dearer: u64,
    /// Calls that become cheaper.
    pub cheaper: u64,
    /// Total rise of the dearer quotes' midpoints.
    pub dearer_by: Money,
    /// Total fall of the cheaper quotes' midpoints, unsigned.
    pub cheaper_by: Money,
}

/// A call that has a price before and after, in the same currency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct QuotedCall {
    /// Id of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// The service that the candidate finds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Currency of the price.
    pub currency: String,
    /// Midpoint of the price range before tax, with the base.
    pub before: Money,
    /// Price midpoint with the candidate.
    pub after: Money,
    /// The priority with the base.
    pub priority_before: Priority,
    /// The priority with the candidate.
    pub priority_after: Priority,
}

/// Calls whose priority changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
pub struct Move {
    /// The priority before.
    pub from: Priority,
    /// The priority after.
    pub to: Priority,
    /// Number of calls.
    pub count: u64,
    /// Ids of the newest calls, at most 100.
    pub calls: Vec<String>,
}

/// Number of calls, and ids of some.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Object)]
pub struct Listed {
    /// Number of calls.
    pub count: u64,
    /// Ids of the newest calls, at most 100.
    pub calls: Vec<String>,
}

/// The SMS messages that decisions send.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Object)]
pub struct Texts {
    /// Number of messages with the base.
    pub before: u64,
    /// Number of messages with the candidate.
    pub after: u64,
    /// Calls that send more messages.
    pub calls_with_more: u64,
    /// Calls that send fewer messages.
    pub calls_with_fewer: u64,
}

/// Decisions made without a script, because the script failed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Object)]
pub struct Degraded {
    /// Number of decisions with the base.
    pub before: u64,
    /// Number of decisions with the candidate.
    pub after: u64,
    /// The candidate's failed scripts, with the number of failures.
    pub scripts: BTreeMap<String, u64>,
}

/// Prices that tools quoted during calls.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Object)]
pub struct ToolQuotes {
    /// Prices decided with both rulebooks.
    pub looked_at: u64,
    /// Prices omitted because the candidate maps facts differently. Facts of a tool call cannot be extracted again.
    pub unreadable: u64,
    /// Price changes, by currency.
    pub money: Vec<MoneyChange>,
}

/// A call with its decisions before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct ChangedCall {
    /// Id of the call.
    pub call_id: Option<String>,
    /// Id of the stored decision.
    pub decision_id: Uuid,
    /// The instant of the decision.
    pub at: DateTime<Utc>,
    /// The decision with the base.
    pub before: Side,
    /// The decision with the candidate.
    pub after: Side,
    /// The rows that caused the difference.
    pub rows: Vec<RowPart>,
}

/// The decision about a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Side {
    /// The matched service.
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
    /// Number of SMS messages.
    pub texts: u64,
}

/// A row that contributes to the difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct RowPart {
    /// The resource, for example `adjustments`.
    pub resource: String,
    /// Code of the row.
    pub code: String,
    /// The row's effect before; absent if the row had no effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The row's effect after; absent if the row has no effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}
