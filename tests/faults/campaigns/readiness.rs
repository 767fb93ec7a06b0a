//! For a moment, the primary database accepts no writes, or the proxy in front of it closes all connections. The server
//! must stay ready.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use sea_orm::{ConnectionTrait as _, DatabaseConnection};

use super::{Found, Plan, Result, database::behind_a_proxy, judged, told};
use crate::{
    load::{Load, Memory, Traffic},
    support::{Database, proxy::Fault},
    world::World,
};

pub const ABOUT: &str = "the primary closes all connections and is read-only for 1.5 s, as before the promotion of a \
    standby. In every second round, the proxy in front of the primary closes all connections instead. /health/ready \
    is requested every 20 ms and always responds 200. Each message is answered 2xx. Afterwards I1 to I8 hold";

pub async fn readiness(plan: &Plan, kind: Database) -> Result {
    let n = plan.count(20, 2);
    let (world, proxy) = behind_a_proxy(plan, kind).await;
    let address = World::address();
    let (program, _) = world.started(&plan.binary, address, &[]).await;
    let db = world.look().await;
    let name = world.database.url.rsplit('/').next().unwrap().to_owned();
    let end_connections = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND application_name = 'ringbook'"
    );
    // The server polls the head of the rulebook every two seconds, so wait until it has read the head.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (stop, asked, refused) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicU64::new(0)),
    );
    let watching = tokio::spawn({
        let (world, stop) = (Arc::clone(&world), Arc::clone(&stop));
        let (asked, refused) = (Arc::clone(&asked), Arc::clone(&refused));
        async move {
            while !stop.load(Ordering::Acquire) {
                let ready = world.is_ready(address).await;
                asked.fetch_add(1, Ordering::AcqRel);
                refused.fetch_add(u64::from(!ready), Ordering::AcqRel);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    });
    let mut memory = Memory::default();
    for round in 0..n {
        let traffic = Traffic {
            edits: false,
            pause: Duration::from_millis(10),
            ..Traffic::new(format!("readiness{round}"), vec![address])
        };
        let load = Load::start(&world, &traffic);
        load.until(20).await;
        if round.is_multiple_of(2) {
            alter(
                &db,
                &format!("ALTER DATABASE {name} SET default_transaction_read_only = on"),
            )
            .await;
            db.execute_unprepared(&end_connections).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            alter(
                &db,
                &format!("ALTER DATABASE {name} RESET default_transaction_read_only"),
            )
            .await;
        } else {
            proxy.set(Fault::ResetNew).await;
            proxy.reset_all();
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            proxy.set(Fault::None).await;
        }
        load.until(20).await;
        memory.add(load.end().await);
    }
    stop.store(true, Ordering::Release);
    watching.await.unwrap();
    db.close().await.unwrap();
    program.stop().await;
    let (asked, refused) = (asked.load(Ordering::Acquire), refused.load(Ordering::Acquire));
    let mut violations = Vec::new();
    if refused > 0 {
        violations.push(format!("I9 {refused} of {asked} readiness checks were not 200"));
    }
    let unanswered = memory.sent.len() - memory.answered().count() - usize::try_from(memory.unrecorded).unwrap();
    if unanswered > 0 {
        violations.push(format!("I9 {unanswered} messages got no 2xx response"));
    }
    violations.extend(judged(&world, plan, &memory).await);
    let seen = vec![
        told(&memory, &world),
        format!(
            "{refused} of {asked} readiness checks did not respond 200; {} messages went through the spool",
            memory.spooled
        ),
    ];
    drop(proxy);
    Arc::into_inner(world).unwrap().remove().await;
    Ok(Found { n, seen, violations })
}

/// Executes a statement even if the connection is read-only by default.
async fn alter(db: &DatabaseConnection, sql: &str) {
    let tx = store::begin(db).await.unwrap();
    tx.execute_unprepared("SET TRANSACTION READ WRITE").await.unwrap();
    tx.execute_unprepared(sql).await.unwrap();
    tx.commit().await.unwrap();
}
