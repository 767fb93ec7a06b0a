//! Attackers keep connections open, on which they send half of a request head, or a body without its last byte. At the
//! same time, other clients at the same address send whole messages. Every second, an emergency causes an SMS message.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{Found, Plan, Result, judged_when_settled, told};
use crate::load::{Memory, send};
use crate::report::grouped;
use crate::support::{
    Database,
    messages::{report, status},
};
use crate::world::{Program, World};

pub const HEADS: &str = "1,200 connections from one address send half of a request head, stay open, and reconnect \
    whenever they are closed. The program may open 1,024 files. Other clients at the same address get responses (99 \
    % within 100 ms), and a P1's SMS message is sent within 2 s. In the end the attackers' connections are closed, \
    and no file descriptor is lost";
pub const BODIES: &str = "400 connections send a body of 5 MB without its last byte, so that its signature cannot be \
    checked, and reconnect whenever they are closed. The program may use 2 GiB of address space. The results are \
    those of `half_heads`, and the program never uses more than 512 MiB of memory";

/// Maximum number of files that the program may open.
const DESCRIPTORS: u64 = 1_024;
/// Maximum address space of the program in bytes. A program that exceeds it ends.
const ADDRESSES: u64 = 2 << 30;
/// Maximum memory of the program in KiB.
const MOST_MEMORY_KIB: u64 = 512 << 10;
/// Size of a body in bytes. It is larger than the memory that each connection has for a body.
const BODY: usize = 5_000_000;

#[derive(Clone, Copy)]
enum Attack {
    Heads,
    Bodies,
}

pub async fn heads(plan: &Plan, kind: Database) -> Result {
    held(plan, kind, Attack::Heads).await
}

pub async fn bodies(plan: &Plan, kind: Database) -> Result {
    held(plan, kind, Attack::Bodies).await
}

