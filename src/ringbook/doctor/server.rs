//! Checks a running server through its health endpoint. The server's settings may differ from the settings of this
//! shell, so the doctor asks the server itself.

use reqwest::Client;

use super::{Findings, ask, get};
use base::clock::Clock;

const CHECK: &str = "server";

/// Reports the result of each health check of the server at `url`.
pub async fn examine(url: &str, http: &Client, clock: &Clock, found: &mut Findings) {
    let answered = match ask(get(http, &format!("{url}/health/ready"))).await {
        Ok(answered) => answered,
        Err(why) => {
            found.wrong(
                CHECK,
                format!("{url} cannot be reached: {why}"),
                "Start the server, or give the address that it listens on (RINGBOOK_LISTEN).",
            );
            return;
        }
    };
    found.clock("the server", answered.date, clock);
    let Some(checks) = answered.json["checks"].as_array() else {
        found.wrong(
            CHECK,
            format!(
                "{url}/health/ready responds with {}, and not like Ringbook",
                answered.status
            ),
            "Give the URL of a Ringbook server.",
        );
        return;
    };
    let failing: Vec<_> = checks.iter().filter(|check| check["ok"] != true).collect();
    for check in &failing {
        let name = check["name"].as_str().unwrap_or_default();
        let detail = check["detail"].as_str().unwrap_or("it fails");
        let text = format!("{url}, check `{name}`: {detail}");
        if answered.status == 200 {
            found.warning(CHECK, text, "The server still accepts messages; see its log.");
        } else {
            found.wrong(CHECK, text, "The server is not ready; see its log.");
        }
    }
    if failing.is_empty() {
        let status = answered.json["status"].as_str().unwrap_or_default();
        found.ok(
            CHECK,
            format!("{url} is {status}; all of its {} checks succeed", checks.len()),
        );
    }
}
