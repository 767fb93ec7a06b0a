//! Saves the input: opens a change set, or adds the changes to an open change set.

use poem::http::Method;
use serde_json::{Value, json};

use crate::address::{query, segment};
use crate::business::Business;
use crate::prices::sheet::PriceRow;
use crate::refusal::Refusal;
use crate::visit::Visit;

/// Maximum number of changed rows that the default comment of a change set names.
const MAX_NAMED: usize = 3;

/// The changes in the format of the admin API, each with the index of its row in `lines`.
pub fn changes(lines: &[PriceRow]) -> Vec<(usize, Value)> {
    let change = |(number, line): (usize, &PriceRow)| {
        let body = line.patch()?;
        let change = json!({
            "resource": line.resource, "code": line.code, "method": "patch", "body": body, "version": line.version,
        });
        Some((number, change))
    };
    lines.iter().enumerate().filter_map(change).collect()
}

/// Opens a change set with the changes. Returns its id.
pub async fn open(visit: &Visit, business: &Business, lines: &[PriceRow], comment: &str) -> Result<String, Refusal> {
    let changes = changes(lines);
    let comment = if comment.is_empty() {
        described(visit, business, lines, &changes)
    } else {
        comment.to_owned()
    };
    let changes: Vec<_> = changes.into_iter().map(|(_, change)| change).collect();
    let body = json!({ "comment": comment, "changes": changes });
    let set = visit.post(&business.path("/change-sets"), Some(&body)).await?;
    Ok(set["id"].as_str().unwrap_or_default().to_owned())
}

/// Adds the changes to a change set, one after the other.
pub async fn add(visit: &Visit, business: &Business, lines: &[PriceRow], set: &Value) -> Result<String, Refusal> {
    let id = set["id"].as_str().unwrap_or_default();
    let mut version = set["version"].to_string();
    for (_, change) in changes(lines) {
        let path = format!(
            "/change-sets/{}/changes{}",
            segment(id),
            query(&[("version", &version)])
        );
        let changed = visit.send(Method::POST, &business.path(&path), Some(&change)).await?;
        version = changed["version"].to_string();
    }
    Ok(id.to_owned())
}

/// The default comment of a change set: the names of the rows with changed prices.
fn described(visit: &Visit, business: &Business, lines: &[PriceRow], changes: &[(usize, Value)]) -> String {
    let changed = changes.iter().filter_map(|(number, _)| lines.get(*number));
    let name = |line: &PriceRow| business.row_name(line.resource, &line.code, visit.words.0.code());
    let names: Vec<_> = changed.take(MAX_NAMED).map(name).collect();
    let more = if changes.len() > MAX_NAMED { ", …" } else { "" };
    let rows = format!("{}{more}", names.join(", "));
    let text = visit.words.say_of("prices-comment-default", &[("rows", &rows)]);
    text.chars().take(500).collect()
}

/// Puts the errors of the admin API beside their fields. Returns whether every error has a field.
pub fn place_faults(lines: &mut [PriceRow], refusal: &Refusal) -> bool {
    let numbers: Vec<usize> = changes(lines).into_iter().map(|(number, _)| number).collect();
    let mut all = !refusal.fields.is_empty();
    for (place, detail) in &refusal.fields {
        let mut parts = place.split('/');
        let change = match (parts.next(), parts.next()) {
            (Some("changes"), Some(number)) => number.parse::<usize>().ok(),
            _ => None,
        };
        let column = parts.next_back().unwrap_or_default();
        let line = change
            .and_then(|change| numbers.get(change))
            .and_then(|number| lines.get_mut(*number));
        let field = line.and_then(|line| {
            let at = line.fields.iter().position(|field| column.starts_with(field.column));
            line.fields.get_mut(at.unwrap_or_default())
        });
        match field {
            Some(field) => field.refused = Some(detail.clone()),
            None => all = false,
        }
    }
    all
}
