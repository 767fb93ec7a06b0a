//! The campaigns, in the order in which they run. A campaign injects faults into a build of the program on one
//! database.

mod apart;
mod backup;
mod connections;
mod database;
mod defects;
mod disk;
mod door;
mod fairness;
mod instances;
mod kill;
mod neighbours;
mod power;
mod readiness;
mod repeats;
mod steps;
mod strangers;
mod texts;

use std::{
    collections::BTreeSet,
    panic::AssertUnwindSafe,
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;

use crate::{
    load::Memory,
    oracle::{Expects, missing, select, violations},
    report::Outcome,
    support::{Database, postgres_is_tested},
    world::{Scale, World},
};

/// The findings of a campaign, or the reason why it could not run.
pub type Result = std::result::Result<Found, String>;

#[derive(Default)]
pub struct Found {
    /// How often the fault was injected.
    pub n: u64,
    pub seen: Vec<String>,
    pub violations: Vec<String>,
}

/// The settings of a campaign's run.
#[derive(Clone)]
pub struct Plan {
    /// The build to run.
    pub binary: PathBuf,
    /// The build with fault points, if there is one.
    pub breaking: Option<PathBuf>,
    /// The build with planted defects, if there is one.
    defective: Option<PathBuf>,
    /// Additional environment variables of the programs that the campaign starts.
    pub env: Vec<(String, String)>,
    long: bool,
    divide: u64,
}

impl Plan {
    fn of(scale: &Scale) -> Self {
        Self {
            binary: scale.binary.clone(),
            breaking: scale.breaking.clone(),
            defective: scale.defective.clone(),
            env: Vec::new(),
            long: scale.long,
            divide: scale.count(1_000_000, 1_000_000),
        }
    }

    /// Returns the number of repetitions: `long` times the scale of the run in the long version, `short` in the short
    /// version.
    pub fn count(&self, long: u64, short: u64) -> u64 {
        if self.long {
            (long * self.divide / 1_000_000).max(1)
        } else {
            short
        }
    }

    pub fn is_long(&self) -> bool {
        self.long
    }

    /// Returns a short plan that runs `binary` with this planted defect enabled.
    pub fn with_defect(&self, binary: PathBuf, name: &str) -> Self {
        Self {
            // This build also has the fault points.
            breaking: Some(binary.clone()),
            binary,
            env: vec![("RINGBOOK_PLANTED_DEFECT".to_owned(), name.to_owned())],
            long: false,
            ..self.clone()
        }
    }

    /// Builds a world whose programs get this plan's environment variables.
    pub async fn world(&self, kind: Database) -> World {
        let mut world = World::new(kind).await;
        world.env.clone_from(&self.env);
        world
    }

    /// Returns the path of the build with fault points.
    pub fn breaking(&self) -> std::result::Result<PathBuf, String> {
        let why = "this campaign needs a build with the feature `faults`; `make faults` creates it";
        self.breaking.clone().ok_or_else(|| why.to_owned())
    }

    /// Returns the path of the build with planted defects.
    pub fn with_defects(&self) -> std::result::Result<PathBuf, String> {
        let why = "all patches apply, but the build with the planted defects is missing; `make faults` creates it";
        self.defective.clone().ok_or_else(|| why.to_owned())
    }
}

type Work = for<'a> fn(&'a Plan, Database) -> Pin<Box<dyn Future<Output = Result> + 'a>>;

pub struct Campaign {
    name: &'static str,
    about: &'static str,
    unit: &'static str,
    on: Database,
    work: Work,
}

