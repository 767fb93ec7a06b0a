//! A TCP proxy that injects network faults between a program and its server. Its address stays the same with every
//! fault. It works with every protocol on TCP, for example in front of PostgreSQL or an HTTP server.
//!
//! Each connection checks the current fault before every chunk, so a fault applies to new and to open connections.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpSocket, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// The listen backlog.
const BACKLOG: u32 = 1024;

/// What the proxy does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// No fault: every byte goes through.
    #[default]
    None,
    /// Nobody listens: the system refuses new connections. Open connections continue.
    Refuse,
    /// New connections are accepted, but no bytes pass, and open connections stall. Nothing is lost: the bytes are
    /// forwarded afterwards.
    BlackHole,
    /// Each chunk is delayed, in both directions.
    Slow(Duration),
    /// A connection is reset after this many bytes from the server, counted from when the fault was set.
    CutAnswerAfter(u64),
    /// Requests reach the server, which executes them. The responses do not reach the client.
    SwallowAnswers,
    /// A new connection is reset immediately. Open connections continue.
    ResetNew,
}

/// The counters so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Accepted connections, including those that were reset.
    pub connections: u64,
    /// Connections that are open now.
    pub open: u64,
    /// Connections that the proxy reset.
    pub reset: u64,
    /// Bytes from clients to the server.
    pub up: u64,
    /// Bytes from the server to clients.
    pub down: u64,
    /// Bytes from the server that were not forwarded to a client.
    pub swallowed: u64,
}

/// The proxy. All connections are closed when this value is dropped.
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    server: JoinHandle<()>,
}

/// The fault, and how often a fault was set. Setting `CutAnswerAfter` again restarts its count of bytes.
type Setting = (Fault, u64);

struct State {
    target: Mutex<SocketAddr>,
    fault: watch::Sender<Setting>,
    /// The number of calls of [`Proxy::reset_all`].
    resets: watch::Sender<u64>,
    listens: watch::Sender<bool>,
    connections: AtomicU64,
    open: AtomicU64,
    reset: AtomicU64,
    up: AtomicU64,
    down: AtomicU64,
    swallowed: AtomicU64,
}

