//! Sends many SMS messages through a stand-in for Twilio, which fails in many ways. Workers die during a send, and
//! statuses come early, twice and out of order. At the end, Twilio's log and our records agree, and no message is lost.
//!
//! RINGBOOK_TEST_OUTCOMES sets the number of SMS messages (default 60), and RINGBOOK_TEST_SEED sets the seed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use sea_orm::EntityTrait;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::rough_provider::{AcceptedSms, Dice, Rough};
use super::stand_in::{PostBehaviour, StandIn};
use super::world::{World, databases};
use crate::claim::{ClaimAction, claim};
use crate::status::Report;
use crate::twilio::Outgoing;
use crate::{Outbox, enqueue};
use store::{begin, notices, sms_attempts, sms_messages, sms_status_callbacks};

/// Maximum number of rounds. A test that needs more rounds would never end.
const ROUNDS: usize = 4_000;

#[expect(clippy::disallowed_methods, reason = "tests have settings of their own")]
fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |value| value.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_alert_is_lost_and_nothing_else_is_sent_twice() {
    let count = setting("RINGBOOK_TEST_OUTCOMES", 60);
    let seed = setting("RINGBOOK_TEST_SEED", 20_261_122);
    for database in databases().await {
        let (twilio, taken) = Rough::start(seed).await;
        let world = World::new(database, StandIn::start([], PostBehaviour::Accept).await).await;
        let mut settings = world.settings();
        settings.twilio_base_url.clone_from(&twilio.url);
        settings.request_timeout = Duration::from_millis(400);
        settings.breaker.credentials_pause = TimeDelta::minutes(1);
        settings.retry_policy.capacity_wait = TimeDelta::minutes(2);
        settings.retry_policy.max_age = TimeDelta::days(7);
        let outbox = world.outbox_with(world.accounts(), settings);
        let handled = Arc::new(AtomicUsize::new(0));
        let telling = tell(
            outbox.clone(),
            twilio.clone(),
            world.rulebook_id,
            taken,
            seed,
            Arc::clone(&handled),
        );
        let told = tokio::spawn(telling);
        let mut dice = Dice::new(seed + 2);
        let texts = queue(&world, count, &mut dice).await;
        // A status may cause a resend: continue until Twilio has sent all statuses.
        loop {
            run(&world, &outbox, &mut dice).await;
            let before = twilio.log().len();
            wait_for(|| handled.load(Ordering::SeqCst) == before).await;
            if is_over(&world).await && twilio.log().len() == before {
                break;
            }
        }
        told.abort();
        check(&world, &twilio, &texts).await;
    }
}

/// Queues an SMS message to each of `count` contacts, so that each has its own notices.
async fn queue(world: &World, count: u64, dice: &mut Dice) -> HashMap<Uuid, String> {
    let mut texts = HashMap::new();
    for number in 0..count {
        let priority = ["P1", "P2", "P3", "P4"][usize::try_from(dice.roll(4)).unwrap()];
        let mut text = world.text(&format!("c{number}"), priority);
        text.to_number = format!("+1514555{number:04}");
        texts.insert(text.id, priority.to_owned());
        let tx = begin(&world.db).await.unwrap();
        enqueue(&tx, text).await.unwrap();
        tx.commit().await.unwrap();
    }
    texts
}

async fn is_over(world: &World) -> bool {
    let rows = sms_messages::Entity::find().all(&world.db).await.unwrap();
    let ended = |row: &sms_messages::Model| !["queued", "sending", "ambiguous"].contains(&row.state.as_str());
    rows.iter().all(ended)
}

