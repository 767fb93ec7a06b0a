//! Guard rails: limits beyond which a publish waits for a second person's approval.
//!
//! If guard rails were rule rows, an editor could change prices and lift the guard rails in one change.

use poem_openapi::param::Header;
use poem_openapi::{Object, OpenApi};
use serde::Deserialize;
use serde_json::{Value, json};

use super::audited_write;
use super::auth::{Admin, Key, Viewer};
use super::body::Body;
use super::errors::{Fails, NoExtraErrors, SettingsWrite};
use super::responses::{FoundRow, Json, etag};
use super::state::{AdminState, RulebookInPath};
use super::versions::{Precondition, expected, stale};
use rules::guard_rails::GuardRails as Limits;
use rules::money::{Money, Rate};
use store::{guard_rails, rulebooks};
use web::problem::{FieldFault, Problem};

pub struct GuardRailsApi(pub AdminState);

/// Limits beyond which a publish waits for a second person's approval; an omitted field sets no limit.
#[derive(Debug, Clone, Deserialize, Object)]
#[serde(deny_unknown_fields)]
#[oai(skip_serializing_if_is_none)]
pub struct GuardRails {
    /// No price below this.
    lowest_price: Option<Money>,
    /// No price above this.
    highest_price: Option<Money>,
    /// No price changes by more than this, in percent, in one publish.
    largest_change_percent: Option<Rate>,
    /// The version rises with every change; 0 before the first change. Send it with a change.
    version: Option<i64>,
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook/guard-rails")]
impl GuardRailsApi {
    /// Read a rulebook's guard rails
    #[oai(path = "/", method = "get")]
    async fn get_guard_rails(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
    ) -> Result<FoundRow<GuardRails>, Fails<NoExtraErrors>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let row = guard_rails::read(self.0.latest(), rulebook_id).await?;
        Ok(match row {
            Some(row) => answer(row.guards()?, row.version),
            None => answer(Limits::default(), 0),
        })
    }

    /// Replace a rulebook's guard rails
    ///
    /// A price change beyond the guard rails is not published: it waits as a change set until a second person approves
    /// it. Existing rows beyond the guard rails may stay. Guard rails check the values in services, adjustments, taxes
    /// and the rounding, row by row. For all else that affects prices (scripts, conditions, ranks, stacking groups),
    /// guard rails compare the prices of examples before and after the change. The examples are the rulebook's cases,
    /// the newest 200 decisions of the last seven days, and a grid of the facts, values, words and times that the
    /// changed rows name. Guard rails miss prices that no example produces. Send the `version` that you read.
    #[oai(path = "/", method = "put")]
    async fn put_guard_rails(
        &self,
        key: Key<Admin>,
        rulebook: RulebookInPath,
        /// The ETag of the guard rails that you read, if their version is not in the body.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        body: Body<GuardRails>,
    ) -> Result<FoundRow<GuardRails>, Fails<SettingsWrite>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let guards = checked(&body.0)?;
        let stored = guard_rails::read(self.0.latest(), rulebook_id).await?;
        let said = Precondition {
            body: body.0.version,
            if_match: if_match.0,
            if_none_match: None,
        };
        let what = format!("`guard-rails` of rulebook `{}`", rulebook.0);
        let current = stored.as_ref().map(|row| row.version);
        expected(&said, current, &what)?;
        let version = current.unwrap_or_default() + 1;
        let before = stored.map(|row| row.guards()).transpose()?;
        let entry = audited_write::entry(
            &self.0,
            &key,
            Some(rulebook_id),
            ("update", "guard-rails", &rulebook.0),
            before.as_ref().map(as_json),
            Some(as_json(&guards)),
        );
        let row = guard_rails::Model::of(rulebook_id, &guards, version, self.0.clock.now());
        let write = audited_write::write(&self.0, entry, move |tx| {
            Box::pin(async move {
                // Because of the lock, a concurrent publish either uses the old guard rails or starts again.
                rulebooks::locked_head(tx, row.rulebook_id).await?;
                guard_rails::write(tx, row).await
            })
        });
        if write.await? {
            return Ok(answer(guards, version));
        }
        let now = guard_rails::read(self.0.latest(), rulebook_id).await?;
        Err(stale(&what, version - 1, now.map(|row| row.version)).into())
    }
}

/// Validates the limits. The limits must not contradict each other.
fn checked(body: &GuardRails) -> Result<Limits, Problem> {
    let mut faults = Vec::new();
    let mut fault = |pointer: &str, detail: &str| faults.push(FieldFault::new(pointer, "invalid_value", detail));
    for (pointer, price) in [
        ("/lowest_price", body.lowest_price),
        ("/highest_price", body.highest_price),
    ] {
        if price.is_some_and(|price| price.minor() < 0) {
            fault(pointer, "A price cannot be below 0.00.");
        }
    }
    if body
        .lowest_price
        .zip(body.highest_price)
        .is_some_and(|(lowest, highest)| lowest > highest)
    {
        fault("/lowest_price", "`lowest_price` must not be above `highest_price`.");
    }
    if body
        .largest_change_percent
        .is_some_and(|percent| percent.decimal().is_sign_negative())
    {
        fault("/largest_change_percent", "A change in percent must be 0 or more.");
    }
    if !faults.is_empty() {
        return Err(Problem::unprocessable(faults));
    }
    Ok(Limits {
        lowest_price: body.lowest_price,
        highest_price: body.highest_price,
        largest_change_percent: body.largest_change_percent,
    })
}

fn as_json(guards: &Limits) -> Value {
    json!({
        "lowest_price": guards.lowest_price.map(|price| price.to_string()),
        "highest_price": guards.highest_price.map(|price| price.to_string()),
        "largest_change_percent": guards.largest_change_percent.map(|rate| rate.to_string()),
    })
}

fn answer(guards: Limits, version: i64) -> FoundRow<GuardRails> {
    let shown = GuardRails {
        lowest_price: guards.lowest_price,
        highest_price: guards.highest_price,
        largest_change_percent: guards.largest_change_percent,
        version: Some(version),
    };
    FoundRow::Found(Json(shown), etag(version))
}
