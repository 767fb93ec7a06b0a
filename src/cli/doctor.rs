//! `ringbook doctor`: checks a set-up. In: the settings. Out: a line per finding with what to do about it; fails when
//! something does not work.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use super::print;
use crate::clock::Clock;
use crate::doctor::vapi::{best_server, server_url};
use crate::doctor::{self, Finding, Level};
use crate::settings::Settings;
use crate::webhook::access::DEFAULT_RULEBOOK;

/// How the findings are told.
#[derive(Debug, clap::Args)]
pub struct Doctor {
    /// Also ask a running server at this address what it says of itself; without a scheme it is http
    #[arg(long, value_parser = super::server_address)]
    url: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Looks, and prints what was found.
pub async fn doctor(settings: &Settings, how: &Doctor) -> Result<ExitCode> {
    let found = doctor::examine(settings, how.url.as_deref(), &Clock::system()).await;
    let worst = found.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok);
    let public = settings.public_url.as_deref().unwrap_or("https://YOUR-HOST");
    let server = best_server(&server_url(public, DEFAULT_RULEBOOK));
    print(&if how.json {
        serde_json::to_string_pretty(&json!({"result": worst, "findings": found, "vapi_server": server}))?
    } else {
        let lines: Vec<String> = found.iter().map(line).collect();
        let server = serde_json::to_string_pretty(&server)?;
        format!(
            "{}\n\nThe `server` to give Vapi's assistants or phone numbers:\n{server}",
            lines.join("\n")
        )
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
