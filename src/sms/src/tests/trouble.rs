//! Tests with a provider that is down or refuses the credentials. SMS messages wait, and a notice is raised. Sending
//! resumes automatically.

use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use sea_orm::EntityTrait;

use super::stand_in::{PostBehaviour, StandIn};
use super::world::{World, databases, retry_policy};
use crate::{Accounts, OutboxError};
use store::notices;

#[tokio::test]
async fn a_refused_connection_is_tried_again() {
    for database in databases().await {
        let world = World::new(database, StandIn::start([], PostBehaviour::Accept).await).await;
        let outbox = world.cut_off().await;
        let id = world.queue("on_call", "P1").await;
        outbox.drain_once().await.unwrap();
        assert_eq!(world.story(id).await, ("queued".to_owned(), vec!["retry".to_owned()]));
        assert_eq!(
            world.row(id).await.next_attempt_at,
            world.clock.now() + TimeDelta::seconds(2)
        );
        // Another process can reach the provider.
        world.after(TimeDelta::seconds(2), &world.outbox()).await;
        assert_eq!(world.story(id).await.1.join(" "), "retry accepted");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_means_not_sent() {
    for database in databases().await {
        let elsewhere = StandIn::start([], PostBehaviour::Accept).await;
        let location: &'static str = format!("{}/elsewhere", elsewhere.url).leak();
        let step = PostBehaviour::Raw(307, Some(("location", location)), String::new());
        let world = World::new(database, StandIn::start([], step).await).await;
        let id = world.queue("on_call", "P1").await;
        world.outbox().drain_once().await.unwrap();
        assert_eq!(world.story(id).await, ("queued".to_owned(), vec!["retry".to_owned()]));
        assert_eq!(elsewhere.posted().len(), 0);
    }
}

#[tokio::test]
async fn refused_credentials_stop_the_sender_until_they_are_corrected() {
    for database in databases().await {
        let world = World::new(database, StandIn::start([], PostBehaviour::Error(401, 20003)).await).await;
        let account = Arc::new(Mutex::new(World::account()));
        let current = Arc::clone(&account);
        let accounts = Accounts::new(move |_| {
            let account = current.lock().unwrap().clone();
            async move { Ok(Some(account)) }
        });
        let mut settings = world.settings();
        settings.concurrency.total = 1;
        let outbox = world.outbox_with(accounts, settings);
        let ids = [
            world.queue("a", "P1").await,
            world.queue("b", "P2").await,
            world.queue("c", "P3").await,
        ];
        outbox.drain_once().await.unwrap();
        world.after(TimeDelta::minutes(5), &outbox).await;
        assert_eq!(
            world.twilio.posted().len(),
            1,
            "the worker does not try to send the account's other SMS messages"
        );
        assert_eq!(
            world.story(ids[0]).await,
            ("queued".to_owned(), vec!["credentials".to_owned()])
        );
        assert_eq!(world.notices().await, [("sms_credentials_refused".to_owned(), 1, true)]);

        world.twilio.always(PostBehaviour::Accept);
        account.lock().unwrap().token = "corrected".to_owned();
        outbox.drain_once().await.unwrap();
        for id in ids {
            assert_eq!(world.row(id).await.state, "accepted");
        }
        assert_eq!(
            world.notices().await,
            [("sms_credentials_refused".to_owned(), 1, false)]
        );
    }
}

#[tokio::test]
async fn the_breaker_opens_after_failures_in_a_row_and_closes_by_the_clock() {
    for database in databases().await {
        let world = World::new(database, StandIn::start([], PostBehaviour::Error(503, 20500)).await).await;
        let mut settings = world.settings();
        settings.concurrency.total = 1;
        let pause = settings.breaker.pause;
        let outbox = world.outbox_with(world.accounts(), settings);
        let mut ids = Vec::new();
        for contact in 0..8 {
            ids.push(world.queue(&format!("c{contact}"), "P4").await);
        }
        outbox.drain_once().await.unwrap();
        assert_eq!(world.twilio.posted().len(), 5);
        assert_eq!(world.notices().await, [("sms_provider_down".to_owned(), 1, true)]);
        for id in &ids[5..] {
            assert_eq!(
                world.story(*id).await,
                ("queued".to_owned(), vec![]),
                "a waiting message has no attempt"
            );
        }
        world.after(pause - TimeDelta::seconds(1), &outbox).await;
        assert_eq!(world.twilio.posted().len() + world.twilio.lists(), 5);

        world.twilio.always(PostBehaviour::Accept);
        world.after(TimeDelta::seconds(1), &outbox).await;
        for id in &ids[5..] {
            assert_eq!(world.row(*id).await.state, "accepted");
        }
        let notices = world.notices().await;
        assert!(
            notices.contains(&("sms_provider_down".to_owned(), 1, false)),
            "{notices:?}"
        );
    }
}

#[tokio::test]
async fn one_probe_that_fails_keeps_the_breaker_open() {
    for database in databases().await {
        let world = World::new(
            database,
            StandIn::start([], PostBehaviour::Raw(302, None, String::new())).await,
        )
        .await;
        let settings = world.settings();
        let pause = settings.breaker.pause;
        let outbox = world.outbox_with(world.accounts(), settings);
        for contact in 0..8 {
            world.queue(&format!("c{contact}"), "P4").await;
        }
        outbox.drain_once().await.unwrap();
        assert_eq!(world.twilio.posted().len(), 8, "all were sent at the same time");
        world.after(pause, &outbox).await;
        assert_eq!(world.twilio.posted().len(), 9, "one message is sent as a probe");
        world.after(pause, &outbox).await;
        assert_eq!(world.twilio.posted().len(), 10);
    }
}

#[tokio::test]
async fn an_account_that_cannot_be_read_leaves_its_texts_queued() {
    for database in databases().await {
        let world = World::new(database, StandIn::start([], PostBehaviour::Accept).await).await;
        let unreadable =
            Accounts::new(|_| async { Err(OutboxError::Account("encrypted with another key".to_owned())) });
        let id = world.queue("on_call", "P1").await;
        assert_eq!(
            world
                .outbox_with(unreadable, world.settings())
                .drain_once()
                .await
                .unwrap(),
            0
        );
        assert_eq!(world.story(id).await, ("queued".to_owned(), vec![]));
    }
}

#[tokio::test]
async fn an_account_that_lacks_a_secret_lets_its_texts_wait_and_a_person_hears_of_it_once() {
    for database in databases().await {
        let world = World::new(database, StandIn::start([], PostBehaviour::Accept).await).await;
        let missing = Arc::new(Mutex::new(Some("`twilio_auth_token`")));
        let now_missing = Arc::clone(&missing);
        let accounts = Accounts::new(move |_| {
            let missing = *now_missing.lock().unwrap();
            async move {
                match missing {
                    Some(name) => Err(OutboxError::Incomplete(name.to_owned())),
                    None => Ok(Some(World::account())),
                }
            }
        });
        let outbox = world.outbox_with(accounts, world.settings());
        let id = world.queue("on_call", "P1").await;
        for _ in 0..3 {
            world.after(TimeDelta::seconds(1), &outbox).await;
        }
        assert_eq!(world.story(id).await, ("queued".to_owned(), vec![]));
        assert_eq!(world.notices().await, [("sms_account_incomplete".to_owned(), 1, true)]);
        let notice = notices::Entity::find().one(&world.db).await.unwrap().unwrap();
        assert!(notice.text.contains("`twilio_auth_token`"), "{}", notice.text);
        assert!(notice.what_to_do.contains("/secrets"), "{}", notice.what_to_do);
        *missing.lock().unwrap() = None;
        outbox.drain_once().await.unwrap();
        assert_eq!(world.row(id).await.state, "accepted");
        assert_eq!(world.notices().await, [("sms_account_incomplete".to_owned(), 1, false)]);
    }
}

#[tokio::test]
async fn while_twilio_cannot_be_reached_only_its_age_ends_a_text() {
    for database in databases().await {
        let world = World::new(database, StandIn::start([], PostBehaviour::Busy(0)).await).await;
        let cut_off = world.cut_off().await;
        let (one, other) = (world.queue("on_call", "P1").await, world.queue("second", "P1").await);
        // While the circuit breaker is open, the worker tries to send only one message at a time, as a probe.
        for _ in 0..60 {
            world.after(retry_policy().cap, &cut_off).await;
        }
        for id in [one, other] {
            let row = world.row(id).await;
            assert_eq!(row.state, "queued");
            assert!(row.attempts > retry_policy().max_attempts, "{}", row.attempts);
        }
        world.after(retry_policy().max_age, &cut_off).await;
        for id in [one, other] {
            let row = world.row(id).await;
            assert_eq!(row.state, "dead");
            assert!(row.error.unwrap().contains("too old"));
        }
    }
}

#[tokio::test]
async fn tries_that_twilio_answered_count_beside_those_that_never_left() {
    for database in databases().await {
        let world = World::new(database, StandIn::start([], PostBehaviour::Busy(0)).await).await;
        let cut_off = world.cut_off().await;
        let id = world.queue("on_call", "P1").await;
        while world.row(id).await.attempts < 25 {
            world.after(retry_policy().cap, &cut_off).await;
        }
        let reaches = world.outbox();
        for _ in 1..retry_policy().max_attempts {
            world.after(retry_policy().cap, &reaches).await;
            assert_eq!(world.row(id).await.state, "queued");
        }
        world.after(retry_policy().cap, &reaches).await;
        let row = world.row(id).await;
        assert_eq!(
            (row.state.as_str(), row.attempts),
            ("dead", 25 + retry_policy().max_attempts)
        );
        assert!(row.error.unwrap().contains("maximum number of attempts"));
    }
}

#[tokio::test]
async fn a_text_that_is_too_old_is_given_up_and_told() {
    for database in databases().await {
        let world = World::new(database, StandIn::start([], PostBehaviour::Error(400, 63038)).await).await;
        let outbox = world.outbox();
        let id = world.queue("on_call", "P1").await;
        outbox.drain_once().await.unwrap();
        assert_eq!(
            world.row(id).await.next_attempt_at,
            world.clock.now() + retry_policy().capacity_wait
        );
        world.after(retry_policy().max_age, &outbox).await;
        let (state, outcomes) = world.story(id).await;
        assert_eq!(
            (state.as_str(), outcomes.len(), world.twilio.posted().len()),
            ("dead", 1, 1)
        );
        let expected = [
            ("sms_account_capped".to_owned(), 1, true),
            ("sms_given_up".to_owned(), 1, true),
        ];
        assert_eq!(world.notices().await, expected);
        assert!(world.row(id).await.error.unwrap().contains("daily cap"));
    }
}
