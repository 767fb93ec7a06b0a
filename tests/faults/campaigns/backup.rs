//! Makes a backup under load and restores it into another database.

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};

use super::{Found, Plan, Result, told};
use crate::{
    load::{Load, Memory, Traffic},
    oracle::{Expects, select, violations},
    support::Database,
    twilio::Mode,
    world::{MAX_WAIT, World},
};

pub const ABOUT: &str = "`ringbook backup` runs under webhooks, edits and SMS messages. `ringbook restore` restores \
    the backup into an empty database, and a server starts on it. The restored data is consistent (I2 to I8) and its \
    audit log is intact. The restore gives up the SMS messages that were unsent when the backup was made, and raises a \
    notice. The server never sends them (I11)";

pub async fn backups(plan: &Plan, kind: Database) -> Result {
    let n = plan.count(10, 1);
    let world = Arc::new(plan.world(kind).await);
    let address = World::address();
    let (program, _) = world.started(&plan.binary, address, &[]).await;
    let (mut memory, mut found, mut given_up) = (Memory::default(), Vec::new(), 0_usize);
    for round in 0..n {
        // Twilio responds slowly, so that some SMS messages wait and some are being sent when the copy is made.
        world.twilio.set(Mode::TakeSlowly(1_000));
        let traffic = Traffic {
            emergency_every: 1,
            pause: Duration::from_millis(20),
            ..Traffic::new(format!("backup{round}"), vec![address])
        };
        let load = Load::start(&world, &traffic);
        load.until(60).await;
        // The backup contains every message and edit that was answered before the backup began. It may also contain
        // messages that arrived during the backup.
        let so_far = load.so_far();
        let file = world.folder().join(format!("backup-{round}.copy"));
        let made = world
            .run(
                &plan.binary,
                &["backup", "--quiet", "--to", &file.display().to_string()],
            )
            .await;
        load.until(10).await;
        memory.add(load.end().await);
        if !made.status.success() {
            found.push(format!("the backup failed: {}", String::from_utf8_lossy(&made.stderr)));
            continue;
        }
        let (texts, wrong) = brought_back(plan, kind, &file, &so_far).await;
        given_up += texts;
        found.extend(wrong);
    }
    program.stop().await;
    let seen = vec![
        told(&memory, &world),
        format!("{given_up} unsent texts given up in all"),
    ];
    Arc::into_inner(world).unwrap().remove().await;
    Ok(Found {
        n,
        seen,
        violations: found,
    })
}

/// Restores the backup. Returns how many SMS messages were given up, and the violations in the restored database.
async fn brought_back(plan: &Plan, kind: Database, file: &Path, memory: &Memory) -> (usize, Vec<String>) {
    let world = Arc::new(plan.world(kind).await);
    let mut found = Vec::new();
    if kind == Database::Postgres {
        // The database must be empty, but the test support creates databases that already contain the schema.
        let db = world.look().await;
        let sql = "DROP SCHEMA public CASCADE; CREATE SCHEMA public";
        sea_orm::ConnectionTrait::execute_unprepared(&db, sql).await.unwrap();
        db.close().await.unwrap();
    }
    let back = world
        .run(&plan.binary, &["restore", "--quiet", &file.display().to_string()])
        .await;
    if !back.status.success() {
        // A failed restore violates no invariant, so it does not count as finding a planted defect.
        found.push(format!(
            "the backup could not be restored: {}",
            String::from_utf8_lossy(&back.stderr)
        ));
        return (0, found);
    }
    let db = world.look().await;
    let unsent = "SELECT reference FROM sms_messages WHERE error LIKE 'restored from a backup%'";
    let given_up: BTreeSet<String> = select(&db, unsent).await.into_iter().flatten().collect();
    let waiting = "SELECT reference FROM sms_messages WHERE state IN ('queued', 'sending', 'ambiguous')";
    for row in select(&db, waiting).await {
        found.push(format!("I11 an SMS message still waits after the restore: {}", row[0]));
    }
    let told = select(&db, "SELECT severity FROM notices WHERE code = 'restored'").await;
    if told.is_empty() {
        found.push("I11 no notice says that the database was restored".to_owned());
    }
    db.close().await.unwrap();
    // A server that uses the restored database must send SMS messages only about new events.
    let address = World::address();
    let (program, _) = world.started(&plan.binary, address, &[]).await;
    let traffic = Traffic {
        emergency_every: 1,
        edits: false,
        senders: 1,
        ..Traffic::new("after-restore", vec![address])
    };
    let load = Load::start(&world, &traffic);
    load.until(6).await;
    let after = load.end().await;
    let began = std::time::Instant::now();
    while world.twilio.taken().is_empty() && began.elapsed() < MAX_WAIT {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    super::settled(&world).await;
    program.stop().await;
    let db = world.look().await;
    let new = select(
        &db,
        "SELECT reference FROM sms_messages WHERE call_id LIKE 'after-restore%'",
    )
    .await;
    let new: BTreeSet<String> = new.into_iter().flatten().collect();
    db.close().await.unwrap();
    for reference in world.twilio.by_reference().keys() {
        if !new.contains(reference) {
            found.push(format!(
                "I11 an SMS message was sent again after the restore: {reference}"
            ));
        }
    }
    // Check that the restored database is consistent, and contains every message and edit that was answered before the
    // backup began.
    let mut known = memory.clone();
    known.sent.extend(after.sent);
    let expects = Expects {
        later_edits: true,
        ..Expects::default()
    };
    let all = violations(&world, &plan.binary, &known, &expects).await;
    // The fake Twilio server of this world does not know the SMS messages that the other world sent.
    found.extend(all.into_iter().filter(|violation| !violation.starts_with("I5")));
    let count = given_up.len();
    Arc::into_inner(world).unwrap().remove().await;
    (count, found)
}
