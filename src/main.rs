//! The command line's door: parse, run, and say in one line what went wrong.

use std::{io::Write as _, process::ExitCode};

use clap::Parser as _;
use ringbook::cli::{self, Cli};

#[tokio::main]
async fn main() -> ExitCode {
    match cli::run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // `{:#}` is the error with its causes on one line.
            let _ = writeln!(std::io::stderr(), "ringbook: {error:#}");
            ExitCode::FAILURE
        }
    }
}
