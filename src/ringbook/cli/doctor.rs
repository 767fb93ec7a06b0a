//! `ringbook doctor`: checks the installation that the settings describe. The command prints one line for each finding,
//! with advice, and then the recommended configuration at Vapi. The command fails if something does not work.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use super::print;
use crate::doctor::assistant::RecommendedAssistant;
use crate::doctor::vapi::{best_server, server_url};
use crate::doctor::{self, Finding, Level};
use crate::settings::Settings;
use base::clock::Clock;
use intake::auth::access::DEFAULT_RULEBOOK;

/// The options of the check.
#[derive(Debug, clap::Args)]
pub struct Doctor {
    /// Also query a running server at this URL; the default scheme is http
    #[arg(long, value_parser = super::server_address)]
    url: Option<String>,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the checks and prints the findings.
pub async fn doctor(settings: &Settings, how: &Doctor) -> Result<ExitCode> {
    let report = doctor::examine(settings, how.url.as_deref(), &Clock::system()).await;
    let found = report.findings;
    let worst = found.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok);
    let public = settings.public_url.as_deref().unwrap_or("https://YOUR-HOST");
    let server = best_server(&server_url(public, DEFAULT_RULEBOOK));
    print(&if how.json {
        let all =
            json!({"result": worst, "findings": found, "vapi_server": server, "vapi_assistants": report.assistants});
        serde_json::to_string_pretty(&all)?
    } else {
        let mut parts = vec![found.iter().map(line).collect::<Vec<_>>().join("\n")];
        parts.push(format!(
            "The `server` object for Vapi's assistants or phone numbers:\n{server:#}"
        ));
        let shown = report.assistants.iter().find(|one| one.rulebook == DEFAULT_RULEBOOK);
        parts.extend(shown.or(report.assistants.first()).map(RecommendedAssistant::text));
        if report.assistants.len() > 1 {
            parts.push("`--json` prints the assistants of all rulebooks.".to_owned());
        }
        parts.join("\n\n")
    })?;
    Ok(if worst == Level::Wrong {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn line(finding: &Finding) -> String {
    let word = match finding.level {
        Level::Ok => "ok",
        Level::Warning => "WARNING",
        Level::Wrong => "WRONG",
    };
    let told = format!("{word:<8} {}: {}", finding.check, finding.text);
    match &finding.what_to_do {
        Some(what) => format!("{told}\n         -> {what}"),
        None => told,
    }
}
