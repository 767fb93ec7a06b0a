//! Tests of SMS messages that Twilio accepts or refuses, and of SMS messages that are never sent to Twilio.

use std::time::Duration;

use chrono::TimeDelta;
use sea_orm::EntityTrait;

use super::stand_in::{PostBehaviour, StandIn};
use super::world::{NUMBER, World, databases, retry_policy};
use crate::{Accounts, EnqueueResult, enqueue};
use store::{begin, notices, sms_attempts, sms_messages};

#[tokio::test]
async fn after_429_twice_one_text_is_accepted_and_three_attempts_are_on_record() {
    for database in databases().await {
        let twilio = StandIn::start([PostBehaviour::Busy(0), PostBehaviour::Busy(30)], PostBehaviour::Accept).await;
        let world = World::new(database, twilio).await;
        let outbox = world.outbox();
        let id = world.queue("on_call", "P1").await;

        outbox.drain_once().await.unwrap();
        assert_eq!(world.story(id).await, ("queued".to_owned(), vec!["retry".to_owned()]));
        // Without a Retry-After the longest first delay is two seconds.
        world.after(TimeDelta::milliseconds(1_999), &outbox).await;
        assert_eq!(world.twilio.posted().len(), 1);
        world.after(TimeDelta::milliseconds(1), &outbox).await;
        assert_eq!(world.twilio.posted().len(), 2);
        // With a Retry-After, the delay is half a minute, as requested.
        world.after(TimeDelta::seconds(29), &outbox).await;
        assert_eq!(world.twilio.posted().len(), 2);
        world.after(TimeDelta::seconds(1), &outbox).await;

        let (state, outcomes) = world.story(id).await;
        assert_eq!(
            (state.as_str(), outcomes.join(" ")),
            ("accepted", "retry retry accepted".to_owned())
        );
        let row = world.row(id).await;
        assert_eq!(row.provider_id.as_deref(), Some("SM00000000000000000000000000000001"));
        assert_eq!(
            (row.provider_status.as_deref(), row.error, row.attempts),
            (Some("queued"), None, 3)
        );
        assert_eq!(world.notices().await, []);
        let attempts = sms_attempts::of_message(&world.db, world.rulebook_id, id)
            .await
            .unwrap();
        assert_eq!(
            (attempts[0].http_status, attempts[0].error_code),
            (Some(429), Some(20429))
        );
        assert!(attempts.iter().all(|attempt| attempt.finished_at.is_some()));
    }
}

#[tokio::test]
async fn a_text_is_posted_as_twilio_wants_it() {
    for database in databases().await {
        let world = World::new(database, StandIn::start([], PostBehaviour::Accept).await).await;
        let id = world.queue("on_call", "P1").await;
        world.outbox().drain_once().await.unwrap();
        let posted = world.twilio.posted().remove(0);
        assert_eq!(posted.path, "/2010-04-01/Accounts/AC0/Messages.json");
        // base64 of AC0:token-that-shows-nowhere
        assert_eq!(posted.authorization, "Basic QUMwOnRva2VuLXRoYXQtc2hvd3Mtbm93aGVyZQ==");
        assert_eq!(posted.field("To"), Some(NUMBER));
        assert_eq!(posted.field("From"), Some("+15145550100"));
        assert_eq!(posted.field("ValidityPeriod"), Some("21600"));
        let callback = format!("https://ringbook.example.invalid/webhooks/twilio/status/{id}");
        assert_eq!(posted.field("StatusCallback"), Some(callback.as_str()));
        let reference = world.row(id).await.reference;
        assert_eq!(
            posted.field("Body"),
            Some(format!("Water in the basement {reference}").as_str())
        );
    }
}

