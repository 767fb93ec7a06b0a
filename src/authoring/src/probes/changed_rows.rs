//! Finds the changed rows that affect prices, each with the column that describes the change.

use rules::rows::{
    Adjustment, Area, Calendar, FactMapping, Hook, Resource, Row, RowSet, Script, Service, Settings, changed,
};

/// A changed row that affects prices.
#[derive(Debug, Clone)]
pub(super) struct ChangedRow {
    pub(super) resource: Resource,
    pub(super) code: String,
    pub(super) column: &'static str,
}

/// Columns that describe a change, the most important first.
const COLUMNS: [&str; 24] = [
    "source",
    "condition",
    "rank",
    "stacking_group",
    "services",
    "amount",
    "rate",
    "kind",
    "valid_from",
    "valid_until",
    "hook",
    "price_from",
    "price_to",
    "quantity_fact",
    "keywords",
    "names",
    "offer",
    "postal_prefixes",
    "cities",
    "rounding",
    "rounding_step",
    "calendar",
    "time_zone",
    "pointers",
];

/// Returns the changed rows that affect prices, scripts first.
pub(super) fn changed_rows(before: &RowSet, after: &RowSet) -> Vec<ChangedRow> {
    let mut rows = Vec::new();
    rows_of::<Script>(before, after, &mut rows);
    rows.retain(|row| {
        let mut scripts = [before, after].into_iter().filter_map(|set| set.scripts.get(&row.code));
        scripts.any(|stored| matches!(stored.row.hook, Hook::Price | Hook::Library))
    });
    rows_of::<Adjustment>(before, after, &mut rows);
    rows_of::<Service>(before, after, &mut rows);
    rows_of::<Settings>(before, after, &mut rows);
    rows_of::<Area>(before, after, &mut rows);
    rows_of::<Calendar>(before, after, &mut rows);
    rows_of::<FactMapping>(before, after, &mut rows);
    rows
}

fn rows_of<R: Row>(before: &RowSet, after: &RowSet, rows: &mut Vec<ChangedRow>) {
    for (code, old, new) in changed::<R>(before, after) {
        let json = |stored: Option<&std::sync::Arc<rules::rows::StoredRow<R>>>| {
            stored
                .and_then(|stored| serde_json::to_value(&stored.row).ok())
                .unwrap_or_default()
        };
        let (old, new) = (json(old), json(new));
        let column = COLUMNS.into_iter().find(|column| old[*column] != new[*column]);
        rows.push(ChangedRow {
            resource: R::RESOURCE,
            code: code.clone(),
            column: column.unwrap_or("code"),
        });
    }
}
