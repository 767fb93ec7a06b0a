//! The business that a page is about: the code of its rulebook, its current rows and its time zone.

use std::collections::BTreeMap;

use admin::auth::{Caller, Role};
use base::telemetry::scrub;
use chrono_tz::Tz;
use rules::rows::RowSet;
use serde_json::Value;
use web::ClientAddress;
use web::problem::Problem;

use crate::address::segment;
use crate::locale::Times;
use crate::refusal::Refusal;
use crate::visit::Visit;

/// The rulebook that a person sees first, if they may see it.
const DEFAULT: &str = "default";

/// Maximum number of open notices that the navigation counts.
pub const MAX_COUNTED: usize = 20;

pub struct Business {
    pub code: String,
    /// The businesses that the person may choose from: code and name.
    pub choices: Vec<(String, String)>,
    /// The current rows. Pages show strings from these rows only through [`Business::shown`].
    pub rows: RowSet,
    /// Number of open notices, up to [`MAX_COUNTED`].
    pub open_notices: usize,
    zone: Tz,
    /// Whether phone numbers are masked for the person.
    masked: bool,
}

impl Visit {
    /// The business that the URL names. If the URL names no business, returns the default business. If the person may
    /// not see the default business, returns the first business that the person may see.
    pub async fn business(&self) -> Result<&Business, Refusal> {
        if let Some(business) = self.business.get() {
            return Ok(business);
        }
        let business = self.open().await?;
        Ok(self.business.get_or_init(|| business))
    }

    async fn open(&self) -> Result<Business, Refusal> {
        let pairs = [("archived", "false"), ("limit", "200")];
        let list = self.read("/admin/v1/rulebooks", &pairs).await?;
        let items = list["items"].as_array().into_iter().flatten();
        let choices: Vec<(String, String)> = items.filter_map(choice).collect();
        let first = || {
            let default = choices
                .iter()
                .find(|(code, _)| code == DEFAULT)
                .or_else(|| choices.first());
            default.map(|(code, _)| code.clone())
        };
        let asked = Some(self.asked("rulebook")).filter(|code| !code.is_empty());
        let code = asked.map(ToOwned::to_owned).or_else(first);
        let code = code.ok_or_else(|| Problem::not_found("rulebook for your key"))?;
        let caller = self.caller();
        let standing = self.console.admin.head_rows(&caller, &code).await?;
        let rows = standing.rows().clone();
        let settings = rows.settings.values().next();
        let zone = settings.and_then(|stored| stored.row.time_zone.parse().ok());
        let limit = (MAX_COUNTED + 1).to_string();
        let open = [("rulebook", code.as_str()), ("resolved", "false"), ("limit", &limit)];
        let open = self.read("/admin/v1/notices", &open).await?;
        Ok(Business {
            open_notices: open["items"].as_array().map_or(0, Vec::len),
            zone: zone.unwrap_or(Tz::UTC),
            masked: caller.is_masked(),
            code,
            choices,
            rows,
        })
    }

    fn caller(&self) -> Caller {
        Caller {
            key_id: self.key.id,
            name: self.key.name.clone(),
            role: Role::named(&self.key.role).unwrap_or(Role::Viewer),
            rulebook_id: self.key.rulebook_id,
            address: ClientAddress::of(&self.request).0.to_string(),
        }
    }

    /// How times are shown for a business: language, time zone and current time.
    pub fn times(&self, business: &Business) -> Times {
        Times {
            words: self.words,
            zone: business.zone,
            now: self.console.admin.clock.now(),
        }
    }
}

fn choice(item: &Value) -> Option<(String, String)> {
    let code = item["code"].as_str()?;
    Some((code.to_owned(), item["name"].as_str().unwrap_or(code).to_owned()))
}

impl Business {
    /// A URL of the admin API below the rulebook of this business.
    pub fn path(&self, rest: &str) -> String {
        format!("/admin/v1/rulebooks/{}{rest}", segment(&self.code))
    }

    /// A string of a row. Any string may contain a phone number, so phone numbers are masked if the person may not see
    /// them.
    pub fn shown(&self, text: &str) -> String {
        if self.masked { scrub(text) } else { text.to_owned() }
    }

    /// The name of a contact, or `code` if no contact has this code.
    pub fn contact(&self, code: &str) -> String {
        let found = self.rows.contacts.get(code);
        self.shown(found.map_or(code, |stored| stored.row.name.as_str()))
    }

    pub fn row_name(&self, resource: &str, code: &str, language: &str) -> String {
        let names = match resource {
            "services" => self.rows.services.get(code).map(|stored| &stored.row.names),
            "adjustments" => self.rows.adjustments.get(code).map(|stored| &stored.row.names),
            "areas" => self.rows.areas.get(code).map(|stored| &stored.row.names),
            "taxes" => self.rows.taxes.get(code).map(|stored| &stored.row.names),
            "priority-rules" => self.rows.priority_rules.get(code).map(|stored| &stored.row.names),
            _ => None,
        };
        names.map_or_else(|| spaced(code), |names| self.label(names, language, code))
    }

    /// Returns the label in `language`. If there is no such label, returns the first label in another language. If
    /// there is no label, returns `code`.
    pub fn label(&self, labels: &BTreeMap<String, String>, language: &str, code: &str) -> String {
        let found = labels.get(language).or_else(|| labels.values().next());
        found.map_or_else(|| spaced(code), |label| self.shown(label))
    }
}

fn spaced(code: &str) -> String {
    code.replace('_', " ")
}