async fn wait_for(holds: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_mins(1);
    while !holds() {
        assert!(
            std::time::Instant::now() < deadline,
            "not all of Twilio's statuses were recorded within a minute"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Sends until no SMS message is left to send. Now and then a worker dies with its claims.
async fn run(world: &World, outbox: &Outbox, dice: &mut Dice) {
    for round in 0..ROUNDS {
        if round < 20 && dice.roll(4) == 0 {
            for claimed in claim(outbox.shared(), 2).await.unwrap().claimed {
                let ClaimAction::Send(account) = claimed.action else {
                    continue;
                };
                if dice.roll(2) == 0 {
                    let text = Outgoing {
                        id: claimed.row.id,
                        to: &claimed.row.to_number,
                        body: &claimed.row.body,
                        validity_seconds: 60,
                    };
                    outbox.shared().client.post(&account, text, world.clock.now()).await;
                }
            }
        }
        world.after(TimeDelta::seconds(25), outbox).await;
        if is_over(world).await {
            return;
        }
    }
    panic!("some SMS messages are unfinished after {ROUNDS} rounds");
}

/// Sends the statuses of each message as soon as it is accepted. So a status sometimes comes before the response to the
/// POST.
async fn tell(
    outbox: Outbox,
    twilio: Rough,
    rulebook_id: Uuid,
    mut taken: mpsc::UnboundedReceiver<AcceptedSms>,
    seed: u64,
    handled: Arc<AtomicUsize>,
) {
    let mut dice = Dice::new(seed + 1);
    while let Some(message) = taken.recv().await {
        let (statuses, code): (&[&'static str], _) = match dice.roll(10) {
            0..=2 => (&[], None),
            3 | 4 => (&["sent", "delivered", "sent"], None),
            5 => (&["delivered", "delivered", "queued"], None),
            6 => (&["sending", "sent"], None),
            7 => (&["sent", "undelivered", "sent"], Some(30003)),
            8 => (&["failed", "undelivered"], Some(30008)),
            _ => (&["undelivered"], Some(30005)),
        };
        for status in statuses {
            let code = code.filter(|_| ["undelivered", "failed"].contains(status));
            if ["delivered", "undelivered", "failed"].contains(status) {
                twilio.becomes(&message.sid, status, code);
            }
            let report = Report {
                sid: message.sid.clone(),
                status: (*status).to_owned(),
                error_code: code,
            };
            // Use a separate task, which is never interrupted during a transaction.
            let outbox = outbox.clone();
            let id = message.id;
            let noted = tokio::spawn(async move { outbox.note_status(rulebook_id, id, &report).await });
            noted.await.unwrap().unwrap();
        }
        handled.fetch_add(1, Ordering::SeqCst);
    }
}

async fn check(world: &World, twilio: &Rough, texts: &HashMap<Uuid, String>) {
    let log = twilio.log();
    let rows = sms_messages::Entity::find().all(&world.db).await.unwrap();
    let attempts = sms_attempts::Entity::find().all(&world.db).await.unwrap();
    let said = sms_status_callbacks::Entity::find().all(&world.db).await.unwrap();
    let notices = notices::Entity::find().all(&world.db).await.unwrap();
    let posts = twilio.posts();
    assert_eq!(rows.len(), texts.len());
    for row in &rows {
        let own: Vec<_> = log.iter().filter(|taken| taken.id == row.id).collect();
        let tried: Vec<_> = attempts
            .iter()
            .filter(|attempt| attempt.sms_message_id == row.id)
            .collect();
        let outcome = |word: &str| {
            tried
                .iter()
                .filter(|attempt| attempt.outcome.as_deref() == Some(word))
                .count()
        };
        let failed: HashSet<_> = said
            .iter()
            .filter(|said| said.sms_message_id == row.id && ["undelivered", "failed"].contains(&said.status.as_str()))
            .map(|said| &said.provider_id)
            .collect();
        let story = format!("{row:?}\n{own:?}\n{tried:?}");
        // Twilio's data about an SMS message equals what we sent.
        assert!(
            own.iter()
                .all(|taken| taken.to == row.to_number && taken.body.contains(&row.reference)),
            "{story}"
        );
        assert!(
            tried.iter().all(|attempt| attempt.finished_at.is_some()),
            "an attempt was left open: {story}"
        );
        let posted = posts.get(&row.id).copied().unwrap_or_default();
        assert!(posted <= row.attempts, "posted {posted} times: {story}");
        let answered = tried.iter().filter(|attempt| attempt.http_status.is_some()).count();
        assert!(
            i64::try_from(answered).unwrap() <= posted,
            "answered more often than posted: {story}"
        );
        // Invariant I5 (`tests/faults/oracle.rs`), and the maximum number of messages to one contact.
        assert!(own.len() <= 1 + outcome("ambiguous") + failed.len(), "{story}");
        let alert = ["P1", "P2"].contains(&row.priority.as_str());
        assert!(
            own.len() <= if alert { 3 } else { 1 },
            "sent {} times: {story}",
            own.len()
        );
        let told = notices.iter().any(|notice| {
            notice.subject == format!("contact {}", row.contact)
                && notice.resolved_at.is_none()
                && notice.severity == if alert { "urgent" } else { "warning" }
        });
        match row.state.as_str() {
            "accepted" | "delivered" => {
                let ours = own.iter().find(|taken| Some(&taken.sid) == row.provider_id.as_ref());
                let ours = ours.unwrap_or_else(|| panic!("Twilio does not have it: {story}"));
                assert_eq!(row.state == "delivered", ours.status == "delivered", "{story}");
                assert!(!["undelivered", "failed"].contains(&ours.status), "{story}");
            }
            "dead" => {
                assert!(told, "no notice was raised: {story}");
                assert!(row.error.is_some(), "no reason: {story}");
                // A dead message must not have been delivered.
                let arrived = own.iter().any(|taken| taken.status == "delivered");
                assert!(!arrived, "it arrived: {story}");
                assert!(
                    own.is_empty() || outcome("ambiguous") > 0 || !failed.is_empty(),
                    "{story}"
                );
            }
            other => panic!("{other}: {story}"),
        }
    }
    if texts.len() >= 1_000 {
        let met = twilio.outcomes();
        let missing: Vec<_> = super::rough_provider::NAMES
            .iter()
            .filter(|name| !met.contains_key(*name))
            .collect();
        assert!(missing.is_empty(), "{missing:?} never happened");
    }
    let of = |state: &str| rows.iter().filter(|row| row.state == state).count();
    println!(
        "{} SMS messages, {} posts, {} messages at Twilio: {} accepted, {} delivered, {} dead",
        rows.len(),
        posts.values().sum::<i64>(),
        log.len(),
        of("accepted"),
        of("delivered"),
        of("dead")
    );
}
