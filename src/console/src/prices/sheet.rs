//! The rows of the table of prices, with the current values, the values of the change set, and the input.

use std::collections::BTreeMap;

use rules::rows::Offer;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::business::Business;
use crate::prices::amount::{self, Fault, Span};
use crate::visit::{Visit, value};
use crate::words::Words;

/// A field of a row.
pub struct Field {
    /// `price` (both ends of a service's price), `price_from`, `price_to`, `amount` or `rate`.
    pub column: &'static str,
    /// The value in the current rules.
    pub now: Option<Span>,
    /// The value after the pending changes of the change set that the page edits. Without a change set, `start` is the
    /// current value.
    pub start: Option<Span>,
    /// The text in the field.
    pub typed: String,
    pub fault: Option<Fault>,
    /// The error message of the admin API, in English.
    pub refused: Option<String>,
}

pub struct PriceRow {
    /// `services` or `adjustments`.
    pub resource: &'static str,
    pub code: String,
    pub version: i64,
    pub is_picked: bool,
    pub fields: Vec<Field>,
    /// The values that the person saw, if the person and somebody else have both changed the row.
    pub clash: Option<Vec<Option<Span>>>,
}

impl Field {
    fn new(words: Words, column: &'static str, now: Option<Span>, start: Option<Span>) -> Self {
        let typed = start.map(|span| amount::typed_span(words, span, column != "rate"));
        Self {
            column,
            now,
            start,
            typed: typed.unwrap_or_default(),
            fault: None,
            refused: None,
        }
    }

    pub fn is_money(&self) -> bool {
        self.column != "rate"
    }

    /// The typed value. `None` if the field was empty and is still empty.
    pub fn value(&self) -> Result<Option<Span>, Fault> {
        if self.typed.trim().is_empty() && self.start.is_none() {
            return Ok(None);
        }
        amount::span(&self.typed, self.column).map(Some)
    }

    /// The new value, if it differs from `start`.
    pub fn changed(&self) -> Option<Span> {
        self.value().ok().flatten().filter(|value| Some(*value) != self.start)
    }

    pub fn put(&mut self, words: Words, span: Span) {
        self.typed = amount::typed_span(words, span, self.is_money());
        self.fault = None;
    }
}

impl PriceRow {
    /// The name of the form's field for a column.
    pub fn field_name(&self, column: &str) -> String {
        format!("{}.{}.{column}", self.resource, self.code)
    }

    /// The name of the row in the form: the value of the field `pick`, and a part of the names of the row's other
    /// fields.
    pub fn name(&self) -> String {
        format!("{}.{}", self.resource, self.code)
    }

    /// The version and values that the person sees, for a hidden field. The form sends the version and the values back
    /// with the input.
    pub fn seen(&self) -> String {
        let values = self.fields.iter().map(|field| seen_value(field.start));
        let values: Vec<_> = values.collect();
        format!("{}|{}", self.version, values.join("|"))
    }

    /// The fields that a person changed, as a patch of the row.
    pub fn patch(&self) -> Option<Value> {
        let mut patch = json!({});
        for field in &self.fields {
            let Some(Span { from, to }) = field.changed() else {
                continue;
            };
            match field.column {
                "price" => {
                    patch["price_from"] = format!("{from:.2}").into();
                    patch["price_to"] = format!("{to:.2}").into();
                }
                "rate" => patch["rate"] = from.normalize().to_string().into(),
                column => patch[column] = format!("{from:.2}").into(),
            }
        }
        patch
            .as_object()
            .is_some_and(|patch| !patch.is_empty())
            .then_some(patch)
    }

    /// Applies the form input for this row.
    fn take(&mut self, visit: &Visit) {
        let seen = value(&visit.form, &format!("was.{}", self.name()));
        let Some((version, values)) = seen.split_once('|') else {
            return;
        };
        let values: Vec<Option<Span>> = values.split('|').map(parse_seen).collect();
        let now: Vec<Option<Span>> = self.fields.iter().map(|field| field.start).collect();
        let has_moved = version != self.version.to_string() || values != now;
        let keeps_theirs = visit
            .form
            .iter()
            .any(|(name, value)| name == "theirs" && *value == self.name());
        if has_moved && values.len() != self.fields.len() || keeps_theirs {
            return;
        }
        let mut is_own = false;
        let name = self.name();
        for (field, seen) in self.fields.iter_mut().zip(&values) {
            let typed = visit.sent(&format!("{name}.{}", field.column));
            let before = std::mem::replace(&mut field.typed, typed.to_owned());
            let is_changed = match amount::span(typed, field.column) {
                Ok(span) => Some(span) != *seen,
                Err(Fault::Missing) => seen.is_some(),
                Err(_) => true,
            };
            // A field that the person did not change keeps its current value.
            if is_changed {
                is_own = true;
            } else {
                field.typed = before;
            }
            field.fault = field.value().err();
        }
        self.crossed();
        if has_moved && is_own && self.patch().is_some() {
            self.clash = Some(values);
        }
    }

