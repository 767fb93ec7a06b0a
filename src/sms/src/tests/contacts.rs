//! Tests of contacts who opt out, of notices for the operator, and of accounts that fail independently of each other.

use std::collections::HashMap;

use chrono::TimeDelta;
use sea_orm::{EntityTrait, Set};

use super::stand_in::{PostBehaviour, StandIn};
use super::world::{NUMBER, World, databases};
use crate::inbound::InboundText;
use crate::operator::{OPERATOR, Operator};
use crate::{Accounts, Outbox, enqueue};
use store::{begin, inbound_sms_messages, notices, rulebooks, sms_messages};

async fn record_inbound(world: &World, outbox: &Outbox, sid: &str, body: &str) -> bool {
    let text = InboundText {
        sid: sid.to_owned(),
        from_number: NUMBER.to_owned(),
        to_number: "+15145550100".to_owned(),
        body: body.to_owned(),
        opt_out_type: None,
    };
    outbox.record_inbound(world.rulebook_id, &text).await.unwrap().is_new
}

#[tokio::test]
async fn who_replies_stop_is_not_texted_until_they_reply_start() {
    for database in databases().await {
        let world = World::new(database, StandIn::start([], PostBehaviour::Accept).await).await;
        let outbox = world.outbox();
        let before = world.queue("on_call", "P1").await;
        outbox.drain_once().await.unwrap();
        assert!(record_inbound(&world, &outbox, "SM1", "Stop.").await);
        assert!(!record_inbound(&world, &outbox, "SM1", "Stop.").await, "the same again");
        assert_eq!(world.notices().await, [("contact_opted_out".to_owned(), 1, true)]);
        let after = world.queue("on_call", "P1").await;
        outbox.drain_once().await.unwrap();
        assert_eq!(world.row(before).await.state, "accepted");
        let row = world.row(after).await;
        assert_eq!((row.state.as_str(), row.attempts), ("dead", 0));
        assert_eq!(
            row.error.as_deref(),
            Some("the recipient has opted out by replying STOP")
        );
        let told = notices::Entity::find().all(&world.db).await.unwrap();
        let told = told.iter().find(|notice| notice.code == "sms_suppressed").unwrap();
        assert_eq!(
            (told.severity.as_str(), told.subject.as_str()),
            ("urgent", "contact on_call")
        );
        assert!(told.what_to_do.contains("START"), "{}", told.what_to_do);

        record_inbound(&world, &outbox, "SM2", "START").await;
        let again = world.queue("on_call", "P1").await;
        outbox.drain_once().await.unwrap();
        assert_eq!(world.row(again).await.state, "accepted");
        assert!(
            world
                .notices()
                .await
                .contains(&("contact_opted_out".to_owned(), 1, false))
        );
        assert_eq!(world.twilio.posted().len(), 2);
        assert_eq!(
            inbound_sms_messages::Entity::find().all(&world.db).await.unwrap().len(),
            2
        );
    }
}

#[tokio::test]
async fn where_twilio_says_that_somebody_opted_out_nobody_tries_again() {
    for database in databases().await {
        let world = World::new(
            database,
            StandIn::start([PostBehaviour::Error(400, 21610)], PostBehaviour::Accept).await,
        )
        .await;
        let outbox = world.outbox();
        let first = world.queue("on_call", "P1").await;
        outbox.drain_once().await.unwrap();
        let second = world.queue("on_call", "P1").await;
        outbox.drain_once().await.unwrap();
        assert_eq!(world.twilio.posted().len(), 1);
        for (id, tried) in [(first, 1), (second, 0)] {
            let row = world.row(id).await;
            assert_eq!((row.state.as_str(), row.attempts), ("dead", tried));
        }
        let notices = world.notices().await;
        assert!(notices.contains(&("sms_refused".to_owned(), 1, true)), "{notices:?}");
        assert!(notices.contains(&("sms_suppressed".to_owned(), 1, true)), "{notices:?}");
    }
}

#[tokio::test]
async fn the_daily_cap_is_told_and_over_when_a_text_goes_again() {
    for database in databases().await {
        let world = World::new(
            database,
            StandIn::start([PostBehaviour::Error(400, 63038)], PostBehaviour::Accept).await,
        )
        .await;
        let outbox = world.outbox();
        world.queue("on_call", "P1").await;
        outbox.drain_once().await.unwrap();
        assert_eq!(world.notices().await, [("sms_account_capped".to_owned(), 1, true)]);
        world.after(TimeDelta::minutes(15), &outbox).await;
        assert_eq!(world.notices().await, [("sms_account_capped".to_owned(), 1, false)]);
    }
}

