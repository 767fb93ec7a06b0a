//! The real program in its own process, which does not outlive the test.

use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
};

use base::clock::Clock;
use reqwest::RequestBuilder;
use serde_json::Value;

use super::{app::VAPI_SECRET, requests::sign};

pub struct Program(Child);

impl Program {
    /// Starts the program in `folder`, with the usual settings and the given settings.
    pub fn start(database_url: &str, address: SocketAddr, folder: &Path, settings: &[(&str, &Path)]) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_ringbook"))
            .arg("serve")
            .env_clear()
            .env("DATABASE_URL", database_url)
            .env("RINGBOOK_LISTEN", address.to_string())
            .env("RINGBOOK_VAPI_SECRET", VAPI_SECRET)
            .env("RINGBOOK_SECRET_KEY", "01".repeat(32))
            .env("RATE_LIMIT_ENABLED", "false")
            .envs(settings.iter().copied())
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// Sends SIGKILL, so the program cannot finish its work or close its files.
    pub fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Returns a free address. After a kill, the program must get the same address again.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Builds a request that sends a message to the program. The signature has the current time.
pub fn signed(client: &reqwest::Client, address: SocketAddr, message: &Value) -> RequestBuilder {
    let body = serde_json::to_vec(message).unwrap();
    let timestamp = Clock::system().now().timestamp().to_string();
    client
        .post(format!("http://{address}/webhooks/vapi"))
        .header("x-signature", sign(VAPI_SECRET, &timestamp, &body))
        .header("x-timestamp", timestamp)
        .body(body)
}
