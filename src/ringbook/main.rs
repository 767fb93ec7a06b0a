//! The entry point: parses the command line, runs the command, and prints an error in one line.

use std::{io::Write as _, process::ExitCode};

use base::telemetry;
use clap::Parser as _;
use ringbook::{
    cli::{self, Cli},
    core_dumps,
};

/// Decisions and JSON make many small allocations, for which jemalloc is faster than the C library.
#[global_allocator]
static MEMORY: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn main() -> ExitCode {
    core_dumps::forbid();
    match cli::run(Cli::parse()).await {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "ringbook: {}", telemetry::chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}
