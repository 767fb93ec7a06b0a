//! The environment of a test: a migrated database with one rulebook, a fixed clock and a fake Twilio server. Each test
//! runs on SQLite, and also on PostgreSQL if TEST_POSTGRES_URL names a server.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, EntityTrait, QueryOrder, Set};
use uuid::Uuid;

use super::stand_in::StandIn;
use crate::retry_policy::RetryPolicy;
use crate::{Accounts, EnqueueResult, NewSms, Outbox, OutboxSettings, Sender, TwilioAccount, enqueue};
use base::clock::Clock;
use store::{begin, notices, rulebooks, sms_attempts, sms_messages};

pub(super) const NUMBER: &str = "+15145550111";

pub(super) struct World {
    pub(super) db: DatabaseConnection,
    pub(super) clock: Clock,
    pub(super) rulebook_id: Uuid,
    pub(super) twilio: StandIn,
    _folder: tempfile::TempDir,
}

/// The databases on which each test runs.
pub(super) async fn databases() -> Vec<(DatabaseConnection, tempfile::TempDir)> {
    let mut all = Vec::new();
    let folder = tempfile::tempdir().unwrap();
    let mut options = ConnectOptions::new(format!("sqlite://{}?mode=rwc", folder.path().join("test.db").display()));
    options.max_connections(4).sqlx_logging(false);
    all.push((Database::connect(options).await.unwrap(), folder));
    if let Ok(url) = test_postgres_url() {
        let schema = format!("outbox_{}", Clock::system().new_id().simple());
        let admin = Database::connect(url.clone()).await.unwrap();
        admin
            .execute_unprepared(&format!("CREATE SCHEMA {schema}"))
            .await
            .unwrap();
        let mut options = ConnectOptions::new(url);
        options
            .max_connections(8)
            .sqlx_logging(false)
            .set_schema_search_path(schema);
        all.push((Database::connect(options).await.unwrap(), tempfile::tempdir().unwrap()));
    }
    for (db, _) in &all {
        store::migrate::apply_missing(db).await.unwrap();
    }
    all
}

#[expect(
    clippy::disallowed_methods,
    reason = "the variable selects the database of a test and is not a setting of the program"
)]
fn test_postgres_url() -> Result<String, std::env::VarError> {
    std::env::var("TEST_POSTGRES_URL")
}

impl World {
    pub(super) async fn new(database: (DatabaseConnection, tempfile::TempDir), twilio: StandIn) -> Self {
        let (db, folder) = database;
        let clock = Clock::fixed("2026-11-22T12:00:00Z".parse::<DateTime<Utc>>().unwrap());
        let rulebook_id = clock.new_id();
        let rulebook = rulebooks::ActiveModel {
            id: Set(rulebook_id),
            code: Set("default".to_owned()),
            head_revision: Set(0),
            webhook_auth: Set(serde_json::json!({})),
            created_at: Set(clock.now()),
            ..Default::default()
        };
        rulebooks::Entity::insert(rulebook)
            .exec_without_returning(&db)
            .await
            .unwrap();
        Self {
            db,
            clock,
            rulebook_id,
            twilio,
            _folder: folder,
        }
    }

    pub(super) fn account() -> TwilioAccount {
        TwilioAccount {
            sid: "AC0".to_owned(),
            token: "token-that-shows-nowhere".to_owned(),
            sender: Sender::From("+15145550100".to_owned()),
        }
    }

    pub(super) fn accounts(&self) -> Accounts {
        Accounts::fixed(HashMap::from([(self.rulebook_id, Self::account())]))
    }

    pub(super) fn settings(&self) -> OutboxSettings {
        OutboxSettings {
            twilio_base_url: self.twilio.url.clone(),
            public_url: Some("https://ringbook.example.invalid/".to_owned()),
            request_timeout: Duration::from_secs(5),
            ..OutboxSettings::default()
        }
    }

    /// Returns an outbox that always uses the maximum backoff.
    pub(super) fn outbox(&self) -> Outbox {
        self.outbox_with(self.accounts(), self.settings())
    }

