//! Fills the disk of a SQLite database, and frees the space again.

use std::{
    path::PathBuf,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use sea_orm::{ConnectOptions, ConnectionTrait as _, DatabaseConnection};

use super::{Found, Plan, Result, judged, told};
use crate::{
    load::{Load, Memory, Traffic},
    support::Database,
    world::{MAX_WAIT, World},
};

pub const ABOUT: &str = "database, spool and log are on a small file system in memory. Under webhooks and edits, it \
    is filled to its last byte until five messages were not recorded as usual, and then emptied. Meanwhile a reader \
    makes SQLite's write-ahead log grow. Every message with a 2xx response is stored, except prices for waiting \
    callers, whose responses are marked as unrecorded. Afterwards the server recovers without help, and I1 to I8 \
    hold";

/// Number of messages that must fail, be spooled or stay unrecorded before the disk is emptied.
const AFFECTED_MESSAGES: u64 = 5;

/// A mount point of a small file system, which is unmounted on drop.
struct Small(PathBuf);

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

pub async fn full(plan: &Plan, kind: Database) -> Result {
    let n = plan.count(20, 2);
    let world = plan.world(kind).await;
    let folder = world.folder().join("small");
    std::fs::create_dir(&folder).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=192m", "tmpfs"])
        .arg(&folder)
        .output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        return Err("only root can mount a small file system".to_owned());
    }
    let small = Small(folder.clone());
    let url = format!("sqlite://{}/ringbook.db", folder.display());
    let mut world = world.with("DATABASE_URL", url.clone());
    world.database.url = url;
    world.logs_in = Some(folder.clone());
    let world = Arc::new(world);
    let address = World::address();
    let (program, _) = world.started(&plan.binary, address, &[]).await;
    let (mut memory, mut violations, mut longest) = (Memory::default(), Vec::new(), Duration::ZERO);
    for round in 0..n {
        let traffic = Traffic {
            pause: Duration::from_millis(10),
            ..Traffic::new(format!("disk{round}"), vec![address])
        };
        let load = Load::start(&world, &traffic);
        load.until(20).await;
        let ballast = folder.join("ballast");
        let reader = reader(&world).await;
        fill(&ballast);
        let began = Instant::now();
        while affected(&load.so_far()) < AFFECTED_MESSAGES && began.elapsed() < MAX_WAIT {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if affected(&load.so_far()) < AFFECTED_MESSAGES {
            violations.push(format!("I10 the full disk affected too few messages in round {round}"));
        }
        std::fs::remove_file(&ballast).unwrap();
        reader.close().await.unwrap();
        let emptied = Instant::now();
        load.until(20).await;
        longest = longest.max(emptied.elapsed());
        memory.add(load.end().await);
    }
    program.stop().await;
    violations.extend(judged(&world, plan, &memory).await);
    let seen = vec![
        told(&memory, &world),
        format!(
            "{} answered 503, {} kept in the spool, {} prices answered and recorded nowhere; 20 messages answered at most {} ms after \
             there was room again",
            memory.errors.len(),
            memory.spooled,
            memory.unrecorded,
            longest.as_millis()
        ),
    ];
    drop(small);
    Arc::into_inner(world).unwrap().remove().await;
    Ok(Found { n, seen, violations })
}

/// Returns the number of messages that were spooled, not recorded, or answered with an error.
fn affected(memory: &Memory) -> u64 {
    memory.errors.len() as u64 + memory.spooled + memory.unrecorded
}

/// Opens a read transaction and keeps it open, so that SQLite's log must grow instead of being overwritten.
async fn reader(world: &World) -> DatabaseConnection {
    let mut options = ConnectOptions::new(world.database.url.clone());
    options.max_connections(1).sqlx_logging(false);
    let db = sea_orm::Database::connect(options).await.unwrap();
    db.execute_unprepared("BEGIN").await.unwrap();
    db.execute_unprepared("SELECT count(*) FROM calls").await.unwrap();
    db
}

/// Fills all free space.
fn fill(ballast: &std::path::Path) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(ballast).unwrap();
    let mut size = 1 << 20;
    while size > 0 {
        if file.write_all(&vec![0; size]).is_err() {
            size /= 2;
        }
    }
}
