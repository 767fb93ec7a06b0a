//! Tests that no phone number, message content or token appears in a log line or in the record of an attempt.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sea_orm::EntityTrait;
use tracing_subscriber::fmt::MakeWriter;

use super::stand_in::{PostBehaviour, StandIn};
use super::world::{NUMBER, World, databases, retry_policy};
use store::{sms_attempts, sms_messages};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn numbers_words_and_tokens_stay_out_of_the_log_and_of_the_attempts() {
    for database in databases().await {
        let lines = Lines::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(lines.clone())
            .finish();
        let _quiet = tracing::subscriber::set_default(subscriber);
        let steps = [
            PostBehaviour::Accept,
            PostBehaviour::Error(400, 21211),
            PostBehaviour::Busy(0),
            PostBehaviour::Error(500, 20500),
            PostBehaviour::Raw(201, None, format!("\"{NUMBER}")),
            PostBehaviour::Hang,
            PostBehaviour::Error(401, 20003),
        ];
        let world = World::new(database, StandIn::start(steps, PostBehaviour::Error(401, 20003)).await).await;
        world.twilio.fail_lists();
        let mut settings = world.settings();
        settings.request_timeout = Duration::from_millis(300);
        settings.concurrency.total = 1;
        settings.breaker.credentials_pause = retry_policy().base;
        let outbox = world.outbox_with(world.accounts(), settings);
        for contact in 0..7 {
            world.queue(&format!("c{contact}"), "P3").await;
        }
        for _ in 0..12 {
            world.after(retry_policy().ambiguous_wait, &outbox).await;
        }
        assert!(world.twilio.posted().len() > 7 && world.twilio.lists() > 0);

        let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(log.contains("is given up"), "{log}");
        let attempts = sms_attempts::Entity::find().all(&world.db).await.unwrap();
        let errors: Vec<_> = sms_messages::Entity::find()
            .all(&world.db)
            .await
            .unwrap()
            .into_iter()
            .map(|row| row.error)
            .collect();
        for (place, told) in [
            ("the log", log),
            ("an attempt", format!("{attempts:?}")),
            ("an error", format!("{errors:?}")),
        ] {
            for secret in [&NUMBER[1..], "5550100", "basement", "token-that-shows-nowhere"] {
                assert!(!told.contains(secret), "{place} contains {secret}: {told}");
            }
        }
        world.notices().await;
    }
}
