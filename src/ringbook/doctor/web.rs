//! Checks whether Vapi and Twilio can reach this server at its public URL.

use reqwest::Client;

use super::{Findings, ask, get};
use crate::settings::Settings;
use base::clock::Clock;

const CHECK: &str = "public URL";
const MEGABYTE: usize = 1_000_000;
/// The size of a long call's report, in bytes. By default nginx accepts 1 MB.
const LARGE_REPORT: usize = 4 * MEGABYTE;

/// Queries the liveness check of the server at its public URL.
pub async fn examine(settings: &Settings, http: &Client, clock: &Clock, found: &mut Findings) {
    let Some(url) = &settings.public_url else {
        found.warning(
            CHECK,
            "RINGBOOK_PUBLIC_URL is not set: Twilio cannot report whether a message arrived, and the URL for Vapi cannot be checked",
            "Set it to the https URL of this server.",
        );
        return;
    };
    if !url.starts_with("https://") {
        found.warning(
            CHECK,
            format!("{url} is not https: callers' words cross the network unencrypted"),
            "Put a proxy with a TLS certificate in front.",
        );
    }
    match ask(get(http, &format!("{url}/health/live"))).await {
        Ok(answered) if answered.status == 200 && answered.json["status"] == "live" => {
            found.ok(CHECK, format!("{url} leads to a Ringbook server"));
            found.clock("the public URL", answered.date, clock);
            large_reports(url, http, found).await;
        }
        Ok(answered) => found.wrong(
            CHECK,
            format!("{url}/health/live responds with {}, and not like Ringbook", answered.status),
            "Let the proxy pass /health, /webhooks and, for people, /docs and /admin to this server.",
        ),
        Err(why) => found.wrong(
            CHECK,
            format!("{url} cannot be reached from here: {why}"),
            "Is the server running? Does the host name lead to this machine, and does the proxy forward to RINGBOOK_LISTEN? (In \
             some networks, a machine cannot reach its own public address: then try it from outside.)",
        ),
    }
}

/// Checks whether a proxy accepts a long call's report. The request is unsigned, so nothing is recorded: Ringbook
/// responds with 401.
async fn large_reports(url: &str, http: &Client, found: &mut Findings) {
    let request = http.post(format!("{url}/webhooks/vapi"));
    let request = request
        .header("content-type", "application/json")
        .body(vec![b' '; LARGE_REPORT]);
    match ask(request).await {
        Ok(answered) if answered.status == 413 => found.wrong(
            CHECK,
            format!(
                "a proxy in front of {url} refuses a report of {} MB (413)",
                LARGE_REPORT / MEGABYTE
            ),
            "Let the proxy accept bodies of 5 MB; in nginx: `client_max_body_size 6m;`.",
        ),
        Ok(answered) if answered.status == 401 => {
            found.ok(
                CHECK,
                format!("reports of {} MB reach the server", LARGE_REPORT / MEGABYTE),
            );
        }
        // If the server refuses the request before it reads the body, it may close the connection. A closed connection
        // does not show whether a proxy accepts the body.
        _ => {}
    }
}
