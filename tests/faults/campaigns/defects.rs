//! Each planted defect has a campaign that must find it. A campaign that does not find its defect proves nothing.
//!
//! The defects are patches in `tests/faults/defects`. `scripts/build_with_defects.sh` builds a copy of the source with
//! all of them, and an environment variable selects the active one.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    pin::Pin,
    process::Command,
};

use super::{Found, Plan, Result, apart, backup, instances, kill, power, repeats, strangers, texts};
use crate::oracle::{NOBODY_TEXTED, NOT_SETTLED};
use crate::support::Database::{Postgres, Sqlite};

pub const ABOUT: &str = "each planted defect is turned on in a separate run of the campaign that must find it. It is \
    a violation if the campaign does not find the defect, or if the defect's patch no longer applies to the source";

/// The patch on which all others depend.
const SWITCH: &str = "0_switch";

/// Maximum number of short runs in which a campaign must find a defect.
const CHANCES: u32 = 6;

type Hunt = for<'a> fn(&'a Plan) -> Pin<Box<dyn Future<Output = Result> + 'a>>;

/// A defect that somebody could introduce.
struct Defect {
    /// The name of its patch. The patch describes the defect.
    name: &'static str,
    /// The invariants that the defect breaks. A violation of another invariant does not prove that the campaign found
    /// the defect.
    breaks: &'static [&'static str],
    /// The campaign that must find the defect.
    by: &'static str,
    hunt: Hunt,
}

