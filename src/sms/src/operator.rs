//! Sends urgent notices to the operator by SMS, through the default rulebook's account. The number of SMS messages per
//! hour is limited, per rulebook and in total. So the notices of one rulebook do not crowd out the notices of another.
//!
//! Notices about the operator's own SMS messages, or about the account that would send them, are never sent.

use chrono::TimeDelta;
use sea_orm::DbErr;
use uuid::Uuid;

use super::enqueue::{NewSms, enqueue};
use super::notice::{CREDENTIALS, INCOMPLETE, NO_ACCOUNT, PROVIDER_DOWN};
use super::{OutboxError, OutboxState};
use rules::segments::{outside_gsm7, respelt, segments};
use store::notices::{self, SilentNotices};
use store::{begin, leads, rulebooks, sms_messages};

/// The contact code in the rows of SMS messages to the operator. No contact of a rulebook can have this code.
pub const OPERATOR: &str = "@operator";
/// Maximum number of SMS messages about one rulebook within an hour. The first messages are the most useful.
const MAX_PER_RULEBOOK: u64 = 6;
/// Maximum number of SMS messages about all rulebooks within an hour.
const MAX_TOTAL: u64 = 60;
/// Maximum number of segments of an SMS message to the operator.
const MAX_SEGMENTS: usize = 2;
/// Maximum length of the caller's problem, in characters.
const MOST_OF_A_PROBLEM: usize = 70;

/// The recipient of urgent notices.
#[derive(Clone)]
pub struct Operator {
    /// The rulebook whose account sends the messages.
    pub rulebook: &'static str,
    /// The phone number.
    pub number: String,
}

impl std::fmt::Debug for Operator {
    /// Prints no fields, because the number is personal data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operator").finish_non_exhaustive()
    }
}

