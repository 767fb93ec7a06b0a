//! Tests the program with a database or a pooler that allows only few connections.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sea_orm::ConnectionTrait as _;
use serde_json::Value;

use super::{Found, Plan, Result, judged, told};
use crate::{
    load::{Load, Memory, Traffic},
    support::{Database, database::TestDatabase, pooler::Pooler},
    world::World,
};

pub const ABOUT: &str = "the database role may open 10, 17, 24 or 30 connections, or PgBouncer allows 10 or 25 \
    sessions. In each round the table of events is locked for 9 s under messages and edits. Each message is answered \
    2xx or 503 with Retry-After, the spool is empty within 60 s after the lock ends, without a restart, and I1 to I8 \
    hold";

/// Maximum time from the unlocking of the table until the spool is empty.
const EMPTY_WITHIN: Duration = Duration::from_mins(1);

/// How the connections between the program and its database are limited.
#[derive(Clone, Copy, Debug)]
enum Limit {
    Role(u32),
    /// PgBouncer allows this number of sessions. It ignores or rejects unknown startup parameters.
    Pooler {
        sessions: u32,
        ignores: bool,
    },
}

const LONG: [Limit; 7] = [
    Limit::Role(10),
    Limit::Role(17),
    Limit::Role(24),
    Limit::Role(30),
    Limit::Pooler {
        sessions: 10,
        ignores: false,
    },
    Limit::Pooler {
        sessions: 25,
        ignores: true,
    },
    Limit::Pooler {
        sessions: 25,
        ignores: false,
    },
];
const SHORT: [Limit; 2] = [
    Limit::Role(10),
    Limit::Pooler {
        sessions: 10,
        ignores: false,
    },
];

pub async fn limits(plan: &Plan, kind: Database) -> Result {
    let all = if plan.is_long() { &LONG[..] } else { &SHORT[..] };
    let rounds = plan.count(2, 1);
    let mut found = Found::default();
    for limit in all {
        tried(plan, kind, *limit, rounds, &mut found).await;
    }
    Ok(found)
}

/// Runs all rounds with one limit, in the same world.
async fn tried(plan: &Plan, kind: Database, limit: Limit, rounds: u64, found: &mut Found) {
    let mut world = plan.world(kind).await;
    let mut pooler = None;
    let url = match limit {
        Limit::Role(connections) => {
            let (database, as_owner) = TestDatabase::with_few_connections(connections).await;
            std::mem::replace(&mut world.database, database).remove().await;
            as_owner
        }
        Limit::Pooler { sessions, ignores } => {
            let mut lines = format!("pool_mode = session\ndefault_pool_size = {sessions}\nmax_client_conn = 200");
            if ignores {
                lines.push_str("\nignore_startup_parameters = extra_float_digits,options");
            }
            let Some(started) = Pooler::start(&world.database.url, &lines) else {
                found
                    .seen
                    .push(format!("NOT RUN {limit:?}: pgbouncer is not installed"));
                world.remove().await;
                return;
            };
            let url = started.in_url(&world.database.url);
            pooler = Some(started);
            url
        }
    };
    let world = Arc::new(world.with("DATABASE_URL", url));
    let address = World::address();
    let (program, _) = world.started(&plan.binary, address, &[]).await;
    let (mut memory, mut slowest, db) = (Memory::default(), Duration::ZERO, world.look().await);
    for round in 0..rounds {
        let traffic = Traffic {
            pause: Duration::from_millis(5),
            ..Traffic::new(format!("connections{round}"), vec![address])
        };
        let load = Load::start(&world, &traffic);
        load.until(50).await;
        let lock = store::begin(&db).await.unwrap();
        lock.execute_unprepared("LOCK TABLE webhook_events IN ACCESS EXCLUSIVE MODE")
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_secs(if plan.is_long() { 9 } else { 4 })).await;
        lock.rollback().await.unwrap();
        let released = Instant::now();
        load.until(50).await;
        memory.add(load.end().await);
        found.n += 1;
        while status(&world, address).await != "ready" && released.elapsed() < EMPTY_WITHIN {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        slowest = slowest.max(released.elapsed());
        if released.elapsed() >= EMPTY_WITHIN {
            let violation = format!("I9 {limit:?}: the spool is not empty 60 s after the table was unlocked");
            found.violations.push(violation);
            break;
        }
    }
    db.close().await.unwrap();
    program.stop().await;
    found.violations.extend(judged(&world, plan, &memory).await);
    found.seen.push(format!(
        "{limit:?}: {}; {} by way of the spool; empty {:.1} s after the release at most",
        told(&memory, &world),
        memory.spooled,
        slowest.as_secs_f64()
    ));
    drop(pooler);
    Arc::into_inner(world).unwrap().remove().await;
}

async fn status(world: &World, address: std::net::SocketAddr) -> String {
    let asked = world.client.get(format!("http://{address}/health/ready")).send().await;
    let report = match asked {
        Ok(answer) => answer.json::<Value>().await.unwrap_or_default(),
        Err(_) => Value::Null,
    };
    report["status"].as_str().unwrap_or_default().to_owned()
}