impl Proxy {
    /// Starts a proxy in front of `target`, on its own port, without a fault.
    #[expect(clippy::unused_async, reason = "the function must run in a Tokio runtime")]
    pub async fn start(target: SocketAddr) -> Self {
        let port = bound("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = port.local_addr().unwrap();
        let listener = bound(address).unwrap().listen(BACKLOG).unwrap();
        let state = Arc::new(State {
            target: Mutex::new(target),
            fault: watch::Sender::new((Fault::None, 0)),
            resets: watch::Sender::new(0),
            listens: watch::Sender::new(true),
            connections: AtomicU64::new(0),
            open: AtomicU64::new(0),
            reset: AtomicU64::new(0),
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
            swallowed: AtomicU64::new(0),
        });
        let server = tokio::spawn(accept(port, listener, state.clone()));
        Self { address, state, server }
    }

    /// Returns the address for clients. It stays the same until the proxy is dropped.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address as a base URL for HTTP.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the URL of the database through this proxy.
    pub fn in_url(&self, url: &str) -> String {
        let target = self.state.target.lock().unwrap().to_string();
        let (found, through) = (url.contains(&target), url.replace(&target, &self.address.to_string()));
        assert!(found, "the URL does not name the server {target}");
        through
    }

    /// Sets a fault, or ends it with [`Fault::None`]. The change is in effect when this function returns.
    pub async fn set(&self, fault: Fault) {
        self.state.fault.send_modify(|(now, times)| {
            *now = fault;
            *times += 1;
        });
        let mut listens = self.state.listens.subscribe();
        let _ = listens.wait_for(|listens| *listens == (fault != Fault::Refuse)).await;
    }

    /// Resets every open connection.
    pub fn reset_all(&self) {
        self.state.resets.send_modify(|times| *times += 1);
    }

    /// Sends new connections to another server.
    pub fn retarget(&self, target: SocketAddr) {
        *self.state.target.lock().unwrap() = target;
    }

    /// The counters so far.
    pub fn counts(&self) -> Counts {
        let read = |count: &AtomicU64| count.load(Ordering::SeqCst);
        Counts {
            connections: read(&self.state.connections),
            open: read(&self.state.open),
            reset: read(&self.state.reset),
            up: read(&self.state.up),
            down: read(&self.state.down),
            swallowed: read(&self.state.swallowed),
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Binds a socket to `address`. Several sockets of this proxy may share the address as long as only one of them
/// listens.
fn bound(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Accepts connections. While connections must be refused, the proxy does not listen. The socket `port`, which is bound
/// but never listens, then reserves the port.
async fn accept(port: TcpSocket, listener: TcpListener, state: Arc<State>) {
    let mut listener = Some(listener);
    let mut fault = state.fault.subscribe();
    let mut connections = JoinSet::new();
    loop {
        let refuses = fault.borrow_and_update().0 == Fault::Refuse;
        if refuses {
            listener = None;
        } else if listener.is_none() {
            let address = port.local_addr().unwrap();
            listener = Some(bound(address).unwrap().listen(BACKLOG).unwrap());
        }
        state.listens.send_replace(!refuses);
        let next = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = fault.changed() => if changed.is_err() { return },
            taken = next => {
                let Ok((client, _)) = taken else { continue };
                state.connections.fetch_add(1, Ordering::SeqCst);
                connections.spawn(carry(client, state.clone()));
                while connections.try_join_next().is_some() {}
            }
        }
    }
}

/// An open connection, counted until it is dropped.
struct Open(Arc<State>);

impl Open {
    fn new(state: &Arc<State>) -> Self {
        state.open.fetch_add(1, Ordering::SeqCst);
        Self(state.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn carry(mut client: TcpStream, state: Arc<State>) {
    let _open = Open::new(&state);
    let mut resets = state.resets.subscribe();
    let broken = tokio::select! {
        broken = both_ways(&mut client, &state) => broken,
        _ = resets.changed() => true,
    };
    if broken {
        state.reset.fetch_add(1, Ordering::SeqCst);
        reset(&client);
    }
}

/// Forwards bytes in both directions until the client or the server closes the connection. Returns whether to reset the
/// client.
async fn both_ways(client: &mut TcpStream, state: &State) -> bool {
    if state.fault.borrow().0 == Fault::ResetNew {
        return true;
    }
    // During a black hole, the proxy accepts a connection, but connects to the server only afterwards.
    through(state).await;
    let target = *state.target.lock().unwrap();
    let Ok(mut server) = TcpStream::connect(target).await else {
        return true;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let broken = {
        let (mut client_read, mut client_write) = client.split();
        let (mut server_read, mut server_write) = server.split();
        let requests = async {
            if !pump(&mut client_read, &mut server_write, state, false).await {
                // The client has finished sending, but responses still arrive.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = requests => true,
            broken = pump(&mut server_read, &mut client_write, state, true) => broken,
        }
    };
    if broken {
        reset(&server);
    }
    broken
}

/// Makes the next close a reset (RST) instead of a FIN.
fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

/// Waits until the fault [`Fault::BlackHole`] ends.
async fn through(state: &State) {
    let mut fault = state.fault.subscribe();
    let _ = fault.wait_for(|(fault, _)| *fault != Fault::BlackHole).await;
}

/// Forwards bytes in one direction until the source closes. Returns whether to reset the connection.
async fn pump(from: &mut ReadHalf<'_>, to: &mut WriteHalf<'_>, state: &State, answers: bool) -> bool {
    let mut buffer = vec![0; 16 * 1024];
    let mut cut_since = (0, 0);
    loop {
        let read = match from.read(&mut buffer).await {
            Ok(0) => {
                let _ = to.shutdown().await;
                return false;
            }
            Ok(read) => read,
            Err(_) => return true,
        };
        through(state).await;
        let mut chunk = &buffer[..read];
        let (fault, times) = *state.fault.borrow();
        let mut cut = false;
        match fault {
            Fault::Slow(wait) => tokio::time::sleep(wait).await,
            Fault::SwallowAnswers if answers => {
                state.swallowed.fetch_add(read as u64, Ordering::SeqCst);
                continue;
            }
            Fault::CutAnswerAfter(most) if answers => {
                if cut_since.0 != times {
                    cut_since = (times, 0);
                }
                let left = usize::try_from(most - cut_since.1).unwrap_or(usize::MAX);
                cut = chunk.len() >= left;
                chunk = &chunk[..chunk.len().min(left)];
                cut_since.1 += chunk.len() as u64;
            }
            _ => {}
        }
        let count = if answers { &state.down } else { &state.up };
        count.fetch_add(chunk.len() as u64, Ordering::SeqCst);
        if to.write_all(chunk).await.is_err() {
            return true;
        }
        if cut {
            return true;
        }
    }
}
