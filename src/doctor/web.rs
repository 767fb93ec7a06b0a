//! The public address. In: the settings. Out: whether Vapi and Twilio can reach this server under it.

use reqwest::Client;

use super::{Findings, ask, get};
use crate::clock::Clock;
use crate::settings::Settings;

const CHECK: &str = "public address";

/// Asks the server under its public address whether it is alive.
pub async fn examine(settings: &Settings, http: &Client, clock: &Clock, found: &mut Findings) {
    let Some(url) = &settings.public_url else {
        found.warning(
            CHECK,
            "RINGBOOK_PUBLIC_URL is not set: Twilio cannot tell whether a text arrived, and what Vapi calls cannot be checked",
            "Set it to the https address of this server.",
        );
        return;
    };
    if !url.starts_with("https://") {
        found.warning(
            CHECK,
            format!("{url} is not https: what callers say goes over the network in clear"),
            "Put a proxy with a certificate in front.",
        );
    }
    match ask(get(http, &format!("{url}/health/live"))).await {
        Ok(answered) if answered.status == 200 && answered.json["status"] == "live" => {
            found.ok(CHECK, format!("{url} leads to a Ringbook"));
            found.clock("the public address", answered.date, clock);
        }
        Ok(answered) => found.wrong(
            CHECK,
            format!("{url}/health/live answers {}, and not as Ringbook does", answered.status),
            "Let the proxy pass /health, /webhooks and, for people, /docs and /admin to this server.",
        ),
        Err(why) => found.wrong(
            CHECK,
            format!("{url} cannot be reached from here: {why}"),
            "Is the server running? Does the name lead here, and the proxy to RINGBOOK_LISTEN? (Some networks do not let a \
             machine reach its own public address: then try it from outside.)",
        ),
    }
}
