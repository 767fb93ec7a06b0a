//! Checks each rulebook's configuration at Vapi: whether Vapi accepts the key, and whether Vapi posts to us. Also
//! checks whether Vapi retries messages that we could not accept.

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::Findings;
use crate::settings::Settings;
use base::clock::Clock;
use intake::auth::access::DEFAULT_RULEBOOK;
use intake::reconcile::{FindKeys, RulebookWithKey};
use intake::vapi::{VapiClient, VapiError};

const CHECK: &str = "vapi";
/// The findings use this word for an entry in Vapi's list of assistants.
const ASSISTANT: &str = "assistant";
/// The message type of a report.
const REPORT: &str = "end-of-call-report";

/// The recommended `server` object at Vapi for a rulebook. This object makes Vapi retry for about a quarter of an hour.
/// Permanent errors are not retried. The status 413 is retried, because a proxy may send it (nginx sends it for bodies
/// above 1 MB). Without this retry, the report would be lost.
#[must_use]
pub fn best_server(url: &str) -> Value {
    json!({
        "url": url,
        "timeoutSeconds": 20,
        "backoffPlan": {
            "type": "exponential",
            "maxRetries": 10,
            "baseDelaySeconds": 1,
            "excludedStatusCodes": [400, 404],
        },
    })
}

/// The URL to which Vapi should post a rulebook's messages.
#[must_use]
pub fn server_url(public: &str, code: &str) -> String {
    let public = public.trim_end_matches('/');
    if code == DEFAULT_RULEBOOK {
        format!("{public}/webhooks/vapi")
    } else {
        format!("{public}/webhooks/vapi/{code}")
    }
}

/// Checks each rulebook that has a key.
pub async fn examine(
    settings: &Settings,
    keys: &FindKeys,
    clock: &Clock,
    stop: &CancellationToken,
    found: &mut Findings,
) {
    let keyed = match (keys)().await {
        Ok(keyed) => keyed,
        Err(error) => {
            found.wrong(CHECK, error.to_string(), "Store the key again.");
            return;
        }
    };
    if keyed.is_empty() {
        found.warning(
            CHECK,
            "no rulebook has a Vapi key: calls without a report cannot be found",
            "Set VAPI_API_KEY to a private key of your Vapi organization.",
        );
        return;
    }
    let client = match VapiClient::new(&settings.vapi_base_url) {
        Ok(client) => client,
        Err(error) => {
            found.wrong(CHECK, error.to_string(), "This is a bug in Ringbook: please report it.");
            return;
        }
    };
    for (at, one) in keyed.iter().enumerate() {
        if keyed[..at].iter().any(|other| other.key == one.key) {
            found.wrong(
                CHECK,
                format!("`{}` has the same Vapi key as another rulebook", one.code),
                "Each key is for one rulebook: use a separate Vapi organization.",
            );
            continue;
        }
        examine_one(settings, &client, one, (clock, at == 0), stop, found).await;
    }
}

async fn examine_one(
    settings: &Settings,
    client: &VapiClient,
    one: &RulebookWithKey,
    (clock, first): (&Clock, bool),
    stop: &CancellationToken,
    found: &mut Findings,
) {
    let limit = [("limit", "1000".to_owned())];
    let mut lists = Vec::new();
    for (path, what) in [("/assistant", ASSISTANT), ("/phone-number", "phone number")] {
        match client.get(&one.key, path, &limit, stop).await {
            Ok(answered) => {
                if first && what == ASSISTANT {
                    found.clock("Vapi", answered.date, clock);
                }
                let list = answered.json.as_array().cloned().unwrap_or_default();
                lists.extend(list.into_iter().map(|item| (what, item)));
            }
            Err(error @ VapiError::Credentials(_)) => {
                found.wrong(
                    CHECK,
                    format!("`{}`: {error}", one.code),
                    "Set a valid private key: VAPI_API_KEY, or the secret `vapi_api_key` of the rulebook.",
                );
                return;
            }
            Err(error) => {
                found.wrong(
                    CHECK,
                    format!("`{}`: {error}", one.code),
                    "Check VAPI_BASE_URL and outbound connections of this network.",
                );
                return;
            }
        }
    }
    found.ok(CHECK, format!("`{}`: the key is accepted", one.code));
    let assistants = lists.iter().filter(|(what, _)| *what == ASSISTANT);
    assistants.for_each(|(_, assistant)| understanding(assistant, found));
    if let Some(public) = &settings.public_url {
        servers(&server_url(public, &one.code), &one.code, &lists, found);
    }
}

fn name(item: &Value) -> &str {
    let named = item["name"].as_str().or_else(|| item["id"].as_str());
    named.unwrap_or("without a name")
}

/// Checks how an assistant reports what its model understood.
fn understanding(assistant: &Value, found: &mut Findings) {
    let name = name(assistant);
    let is_list = |value: &Value| value.as_array().is_some_and(|list| !list.is_empty());
    let plan = &assistant["analysisPlan"]["structuredDataPlan"];
    // Without a schema the model chooses the field names, and fact mappings cannot read them.
    let data = plan["enabled"] != false && plan["schema"].is_object();
    if is_list(&assistant["artifactPlan"]["structuredOutputIds"]) {
        found.ok(CHECK, format!("the assistant `{name}` fills in structured outputs"));
    } else if data || is_list(&assistant["analysisPlan"]["structuredDataMultiPlan"]) {
        found.ok(
            CHECK,
            format!("the assistant `{name}` fills in structured data, an older feature of Vapi that structured outputs replace"),
        );
    } else {
        found.warning(
            CHECK,
            format!(
                "the assistant `{name}` fills in no structured output: calls are decided by the caller's words alone"
            ),
            "Create the structured output that `ringbook doctor` prints, and give it to the assistant.",
        );
    }
}

/// Checks which objects at Vapi post to us, and with which settings.
fn servers(ours: &str, code: &str, lists: &[(&str, Value)], found: &mut Findings) {
    let mut any = false;
    for (what, item) in lists {
        let name = name(item);
        let server = &item["server"];
        let url = server["url"].as_str().or_else(|| item["serverUrl"].as_str());
        if url.is_none_or(|url| url.trim_end_matches('/') != ours) {
            continue;
        }
        any = true;
        if server["backoffPlan"]["maxRetries"]
            .as_f64()
            .is_none_or(|retries| retries < 1.0)
        {
            found.warning(
                CHECK,
                format!(
                    "the {what} `{name}` has no backoffPlan: Vapi does not retry messages that could not be accepted"
                ),
                format!("Give it this `server`: {}", best_server(ours)),
            );
        } else {
            found.ok(CHECK, format!("the {what} `{name}` posts to {ours}, with retries"));
        }
        let messages = item["serverMessages"].as_array();
        if messages.is_some_and(|list| !list.iter().any(|one| one == REPORT)) {
            found.wrong(
                CHECK,
                format!("the {what} `{name}` does not send `{REPORT}`"),
                format!("Add `{REPORT}` to its `serverMessages`."),
            );
        }
    }
    if !any {
        found.warning(
            CHECK,
            format!("`{code}`: no assistant and no phone number posts to {ours}"),
            format!(
                "If the organization's own server URL is different, give the assistant or the phone number this `server`: {}",
                best_server(ours)
            ),
        );
    }
}