impl Campaign {
    pub fn name(&self) -> &'static str {
        self.name
    }

    pub fn about(&self) -> &'static str {
        self.about
    }

    pub fn on(&self) -> &'static str {
        match self.on {
            _ if self.name == "defects" => "both",
            Database::Sqlite => "SQLite",
            Database::Postgres => "PostgreSQL",
        }
    }

    pub async fn run(&self, scale: &Scale) -> Outcome {
        let (began, load) = (Instant::now(), crate::report::machine_load());
        let ran = if self.on == Database::Postgres && !postgres_is_tested() {
            Err("there is no PostgreSQL".to_owned())
        } else {
            let work = AssertUnwindSafe((self.work)(&Plan::of(scale), self.on))
                .catch_unwind()
                .await;
            // A campaign that panics loses its counts, but the other campaigns still run.
            work.unwrap_or_else(|panic| {
                let why = panic.downcast_ref::<String>().map(String::as_str);
                let why = why
                    .or_else(|| panic.downcast_ref::<&str>().copied())
                    .unwrap_or_default();
                Ok(Found {
                    violations: vec![format!("the campaign stopped with a panic: {why}")],
                    ..Found::default()
                })
            })
        };
        let (found, not_run) = match ran {
            Ok(found) => (found, None),
            Err(why) => (Found::default(), Some(why)),
        };
        Outcome {
            name: self.name.to_owned(),
            on: self.on().to_owned(),
            n: found.n,
            unit: self.unit.to_owned(),
            seen: found.seen,
            violations: found.violations,
            not_run,
            took_s: began.elapsed().as_secs(),
            load,
            of: scale.of.clone(),
        }
    }
}

/// Returns all campaigns. The short version includes only quick campaigns that need no special build. Its campaign
/// `defects` only checks that the patches apply.
pub fn all(scale: &Scale) -> Vec<Campaign> {
    const BOTH: &[Database] = &[Database::Sqlite, Database::Postgres];
    const SQLITE: &[Database] = &[Database::Sqlite];
    const POSTGRES: &[Database] = &[Database::Postgres];
    const NONE: &[Database] = &[];
    let mut all = Vec::new();
    let mut add = |short: &[Database], name, unit, long: &[Database], about, work: Work| {
        for on in if scale.long { long } else { short }.iter().copied() {
            all.push(Campaign {
                name,
                about,
                unit,
                on,
                work,
            });
        }
    };
    add(SQLITE, "kill", "kills", BOTH, kill::ABOUT, |plan, on| {
        Box::pin(kill::kills(plan, on))
    });
    add(SQLITE, "power", "power losses", SQLITE, power::ABOUT, |plan, on| {
        Box::pin(power::losses(plan, on))
    });
    add(POSTGRES, "repeats", "messages", BOTH, repeats::ABOUT, |plan, on| {
        Box::pin(repeats::repeats(plan, on))
    });
    add(SQLITE, "strangers", "messages", SQLITE, strangers::ABOUT, |plan, on| {
        Box::pin(strangers::strangers(plan, on))
    });
    add(SQLITE, "half_heads", "connections", BOTH, door::HEADS, |plan, on| {
        Box::pin(door::heads(plan, on))
    });
    add(SQLITE, "half_bodies", "connections", BOTH, door::BODIES, |plan, on| {
        Box::pin(door::bodies(plan, on))
    });
    add(NONE, "edits", "edits", BOTH, strangers::EDITS, |plan, on| {
        Box::pin(strangers::edits(plan, on))
    });
    add(NONE, "secrets", "errors", BOTH, strangers::SECRETS, |plan, on| {
        Box::pin(strangers::secrets(plan, on))
    });
    add(POSTGRES, "database", "faults", POSTGRES, database::ABOUT, |plan, on| {
        Box::pin(database::faults(plan, on))
    });
    add(
        NONE,
        "connections",
        "locks",
        POSTGRES,
        connections::ABOUT,
        |plan, on| Box::pin(connections::limits(plan, on)),
    );
    add(NONE, "readiness", "faults", POSTGRES, readiness::ABOUT, |plan, on| {
        Box::pin(readiness::readiness(plan, on))
    });
    add(NONE, "fairness", "P1s", BOTH, fairness::ABOUT, |plan, on| {
        Box::pin(fairness::flood(plan, on))
    });
    add(NONE, "hangups", "clients", POSTGRES, database::HANG_UPS, |plan, on| {
        Box::pin(database::hang_ups(plan, on))
    });
    add(NONE, "texts", "faults", BOTH, texts::ABOUT, |plan, on| {
        Box::pin(texts::faults(plan, on))
    });
    add(NONE, "steps", "cuts", BOTH, steps::ABOUT, |plan, on| {
        Box::pin(steps::steps(plan, on))
    });
    add(NONE, "apart", "messages", POSTGRES, apart::ABOUT, |plan, on| {
        Box::pin(apart::apart(plan, on))
    });
    add(NONE, "instances", "rounds", POSTGRES, instances::ABOUT, |plan, on| {
        Box::pin(instances::instances(plan, on))
    });
    add(NONE, "busy", "decisions", BOTH, neighbours::BUSY, |plan, on| {
        Box::pin(neighbours::busy(plan, on))
    });
    add(
        NONE,
        "neighbours",
        "messages",
        BOTH,
        neighbours::NEIGHBOURS,
        |plan, on| Box::pin(neighbours::neighbours(plan, on)),
    );
    add(NONE, "disk", "times full", SQLITE, disk::ABOUT, |plan, on| {
        Box::pin(disk::full(plan, on))
    });
    add(NONE, "backup", "backups", BOTH, backup::ABOUT, |plan, on| {
        Box::pin(backup::backups(plan, on))
    });
    add(SQLITE, "defects", "defects", SQLITE, defects::ABOUT, |plan, _| {
        Box::pin(defects::defects(plan))
    });
    all
}

