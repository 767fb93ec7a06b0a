//! Creates the benchmark's database, counts the rows after a run, and reads the values of one stored report.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use base::clock::Clock;
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, QueryResult, Statement};
use serde_json::Value;

use super::cpu;
use super::messages::TURNS;

/// The tables in which a report creates rows.
const TABLES: [&str; 6] = [
    "webhook_events",
    "calls",
    "call_transcripts",
    "decisions",
    "leads",
    "sms_messages",
];

/// The tables of the peer (benches/peer/server.mjs).
const PEER_TABLES: [&str; 6] = [
    "peer.events",
    "peer.calls",
    "peer.turns",
    "peer.decisions",
    "peer.leads",
    "peer.sms",
];

pub struct Rows {
    pub url: String,
    /// The process id of the postmaster, if it runs on this machine.
    pub postmaster: Option<u32>,
    /// PostgreSQL's version, and the settings that decide whether a commit is durable.
    pub about: String,
    name: String,
    server: DatabaseConnection,
    db: DatabaseConnection,
}

impl Rows {
    /// Creates an empty database on a durable server.
    pub async fn create(server_url: &str) -> Result<Self> {
        let server = connect(server_url).await?;
        let asked = "SELECT current_setting('server_version') AS version, current_setting('fsync') AS fsync, \
            current_setting('synchronous_commit') AS synchronous_commit, pg_backend_pid() AS pid";
        let row = one(&server, asked).await?;
        let [version, fsync, synchronous_commit] =
            ["version", "fsync", "synchronous_commit"].map(|name| row.try_get::<String>("", name));
        let (version, fsync, synchronous_commit) = (version?, fsync?, synchronous_commit?);
        ensure!(
            fsync == "on" && synchronous_commit == "on",
            "PostgreSQL does not wait for the disk (fsync {fsync}, synchronous_commit {synchronous_commit}): run `make bench`"
        );
        let backend = u32::try_from(row.try_get::<i32>("", "pid")?)?;
        let name = format!("ringbook_bench_{}", Clock::system().new_id().simple());
        server.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
        let (address, options) = server_url
            .split_once('?')
            .map_or((server_url, String::new()), |(address, options)| {
                (address, format!("?{options}"))
            });
        let host = address
            .rsplit_once('/')
            .context("TEST_POSTGRES_URL names no database")?
            .0;
        let url = format!("{host}/{name}{options}");
        Ok(Self {
            db: connect(&url).await?,
            url,
            // The process id of a remote server would belong to another process on this machine.
            postmaster: address.contains("127.0.0.1").then(|| cpu::parent(backend)).flatten(),
            about: format!("PostgreSQL {version}, fsync {fsync}, synchronous_commit {synchronous_commit}"),
            name,
            server,
        })
    }

    /// Drops the database.
    pub async fn remove(self) -> Result<()> {
        self.db.close().await?;
        self.server
            .execute_unprepared(&format!("DROP DATABASE {} WITH (FORCE)", self.name))
            .await?;
        Ok(())
    }

    /// Empties Ringbook's tables, so that every run begins with the same state.
    pub async fn clear(&self) -> Result<()> {
        self.truncate(&TABLES).await
    }

    /// Empties the peer's tables.
    pub async fn clear_peer(&self) -> Result<()> {
        self.truncate(&PEER_TABLES).await
    }

    async fn truncate(&self, tables: &[&str]) -> Result<()> {
        self.db
            .execute_unprepared(&format!("TRUNCATE {} CASCADE", tables.join(", ")))
            .await?;
        self.db.execute_unprepared("CHECKPOINT").await?;
        Ok(())
    }

    /// Checks that the tables contain exactly the rows of `reports` reports: one event, call, decision and lead each,
    /// the turns, and SMS messages for some of them. Returns the number of SMS messages.
    pub async fn check(&self, reports: u64) -> Result<u64> {
        let texts = self.counted(&TABLES, reports).await?;
        ensure!(
            texts * 5 >= reports && texts * 5 <= reports * 4,
            "{texts} SMS messages for {reports} reports: expected a fifth to four fifths"
        );
        Ok(texts)
    }

