//! Starts the peer, a server in Node (benches/peer). `scripts/bench.sh` installs the peer's packages if Node is
//! installed.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::server::{SECRET, Server};

const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peer");

/// Returns whether the peer can run.
pub fn is_installed() -> bool {
    Path::new(PEER).join("node_modules/pg").is_dir()
}

/// Starts the peer with this number of processes, and waits until it is ready.
pub async fn start(database_url: &str, processes: u8) -> Result<Server> {
    let mut command = Command::new("node");
    command
        .arg(Path::new(PEER).join("server.mjs"))
        .env("DATABASE_URL", database_url)
        .env("SECRET", SECRET)
        .env("WORKERS", processes.to_string());
    Server::start(command, |command, address| {
        command.env("PORT", address.port().to_string());
    })
    .await
}
