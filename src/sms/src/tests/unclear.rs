//! Tests with SMS messages whose outcome is ambiguous. The worker searches for each message, and resends it only if its
//! priority allows a resend.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::io::AsyncReadExt;

use super::stand_in::{PostBehaviour, StandIn};
use super::world::{World, databases, retry_policy};
use store::sms_attempts;

#[tokio::test]
async fn an_alert_that_is_not_found_is_sent_again() {
    for database in databases().await {
        let world = World::new(
            database,
            StandIn::start([PostBehaviour::Error(500, 20500)], PostBehaviour::Accept).await,
        )
        .await;
        let outbox = world.outbox();
        let id = world.queue("on_call", "P1").await;
        outbox.drain_once().await.unwrap();
        assert_eq!(
            world.story(id).await,
            ("ambiguous".to_owned(), vec!["ambiguous".to_owned()])
        );
        assert_eq!(
            world.twilio.lists(),
            0,
            "the list may lag behind, so the worker does not read it immediately"
        );
        world.after(retry_policy().ambiguous_wait, &outbox).await;
        assert_eq!(world.twilio.lists(), 1);
        let (state, outcomes) = world.story(id).await;
        assert_eq!(
            (state.as_str(), outcomes.join(" ")),
            ("accepted", "ambiguous accepted".to_owned())
        );
        assert_eq!(world.notices().await, []);
    }
}

#[tokio::test]
async fn an_alert_is_posted_three_times_at_most() {
    for database in databases().await {
        let world = World::new(database, StandIn::start([], PostBehaviour::Error(500, 20500)).await).await;
        let outbox = world.outbox();
        let id = world.queue("on_call", "P2").await;
        for _ in 0..30 {
            world.after(TimeDelta::minutes(1), &outbox).await;
        }
        assert_eq!(world.twilio.posted().len(), 3);
        let (state, outcomes) = world.story(id).await;
        assert_eq!(
            (state.as_str(), outcomes.join(" ")),
            ("dead", "ambiguous ambiguous ambiguous".to_owned())
        );
        assert_eq!(world.notices().await, [("sms_unknown".to_owned(), 1, true)]);
    }
}

#[tokio::test]
async fn a_lesser_text_that_is_not_found_goes_to_a_person_and_not_out_again() {
    for database in databases().await {
        let world = World::new(
            database,
            StandIn::start([PostBehaviour::Error(503, 20500)], PostBehaviour::Accept).await,
        )
        .await;
        let outbox = world.outbox();
        let id = world.queue("office", "P3").await;
        outbox.drain_once().await.unwrap();
        world.after(retry_policy().ambiguous_wait, &outbox).await;
        assert_eq!(world.twilio.posted().len(), 1);
        assert_eq!(world.row(id).await.state, "dead");
        assert_eq!(world.notices().await, [("sms_unknown".to_owned(), 1, true)]);
    }
}

#[tokio::test]
async fn a_text_that_twilio_took_before_it_failed_is_found_and_not_repeated() {
    for database in databases().await {
        let world = World::new(
            database,
            StandIn::start([PostBehaviour::AcceptThenFail], PostBehaviour::Accept).await,
        )
        .await;
        let outbox = world.outbox();
        let other = world.queue("second", "P4").await;
        let id = world.queue("on_call", "P1").await;
        outbox.drain_once().await.unwrap();
        world.after(retry_policy().ambiguous_wait, &outbox).await;
        assert_eq!(world.twilio.posted().len(), 2);
        for id in [id, other] {
            assert_eq!(world.row(id).await.state, "accepted");
        }
        assert_ne!(world.row(id).await.provider_id, world.row(other).await.provider_id);
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_read_is_asked_again_until_the_limit() {
    for database in databases().await {
        let world = World::new(
            database,
            StandIn::start([PostBehaviour::Error(500, 20500)], PostBehaviour::Accept).await,
        )
        .await;
        world.twilio.fail_lists();
        let mut settings = world.settings();
        settings.breaker.failures = 1_000;
        let outbox = world.outbox_with(world.accounts(), settings);
        let id = world.queue("on_call", "P1").await;
        outbox.drain_once().await.unwrap();
        for _ in 0..8 {
            world.after(retry_policy().ambiguous_wait, &outbox).await;
        }
        assert_eq!((world.twilio.lists(), world.twilio.posted().len()), (8, 1));
        world.after(retry_policy().ambiguous_wait, &outbox).await;
        assert_eq!(world.twilio.posted().len(), 2);
        assert_eq!(world.row(id).await.state, "accepted");
    }
}

#[tokio::test]
async fn silence_a_cut_an_unreadable_and_an_endless_answer_are_all_unclear() {
    for database in databases().await {
        let endless = "x".repeat(65 * 1024);
        let steps = [
            PostBehaviour::Hang,
            PostBehaviour::Raw(201, None, "{\"sid\":".to_owned()),
            PostBehaviour::Raw(201, None, format!("{{\"sid\":\"SM1\",\"pad\":\"{endless}\"}}")),
            PostBehaviour::Raw(201, None, "{\"status\":\"queued\"}".to_owned()),
        ];
        let world = World::new(database, StandIn::start(steps, PostBehaviour::Accept).await).await;
        let mut settings = world.settings();
        settings.request_timeout = Duration::from_millis(300);
        settings.concurrency.total = 1;
        let outbox = world.outbox_with(world.accounts(), settings);
        let mut ids = Vec::new();
        for contact in ["a", "b", "c", "d"] {
            ids.push(world.queue(contact, "P3").await);
        }
        outbox.drain_once().await.unwrap();
        for id in ids {
            assert_eq!(
                world.story(id).await,
                ("ambiguous".to_owned(), vec!["ambiguous".to_owned()])
            );
        }
    }
}

#[tokio::test]
async fn a_connection_reset_after_the_request_is_unclear() {
    for database in databases().await {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut bytes = [0; 4096];
                let _ = stream.read(&mut bytes).await;
            }
        });
        let world = World::new(database, StandIn::start([], PostBehaviour::Accept).await).await;
        let mut settings = world.settings();
        settings.twilio_base_url = format!("http://{address}");
        let outbox = world.outbox_with(world.accounts(), settings);
        let id = world.queue("a", "P1").await;
        outbox.drain_once().await.unwrap();
        assert_eq!(
            world.story(id).await,
            ("ambiguous".to_owned(), vec!["ambiguous".to_owned()])
        );
        let attempts = sms_attempts::of_message(&world.db, world.rulebook_id, id)
            .await
            .unwrap();
        assert_eq!(attempts[0].http_status, None);
    }
}