#[tokio::test]
async fn a_refused_number_is_tried_once_and_becomes_a_dead_letter_with_a_notice() {
    for database in databases().await {
        let world = World::new(database, StandIn::start([], PostBehaviour::Error(400, 21211)).await).await;
        let outbox = world.outbox();
        let id = world.queue("on_call", "P1").await;
        outbox.drain_once().await.unwrap();
        world.after(TimeDelta::hours(7), &outbox).await;
        assert_eq!(world.twilio.posted().len(), 1);
        assert_eq!(world.story(id).await, ("dead".to_owned(), vec!["permanent".to_owned()]));
        let row = world.row(id).await;
        assert_eq!(
            (row.error_code, row.error.as_deref()),
            (Some(21211), Some("the number is not a valid phone number"))
        );
        assert_eq!(world.notices().await, [("sms_refused".to_owned(), 1, true)]);
        let notice = notices::Entity::find().one(&world.db).await.unwrap().unwrap();
        assert_eq!(
            (notice.severity.as_str(), notice.subject.as_str()),
            ("urgent", "contact on_call")
        );
        assert!(
            notice.what_to_do.contains("Correct the contact's phone number"),
            "{}",
            notice.what_to_do
        );
        // A second failure does not raise a second notice, but raises the count of the first notice.
        world.queue("on_call", "P3").await;
        outbox.drain_once().await.unwrap();
        assert_eq!(world.notices().await, [("sms_refused".to_owned(), 2, true)]);
    }
}

#[tokio::test]
async fn only_what_the_database_says_is_simulated() {
    for database in databases().await {
        let world = World::new(database, StandIn::start([], PostBehaviour::Accept).await).await;
        let without = world.outbox_with(Accounts::none(), world.settings());
        let id = world.queue("on_call", "P1").await;
        // Another instance may have the account in its settings. So this instance leaves the message to that instance,
        // and raises a notice soon.
        assert_eq!(without.drain_once().await.unwrap(), 0);
        assert_eq!(world.notices().await, []);
        for _ in 0..3 {
            world.after(TimeDelta::seconds(10), &without).await;
        }
        assert_eq!(world.story(id).await, ("queued".to_owned(), vec![]));
        assert_eq!(world.notices().await, [("sms_no_account".to_owned(), 1, true)]);
        world.outbox().drain_once().await.unwrap();
        assert_eq!(world.row(id).await.state, "accepted");
        assert_eq!(world.notices().await, [("sms_no_account".to_owned(), 1, false)]);

        world.deliver("simulated_until_account").await;
        let id = world.queue("second", "P1").await;
        without.drain_once().await.unwrap();
        assert_eq!(
            world.story(id).await,
            ("simulated".to_owned(), vec!["simulated".to_owned()])
        );
        // Once the account is known, the simulation ends for good.
        let id = world.queue("third", "P1").await;
        world.outbox().drain_once().await.unwrap();
        assert_eq!(world.row(id).await.state, "accepted");
        let id = world.queue("fourth", "P1").await;
        without.drain_once().await.unwrap();
        assert_eq!(world.row(id).await.state, "queued");

        world.deliver("simulated").await;
        world.outbox().drain_once().await.unwrap();
        assert_eq!(world.row(id).await.state, "simulated");
        assert_eq!(world.twilio.posted().len(), 2);
    }
}

#[tokio::test]
async fn a_text_of_unknown_fate_is_left_to_an_instance_that_can_look() {
    for database in databases().await {
        let world = World::new(database, StandIn::start([], PostBehaviour::Hang).await).await;
        let mut settings = world.settings();
        settings.request_timeout = Duration::from_millis(50);
        let id = world.queue("on_call", "P1").await;
        world
            .outbox_with(world.accounts(), settings)
            .drain_once()
            .await
            .unwrap();
        assert_eq!(world.row(id).await.state, "ambiguous");
        let without = world.outbox_with(Accounts::none(), world.settings());
        world.after(TimeDelta::minutes(5), &without).await;
        assert_eq!(world.row(id).await.state, "ambiguous");
        // After the maximum age the message is given up with a notice.
        world.after(retry_policy().max_age, &without).await;
        assert_eq!(world.row(id).await.state, "dead");
        assert!(world.notices().await.contains(&("sms_unknown".to_owned(), 1, true)));
    }
}

