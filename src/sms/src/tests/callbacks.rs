//! Tests of status callbacks that come before the response to the POST, without a response, or too late. Also tests
//! callbacks about an undelivered SMS message.

use chrono::TimeDelta;
use sea_orm::EntityTrait;

use super::stand_in::{PostBehaviour, StandIn};
use super::world::{World, databases, retry_policy};
use crate::Outbox;
use crate::record_callback::CallbackEffect;
use crate::status::Report;
use store::sms_status_callbacks;

async fn say(
    world: &World,
    outbox: &Outbox,
    id: uuid::Uuid,
    sid: &str,
    status: &str,
    code: Option<i64>,
) -> CallbackEffect {
    let report = Report {
        sid: sid.to_owned(),
        status: status.to_owned(),
        error_code: code,
    };
    outbox.note_status(world.rulebook_id, id, &report).await.unwrap()
}

/// The SID that the stand-in gives to the message with this number.
fn sid(number: u32) -> String {
    format!("SM{number:032x}")
}

#[tokio::test]
async fn a_status_that_comes_before_the_answer_settles_the_text() {
    for database in databases().await {
        let world = World::new(database, StandIn::start([], PostBehaviour::AcceptWhenLetGo).await).await;
        let outbox = world.outbox();
        let id = world.queue("on_call", "P1").await;
        let sending = tokio::spawn({
            let outbox = outbox.clone();
            async move { outbox.drain_once().await.unwrap() }
        });
        world.twilio.wait_for_arrivals(1).await;
        assert_eq!(
            say(&world, &outbox, id, &sid(1), "delivered", None).await,
            CallbackEffect::Step
        );
        world.twilio.let_go(1);
        sending.await.unwrap();
        assert_eq!(
            world.story(id).await,
            ("delivered".to_owned(), vec!["accepted".to_owned()])
        );
        let row = world.row(id).await;
        assert_eq!(
            (row.provider_id, row.provider_status),
            (Some(sid(1)), Some("delivered".to_owned()))
        );
        assert_eq!((row.lease_until, world.twilio.posted().len()), (None, 1));
    }
}

#[tokio::test]
async fn a_status_settles_a_text_of_which_nobody_knew() {
    for database in databases().await {
        let world = World::new(
            database,
            StandIn::start([PostBehaviour::AcceptThenFail], PostBehaviour::Accept).await,
        )
        .await;
        let outbox = world.outbox();
        let id = world.queue("on_call", "P3").await;
        outbox.drain_once().await.unwrap();
        assert_eq!(world.row(id).await.state, "ambiguous");
        assert_eq!(
            say(&world, &outbox, id, &sid(1), "sent", None).await,
            CallbackEffect::Step
        );
        world.after(TimeDelta::hours(1), &outbox).await;
        assert_eq!(world.row(id).await.state, "accepted");
        assert_eq!((world.twilio.posted().len(), world.twilio.lists()), (1, 0));
        assert_eq!(world.notices().await, []);
    }
}

#[tokio::test]
async fn what_is_older_than_what_is_known_is_kept_and_changes_nothing() {
    for database in databases().await {
        let world = World::new(database, StandIn::start([], PostBehaviour::Accept).await).await;
        let outbox = world.outbox();
        let id = world.queue("on_call", "P1").await;
        outbox.drain_once().await.unwrap();
        assert_eq!(
            say(&world, &outbox, id, &sid(1), "delivered", None).await,
            CallbackEffect::Step
        );
        let before = world.row(id).await;
        world.clock.step(TimeDelta::seconds(1));
        for late in ["sent", "queued", "undelivered", "delivered", "pondering"] {
            assert_eq!(
                say(&world, &outbox, id, &sid(1), late, Some(30003)).await,
                CallbackEffect::Kept,
                "{late}"
            );
        }
        assert_eq!(world.row(id).await, before);
        let kept = sms_status_callbacks::of_message(&world.db, world.rulebook_id, id)
            .await
            .unwrap();
        let mut words: Vec<_> = kept.iter().map(|row| row.status.as_str()).collect();
        words.sort_unstable();
        assert_eq!(words, ["delivered", "pondering", "queued", "sent", "undelivered"]);
        let nobody = world.clock.new_id();
        assert_eq!(
            say(&world, &outbox, nobody, &sid(1), "sent", None).await,
            CallbackEffect::Unknown
        );
        assert_eq!(
            sms_status_callbacks::Entity::find().all(&world.db).await.unwrap().len(),
            5
        );
    }
}

