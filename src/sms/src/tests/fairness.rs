//! Tests of fairness between rulebooks: the order of claims, the slots of concurrent sends, and the operator's SMS
//! messages per hour.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use sea_orm::{ConnectionTrait as _, EntityTrait, Set};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::stand_in::{PostBehaviour, StandIn};
use super::world::{World, databases};
use crate::operator::{OPERATOR, Operator};
use crate::{Accounts, enqueue};
use base::telemetry::metrics;
use store::notices::{self, Notice, Severity};
use store::{begin, rulebooks, sms_messages};

async fn another_rulebook(world: &World, code: &str) -> Uuid {
    let id = world.clock.new_id();
    let row = rulebooks::ActiveModel {
        id: Set(id),
        code: Set(code.to_owned()),
        head_revision: Set(0),
        webhook_auth: Set(serde_json::json!({})),
        created_at: Set(world.clock.now()),
        ..Default::default()
    };
    rulebooks::Entity::insert(row)
        .exec_without_returning(&world.db)
        .await
        .unwrap();
    id
}

async fn queue_of(world: &World, rulebook_id: Uuid, contact: &str) -> Uuid {
    let mut text = world.text(contact, "P1");
    text.rulebook_id = rulebook_id;
    let id = text.id;
    let tx = begin(&world.db).await.unwrap();
    enqueue(&tx, text).await.unwrap();
    tx.commit().await.unwrap();
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_one_rulebook_delays_no_other_ones_first_text() {
    let both = databases().await.into_iter().map(|database| (database, false));
    for (database, shares_the_account) in both.chain(databases().await.into_iter().map(|database| (database, true))) {
        // No POST gets a response, so the messages of the first rulebook occupy every slot that they can get.
        let world = World::new(database, StandIn::start([], PostBehaviour::AcceptWhenLetGo).await).await;
        let other = another_rulebook(&world, "other").await;
        let mut account = World::account();
        if !shares_the_account {
            account.sid = "AC1".to_owned();
        }
        let accounts = HashMap::from([(world.rulebook_id, World::account()), (other, account)]);
        let outbox = world.outbox_with(Accounts::fixed(accounts), world.settings());
        for contact in 0..100 {
            world.queue(&format!("c{contact}"), "P1").await;
        }
        let stop = CancellationToken::new();
        let running = tokio::spawn({
            let (outbox, stop) = (outbox.clone(), stop.clone());
            async move { outbox.run(stop).await }
        });
        world.twilio.wait_for_arrivals(8).await;
        let quiet = queue_of(&world, other, "on_call").await;
        outbox.wake();
        let began = Instant::now();
        let address = format!("/{quiet}");
        let is_sent = || {
            let posted = world.twilio.posted();
            let mut callbacks = posted.iter().filter_map(|posted| posted.field("StatusCallback"));
            callbacks.any(|callback| callback.ends_with(&address))
        };
        while !is_sent() {
            assert!(began.elapsed() < Duration::from_secs(2), "the flood delays the message");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(
            world.twilio.posted().len(),
            9,
            "one rulebook uses no more than its slots"
        );
        stop.cancel();
        world.twilio.let_go(200);
        running.await.unwrap();
    }
}

#[tokio::test]
async fn what_one_rulebook_has_to_say_leaves_the_operator_room_for_the_others() {
    for database in databases().await {
        let world = World::new(database, StandIn::start([], PostBehaviour::Accept).await).await;
        let mut settings = world.settings();
        settings.operator = Some(Operator {
            rulebook: "default",
            number: "+15145550199".to_owned(),
        });
        let outbox = world.outbox_with(world.accounts(), settings);
        let raise = async |rulebook_id, subject: String| {
            let notice = Notice {
                rulebook_id,
                code: "p1_not_taken",
                severity: Severity::Urgent,
                subject: subject.clone(),
                text: format!("Nobody took {subject}."),
                what_to_do: "Call back.".to_owned(),
            };
            let tx = begin(&world.db).await.unwrap();
            notices::raise(&tx, notice, world.clock.now(), world.clock.new_id())
                .await
                .unwrap();
            tx.commit().await.unwrap();
        };
        let noisy = another_rulebook(&world, "noisy").await;
        for number in 0..20 {
            raise(noisy, format!("noisy {number}")).await;
        }
        outbox.drain_once().await.unwrap();
        let mut quiet = Vec::new();
        for number in 0..40 {
            let rulebook_id = another_rulebook(&world, &format!("quiet{number}")).await;
            raise(rulebook_id, format!("quiet {number}")).await;
            quiet.push(rulebook_id);
        }
        outbox.drain_once().await.unwrap();
        let told = async |what: &str| {
            let texts = sms_messages::Entity::find().all(&world.db).await.unwrap();
            let texts = texts.iter().filter(|text| text.contact == OPERATOR);
            texts.filter(|text| text.body.contains(what)).count()
        };
        assert_eq!((told("noisy").await, told("quiet").await), (6, 40));
        world.after(TimeDelta::hours(1), &outbox).await;
        assert_eq!(told("noisy").await, 12, "the next hour has its own limit");
    }
}

#[tokio::test]
async fn the_age_of_the_oldest_text_shows_while_every_claim_fails() {
    metrics::install();
    for database in databases().await {
        let world = World::new(database, StandIn::start([], PostBehaviour::Accept).await).await;
        world.queue("on_call", "P1").await;
        world
            .db
            .execute_unprepared("ALTER TABLE sms_attempts RENAME TO sms_attempts_away")
            .await
            .unwrap();
        world.clock.step(TimeDelta::seconds(90));
        let mut settings = world.settings();
        settings.poll = Duration::from_millis(5);
        let outbox = world.outbox_with(world.accounts(), settings);
        let stop = CancellationToken::new();
        let running = tokio::spawn({
            let stop = stop.clone();
            async move { outbox.run(stop).await }
        });
        let began = Instant::now();
        while !metrics::render().contains("ringbook_outbox_oldest_seconds 90") {
            assert!(began.elapsed() < Duration::from_secs(5), "{}", metrics::render());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stop.cancel();
        running.await.unwrap();
        metrics::outbox(Duration::ZERO);
    }
}
