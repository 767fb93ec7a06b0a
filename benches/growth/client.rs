//! A keep-alive HTTP client. The benchmark sends each request after the response to the previous request.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::server::ADMIN_KEY;

/// Maximum idle time of a connection. The server's idle timeout is longer.
const IDLE: Duration = Duration::from_secs(30);

/// A connection to a server.
pub struct Client {
    address: SocketAddr,
    stream: TcpStream,
    last_use: Instant,
}

/// A response.
pub struct Response {
    pub status: u16,
    pub took: Duration,
    pub body: Vec<u8>,
}

impl Response {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            address,
            stream,
            last_use: Instant::now(),
        })
    }

    /// Sends a request and reads the whole response. Connects again if the connection was idle for longer than
    /// [`IDLE`].
    pub async fn send(&mut self, method: &str, path: &str, body: Option<&Value>) -> Result<Response> {
        if self.last_use.elapsed() > IDLE {
            *self = Self::connect(self.address).await?;
        }
        self.last_use = Instant::now();
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {ADMIN_KEY}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let began = Instant::now();
        self.stream.write_all(request.as_bytes()).await?;
        let mut buffer = Vec::with_capacity(64 * 1024);
        let head_ends = loop {
            ensure!(
                self.stream.read_buf(&mut buffer).await? > 0,
                "the server closed the connection: {path}"
            );
            if let Some(ends) = buffer.windows(4).take(4096).position(|bytes| bytes == b"\r\n\r\n") {
                break ends + 4;
            }
        };
        let head = String::from_utf8_lossy(buffer.get(..head_ends).unwrap_or_default()).to_ascii_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let Some(length) = length.and_then(|length| length.trim().parse::<usize>().ok()) else {
            bail!("the response has no length: {head}");
        };
        while buffer.len() < head_ends + length {
            ensure!(
                self.stream.read_buf(&mut buffer).await? > 0,
                "the response is incomplete: {path}"
            );
        }
        Ok(Response {
            status: status.context("the response has no status")?,
            took: began.elapsed(),
            body: buffer.split_off(head_ends),
        })
    }

    /// Sends a request that must succeed with this status, and returns the body of the response.
    pub async fn expect(&mut self, method: &str, path: &str, body: Option<&Value>, status: u16) -> Result<Value> {
        let response = self.send(method, path, body).await?;
        ensure!(
            response.status == status,
            "{method} {path}: {} instead of {status}: {}",
            response.status,
            String::from_utf8_lossy(&response.body)
        );
        Ok(response.json())
    }
}
