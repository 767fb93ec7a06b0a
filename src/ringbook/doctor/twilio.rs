//! Checks each rulebook's account at Twilio: whether Twilio accepts it, and whether it is active. Also checks whether
//! its number or messaging service can send SMS messages and forwards replies to us.

use reqwest::{Client, RequestBuilder};
use sea_orm::{ColumnTrait as _, DatabaseConnection, EntityTrait as _, QueryFilter as _, QueryOrder as _};

use super::{Findings, JsonResponse, ask, get};
use crate::settings::Settings;
use base::clock::Clock;
use sms::{Accounts, Sender, TwilioAccount};
use store::rulebooks;

const CHECK: &str = "twilio";
/// Twilio's API. Messaging services have another URL.
const TWILIO_API: &str = "https://api.twilio.com";
const SERVICES: &str = "https://messaging.twilio.com";

/// Checks each rulebook that has an account.
pub async fn examine(
    settings: &Settings,
    db: &DatabaseConnection,
    accounts: &Accounts,
    http: &Client,
    clock: &Clock,
    found: &mut Findings,
) {
    let all = rulebooks::Entity::find()
        .filter(rulebooks::Column::ArchivedAt.is_null())
        .order_by_asc(rulebooks::Column::Code)
        .all(db)
        .await;
    let mut told = false;
    for rulebook in all.unwrap_or_default() {
        match accounts.of(rulebook.id).await {
            Ok(Some(account)) => {
                if rulebook.sms_delivery == rulebooks::SIMULATED {
                    found.warning(
                        CHECK,
                        format!(
                            "`{}` has an account and simulates: its SMS messages are recorded and not sent",
                            rulebook.code
                        ),
                        format!(
                            "`PUT /admin/v1/rulebooks/{}/sms-delivery` with `twilio` sends them.",
                            rulebook.code
                        ),
                    );
                }
                let date = examine_one(settings, http, &account, &rulebook.code, found).await;
                if !told {
                    found.clock("Twilio", date, clock);
                    told = true;
                }
            }
            Ok(None) if rulebook.sms_delivery == rulebooks::TWILIO => found.wrong(
                CHECK,
                format!("`{}` has no account here: its SMS messages wait", rulebook.code),
                "Set TWILIO_ACCOUNT_SID and the other Twilio settings on an instance that runs the worker `outbox`, or the rulebook's \
                 secrets.",
            ),
            Ok(None) => found.warning(
                CHECK,
                format!(
                    "`{}` has no account: its SMS messages are recorded as `simulated`",
                    rulebook.code
                ),
                "Set TWILIO_ACCOUNT_SID and the other Twilio settings, or the rulebook's secrets.",
            ),
            Err(error) => found.wrong(
                CHECK,
                format!("`{}`: {error}", rulebook.code),
                "Store the secrets again.",
            ),
        }
    }
}

/// Checks one account and its sender. Returns the time in Twilio's response.
async fn examine_one(
    settings: &Settings,
    http: &Client,
    account: &TwilioAccount,
    code: &str,
    found: &mut Findings,
) -> Option<chrono::DateTime<chrono::Utc>> {
    let base = &settings.twilio_base_url;
    let of_account = format!("{base}/2010-04-01/Accounts/{}", account.sid);
    let request = |url: &str| -> RequestBuilder { get(http, url).basic_auth(&account.sid, Some(&account.token)) };
    let answered = match ask(request(&format!("{of_account}.json"))).await {
        Ok(answered) => answered,
        Err(why) => {
            found.wrong(
                CHECK,
                format!("Twilio does not answer: {why}"),
                "Check TWILIO_BASE_URL and outbound connections of this network.",
            );
            return None;
        }
    };
    let date = answered.date;
    match (answered.status, answered.json["status"].as_str()) {
        (200, Some("active")) => found.ok(CHECK, format!("`{code}`: the account is accepted and active")),
        (200, status) => found.wrong(
            CHECK,
            format!("`{code}`: the account is {}", status.unwrap_or("in no known state")),
            "Check it in Twilio's console: no SMS message is sent.",
        ),
        (401 | 403 | 404, _) => {
            let text = format!(
                "`{code}`: Twilio refuses the account or its token (HTTP {})",
                answered.status
            );
            found.wrong(
                CHECK,
                text,
                "Correct TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, or the rulebook's own Twilio secrets.",
            );
            return date;
        }
        (status, _) => {
            found.warning(CHECK, format!("Twilio answered HTTP {status}"), "Try again in a while.");
            return date;
        }
    }
    let sender = match &account.sender {
        Sender::From(number) => {
            let url = reqwest::Url::parse_with_params(
                &format!("{of_account}/IncomingPhoneNumbers.json"),
                [("PhoneNumber", number)],
            );
            match url {
                Ok(url) => ask(request(url.as_str()))
                    .await
                    .map(|answered| number_of(settings, &answered, code, found)),
                Err(_) => Err("TWILIO_BASE_URL is not a valid URL"),
            }
        }
        Sender::MessagingService(sid) => {
            let base = if base == TWILIO_API { SERVICES } else { base };
            let asked = ask(request(&format!("{base}/v1/Services/{sid}"))).await;
            asked.map(|answered| service_of(&answered, code, found))
        }
    };
    if let Err(why) = sender {
        found.warning(
            CHECK,
            format!("`{code}`: the sender could not be looked up: {why}"),
            "Try again in a while.",
        );
    }
    date
}

fn number_of(settings: &Settings, answered: &JsonResponse, code: &str, found: &mut Findings) {
    let Some(number) = answered.json["incoming_phone_numbers"].get(0) else {
        found.wrong(
            CHECK,
            format!("`{code}`: the sender's number does not belong to this account"),
            "Set TWILIO_FROM to a number of this account (a short code or sender id cannot be looked up here).",
        );
        return;
    };
    if number["capabilities"]["sms"] == false {
        found.wrong(
            CHECK,
            format!("`{code}`: the number cannot send SMS messages"),
            "Use a number that can send SMS.",
        );
        return;
    }
    found.ok(
        CHECK,
        format!("`{code}`: the number belongs to the account and can send SMS messages"),
    );
    if let Some(public) = &settings.public_url {
        let inbound = format!("{public}/webhooks/twilio/inbound");
        if number["sms_url"].as_str() != Some(inbound.as_str()) {
            found.warning(
                CHECK,
                format!("`{code}`: replies to the number do not reach this server: nobody can acknowledge by SMS"),
                format!("In Twilio's console, set the number's \"A message comes in\" to {inbound}, HTTP POST."),
            );
        }
    }
}

fn service_of(answered: &JsonResponse, code: &str, found: &mut Findings) {
    if answered.status == 200 {
        found.ok(CHECK, format!("`{code}`: the messaging service belongs to the account"));
    } else {
        found.wrong(
            CHECK,
            format!(
                "`{code}`: the messaging service does not belong to this account (HTTP {})",
                answered.status
            ),
            "Set TWILIO_MESSAGING_SERVICE_SID to a messaging service of this account.",
        );
    }
}
