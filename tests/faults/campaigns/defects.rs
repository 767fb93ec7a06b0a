//! Mistakes made on purpose: each must be found by the campaign that is there for it, or that campaign proves nothing.

use store::fault_points::Defect;

use super::{Found, Plan, Result, apart, backup, instances, kill, power, repeats, strangers, texts};
use crate::support::Database;

pub const ABOUT: &str = "a build with one mistake in it, made on purpose, goes through the campaign that is there to find it. A \
    mistake that is not found is a violation here";

/// How often a campaign, in its short version, may look for a defect.
const CHANCES: u32 = 6;

/// The campaign that finds a defect: one without a campaign does not compile.
async fn hunt(plan: &Plan, defect: Defect) -> (&'static str, Result) {
    use Database::{Postgres, Sqlite};
    match defect {
        Defect::AcknowledgeBeforeCommit | Defect::OutboxOutsideTheTransaction => {
            ("kill", kill::kills(plan, Postgres).await)
        }
        Defect::AuditGap => ("kill", kill::kills(plan, Sqlite).await),
        Defect::InsertTwiceOnConflict | Defect::BatchLosesOne => ("repeats", repeats::repeats(plan, Sqlite).await),
        Defect::StaleRulebook => ("apart", apart::apart(plan, Postgres).await),
        Defect::NoFence => ("instances", instances::instances(plan, Postgres).await),
        Defect::NoSignatureCheck | Defect::HalfASignature => ("strangers", strangers::strangers(plan, Sqlite).await),
        Defect::ResendWhenAmbiguous => ("texts", texts::faults(plan, Sqlite).await),
        Defect::NoIfMatch => ("edits", strangers::edits(plan, Sqlite).await),
        Defect::SynchronousNormal => ("power", power::losses(plan, Sqlite).await),
        Defect::CallerInTheLog => ("secrets", strangers::secrets(plan, Sqlite).await),
        Defect::RestoredTextsGoOut => ("backup", backup::backups(plan, Sqlite).await),
    }
}

/// What a defect breaks: another violation does not prove that it was found.
const fn breaks(defect: Defect) -> &'static [&'static str] {
    match defect {
        Defect::AcknowledgeBeforeCommit | Defect::OutboxOutsideTheTransaction => &["I1", "I3"],
        Defect::AuditGap => &["I3", "I6"],
        Defect::InsertTwiceOnConflict => &["I2"],
        Defect::BatchLosesOne => &["I1", "I2"],
        Defect::StaleRulebook | Defect::NoIfMatch => &["I7"],
        Defect::NoFence | Defect::ResendWhenAmbiguous => &["I5"],
        Defect::NoSignatureCheck | Defect::HalfASignature | Defect::SynchronousNormal => &["I1"],
        Defect::CallerInTheLog => &["I8"],
        Defect::RestoredTextsGoOut => &["I11"],
    }
}

fn invariant(violation: &str) -> &str {
    violation.split(' ').next().unwrap_or_default()
}

pub async fn defects(plan: &Plan) -> Result {
    let binary = plan.breaking()?;
    let mut found = Found::default();
    let only = only();
    let wanted = |defect: &Defect| only.as_ref().is_none_or(|name| name == defect.name());
    for defect in Defect::ALL.iter().copied().filter(wanted) {
        let hunted = plan.with_defect(binary.clone(), defect.name());
        // That a text still waits proves nothing: the patience is short here.
        let waits = |violation: &str| violation.contains("not settled") || violation.contains("nobody was texted");
        let caught = |violation: &String| breaks(defect).contains(&invariant(violation)) && !waits(violation);
        let (campaign, mut outcome) = hunt(&hunted, defect).await;
        // A moment that must be met by chance is not always met in a short one.
        for _ in 1..CHANCES {
            if outcome
                .as_ref()
                .is_ok_and(|found| !found.violations.iter().any(&caught))
            {
                (_, outcome) = hunt(&hunted, defect).await;
            }
        }
        found.n += 1;
        match outcome {
            Err(why) => found
                .violations
                .push(format!("{} was not looked for: {why}", defect.name())),
            Ok(hunted) => match hunted.violations.iter().find(|violation| caught(violation)) {
                None => found.violations.push(format!(
                    "{} was not found by {campaign}, which told of: {}",
                    defect.name(),
                    hunted.violations.first().map_or("nothing", String::as_str)
                )),
                Some(first) => {
                    let told: String = first.chars().take(60).collect();
                    println!("         {} found by {campaign}: {told}", defect.name());
                    found
                        .seen
                        .push(format!("`{}` by {campaign} ({})", defect.name(), invariant(first)));
                }
            },
        }
    }
    Ok(found)
}

/// One defect by its name, to look at it alone.
#[expect(clippy::disallowed_methods, reason = "tests have settings of their own")]
fn only() -> Option<String> {
    std::env::var("RINGBOOK_FAULTS_DEFECT").ok()
}
