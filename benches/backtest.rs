//! Measures how many stored calls per second a backtest decides: on one thread with the calls in memory, and on the
//! whole path from the first page to the result. The database is a SQLite file. If TEST_POSTGRES_URL is set, the
//! benchmark also measures a new PostgreSQL database.
//!
//! Run it with `cargo bench --bench backtest`, or `scripts/with-postgres.sh cargo bench --bench backtest -- --at-least
//! 20000`.
#![expect(clippy::print_stdout, reason = "it prints its measurements")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use authoring::backtest::{Backtest, BacktestTally, StoredCall, StoredCallFacts, StoredOutcome, stored_facts};
use base::clock::Clock;
use chrono::{DateTime, TimeDelta, Utc};
use clap::Parser;
use jobs::history::run::{Plan, Progress, run};
use revisions::cache::RulebookCache;
use revisions::publish::{Author, Publisher, RulebookToCreate};
use rules::facts::{ExtractedFacts, Fact};
use rules::rows::{Adjustment, StoredRow};
use rules::{Rulebook, compile, sample};
use sea_orm::{ConnectionTrait as _, DatabaseBackend, DatabaseConnection};
use serde_json::json;
use store::Database;
use store::audit_log::AuditKey;
use store::decisions::pages::Span;
use store::decisions::{self, NewDecision};
use store::webhook_events::{self, NewEvent};
use store::{begin, connect, migrate};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The benchmark uses the same allocator as the program.
#[global_allocator]
static MEMORY: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[derive(Parser)]
struct Options {
    /// Number of stored calls.
    #[arg(long, default_value_t = 60_000)]
    calls: usize,
    /// Number of backtests; each decides all stored calls.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Fail if the whole path decides fewer calls per second than this.
    #[arg(long)]
    at_least: Option<u64>,
    /// `cargo bench` adds this argument.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let runtime = tokio::runtime::Runtime::new()?;
    let base = compile(1, &sample::rows(), None).map_err(|_| anyhow::anyhow!("the sample does not compile"))?;
    let test = Backtest::new(Arc::new(base.clone()), Arc::new(dearer(&base)?));
    in_memory(&test)?;
    let folder = tempfile::tempdir()?;
    let file = format!("sqlite://{}/ringbook.db", folder.path().display());
    runtime.block_on(whole_path("SQLite", &file, &options))?;
    #[expect(
        clippy::disallowed_methods,
        reason = "a benchmark reads its own environment variables"
    )]
    let server = std::env::var("TEST_POSTGRES_URL");
    match server {
        Ok(server) => runtime.block_on(on_postgres(&server, &options)),
        Err(_) => {
            println!("PostgreSQL: not measured, TEST_POSTGRES_URL is not set");
            Ok(())
        }
    }
}

/// Returns the rulebook with the South Shore adjustment raised by 20.
fn dearer(base: &Rulebook) -> Result<Rulebook> {
    let mut rows = base.rows().clone();
    let standing = rows.adjustments.get("south_shore").context("no south_shore")?;
    let row = Adjustment {
        amount: Some("120.00".parse()?),
        ..standing.row.clone()
    };
    rows.adjustments
        .insert(row.code.clone(), Arc::new(StoredRow { version: 2, row }));
    compile(2, &rows, Some(base)).map_err(|_| anyhow::anyhow!("the change does not compile"))
}

/// Builds the facts of calls with conversations of realistic length. Half of the callers speak French; a third live on
/// the South Shore.
fn callers() -> Vec<ExtractedFacts> {
    let wants = [
        "Bonjour, oui, mon évier de cuisine est complètement bouché depuis hier soir et l'eau ne descend plus du tout.",
        "Hello, there are tree roots in the main pipe again, somebody came two years ago, can you come this week?",
        "Il y a un refoulement d'égout au sous-sol, c'est une urgence, l'eau monte, venez vite s'il vous plaît!",
        "How much is a French drain all around my house? It is about twelve metres by nine, maybe a little more.",
    ];
    let more = [
        "Oui, c'est ça. Non, il n'y a personne à la maison avant dix-sept heures, mais je peux m'arranger.",
        "My number is the one I am calling from. Thank you very much, have a nice day, goodbye.",
    ];
    let places = ["J4K 2M6", "H2X 1Y4", "J7Y 1A1"];
    let mut callers = Vec::new();
    for want in wants {
        for more in more {
            for place in places {
                let texts = [
                    ("postal_code", place),
                    ("address", "1234, rue des Érables"),
                    ("city", "Longueuil"),
                    ("customer_name", "Jeanne Tremblay"),
                    ("customer_phone", "+15145550123"),
                    ("caller", "+15145550123"),
                    ("urgency", "urgent"),
                    ("problem", want),
                ];
                let mut facts: rules::facts::Facts = texts
                    .map(|(name, text)| (name.to_owned(), Fact::Text(text.to_owned())))
                    .into();
                facts.insert("call_seconds".to_owned(), Fact::Number(65.into()));
                callers.push(ExtractedFacts {
                    facts,
                    said: format!("{want}\n{more}\n{more}"),
                    ..ExtractedFacts::default()
                });
            }
        }
    }
    callers
}

fn at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_532_400, 0).unwrap_or_default()
}

