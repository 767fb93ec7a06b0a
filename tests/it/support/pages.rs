//! Builds every GET request of the OpenAPI document for resources that exist. The values in the paths come from the
//! server's lists.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::app::TestApp;

/// Operations whose responses have no end.
const ENDLESS: [&str; 2] = ["follow_backtest", "watch_rulebook"];

/// A GET request that is ready to be sent.
pub struct Get {
    pub id: String,
    pub path: String,
    pub role: String,
}

impl TestApp {
    /// Returns every GET, except those of [`ENDLESS`].
    pub async fn every_get(&self) -> Vec<Get> {
        // The sample has no shift override, because it would expire one day.
        let stands_in = json!({"contact": "second", "instead_of": "on_call", "from": "2031-12-24T17:00", "until": "2031-12-27T08:00"});
        let path = "/admin/v1/rulebooks/default/shift-overrides/walked";
        let (status, told) = self.admin(Method::PUT, path, Some(&stands_in)).await;
        let is_there = status == StatusCode::PRECONDITION_REQUIRED;
        assert!(status.is_success() || is_there, "{told}");
        // Nobody has this number.
        let nobody = json!({"customer_number": "+15145559999"});
        let path = "/admin/v1/rulebooks/default/erasures";
        let (status, told) = self.admin(Method::POST, path, Some(&nobody)).await;
        assert_eq!(status, StatusCode::OK, "{told}");
        let (_, document) = self.get("/openapi.json").await;
        let mut all = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            let operation = &item["get"];
            let Some(id) = operation["operationId"].as_str().filter(|id| !ENDLESS.contains(id)) else {
                continue;
            };
            let role = operation["x-required-role"].as_str().unwrap().to_owned();
            let path = self.filled(path, operation).await;
            all.push(Get {
                id: id.to_owned(),
                path,
                role,
            });
        }
        all
    }

    async fn filled(&self, template: &str, operation: &Value) -> String {
        let mut path = template
            .replace("{rulebook}", "default")
            .replace("{number}", "head")
            .replace("{period}", "2026-11");
        for (name, member) in [("{code}", "code"), ("{id}", "id"), ("{call_id}", "id")] {
            let Some((list, _)) = path.split_once(&format!("/{name}")) else {
                continue;
            };
            let (_, rows) = self.admin(Method::GET, list, None).await;
            let first = rows["items"][0][member].as_str().map(ToOwned::to_owned);
            path = path.replace(name, &first.unwrap_or_else(|| panic!("{list} is empty: {rows}")));
        }
        if path.ends_with("/days") {
            path.push_str("?from=2026-12-01&until=2026-12-31");
        }
        assert!(!path.contains('{'), "{path}: {operation}");
        path
    }
}