#[tokio::test]
async fn urgent_notices_are_texted_to_the_operator_once_and_not_too_many() {
    for database in databases().await {
        let steps = std::iter::repeat_n(PostBehaviour::Error(400, 21211), 9);
        let world = World::new(database, StandIn::start(steps, PostBehaviour::Accept).await).await;
        let mut settings = world.settings();
        settings.operator = Some(Operator {
            rulebook: "default",
            number: "+15145550199".to_owned(),
        });
        settings.concurrency.total = 1;
        let outbox = world.outbox_with(world.accounts(), settings);
        for contact in 0..9 {
            world
                .queue(&format!("c{contact}"), if contact == 0 { "P3" } else { "P1" })
                .await;
        }
        for _ in 0..3 {
            outbox.drain_once().await.unwrap();
        }
        let to_operator = |world: &World| {
            let posted = world.twilio.posted();
            let to = posted
                .into_iter()
                .filter(|posted| posted.field("To") == Some("+15145550199"));
            to.map(|posted| posted.field("Body").unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(to_operator(&world).len(), 6, "six an hour");
        assert!(to_operator(&world)[0].contains("was not sent: the number is not a valid phone number"));
        world.after(TimeDelta::hours(1), &outbox).await;
        assert_eq!(to_operator(&world).len(), 8, "each of the eight urgent notices once");
        world.after(TimeDelta::hours(1), &outbox).await;
        assert_eq!(to_operator(&world).len(), 8);
    }
}

#[tokio::test]
async fn an_operators_text_that_fails_makes_no_further_text() {
    for database in databases().await {
        let world = World::new(database, StandIn::start([], PostBehaviour::Error(400, 21211)).await).await;
        let mut settings = world.settings();
        settings.operator = Some(Operator {
            rulebook: "default",
            number: "+15145550199".to_owned(),
        });
        let outbox = world.outbox_with(world.accounts(), settings);
        world.queue("on_call", "P1").await;
        for _ in 0..4 {
            world.after(TimeDelta::hours(2), &outbox).await;
        }
        assert_eq!(world.twilio.posted().len(), 2);
        let rows = sms_messages::Entity::find().all(&world.db).await.unwrap();
        assert_eq!(rows.iter().filter(|row| row.contact == OPERATOR).count(), 1);
    }
}

#[tokio::test]
async fn an_account_that_is_stopped_stops_no_other() {
    for database in databases().await {
        let world = World::new(
            database,
            StandIn::start([PostBehaviour::Error(401, 20003)], PostBehaviour::Accept).await,
        )
        .await;
        let other_id = world.clock.new_id();
        let other = rulebooks::ActiveModel {
            id: Set(other_id),
            code: Set("other".to_owned()),
            head_revision: Set(0),
            webhook_auth: Set(serde_json::json!({})),
            created_at: Set(world.clock.now()),
            ..Default::default()
        };
        rulebooks::Entity::insert(other)
            .exec_without_returning(&world.db)
            .await
            .unwrap();
        let mut account = World::account();
        account.sid = "AC1".to_owned();
        let accounts = HashMap::from([(world.rulebook_id, World::account()), (other_id, account)]);
        let outbox = world.outbox_with(Accounts::fixed(accounts), world.settings());
        let stopped = world.queue("on_call", "P1").await;
        outbox.drain_once().await.unwrap();
        let mut text = world.text("on_call", "P1");
        text.rulebook_id = other_id;
        let tx = begin(&world.db).await.unwrap();
        enqueue(&tx, text).await.unwrap();
        tx.commit().await.unwrap();
        outbox.drain_once().await.unwrap();
        assert_eq!(world.row(stopped).await.state, "queued");
        let paths: Vec<_> = world.twilio.posted().into_iter().map(|posted| posted.path).collect();
        let of = |sid: &str| paths.iter().filter(|path| path.contains(sid)).count();
        assert_eq!((of("AC0"), of("AC1")), (1, 1), "{paths:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_tell_the_operator_of_a_notice_once() {
    for database in databases().await {
        let steps = std::iter::repeat_n(PostBehaviour::Error(400, 21211), 5);
        let world = World::new(database, StandIn::start(steps, PostBehaviour::Accept).await).await;
        let mut settings = world.settings();
        for contact in 0..5 {
            world.queue(&format!("c{contact}"), "P1").await;
        }
        world.outbox().drain_once().await.unwrap();
        settings.operator = Some(Operator {
            rulebook: "default",
            number: "+15145550199".to_owned(),
        });
        let one = world.outbox_with(world.accounts(), settings.clone());
        let two = world.outbox_with(world.accounts(), settings);
        let first = tokio::spawn(async move { one.drain_once().await.unwrap() });
        let second = tokio::spawn(async move { two.drain_once().await.unwrap() });
        first.await.unwrap();
        second.await.unwrap();
        let rows = sms_messages::Entity::find().all(&world.db).await.unwrap();
        assert_eq!(rows.iter().filter(|row| row.contact == OPERATOR).count(), 5);
    }
}