    /// Returns an outbox that cannot reach the provider, because no server listens at the configured URL.
    pub(super) async fn cut_off(&self) -> Outbox {
        let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut settings = self.settings();
        settings.twilio_base_url = format!("http://{}", nobody.local_addr().unwrap());
        self.outbox_with(self.accounts(), settings)
    }

    pub(super) fn outbox_with(&self, accounts: Accounts, settings: OutboxSettings) -> Outbox {
        Outbox::with_random(self.db.clone(), self.clock.clone(), accounts, settings, || u64::MAX).unwrap()
    }

    pub(super) fn text(&self, contact: &str, priority: &str) -> NewSms {
        NewSms {
            rulebook_id: self.rulebook_id,
            id: self.clock.new_id(),
            call_id: None,
            decision_id: None,
            contact: contact.to_owned(),
            template: "alert".to_owned(),
            priority: priority.to_owned(),
            to_number: NUMBER.to_owned(),
            body: "Water in the basement".to_owned(),
            now: self.clock.now(),
            rule: None,
            held_until: None,
            simulated: false,
        }
    }

    /// Inserts an ended call with this id.
    pub(super) async fn call(&self, id: &str) {
        let now = self.clock.now();
        let call = store::calls::ActiveModel {
            rulebook_id: Set(self.rulebook_id),
            id: Set(id.to_owned()),
            status: Set("ended".to_owned()),
            status_rank: Set(9),
            first_seen_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        };
        let made = store::calls::Entity::insert(call).exec_without_returning(&self.db);
        made.await.unwrap();
    }

    /// Sets the rulebook's `sms_delivery`.
    pub(super) async fn deliver(&self, delivery: &str) {
        rulebooks::Entity::update_many()
            .col_expr(rulebooks::Column::SmsDelivery, delivery.into())
            .exec(&self.db)
            .await
            .unwrap();
    }

    /// Queues an SMS message and commits.
    pub(super) async fn queue(&self, contact: &str, priority: &str) -> Uuid {
        let text = self.text(contact, priority);
        let id = text.id;
        let tx = begin(&self.db).await.unwrap();
        assert_eq!(enqueue(&tx, text).await.unwrap(), EnqueueResult::Queued);
        tx.commit().await.unwrap();
        id
    }

    pub(super) async fn row(&self, id: Uuid) -> sms_messages::Model {
        sms_messages::Entity::find_by_id((self.rulebook_id, id))
            .one(&self.db)
            .await
            .unwrap()
            .unwrap()
    }

    /// Returns the state of an SMS message and the outcomes of its attempts.
    pub(super) async fn story(&self, id: Uuid) -> (String, Vec<String>) {
        let attempts = sms_attempts::of_message(&self.db, self.rulebook_id, id).await.unwrap();
        let outcomes = attempts
            .into_iter()
            .map(|attempt| attempt.outcome.unwrap_or_else(|| "open".to_owned()));
        (self.row(id).await.state, outcomes.collect())
    }

    /// Returns each notice as its code, its count and whether it is open.
    pub(super) async fn notices(&self) -> Vec<(String, i64, bool)> {
        let rows = notices::Entity::find()
            .order_by_asc(notices::Column::Id)
            .all(&self.db)
            .await
            .unwrap();
        for row in &rows {
            let told = format!("{} {} {}", row.subject, row.text, row.what_to_do);
            assert!(!told.contains("5550111") && !told.contains("basement"), "{told}");
        }
        rows.into_iter()
            .map(|row| (row.code, row.count, row.resolved_at.is_none()))
            .collect()
    }

    /// Advances the clock by `wait`, and then sends the due SMS messages.
    pub(super) async fn after(&self, wait: TimeDelta, outbox: &Outbox) {
        self.clock.step(wait);
        outbox.drain_once().await.unwrap();
    }
}

pub(super) fn retry_policy() -> RetryPolicy {
    RetryPolicy::default()
}