    /// Same as [`Self::check`], for the peer's tables. The peer's rules cause other SMS messages.
    pub async fn check_peer(&self, reports: u64) -> Result<u64> {
        self.counted(&PEER_TABLES, reports).await
    }

    /// Checks the number of rows. `tables` are the tables of events, calls, turns, decisions, leads and SMS messages.
    async fn counted(&self, tables: &[&str; 6], reports: u64) -> Result<u64> {
        let mut counts = Vec::new();
        for table in tables {
            let row = one(&self.db, &format!("SELECT count(*) AS n FROM {table}")).await?;
            counts.push(u64::try_from(row.try_get::<i64>("", "n")?)?);
        }
        let turns = reports * TURNS as u64;
        ensure!(
            matches!(counts[..], [events, calls, stored_turns, decisions, leads, _]
                if stored_turns == turns && [events, calls, decisions, leads] == [reports; 4]),
            "{reports} reports were recorded, but {tables:?} have {counts:?} rows"
        );
        Ok(counts.last().copied().unwrap_or_default())
    }

    /// Returns the values of one stored report that caused an SMS message. The keys are the names of the variables in
    /// `steps.sql`.
    pub async fn sample(&self) -> Result<BTreeMap<String, String>> {
        const SQL: &str = "SELECT jsonb_build_object('rulebook', e.rulebook_id, 'delivery_key', e.delivery_key, \
            'message_at', e.message_at, 'received_at', e.received_at, 'body', '\\x' || encode(e.body, 'hex'), \
            'body_hash', '\\x' || encode(e.body_hash, 'hex'), 'answer', e.answer::text, \
            'analysis', replace(c.analysis::text, c.address, '{address}'), \
            'turns', (SELECT jsonb_agg(to_jsonb(t) - '{rulebook_id,call_id,origin}'::text[] ORDER BY seq)::text \
                FROM call_transcripts t WHERE t.call_id = c.id), \
            'decided_for', d.decided_for, 'extracted', d.extracted::text, 'result', d.result::text, \
            'contact', s.contact, 'template', s.template, 'to_number', s.to_number, 'sms_body', s.body, 'reference', s.reference) \
            || jsonb_strip_nulls(to_jsonb(l)) - '{id,call_id,rulebook_id}'::text[] \
            || jsonb_strip_nulls(to_jsonb(c)) - '{id,rulebook_id,analysis,report_hash}'::text[] \
            || jsonb_build_object('revision', d.revision) AS row \
            FROM sms_messages s JOIN decisions d ON d.id = s.decision_id JOIN calls c ON c.id = s.call_id \
            JOIN leads l ON l.call_id = s.call_id JOIN webhook_events e ON e.id = d.event_id \
            WHERE d.price_from IS NOT NULL AND l.area IS NOT NULL LIMIT 1";
        let row: Value = one(&self.db, SQL).await?.try_get("", "row")?;
        let object = row.as_object().context("a row is an object")?;
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        Ok(object.iter().map(|(name, value)| (name.clone(), text(value))).collect())
    }

    /// Returns, for each table, the columns that are not null in its fullest row. The floor must fill the same columns
    /// as the server.
    pub async fn shape(&self) -> Result<Vec<String>> {
        let mut shape = Vec::new();
        // The row of an SMS message changes when the message is sent.
        for table in TABLES.iter().filter(|table| **table != "sms_messages") {
            let sql = format!(
                "SELECT '{table}: ' || array_to_string(ARRAY(SELECT jsonb_object_keys(row) ORDER BY 1), ', ') AS columns \
                 FROM (SELECT jsonb_strip_nulls(to_jsonb(t)) AS row FROM (SELECT * FROM {table} LIMIT 1000) t) rows \
                 ORDER BY length(array_to_string(ARRAY(SELECT jsonb_object_keys(row)), ' ')) DESC LIMIT 1"
            );
            shape.push(one(&self.db, &sql).await?.try_get("", "columns")?);
        }
        Ok(shape)
    }
}

async fn connect(url: &str) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options)
        .await
        .context("cannot connect to PostgreSQL (TEST_POSTGRES_URL)")
}

async fn one(db: &DatabaseConnection, sql: &str) -> Result<QueryResult> {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    db.query_one_raw(statement).await?.context("no row")
}
