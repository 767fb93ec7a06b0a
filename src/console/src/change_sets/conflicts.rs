//! Shows conflicts, which are rows that somebody else changed after the change set was edited. The page shows three
//! versions of each row: the base version, the current version and the version of the change set. Buttons choose the
//! current version or the version of the change set.

use admin::auth::Role;
use maud::{Markup, html};
use poem::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::address::query;
use crate::business::Business;
use crate::change_sets::diff::{column_name, row_title, shown};
use crate::change_sets::parts::{api_path, fields, is_editable, link};
use crate::leads::text;
use crate::refusal::Refusal;
use crate::visit::Visit;

/// The conflicts, each with a table of the versions and the buttons.
pub fn section(visit: &Visit, business: &Business, set: &Value) -> Markup {
    let words = visit.words;
    let conflicts: Vec<&Value> = set["conflicts"].as_array().into_iter().flatten().collect();
    html! { @if !conflicts.is_empty() { section.card.conflicts aria-labelledby="conflicts" {
        h2 #conflicts { (words.count("change-set-conflicts", conflicts.len())) }
        @for conflict in conflicts { (one(visit, business, set, conflict)) }
    } } }
}

fn one(visit: &Visit, business: &Business, set: &Value, conflict: &Value) -> Markup {
    let words = visit.words;
    let (resource, code) = names(conflict);
    let (before, theirs) = (&conflict["made_against"]["row"], &conflict["stands"]["row"]);
    let yours = yours(set, conflict);
    let cell = |row: &Value, column: &str| shown(visit, business, resource, column, &row[column]);
    html! {
        h3 { (row_title(visit, business, resource, code)) }
        div.scroll tabindex="0" role="region" aria-label=(words.say("change-set-conflict-table")) { table.grid {
            thead { tr {
                th scope="col" { (words.say("change-set-field")) }
                th scope="col" { (words.say("prices-clash-before")) }
                th scope="col" { (words.say("prices-clash-theirs")) }
                th scope="col" { (words.say("prices-clash-yours")) }
            } }
            tbody { @for column in different(before, theirs, &yours) { tr {
                th scope="row" { (column_name(words, &column)) }
                td { (cell(before, &column)) } td { (cell(theirs, &column)) } td { (cell(&yours, &column)) }
            } } }
        } }
        @if theirs.is_null() { p { (words.say("change-set-conflict-gone")) } }
        @if is_editable(set) && visit.may(Role::Editor) {
            form.choice method="post" action=(link(visit, set, &[])) {
                (fields(visit, set))
                input type="hidden" name="row" value={ (resource) "/" (code) };
                button type="submit" name="do" value="theirs" { (words.say("change-set-keep-theirs")) }
                button type="submit" name="do" value="mine" { (words.say("change-set-keep-mine")) }
            }
        }
    }
}

fn names(value: &Value) -> (&str, &str) {
    (
        text(value, "resource").unwrap_or_default(),
        text(value, "code").unwrap_or_default(),
    )
}

/// The columns in which the three versions differ.
fn different(before: &Value, theirs: &Value, yours: &Value) -> Vec<String> {
    let rows = [before, theirs, yours];
    let mut columns: Vec<&String> = rows
        .iter()
        .filter_map(|row| row.as_object())
        .flat_map(Map::keys)
        .collect();
    columns.sort();
    columns.dedup();
    let differs = |column: &&String| before[*column] != theirs[*column] || before[*column] != yours[*column];
    columns.into_iter().filter(differs).cloned().collect()
}

/// Returns the row as the change set wants it: the base version with the change set's changes applied.
fn yours(set: &Value, conflict: &Value) -> Value {
    let mut row = conflict["made_against"]["row"].clone();
    for change in changes(set, names(conflict)) {
        match change["method"].as_str() {
            Some("put") => row = change["body"].clone(),
            Some("patch") => json_patch::merge(&mut row, &change["body"]),
            _ => row = Value::Null,
        }
    }
    row
}

fn changes<'a>(set: &'a Value, (resource, code): (&str, &str)) -> Vec<&'a Value> {
    let changes = set["changes"].as_array().into_iter().flatten();
    changes
        .filter(|change| change["resource"] == resource && change["code"] == code)
        .collect()
}

/// The resource and code of the row that the form names.
fn chosen(visit: &Visit) -> Result<(&str, &str), Refusal> {
    let row = visit.sent("row").split_once('/');
    row.ok_or_else(|| Refusal::plain(StatusCode::BAD_REQUEST))
}

/// Removes all changes of a row from the change set.
pub async fn remove(visit: &Visit, business: &Business, set: &Value, version: &str) -> Result<(), Refusal> {
    let numbers = changes(set, chosen(visit)?)
        .into_iter()
        .filter_map(|change| change["number"].as_i64());
    let mut version = version.to_owned();
    for number in numbers {
        let rest = format!("/changes/{number}{}", query(&[("version", &version)]));
        let changed = visit
            .send(Method::DELETE, &api_path(business, set, &rest), None)
            .await?;
        version = changed["version"].to_string();
    }
    Ok(())
}

/// Adds the person's changes of a row in conflict to the change set again. The base version of the changes is then the
/// current version of the row.
pub async fn keep_mine(visit: &Visit, business: &Business, set: &Value, version: &str) -> Result<(), Refusal> {
    let (resource, code) = chosen(visit)?;
    let mut conflicts = set["conflicts"].as_array().into_iter().flatten();
    let conflict = conflicts.find(|one| names(one) == (resource, code));
    let conflict = conflict.ok_or_else(|| Refusal::plain(StatusCode::CONFLICT))?;
    let (before, stands) = (&conflict["made_against"]["row"], &conflict["stands"]);
    let mine = yours(set, conflict);
    let mut change = json!({ "resource": resource, "code": code });
    if mine.is_null() {
        change["method"] = "delete".into();
    } else if stands["row"].is_object() {
        // The patch contains only the columns that the person changed, so that other people's changes to other columns
        // stay.
        let mut patch = json!({});
        for column in different(before, before, &mine) {
            patch[column.as_str()] = mine[column.as_str()].clone();
        }
        change["method"] = "patch".into();
        change["body"] = patch;
    } else {
        change["method"] = "put".into();
        change["body"] = mine;
    }
    if !stands["version"].is_null() {
        change["version"] = stands["version"].clone();
    }
    let rest = format!("/changes{}", query(&[("version", version)]));
    visit
        .send(Method::POST, &api_path(business, set, &rest), Some(&change))
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_row_is_made_of_the_changes() {
        let conflict = json!({
            "resource": "services", "code": "x",
            "made_against": {"version": 1, "row": {"rank": 1, "price_from": "350.00", "unit": {"en": "per metre"}}},
            "stands": {"version": 2, "row": {"rank": 2, "price_from": "360.00"}},
        });
        let set = json!({"changes": [
            {"resource": "services", "code": "x", "method": "patch", "body": {"price_from": "380.00"}},
            {"resource": "services", "code": "y", "method": "delete"},
            {"resource": "services", "code": "x", "method": "patch", "body": {"unit": null}},
        ]});
        let mine = yours(&set, &conflict);
        assert_eq!(mine, json!({"rank": 1, "price_from": "380.00"}));
        let rows = (&conflict["made_against"]["row"], &conflict["stands"]["row"]);
        assert_eq!(different(rows.0, rows.1, &mine), ["price_from", "rank", "unit"]);
    }
}