#[tokio::test]
async fn a_call_s_contact_gets_a_template_once_and_a_rolled_back_promise_is_none() {
    for database in databases().await {
        let world = World::new(database, StandIn::start([], PostBehaviour::Accept).await).await;
        world.call("call-1").await;
        let text = |contact: &str, template: &str| {
            let mut text = world.text(contact, "P2");
            text.call_id = Some("call-1".to_owned());
            text.template = template.to_owned();
            text
        };
        let tx = begin(&world.db).await.unwrap();
        assert_eq!(enqueue(&tx, text("a", "alert")).await.unwrap(), EnqueueResult::Queued);
        tx.rollback().await.unwrap();
        let tx = begin(&world.db).await.unwrap();
        assert_eq!(enqueue(&tx, text("a", "alert")).await.unwrap(), EnqueueResult::Queued);
        assert_eq!(
            enqueue(&tx, text("a", "alert")).await.unwrap(),
            EnqueueResult::AlreadyThere
        );
        assert_eq!(enqueue(&tx, text("b", "alert")).await.unwrap(), EnqueueResult::Queued);
        assert_eq!(enqueue(&tx, text("a", "booking")).await.unwrap(), EnqueueResult::Queued);
        tx.commit().await.unwrap();
        assert_eq!(sms_messages::Entity::find().all(&world.db).await.unwrap().len(), 3);
    }
}

#[tokio::test]
async fn what_waits_for_the_morning_does_not_stand_in_an_emergency_s_way() {
    for database in databases().await {
        let world = World::new(database, StandIn::start([], PostBehaviour::Accept).await).await;
        let now = world.clock.now();
        world.call("call-1").await;
        let text = |contact: &str, priority: &str, body: &str| {
            let mut text = world.text(contact, priority);
            text.call_id = Some("call-1".to_owned());
            body.clone_into(&mut text.body);
            text
        };
        let mut held = text("held", "P3", "A drain that is slow");
        held.held_until = Some(now + TimeDelta::hours(8));
        let capped = text("capped", "P3", "A drain that is slow");
        let sent = text("sent", "P3", "A drain that is slow");
        let ids = [held.id, capped.id, sent.id];
        let tx = begin(&world.db).await.unwrap();
        for text in [held, capped, sent] {
            assert_eq!(enqueue(&tx, text).await.unwrap(), EnqueueResult::Queued);
        }
        sms_messages::withhold(
            &tx,
            world.rulebook_id,
            &ids[1..2],
            "the daily cap of SMS messages is reached",
        )
        .await
        .unwrap();
        // Quiet hours do not delay a P2 either. The cap applies to a P2.
        let p2 = |contact| text(contact, "P2", "Water on the floor");
        assert_eq!(enqueue(&tx, p2("held")).await.unwrap(), EnqueueResult::Promoted);
        assert_eq!(enqueue(&tx, p2("capped")).await.unwrap(), EnqueueResult::AlreadyThere);
        for contact in ["held", "capped", "sent"] {
            let expected = if contact == "capped" {
                EnqueueResult::Promoted
            } else {
                EnqueueResult::AlreadyThere
            };
            let p1 = text(contact, "P1", "The basement is full");
            assert_eq!(enqueue(&tx, p1).await.unwrap(), expected, "{contact}");
        }
        tx.commit().await.unwrap();
        world.outbox().drain_once().await.unwrap();
        let mut went = Vec::new();
        for id in ids {
            let row = world.row(id).await;
            assert!(row.body.ends_with(&row.reference), "{}", row.body);
            went.push((row.state, row.priority, row.body.replace(&row.reference, "")));
        }
        let accepted = |priority: &str, body: &str| ("accepted".to_owned(), priority.to_owned(), format!("{body} "));
        assert_eq!(
            went,
            [
                accepted("P2", "Water on the floor"),
                accepted("P1", "The basement is full"),
                accepted("P3", "A drain that is slow")
            ]
        );
    }
}

#[tokio::test]
async fn the_most_urgent_text_goes_first() {
    for database in databases().await {
        let world = World::new(database, StandIn::start([], PostBehaviour::Accept).await).await;
        for priority in ["P3", "P2", "P1"] {
            world.queue(priority, priority).await;
            world.clock.step(TimeDelta::seconds(1));
        }
        let mut settings = world.settings();
        settings.concurrency.total = 1;
        world
            .outbox_with(world.accounts(), settings)
            .drain_once()
            .await
            .unwrap();
        let rows = sms_messages::Entity::find().all(&world.db).await.unwrap();
        let priority_of = |reference: &str| {
            rows.iter()
                .find(|row| reference.contains(&row.reference))
                .unwrap()
                .priority
                .clone()
        };
        let order: Vec<_> = world
            .twilio
            .posted()
            .iter()
            .map(|posted| priority_of(posted.field("Body").unwrap()))
            .collect();
        assert_eq!(order, ["P1", "P2", "P3"]);
    }
}
