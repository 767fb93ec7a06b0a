//! Sends requests over several connections. Each connection sends its next request as soon as the response arrives.
//! After a warm-up, this module measures responses, durations and CPU time.
//!
//! The driver is hand-written HTTP over plain sockets on one thread, so that it takes little CPU time from the server.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep, timeout};

use super::cpu::Cpu;

/// Timeout of a request; the server never takes this long.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The requests to send, and for how long.
pub struct Load {
    pub address: SocketAddr,
    pub requests: Vec<Vec<u8>>,
    pub connections: usize,
    pub warm_up: Duration,
    pub measured: Duration,
}

/// The responses.
#[derive(Debug, Default)]
pub struct Answers {
    /// Number of responses by status, including the warm-up.
    pub statuses: BTreeMap<u16, u64>,
    /// Errors of requests without a complete response.
    pub broken: Vec<String>,
    /// The response times after the warm-up, in microseconds, sorted.
    pub took_us: Vec<u32>,
    /// Measured seconds, after the warm-up.
    pub seconds: f64,
    /// Microseconds of CPU time per response after the warm-up.
    pub cpu_us: Cpu,
    /// Whether the prepared requests ran out.
    pub exhausted: bool,
}

impl Answers {
    /// Responses per second.
    pub fn rate(&self) -> f64 {
        count(self.took_us.len()) / self.seconds
    }

    /// Returns the given percentile of the response time, in milliseconds.
    pub fn percentile(&self, percent: usize) -> f64 {
        let last = self.took_us.len().saturating_sub(1);
        let index = (self.took_us.len() * percent / 100).min(last);
        self.took_us.get(index).map_or(0.0, |us| f64::from(*us) / 1000.0)
    }
}

/// A count as `f64`.
pub fn count(items: usize) -> f64 {
    f64::from(u32::try_from(items).unwrap_or(u32::MAX))
}

#[derive(Default)]
struct Shared {
    requests: Vec<Vec<u8>>,
    next: Cell<usize>,
    measuring: Cell<bool>,
    stopped: Cell<bool>,
    answers: RefCell<Answers>,
}

/// Sends the requests. `cpu` returns the CPU time until now.
pub async fn run(load: Load, cpu: impl Fn() -> Cpu) -> Result<Answers> {
    let shared = Rc::new(Shared {
        requests: load.requests,
        ..Shared::default()
    });
    let local = LocalSet::new();
    let mut connections = JoinSet::new();
    for _ in 0..load.connections {
        connections.spawn_local_on(connection(load.address, Rc::clone(&shared)), &local);
    }
    local
        .run_until(async {
            sleep(load.warm_up).await;
            shared.measuring.set(true);
            let (began, before) = (Instant::now(), cpu());
            // The measurement ends when the time is over or the requests have run out.
            let all_done = async {
                while let Some(one) = connections.join_next().await {
                    one.context("a connection's task")??;
                }
                Ok::<_, anyhow::Error>(())
            };
            let exhausted = match timeout(load.measured, all_done).await {
                Ok(done) => done.map(|()| true)?,
                Err(_) => false,
            };
            shared.measuring.set(false);
            let (seconds, after) = (began.elapsed().as_secs_f64(), cpu());
            shared.stopped.set(true);
            while let Some(one) = connections.join_next().await {
                one.context("a connection's task")??;
            }
            let mut answers = shared.answers.take();
            answers.took_us.sort_unstable();
            answers.seconds = seconds;
            answers.cpu_us = after.each_since(before, count(answers.took_us.len()));
            answers.exhausted = exhausted;
            Ok(answers)
        })
        .await
}

/// Sends the requests of one keep-alive connection, one after another.
async fn connection(address: SocketAddr, shared: Rc<Shared>) -> Result<()> {
    let mut stream = TcpStream::connect(address).await.context("the connection failed")?;
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(8 * 1024);
    while !shared.stopped.get() {
        let index = shared.next.replace(shared.next.get() + 1);
        let Some(request) = shared.requests.get(index) else {
            break;
        };
        let began = Instant::now();
        let exchanged = timeout(REQUEST_TIMEOUT, exchange(&mut stream, request, &mut buffer)).await;
        let took = began.elapsed();
        let mut answers = shared.answers.borrow_mut();
        match exchanged.unwrap_or_else(|_| Err(anyhow::anyhow!("no response in time"))) {
            Ok(status) => {
                *answers.statuses.entry(status).or_default() += 1;
                if shared.measuring.get() {
                    answers
                        .took_us
                        .push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
                }
            }
            Err(error) => {
                answers.broken.push(format!("{error:#}"));
                break;
            }
        }
    }
    Ok(())
}

/// Sends one request, reads the whole response and returns its status.
async fn exchange(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) -> Result<u16> {
    stream.write_all(request).await?;
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        if let Some(head_ends) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let (status, length) = head(buffer.get(..head_ends).unwrap_or_default())?;
            let whole = head_ends + 4 + length;
            while buffer.len() < whole {
                if stream.read_buf(buffer).await? == 0 {
                    bail!("the server closed the connection in the middle of a response");
                }
            }
            return Ok(status);
        }
    }
}

/// Parses the status and the body length of a response.
fn head(bytes: &[u8]) -> Result<(u16, usize)> {
    let text = std::str::from_utf8(bytes)?;
    let mut lines = text.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|status| status.parse().ok());
    let length = lines.filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().ok())
            .flatten()
    });
    Ok((
        status.context("the response has no status")?,
        length.context("the response has no length")?,
    ))
}