    /// Adds an error if the lower end of a range is above the upper end.
    fn crossed(&mut self) {
        let end = |column: &str| self.fields.iter().find(|field| field.column == column)?.value().ok()?;
        if let (Some(from), Some(to)) = (end("price_from"), end("price_to"))
            && from.from > to.to
            && let Some(field) = self.fields.iter_mut().find(|field| field.column == "price_to")
        {
            field.fault = Some(Fault::Crossed);
        }
    }
}

fn seen_value(span: Option<Span>) -> String {
    span.map_or_else(String::new, |span| format!("{}:{}", span.from, span.to))
}

fn parse_seen(text: &str) -> Option<Span> {
    let (from, to) = text.split_once(':')?;
    Some(Span {
        from: from.parse().ok()?,
        to: to.parse().ok()?,
    })
}

/// The changes of a change set: the last value of each column, by resource and code.
pub type Pending = BTreeMap<(String, String), serde_json::Map<String, Value>>;

/// Collects the columns that a change set changes.
pub fn pending(set: &Value) -> Pending {
    let mut pending = Pending::new();
    for change in set["changes"].as_array().into_iter().flatten() {
        let name = |field: &str| change[field].as_str().unwrap_or_default().to_owned();
        let columns = pending.entry((name("resource"), name("code"))).or_default();
        for (column, value) in change["body"].as_object().into_iter().flatten() {
            columns.insert(column.clone(), value.clone());
        }
    }
    pending
}

/// All rows with a price, sorted by rank.
pub fn lines(words: Words, business: &Business, pending: &Pending) -> Vec<PriceRow> {
    let mut lines = Vec::new();
    let mut services: Vec<_> = business.rows.services.values().collect();
    services.sort_by_key(|stored| {
        (
            stored.row.offer == Offer::Refused,
            stored.row.rank,
            stored.row.code.as_str(),
        )
    });
    for stored in services {
        let row = json!(stored.row);
        let with = with_pending(&row, "services", &stored.row.code, pending);
        let columns: &[&'static str] = match (stored.row.offer, end(&row, "price"), end(&with, "price")) {
            (Offer::Refused, ..) => &[],
            (_, Some(now), Some(start)) if now.is_range() || start.is_range() => &["price_from", "price_to"],
            _ => &["price"],
        };
        lines.push(line(words, ("services", stored.version), (&row, &with), columns));
    }
    let mut adjustments: Vec<_> = business.rows.adjustments.values().collect();
    adjustments.sort_by_key(|stored| (stored.row.rank, stored.row.code.as_str()));
    for stored in adjustments {
        let row = json!(stored.row);
        let with = with_pending(&row, "adjustments", &stored.row.code, pending);
        let columns: &[&'static str] = if stored.row.rate.is_some() {
            &["rate"]
        } else {
            &["amount"]
        };
        lines.push(line(words, ("adjustments", stored.version), (&row, &with), columns));
    }
    lines
}

/// The rows with the values that the person entered in the form.
pub fn typed_lines(visit: &Visit, business: &Business, pending: &Pending) -> Vec<PriceRow> {
    let mut lines = lines(visit.words, business, pending);
    for line in &mut lines {
        let name = line.name();
        line.is_picked = visit
            .form
            .iter()
            .any(|(field, value)| field == "pick" && *value == name);
        line.take(visit);
    }
    lines
}

fn line(
    words: Words,
    (resource, version): (&'static str, i64),
    (row, with): (&Value, &Value),
    columns: &[&'static str],
) -> PriceRow {
    let field = |column: &&'static str| Field::new(words, column, end(row, column), end(with, column));
    PriceRow {
        resource,
        code: row["code"].as_str().unwrap_or_default().to_owned(),
        version,
        is_picked: false,
        fields: columns.iter().map(field).collect(),
        clash: None,
    }
}

fn with_pending(row: &Value, resource: &str, code: &str, pending: &Pending) -> Value {
    let mut with = row.clone();
    if let Some(columns) = pending.get(&(resource.to_owned(), code.to_owned())) {
        for (column, value) in columns {
            with[column] = value.clone();
        }
    }
    with
}

/// The value of a row's column as a span.
fn end(row: &Value, column: &str) -> Option<Span> {
    let number = |column: &str| row[column].as_str()?.parse::<Decimal>().ok();
    if column == "price" {
        return Some(Span {
            from: number("price_from")?,
            to: number("price_to")?,
        });
    }
    number(column).map(Span::one)
}