const fn defect(name: &'static str, breaks: &'static [&'static str], by: &'static str, hunt: Hunt) -> Defect {
    Defect { name, breaks, by, hunt }
}

const ALL: &[Defect] = &[
    defect("acknowledge_before_commit", &["I1", "I3"], "kill", |plan| {
        Box::pin(kill::kills(plan, Postgres))
    }),
    defect("batch_loses_one", &["I1", "I2"], "repeats", |plan| {
        Box::pin(repeats::repeats(plan, Sqlite))
    }),
    defect("outbox_outside_the_transaction", &["I1", "I3"], "kill", |plan| {
        Box::pin(kill::kills(plan, Postgres))
    }),
    defect("insert_twice_on_conflict", &["I2"], "repeats", |plan| {
        Box::pin(repeats::repeats(plan, Sqlite))
    }),
    defect("stale_rulebook", &["I7"], "apart", |plan| {
        Box::pin(apart::apart(plan, Postgres))
    }),
    defect("no_signature_check", &["I1"], "strangers", |plan| {
        Box::pin(strangers::strangers(plan, Sqlite))
    }),
    defect("half_a_signature", &["I1"], "strangers", |plan| {
        Box::pin(strangers::strangers(plan, Sqlite))
    }),
    defect("no_fence", &["I5"], "instances", |plan| {
        Box::pin(instances::instances(plan, Postgres))
    }),
    defect("resend_when_ambiguous", &["I5"], "texts", |plan| {
        Box::pin(texts::faults(plan, Sqlite))
    }),
    defect("no_if_match", &["I7"], "edits", |plan| {
        Box::pin(strangers::edits(plan, Sqlite))
    }),
    // A program that is killed often seldom accepts an edit, so this defect needs a campaign whose program keeps
    // running.
    defect("audit_gap", &["I3", "I6"], "backup", |plan| {
        Box::pin(backup::backups(plan, Sqlite))
    }),
    defect("synchronous_normal", &["I1"], "power", |plan| {
        Box::pin(power::losses(plan, Sqlite))
    }),
    defect("caller_in_the_log", &["I8"], "secrets", |plan| {
        Box::pin(strangers::secrets(plan, Sqlite))
    }),
    defect("restored_texts_go_out", &["I11"], "backup", |plan| {
        Box::pin(backup::backups(plan, Sqlite))
    }),
];

fn invariant(violation: &str) -> &str {
    violation.split(' ').next().unwrap_or_default()
}

pub async fn defects(plan: &Plan) -> Result {
    let mut found = Found {
        violations: unfit()?,
        ..Found::default()
    };
    let binary = match plan.with_defects() {
        // Without a build that contains the defects, still report the patches that cannot be used.
        Err(_) if !found.violations.is_empty() => return Ok(found),
        binary => binary?,
    };
    let only = only();
    if let Some(name) = only
        .as_ref()
        .filter(|name| ALL.iter().all(|defect| defect.name != *name))
    {
        return Err(format!("there is no defect `{name}`"));
    }
    for defect in ALL
        .iter()
        .filter(|defect| only.as_ref().is_none_or(|name| name == defect.name))
    {
        let Defect { name, by, .. } = defect;
        let hunted = plan.with_defect(binary.clone(), name);
        // An SMS message that still waits proves nothing, because the timeouts are short here.
        let waits = |violation: &str| violation.starts_with(NOT_SETTLED) || violation.starts_with(NOBODY_TEXTED);
        let caught = |violation: &String| defect.breaks.contains(&invariant(violation)) && !waits(violation);
        let mut outcome = (defect.hunt)(&hunted).await;
        // A short run does not always hit the moment at which the defect shows.
        for _ in 1..CHANCES {
            if outcome
                .as_ref()
                .is_ok_and(|found| !found.violations.iter().any(&caught))
            {
                outcome = (defect.hunt)(&hunted).await;
            }
        }
        found.n += 1;
        match outcome {
            Err(why) => found.violations.push(format!("no campaign ran with {name}: {why}")),
            Ok(hunted) => match hunted.violations.iter().find(|violation| caught(violation)) {
                None => found.violations.push(format!(
                    "{name} was not found by {by}, which reported: {}",
                    hunted.violations.first().map_or("nothing", String::as_str)
                )),
                Some(first) => {
                    let told: String = first.chars().take(60).collect();
                    println!("         {name} found by {by}: {told}");
                    found.seen.push(format!("`{name}` by {by} ({})", invariant(first)));
                }
            },
        }
    }
    Ok(found)
}

/// Returns what is wrong with the patches: no campaign looks for a patch, a patch is missing, or a patch no longer
/// applies.
fn unfit() -> std::result::Result<Vec<String>, String> {
    let mut patches: Vec<PathBuf> = std::fs::read_dir(root().join("tests/faults/defects"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    patches.sort();
    let name = |patch: &PathBuf| patch.file_stem().unwrap().to_str().unwrap().to_owned();
    let there: BTreeSet<String> = patches.iter().map(name).collect();
    let listed: BTreeSet<String> = ALL.iter().map(|defect| defect.name.to_owned()).collect();
    let known = &listed | &BTreeSet::from([SWITCH.to_owned()]);
    let unlisted = there
        .difference(&known)
        .map(|name| format!("no campaign looks for {name}"));
    let missing = known.difference(&there).map(|name| format!("there is no patch {name}"));
    let mut wrong: Vec<String> = unlisted.chain(missing).collect();
    for patch in &patches {
        let why = refused(std::slice::from_ref(patch))?;
        wrong.extend(why.map(|why| format!("{} no longer applies to the source: {why}", name(patch))));
    }
    if wrong.is_empty() {
        let why = refused(&patches)?;
        wrong.extend(why.map(|why| format!("the patches do not apply together: {why}")));
    }
    Ok(wrong)
}

/// Checks whether these patches, one after the other, apply to the current source. Returns why they do not apply, or
/// `None` if all of them apply. Fails if git is not installed.
fn refused(patches: &[PathBuf]) -> std::result::Result<Option<String>, String> {
    let output = Command::new("git")
        .args(["apply", "--check"])
        .args(patches)
        .current_dir(root())
        // In a subfolder of a larger repository, git would skip all files of the patch.
        .env("GIT_CEILING_DIRECTORIES", root().parent().unwrap())
        .output()
        .map_err(|error| format!("git cannot be started: {error}"))?;
    let told = String::from_utf8_lossy(&output.stderr);
    Ok((!output.status.success()).then(|| told.trim().replace('\n', "; ")))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the defect that RINGBOOK_FAULTS_DEFECT names, or `None` if all defects are to run.
#[expect(clippy::disallowed_methods, reason = "tests read their own environment variables")]
fn only() -> Option<String> {
    std::env::var("RINGBOOK_FAULTS_DEFECT").ok()
}