/// Measures one thread that parses the facts of a call, decides them twice and counts the result.
fn in_memory(test: &Backtest) -> Result<()> {
    const ROUNDS: u32 = 500;
    let texts: Vec<String> = callers().iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
    let mut tally = BacktestTally::new(false);
    let began = Instant::now();
    for _ in 0..ROUNDS {
        for text in &texts {
            let call = StoredCall {
                decision_id: Uuid::nil(),
                call_id: None,
                at: at(),
                stored: StoredOutcome::default(),
                said: StoredCallFacts::Stored(stored_facts(text)?.context("these facts were not erased")?),
            };
            test.look(call, &mut tally);
        }
    }
    let each = began.elapsed() / (ROUNDS * u32::try_from(texts.len())?);
    println!("in memory: {:.1} us a call on one thread", micros(each));
    Ok(())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

async fn on_postgres(server: &str, options: &Options) -> Result<()> {
    let (address, _) = server.rsplit_once('/').context("TEST_POSTGRES_URL has no database")?;
    let name = format!("ringbook_bench_{}", Clock::system().new_id().simple());
    let mut connect = sea_orm::ConnectOptions::new(server);
    connect.max_connections(1).sqlx_logging(false);
    let admin = sea_orm::Database::connect(connect).await?;
    admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
    let measured = whole_path("PostgreSQL", &format!("{address}/{name}"), options).await;
    let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    admin.execute_unprepared(&drop).await?;
    measured
}

async fn whole_path(what: &str, url: &str, options: &Options) -> Result<()> {
    let database = Database::parse(url).context("this is not a database URL")?;
    migrate::up(&database).await?;
    let db = connect::open(&database, None).await?;
    let current = RulebookCache::new(db.replica.clone(), db.read.clone());
    let clock = Clock::system();
    let publisher = Publisher::new(
        db.write.clone(),
        current.clone(),
        clock.clone(),
        AuditKey::new(&[0; 32]),
    );
    let new = RulebookToCreate {
        code: "bench",
        name: None,
        webhook_auth: json!({}),
        sms_delivery: "twilio",
    };
    let made = publisher.create(new, sample::rows(), &Author::default()).await?;
    let (rulebook_id, published) = made;
    fill(&db.write, rulebook_id, &published.rulebook, &clock, options.calls).await?;
    let plan = Plan {
        test: Backtest::new(Arc::clone(&published.rulebook), Arc::new(dearer(&published.rulebook)?)),
        span: Span {
            simulated: true,
            rulebook_id,
            from: clock.now() - TimeDelta::days(1),
            until: clock.now() + TimeDelta::days(1),
            purposes: &[],
        },
        limit: None,
        tool_quotes: false,
        read_body: Arc::new(|_, _| None),
    };
    let mut best = 0;
    for _ in 0..options.rounds {
        let (progress, _) = watch::channel(Progress::default());
        let began = Instant::now();
        let found = run(&db.read, plan.clone(), &progress, &CancellationToken::new()).await?;
        let took = began.elapsed();
        ensure!(
            found.calls == u64::try_from(options.calls)?,
            "{} calls were seen",
            found.calls
        );
        let millis = u64::try_from(took.as_millis())?.max(1);
        let rate = found.calls * 1000 / millis;
        println!(
            "{what}: {} calls in {millis} ms, {rate} calls/s, {} change",
            found.calls, found.changed
        );
        best = best.max(rate);
    }
    db.write.close().await?;
    db.read.close().await?;
    if let Some(at_least) = options.at_least {
        ensure!(best >= at_least, "{what}: {best} calls/s are fewer than {at_least}");
    }
    Ok(())
}

/// Fills the database with decisions that all belong to one message.
async fn fill(
    db: &DatabaseConnection,
    rulebook_id: Uuid,
    rulebook: &Rulebook,
    clock: &Clock,
    calls: usize,
) -> Result<()> {
    let callers = callers();
    let decided: Vec<_> = callers.iter().map(|caller| rulebook.decide(caller, at())).collect();
    let tx = begin(db).await?;
    let (event_id, now) = (clock.new_id(), clock.now());
    let answer = json!({});
    let event = NewEvent {
        rulebook_id,
        id: event_id,
        business_key: "bench",
        delivery_key: "bench",
        kind: "end-of-call-report",
        call_id: None,
        message_at: None,
        received_at: now,
        body: None,
        body_hash: [0; 32],
        answer: &answer,
        state: "recorded",
        amends: None,
        origin: "live",
        set_aside: None,
        without_call: false,
    };
    webhook_events::insert(&tx, &event).await?;
    for (number, (caller, decision)) in callers.iter().zip(&decided).cycle().take(calls).enumerate() {
        let price = decision.price.as_ref();
        let call_id = format!("call-{number}");
        let priority = format!("{:?}", decision.priority);
        let new = NewDecision {
            rulebook_id,
            id: clock.new_id(),
            call_id: Some(&call_id),
            event_id,
            purpose: "report",
            revision: 1,
            decided_for: at(),
            extracted: &serde_json::to_string(caller)?,
            result: &serde_json::to_string(decision)?,
            service: decision.service.as_deref(),
            priority: &priority,
            price_from: price.map(|price| price.from.minor()),
            price_to: price.map(|price| price.to.minor()),
            degraded: false,
            duration_us: 10,
            created_at: now,
        };
        decisions::insert(&tx, new).await?;
    }
    tx.commit().await?;
    // ANALYZE updates the statistics of PostgreSQL's planner. In production, autovacuum and the end of a restore update
    // them.
    if db.get_database_backend() == DatabaseBackend::Postgres {
        db.execute_unprepared("ANALYZE decisions").await?;
    }
    Ok(())
}
