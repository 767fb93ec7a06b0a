//! The disk under a SQLite database is full, and then it is not.

use std::{path::PathBuf, process::Command, sync::Arc, time::Duration};

use super::{Found, Plan, Result, judged, told};
use crate::{
    load::{Load, Memory, Traffic},
    oracle::Expects,
    support::Database,
    world::World,
};

pub const ABOUT: &str = "the file system of the database (a small one in memory) is filled to its last byte under webhooks and edits, \
    and emptied a second later. Nothing is answered 2xx that is not there, and the service goes on by itself; I1 to I8 hold";

/// A file system of its own, gone at the end.
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
        return Err("a small file system can be mounted by root only".to_owned());
    }
    let small = Small(folder.clone());
    let url = format!("sqlite://{}/ringbook.db", folder.display());
    let mut world = world.with("DATABASE_URL", url.clone());
    world.database.url = url;
    let world = Arc::new(world);
    let address = World::address();
    let (program, _) = world.started(&plan.binary, address, &[]).await;
    let (mut memory, mut violations) = (Memory::default(), Vec::new());
    for round in 0..n {
        let traffic = Traffic {
            pause: Duration::from_millis(10),
            ..Traffic::new(format!("disk{round}"), vec![address])
        };
        let load = Load::start(&world, &traffic);
        load.until(20).await;
        let ballast = folder.join("ballast");
        fill(&ballast);
        tokio::time::sleep(Duration::from_secs(1)).await;
        std::fs::remove_file(&ballast).unwrap();
        load.until(20).await;
        memory.add(load.end().await);
    }
    program.stop().await;
    violations.extend(judged(&world, plan, &memory, Expects::default()).await);
    let seen = vec![told(&memory, &world), format!("{} answered 503", memory.errors.len())];
    drop(small);
    Arc::into_inner(world).unwrap().remove().await;
    Ok(Found { n, seen, violations })
}

/// Takes all the room there is.
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