/// Waits at most four minutes until no SMS message is `queued`, `sending` or `ambiguous`. Returns the references of all
/// SMS messages at that time.
pub async fn settled(world: &World) -> BTreeSet<String> {
    let (db, began) = (world.look().await, Instant::now());
    // A planted defect may keep messages in these states forever, so the wait is shorter. The oracle reports such
    // messages.
    let planted = world.env.iter().any(|(name, _)| name == "RINGBOOK_PLANTED_DEFECT");
    let patience = Duration::from_secs(if planted { 30 } else { 240 });
    let all = loop {
        let texts = select(&db, "SELECT reference, state FROM sms_messages").await;
        let is_on_its_way = |text: &Vec<String>| ["queued", "sending", "ambiguous"].contains(&text[1].as_str());
        if !texts.iter().any(is_on_its_way) || began.elapsed() > patience {
            break texts;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    db.close().await.unwrap();
    all.into_iter().map(|mut text| text.swap_remove(0)).collect()
}

/// Waits until every answered message is recorded, because messages from an outage are still in the spool. Gives up if
/// no further message is recorded within `patience`.
pub async fn recorded(world: &World, plan: &Plan, memory: &Memory) {
    // A planted defect can lose messages forever, so the wait is short then.
    let patience = Duration::from_secs(if plan.env.is_empty() { 90 } else { 5 });
    let db = world.look().await;
    let (mut fewest, mut progress) = (usize::MAX, Instant::now());
    loop {
        let left = missing(&db, memory).await;
        if left < fewest {
            (fewest, progress) = (left, Instant::now());
        }
        if left == 0 || progress.elapsed() > patience {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    db.close().await.unwrap();
}

/// Ends a campaign: runs a program without faults until every answered message is recorded, then runs the oracle.
pub async fn judged(world: &Arc<World>, plan: &Plan, memory: &Memory) -> Vec<String> {
    at_the_end(world, plan, memory, None).await
}

/// Does the same as [`judged`], but waits until every SMS message has reached a final state. If `once` is set, Twilio
/// must have accepted each message at most once.
pub async fn judged_when_settled(world: &Arc<World>, plan: &Plan, memory: &Memory, once: bool) -> Vec<String> {
    at_the_end(world, plan, memory, Some(once)).await
}

async fn at_the_end(world: &Arc<World>, plan: &Plan, memory: &Memory, settle: Option<bool>) -> Vec<String> {
    let (program, _) = world.started(&plan.binary, World::address(), &[]).await;
    recorded(world, plan, memory).await;
    let expects = match settle {
        None => Expects::default(),
        Some(once) => Expects {
            settled: settled(world).await,
            once,
            ..Expects::default()
        },
    };
    let mut found = Vec::new();
    if !program.stop().await {
        found.push("I10 the program did not shut down cleanly".to_owned());
    }
    found.extend(violations(world, &plan.binary, memory, &expects).await);
    found
}

/// Summarizes the load for the report.
pub fn told(memory: &Memory, world: &World) -> String {
    let answered = memory.answered().count();
    let edits = memory.edits.iter().filter(|edit| edit.version.is_some()).count();
    format!(
        "{} messages, {} of them answered 2xx, {} edits accepted, {} SMS messages accepted by the stand-in",
        crate::report::grouped(memory.sent.len() as u64),
        crate::report::grouped(answered as u64),
        crate::report::grouped(edits as u64),
        crate::report::grouped(world.twilio.taken().len() as u64)
    )
}