/// Queues an SMS message about each urgent notice that was not sent to the operator yet.
pub(super) async fn tell_operator(shared: &OutboxState) -> Result<(), OutboxError> {
    let Some(operator) = &shared.settings.operator else {
        return Ok(());
    };
    let Some(rulebook_id) = rulebooks::id_of(&shared.db, operator.rulebook).await? else {
        return Ok(());
    };
    let now = shared.now();
    let unsaid = SilentNotices {
        rulebook_id,
        subject: notices::of_contact(OPERATOR),
        codes: &[PROVIDER_DOWN, CREDENTIALS, INCOMPLETE, NO_ACCOUNT],
    };
    let mut waiting = notices::untold_rulebooks(&shared.db, &unsaid).await?;
    if waiting.is_empty() {
        return Ok(());
    }
    let mut told = notices::sent_since(&shared.db, now - TimeDelta::hours(1)).await?;
    loop {
        // Rulebooks with the fewest SMS messages to the operator come first.
        let of = |about: &Uuid| told.get(about).copied().unwrap_or_default();
        waiting.sort_by_key(|about| (of(about), *about));
        let (Some(about), all) = (waiting.first().copied(), told.values().sum()) else {
            break;
        };
        if of(&about) >= allowance(all) {
            break;
        }
        let Some(notice) = notices::untold(&shared.db, &unsaid, about).await? else {
            waiting.remove(0);
            continue;
        };
        *told.entry(about).or_default() += 1;
        // API keys of the default rulebook can read this row. So the row must never contain callers of other rulebooks.
        let caller = if notice.rulebook_id == rulebook_id {
            caller_of(shared, &notice).await?
        } else {
            None
        };
        // Store the call id, so that an erasure of the caller erases this message too.
        let call_id = caller.as_ref().map(|lead| lead.call_id.clone());
        let body = worded(&notice, caller.as_ref(), shared.settings.public_url.as_deref());
        let tx = begin(&shared.db).await?;
        if notices::mark_sent(&tx, &notice, now).await? {
            let text = NewSms {
                rulebook_id,
                id: shared.clock.new_id(),
                template: match &call_id {
                    Some(_) => format!("notice-{}", notice.id),
                    None => "notice".to_owned(),
                },
                call_id,
                decision_id: None,
                contact: OPERATOR.to_owned(),
                priority: "P2".to_owned(),
                to_number: operator.number.clone(),
                body,
                rule: None,
                held_until: None,
                simulated: false,
                now,
            };
            enqueue(&tx, text).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

/// Returns the maximum number of SMS messages about one rulebook within an hour. `all` is the number of messages about
/// all rulebooks. The maximum shrinks as `all` grows, so that a rulebook without messages so far still gets some.
fn allowance(all: u64) -> u64 {
    match all {
        0..18 => MAX_PER_RULEBOOK,
        18..36 => 2,
        36..MAX_TOTAL => 1,
        _ => 0,
    }
}

/// Returns the lead of the caller that a notice is about. The notice names the call, or its text contains the reference
/// of an SMS message about the call.
async fn caller_of(shared: &OutboxState, notice: &notices::Model) -> Result<Option<leads::Model>, DbErr> {
    let rulebook_id = notice.rulebook_id;
    let call_id = match notice.subject.strip_prefix("call ") {
        Some(call_id) => Some(call_id.to_owned()),
        None => match notice.text.split_whitespace().find(|word| word.starts_with("RB-")) {
            Some(reference) => sms_messages::call_of_reference(&shared.db, rulebook_id, reference).await?,
            None => None,
        },
    };
    match call_id {
        Some(call_id) => leads::of_call(&shared.db, rulebook_id, &call_id).await,
        None => Ok(None),
    }
}

/// Returns a notice as an SMS message: what happened, the caller's name, address and problem, and a link. The body uses
/// the GSM alphabet and has at most two segments. Advice that does not fit is cut at the end.
fn worded(notice: &notices::Model, caller: Option<&leads::Model>, public_url: Option<&str>) -> String {
    let mut text = format!("Ringbook: {}", notice.text);
    if let Some(lead) = caller.filter(|lead| lead.erased_at.is_none()) {
        let problem: Option<String> = lead
            .problem
            .as_deref()
            .map(|problem| problem.chars().take(MOST_OF_A_PROBLEM).collect());
        let place = [&lead.address, &lead.city].map(Option::as_deref).into_iter().flatten();
        let place: Vec<&str> = place.collect();
        let place = (!place.is_empty()).then(|| place.join(", "));
        let parts = [&lead.customer_name, &lead.customer_number, &place, &problem];
        let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
        if !parts.is_empty() {
            text = format!("{text} Caller: {}.", parts.join(", ").trim_end_matches('.'));
        }
    }
    let link = public_url.map(|url| {
        let page = if notice.subject.starts_with("call ") {
            "leads/acknowledge_lead"
        } else {
            "notices/list_notices"
        };
        format!(" {}/docs#/{page}", url.trim_end_matches('/'))
    });
    let link = link.unwrap_or_default();
    let clean = |text: &str| -> String {
        let text = text.replace('`', "").replace('…', "...");
        let text: String = respelt(&text)
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        text.chars()
            .filter(|c| outside_gsm7(c.encode_utf8(&mut [0; 4])).is_empty())
            .collect()
    };
    // The reference is appended later, so the check includes a reference of the same length.
    let fits = |text: &str| segments(&format!("{text}{link} RB-234567")).count <= MAX_SEGMENTS;
    let mut body = clean(&text);
    while !fits(&body) && body.pop().is_some() {}
    for word in clean(&notice.what_to_do).split_whitespace() {
        let longer = format!("{body} {word}");
        if !fits(&longer) {
            break;
        }
        body = longer;
    }
    format!("{}{link}", body.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::clock::Clock;

    #[test]
    fn six_of_one_rulebook_leave_room_for_forty_others() {
        let (mut noisy, mut all) = (0, 0);
        while noisy < allowance(all) {
            noisy += 1;
            all += 1;
        }
        assert_eq!(noisy, MAX_PER_RULEBOOK);
        let mut quiet = 0;
        while quiet < 40 && allowance(all) > 0 {
            quiet += 1;
            all += 1;
        }
        assert_eq!(quiet, 40);
        assert_eq!(allowance(MAX_TOTAL), 0);
    }

    fn notice(subject: &str, text: &str, what_to_do: &str) -> notices::Model {
        let now = Clock::system().now();
        notices::Model {
            rulebook_id: Uuid::nil(),
            id: Uuid::nil(),
            code: "p1_not_taken".into(),
            severity: "urgent".into(),
            subject: subject.into(),
            text: text.into(),
            what_to_do: what_to_do.into(),
            count: 1,
            first_at: now,
            last_at: now,
            resolved_at: None,
            resolved_by: None,
            comment: None,
            told_at: None,
        }
    }

    #[test]
    fn a_text_to_the_operator_stays_short_and_in_the_alphabet_whatever_a_notice_says() {
        let long = "çœ…`😀 水 ".repeat(200);
        for url in [None, Some("https://ringbook.example.com/")] {
            let body = worded(&notice("call 1", &long, &long), None, url);
            let counted = segments(&format!("{body} RB-234567"));
            assert!(
                counted.count <= 2 && outside_gsm7(&body).is_empty(),
                "{counted:?} {body}"
            );
            assert_eq!(body.ends_with("/docs#/leads/acknowledge_lead"), url.is_some(), "{body}");
        }
        // The advice is cut between words.
        let body = worded(&notice("x", "It is full.", &"abcdefghi ".repeat(60)), None, None);
        assert!(body.ends_with(" abcdefghi"), "{body}");
    }
}