async fn held(plan: &Plan, kind: Database, attack: Attack) -> Result {
    let seconds = plan.count(30, 5);
    let attackers = match attack {
        Attack::Heads => plan.count(1_200, 900),
        Attack::Bodies => plan.count(400, 100),
    };
    // This process opens many sockets, because it acts as all attackers.
    web::descriptors::raise_limit();
    let world = Arc::new(plan.world(kind).await);
    let address = World::address();
    let mut program = world.start(&plan.binary, address, &[]);
    program.limit(DESCRIPTORS, ADDRESSES);
    let began = Instant::now();
    while !world.is_ready(address).await {
        assert!(
            program.runs() && began.elapsed() < crate::world::MAX_WAIT,
            "the program never becomes ready"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (stop, opened) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut strangers = JoinSet::new();
    for _ in 0..attackers {
        let (stop, opened) = (Arc::clone(&stop), Arc::clone(&opened));
        let now = world.clock.now().timestamp();
        strangers.spawn(async move {
            while !stop.load(Ordering::Acquire) {
                if hold(address, attack, now).await {
                    opened.fetch_add(1, Ordering::AcqRel);
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
    }
    let memory = Arc::new(Mutex::new(Memory::default()));
    let neighbours = neighbours(&world, address, &memory, Duration::from_secs(seconds));
    let texted = texted(&world, address, &memory, Duration::from_secs(seconds));
    let (mut answers, texts) = tokio::join!(neighbours, texted);
    let mut violations = Vec::new();
    let used_kib = program.peak_memory_kib();
    stop.store(true, Ordering::Release);
    // The attackers do not reconnect any more, so all connections must end.
    let ended = async { while strangers.join_next().await.is_some() {} };
    if tokio::time::timeout(Duration::from_secs(20), ended).await.is_err() {
        violations.push(format!(
            "I10 {} of the attackers' connections never end",
            strangers.len()
        ));
    }
    let descriptors = program.descriptors();
    if !program.runs() {
        violations.push("I10 the program ended".to_owned());
    } else if !program.stop().await {
        violations.push("I10 the program did not shut down cleanly".to_owned());
    }
    answers.sort_unstable();
    let p99 = answers.get(answers.len() * 99 / 100).copied().unwrap_or(Duration::MAX);
    let slowest_text = texts.iter().max().copied().unwrap_or(Duration::MAX);
    // An unoptimized build on a busy machine is slower, so the short version allows more time.
    let most = Duration::from_millis(if plan.is_long() { 100 } else { 1_000 });
    if p99 > most {
        violations.push(format!(
            "I9 one in a hundred messages of other clients waited for {p99:?}"
        ));
    }
    if slowest_text > Duration::from_secs(2) * if plan.is_long() { 1 } else { 3 } {
        violations.push(format!("I9 the SMS message of a P1 was sent after {slowest_text:?}"));
    }
    if used_kib > MOST_MEMORY_KIB {
        violations.push(format!("I10 the program used {} KiB of memory", grouped(used_kib)));
    }
    if descriptors > 200 {
        violations.push(format!("I10 the program still has {descriptors} open descriptors"));
    }
    let memory = memory.lock().unwrap().clone();
    let lost = memory.sent.iter().filter(|sent| sent.answer.is_none()).count();
    if lost > 0 {
        violations.push(format!(
            "I1 {lost} of {} messages of other clients were refused; {} got no response, the others {:?}",
            memory.sent.len(),
            memory.sent.iter().filter(|sent| sent.silent).count(),
            memory.errors
        ));
    }
    violations.extend(judged_when_settled(&world, plan, &memory, true).await);
    let opened = opened.load(Ordering::Acquire);
    let seen = vec![
        format!("{} connections of strangers", grouped(opened)),
        format!(
            "neighbours: 99 % within {} ms, slowest {} ms",
            p99.as_millis(),
            answers.last().copied().unwrap_or_default().as_millis()
        ),
        format!(
            "{} P1 texted, slowest after {} ms",
            texts.len(),
            slowest_text.as_millis()
        ),
        format!("{} MiB at most, {descriptors} descriptors afterwards", used_kib >> 10),
        told(&memory, &world),
    ];
    Arc::into_inner(world).unwrap().remove().await;
    Ok(Found {
        n: opened,
        seen,
        violations,
    })
}

/// Opens a connection, sends incomplete data, and keeps the connection open until the server closes it. Returns whether
/// the connection was opened.
async fn hold(address: SocketAddr, attack: Attack, now: i64) -> bool {
    let Ok(mut stream) = TcpStream::connect(address).await else {
        return false;
    };
    let sent = match attack {
        Attack::Heads => {
            stream
                .write_all(b"POST /webhooks/vapi HTTP/1.1\r\nhost: ringbook\r\nx-half: ")
                .await
        }
        Attack::Bodies => {
            let head = format!(
                "POST /webhooks/vapi HTTP/1.1\r\nhost: ringbook\r\ncontent-length: {BODY}\r\nx-signature: {}\r\nx-timestamp: {now}\r\n\r\n",
                "0".repeat(64)
            );
            match stream.write_all(head.as_bytes()).await {
                Ok(()) => {
                    let chunk = [b' '; 16 * 1024];
                    let (mut left, mut sent) = (BODY - 1, Ok(()));
                    while left > 0 && sent.is_ok() {
                        let part = left.min(chunk.len());
                        sent = stream.write_all(&chunk[..part]).await;
                        left -= part;
                    }
                    sent
                }
                broken => broken,
            }
        }
    };
    if sent.is_ok() {
        while let Ok(1..) = stream.read(&mut [0; 1024]).await {}
    }
    true
}

/// Sends messages from four clients, with a pause of 20 ms after each response. Returns how long each response took.
async fn neighbours(
    world: &Arc<World>,
    address: SocketAddr,
    memory: &Arc<Mutex<Memory>>,
    how_long: Duration,
) -> Vec<Duration> {
    let mut callers = JoinSet::new();
    for caller in 0..4 {
        let (world, memory) = (Arc::clone(world), Arc::clone(memory));
        callers.spawn(async move {
            let (began, mut took) = (Instant::now(), Vec::new());
            for number in 0.. {
                if began.elapsed() > how_long {
                    break;
                }
                let call = format!("neighbour-{caller}-{number}");
                let message = status(&call, "in-progress", 0);
                let sent = Instant::now();
                send(&world, address, &call, "status-update", &message, &memory).await;
                took.push(sent.elapsed());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            took
        });
    }
    let mut all = Vec::new();
    while let Some(took) = callers.join_next().await {
        all.extend(took.unwrap());
    }
    all
}

/// Sends reports of emergencies, with a pause of one second between them. Returns, for each report, the time until the
/// fake Twilio server had its SMS message.
async fn texted(
    world: &Arc<World>,
    address: SocketAddr,
    memory: &Arc<Mutex<Memory>>,
    how_long: Duration,
) -> Vec<Duration> {
    let (began, mut took) = (Instant::now(), Vec::new());
    for number in 0.. {
        if began.elapsed() > how_long {
            break;
        }
        let before = world.twilio.taken().len();
        let call = format!("flood-{number}");
        let sent = Instant::now();
        let message = report(&call, "Mon sous-sol est inondé.");
        send(world, address, &call, "end-of-call-report", &message, memory).await;
        while world.twilio.taken().len() == before && sent.elapsed() < Duration::from_secs(30) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        took.push(sent.elapsed());
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    took
}

impl Program {
    /// Returns the peak memory of the process.
    fn peak_memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap_or_default();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .unwrap_or_default();
        line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
    }

    /// Returns the number of open files and sockets.
    fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.id())).map_or(0, Iterator::count)
    }
}
