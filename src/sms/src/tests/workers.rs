//! Tests with several workers, some of which are slow, dead or cancelled.

use std::time::Duration;

use chrono::TimeDelta;
use sea_orm::ConnectionTrait;
use tokio_util::sync::CancellationToken;

use super::stand_in::{PostBehaviour, StandIn};
use super::world::{World, databases, retry_policy};
use crate::Outbox;
use crate::claim::claim;
use crate::classify::{Answer, HttpAnswer};
use crate::record_result::{judge, record_result};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_at_once_send_no_text_twice() {
    for database in databases().await {
        let world = World::new(database, StandIn::start([], PostBehaviour::Accept).await).await;
        let mut ids = Vec::new();
        for contact in 0..60 {
            ids.push(world.queue(&format!("c{contact}"), "P2").await);
        }
        let (one, two): (Outbox, Outbox) = (world.outbox(), world.outbox());
        let first = tokio::spawn(async move { one.drain_once().await.unwrap() });
        let second = tokio::spawn(async move { two.drain_once().await.unwrap() });
        assert_eq!(first.await.unwrap() + second.await.unwrap(), 60);
        let posted = world.twilio.posted();
        let texts: std::collections::HashSet<_> = posted
            .iter()
            .map(|posted| posted.field("StatusCallback").unwrap())
            .collect();
        assert_eq!((posted.len(), texts.len()), (60, 60));
        for id in ids {
            assert_eq!(
                world.story(id).await,
                ("accepted".to_owned(), vec!["accepted".to_owned()])
            );
        }
    }
}

#[tokio::test]
async fn a_worker_that_was_paused_past_its_lease_cannot_settle() {
    for database in databases().await {
        let world = World::new(database, StandIn::start([], PostBehaviour::Accept).await).await;
        let (paused, other) = (world.outbox(), world.outbox());
        let id = world.queue("on_call", "P1").await;
        let claimed = claim(paused.shared(), 8).await.unwrap().claimed.remove(0);
        assert_eq!(world.story(id).await, ("sending".to_owned(), vec!["open".to_owned()]));

        world.after(world.settings().lease, &other).await;
        assert_eq!(
            world.story(id).await,
            ("ambiguous".to_owned(), vec!["ambiguous".to_owned()])
        );
        let before = world.row(id).await;
        let refused = Answer::Http(HttpAnswer {
            status: 400,
            code: Some(21211),
            ..HttpAnswer::default()
        });
        let result = judge(paused.shared(), &World::account(), &refused);
        assert!(!record_result(paused.shared(), &claimed.row, &result).await.unwrap());
        assert_eq!(world.row(id).await, before);
        assert_eq!(world.notices().await, []);

        // The message never reached the provider: the other worker searches for it, does not find it, and sends it.
        world.after(retry_policy().ambiguous_wait, &other).await;
        assert_eq!(world.story(id).await.1.join(" "), "ambiguous accepted");
        // Even after this send, the paused worker cannot record its result.
        assert!(!record_result(paused.shared(), &claimed.row, &result).await.unwrap());
        assert_eq!(world.row(id).await.state, "accepted");
    }
}

#[tokio::test]
async fn a_worker_within_its_lease_is_left_alone() {
    for database in databases().await {
        let world = World::new(database, StandIn::start([], PostBehaviour::Accept).await).await;
        let id = world.queue("on_call", "P1").await;
        let claimed = claim(world.outbox().shared(), 8).await.unwrap().claimed;
        world
            .after(world.settings().lease - TimeDelta::seconds(1), &world.outbox())
            .await;
        assert_eq!((claimed.len(), world.row(id).await.state.as_str()), (1, "sending"));
        assert_eq!(world.twilio.posted().len(), 0);
    }
}

#[tokio::test]
async fn a_hint_wakes_the_worker_and_a_stop_finishes_what_is_on_its_way() {
    for database in databases().await {
        let world = World::new(database, StandIn::start([], PostBehaviour::AcceptWhenLetGo).await).await;
        let mut settings = world.settings();
        settings.poll = Duration::from_hours(1);
        let outbox = world.outbox_with(world.accounts(), settings);
        let stop = CancellationToken::new();
        let running = tokio::spawn({
            let (outbox, stop) = (outbox.clone(), stop.clone());
            async move { outbox.run(stop).await }
        });
        let id = world.queue("on_call", "P1").await;
        outbox.wake();
        world.twilio.wait_for_arrivals(1).await;
        stop.cancel();
        let late = world.queue("second", "P1").await;
        outbox.wake();
        assert!(!running.is_finished());
        world.twilio.let_go(2);
        running.await.unwrap();
        assert_eq!(world.row(id).await.state, "accepted");
        assert_eq!(world.row(late).await.state, "queued");
    }
}

#[tokio::test]
async fn an_idle_worker_stops_at_once() {
    for database in databases().await {
        let world = World::new(database, StandIn::start([], PostBehaviour::Accept).await).await;
        let stop = CancellationToken::new();
        let outbox = world.outbox();
        let running = tokio::spawn({
            let stop = stop.clone();
            async move { outbox.run(stop).await }
        });
        stop.cancel();
        tokio::time::timeout(Duration::from_secs(1), running)
            .await
            .unwrap()
            .unwrap();
    }
}

#[tokio::test]
async fn a_database_that_fails_for_a_while_does_not_end_the_worker() {
    for database in databases().await {
        let world = World::new(database, StandIn::start([], PostBehaviour::Accept).await).await;
        let id = world.queue("on_call", "P1").await;
        world
            .db
            .execute_unprepared("ALTER TABLE sms_messages RENAME TO sms_away")
            .await
            .unwrap();
        let mut settings = world.settings();
        settings.poll = Duration::from_millis(5);
        let outbox = world.outbox_with(world.accounts(), settings);
        assert!(outbox.drain_once().await.is_err());
        let stop = CancellationToken::new();
        let running = tokio::spawn({
            let (outbox, stop) = (outbox.clone(), stop.clone());
            async move { outbox.run(stop).await }
        });
        outbox.wake();
        tokio::task::yield_now().await;
        world
            .db
            .execute_unprepared("ALTER TABLE sms_away RENAME TO sms_messages")
            .await
            .unwrap();
        world.twilio.wait_for_arrivals(1).await;
        stop.cancel();
        running.await.unwrap();
        assert_eq!(world.row(id).await.state, "accepted");
    }
}
