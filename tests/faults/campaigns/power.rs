//! Simulates a power failure: data that was written but not synced is lost. If only the program is killed, this data
//! survives.
//!
//! A small library copies the database files at each sync. After a kill, these copies replace the files. So the program
//! starts with the least data that a disk can have after a power failure. (A disk may also have some of the writes
//! after the last sync. SQLite's write-ahead log handles this case, and this campaign does not test it.)

use std::{path::Path, path::PathBuf, process::Command, sync::Arc};

use super::{Found, Plan, Result, judged, told};
use crate::{
    load::{Load, Memory, Traffic},
    support::Database,
    world::{Dice, World},
};

pub const ABOUT: &str = "the program is killed. Before it starts again, all data that was not synced to the disk is \
    removed. I1 to I8 hold at the end";

pub async fn losses(plan: &Plan, kind: Database) -> Result {
    let rounds = plan.count(50, 2);
    let mut world = plan.world(kind).await;
    let library = library(world.folder())?;
    world.env.push(("LD_PRELOAD".to_owned(), library.display().to_string()));
    let file = PathBuf::from(world.database.url.strip_prefix("sqlite://").unwrap());
    let world = Arc::new(world);
    let (address, mut dice, mut memory, mut lost) = (World::address(), Dice::new(2), Memory::default(), 0);
    for round in 0..rounds {
        let (mut program, _) = world.started(&plan.binary, address, &[]).await;
        let traffic = Traffic {
            senders: 3,
            ..Traffic::new(format!("power{round}"), vec![address])
        };
        let load = Load::start(&world, &traffic);
        load.until(5 + dice.below(30)).await;
        program.kill();
        lost += u64::from(off(&file));
        memory.add(load.end().await);
    }
    let violations = judged(&world, plan, &memory).await;
    let seen = vec![told(&memory, &world), format!("unsynced data was removed {lost} times")];
    Arc::into_inner(world).unwrap().remove().await;
    Ok(Found {
        n: rounds,
        seen,
        violations,
    })
}

/// Reduces the database files to the synced data. Returns whether this removed any data.
fn off(file: &Path) -> bool {
    let mut less = false;
    for ending in ["", "-wal"] {
        let name = |more: &str| PathBuf::from(format!("{}{ending}{more}", file.display()));
        let written = std::fs::read(name("")).unwrap_or_default();
        match std::fs::read(name(".durable")) {
            Ok(durable) => {
                less |= durable != written;
                std::fs::write(name(""), durable).unwrap();
            }
            Err(_) => {
                let _ = std::fs::remove_file(name(""));
            }
        }
    }
    let _ = std::fs::remove_file(format!("{}-shm", file.display()));
    less
}

fn library(folder: &Path) -> std::result::Result<PathBuf, String> {
    if !cfg!(target_os = "linux") {
        return Err("this campaign needs Linux".to_owned());
    }
    let library = folder.join("power_loss.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/power_loss.c");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&library)
        .arg(source)
        .arg("-ldl")
        .output();
    match compiled {
        Ok(output) if output.status.success() => Ok(library),
        Ok(output) => Err(format!("cc: {}", String::from_utf8_lossy(&output.stderr))),
        Err(_) => Err("this campaign needs a C compiler (cc)".to_owned()),
    }
}