#[tokio::test]
async fn an_alert_that_does_not_arrive_is_sent_three_times_and_then_given_to_a_person() {
    for database in databases().await {
        let world = World::new(database, StandIn::start([], PostBehaviour::Accept).await).await;
        let outbox = world.outbox();
        let id = world.queue("on_call", "P1").await;
        outbox.drain_once().await.unwrap();
        for number in 1..=3_u32 {
            assert_eq!(world.twilio.posted().len(), number as usize);
            assert_eq!(
                say(&world, &outbox, id, &sid(number), "sent", None).await,
                CallbackEffect::Step
            );
            assert_eq!(
                say(&world, &outbox, id, &sid(number), "undelivered", Some(30003)).await,
                CallbackEffect::Step
            );
            // A later status of a failed message does not revive it.
            assert_eq!(
                say(&world, &outbox, id, &sid(number), "sent", None).await,
                CallbackEffect::Kept
            );
            world
                .after(retry_policy().undelivered_wait - TimeDelta::seconds(1), &outbox)
                .await;
            assert_eq!(world.twilio.posted().len(), number as usize, "not at once");
            world.after(TimeDelta::minutes(3), &outbox).await;
        }
        assert_eq!(world.twilio.posted().len(), 3);
        let row = world.row(id).await;
        assert_eq!(
            (row.state.as_str(), row.provider_status.as_deref()),
            ("dead", Some("undelivered"))
        );
        assert_eq!(row.error.as_deref(), Some("the phone is off or out of reach"));
        assert_eq!(world.notices().await, [("sms_undelivered".to_owned(), 1, true)]);
    }
}

#[tokio::test]
async fn a_lesser_text_that_does_not_arrive_goes_to_a_person() {
    for database in databases().await {
        let world = World::new(database, StandIn::start([], PostBehaviour::Accept).await).await;
        let outbox = world.outbox();
        for (number, priority, code) in [(1, "P3", 30003), (2, "P1", 30005)] {
            let id = world.queue("office", priority).await;
            outbox.drain_once().await.unwrap();
            say(&world, &outbox, id, &sid(number), "undelivered", Some(code)).await;
            world.after(TimeDelta::hours(1), &outbox).await;
            assert_eq!(world.row(id).await.state, "dead", "{priority} {code}");
        }
        assert_eq!(world.twilio.posted().len(), 2);
        assert_eq!(world.notices().await, [("sms_undelivered".to_owned(), 2, true)]);
    }
}

#[tokio::test]
async fn the_list_tells_that_a_text_failed_and_an_older_message_of_it_is_not_taken_for_it() {
    for database in databases().await {
        let steps = [PostBehaviour::AcceptThenFail, PostBehaviour::Error(500, 20500)];
        let world = World::new(database, StandIn::start(steps, PostBehaviour::Accept).await).await;
        let outbox = world.outbox();
        let id = world.queue("on_call", "P1").await;
        outbox.drain_once().await.unwrap();
        world.twilio.set_status(0, "undelivered", 30003);
        world.after(retry_policy().ambiguous_wait, &outbox).await;
        assert_eq!(world.row(id).await.state, "queued", "found, and failed");
        world.after(retry_policy().undelivered_wait, &outbox).await;
        assert_eq!(world.row(id).await.state, "ambiguous");
        world.after(retry_policy().ambiguous_wait, &outbox).await;
        assert_eq!(world.story(id).await.1.join(" "), "ambiguous ambiguous accepted");
        assert_eq!(world.row(id).await.provider_id, Some(sid(2)));
        assert_eq!(world.notices().await, []);
    }
}

#[tokio::test]
async fn a_text_that_was_given_up_and_arrives_after_all_is_delivered() {
    for database in databases().await {
        let world = World::new(
            database,
            StandIn::start([PostBehaviour::Error(500, 20500)], PostBehaviour::Accept).await,
        )
        .await;
        let outbox = world.outbox();
        let id = world.queue("office", "P3").await;
        outbox.drain_once().await.unwrap();
        world.after(retry_policy().ambiguous_wait, &outbox).await;
        assert_eq!(world.row(id).await.state, "dead");
        assert_eq!(
            say(&world, &outbox, id, "SMlate", "delivered", None).await,
            CallbackEffect::Step
        );
        let row = world.row(id).await;
        assert_eq!(
            (row.state.as_str(), row.error, row.error_code),
            ("delivered", None, None)
        );
    }
}
