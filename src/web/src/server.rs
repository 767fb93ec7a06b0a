//! The HTTP server: hyper on a TCP socket, with deadlines and limits that poem's own server cannot set.
//!
//! The server supports HTTP/1.1 only. Proxies and Vapi need nothing else. With HTTP/2 in clear text, one connection
//! could request any number of responses. After an error of `accept`, the server waits, so that no busy loop can occur.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use poem::http::StatusCode;
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Endpoint, IntoResponse as _, Request, Response};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::api_runtime;
use super::connections::{Connection, ConnectionSlot, Connections, NoRoom};
use base::telemetry::metrics;
use base::telemetry::sampling::Sampler;

/// Maximum number of bytes that the server buffers for a connection. A request head must fit in this buffer.
const MAX_BUFFER: usize = 32 * 1024;
/// Interval for closing overdue connections.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// Interval for closing overdue connections while the server stops.
const LAST_SWEEP_INTERVAL: Duration = Duration::from_millis(100);
/// How long a new connection waits for a slot while other connections are closing.
const ADMIT_TIMEOUT: Duration = Duration::from_millis(100);
/// Interval at which a new connection checks again for a free slot.
const ADMIT_INTERVAL: Duration = Duration::from_millis(1);
/// Wait before the next `accept` if the system has no descriptor or no memory for a connection.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);
/// How long a client may continue to send after the server has sent the response.
const LINGER: Duration = Duration::from_secs(2);
/// Maximum number of bytes that a client may send after the server has sent the response.
const LINGER_BYTES: usize = 1024 * 1024;
/// Size in bytes of the buffer for reading what a client sends after the response.
const LINGER_BUFFER: usize = 8 * 1024;

/// Serves `endpoint` until `stop` resolves. Running requests then have the time `patience` to finish.
///
/// # Errors
/// When the listener has no address.
pub async fn serve<E>(
    listener: TcpListener,
    endpoint: E,
    connections: Arc<Connections>,
    stop: impl Future<Output = ()>,
    patience: Duration,
) -> io::Result<()>
where
    E: Endpoint<Output = Response> + 'static,
{
    let server = Server {
        endpoint: Arc::new(endpoint),
        local: LocalAddr(listener.local_addr()?.into()),
        closing: CancellationToken::new(),
        cut: CancellationToken::new(),
    };
    let tasks = TaskTracker::new();
    let (full, failed) = (Sampler::new(1, 10), Sampler::new(1, 10));
    let mut sweeps = tokio::time::interval(SWEEP_INTERVAL);
    sweeps.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut stop = std::pin::pin!(stop);
    tracing::info!(address = %server.local.0, "listening");
    loop {
        tokio::select! {
            () = &mut stop => break,
            _ = sweeps.tick() => connections.sweep(false),
            accepted = listener.accept() => match accepted {
                Ok((stream, remote)) => match admitted(&connections, remote.ip()).await {
                    Some(place) => drop(tasks.spawn(server.clone().connection(stream, remote, place))),
                    None => if let Some(left_out) = full.admit() {
                        tracing::warn!(left_out, open = connections.count(), "a connection is refused because all slots are in \
                            use: raise RINGBOOK_MAX_CONNECTIONS or the limit of open files");
                    },
                },
                Err(error) if is_of_the_client(&error) => {}
                Err(error) => {
                    let ended = connections.make_room();
                    if let Some(left_out) = failed.admit() {
                        tracing::error!(%error, left_out, ended, open = connections.count(), "no connection can be accepted; raise \
                            the limit of open files, or set RINGBOOK_MAX_CONNECTIONS lower");
                    }
                    tokio::time::sleep(ACCEPT_BACKOFF).await;
                }
            },
        }
    }
    drop(listener);
    server.closing.cancel();
    tasks.close();
    let ended = async {
        loop {
            connections.sweep(true);
            if tokio::time::timeout(LAST_SWEEP_INTERVAL, tasks.wait()).await.is_ok() {
                break;
            }
        }
    };
    if tokio::time::timeout(patience, ended).await.is_err() {
        tracing::warn!(requests = tasks.len(), "stopping while some requests have not ended");
        server.cut.cancel();
        tasks.wait().await;
    }
    Ok(())
}

/// Waits for a slot for a new connection. During this wait, further connections stay in the system's queue instead of
/// being rejected.
async fn admitted(connections: &Arc<Connections>, address: IpAddr) -> Option<ConnectionSlot> {
    let began = Instant::now();
    loop {
        match connections.admit(address) {
            Ok(place) => return Some(place),
            Err(NoRoom::Yet) if began.elapsed() < ADMIT_TIMEOUT => {
                let _ = tokio::time::timeout(ADMIT_INTERVAL, connections.one_ended()).await;
            }
            Err(_) => break,
        }
    }
    metrics::connection_closed("refused");
    None
}

/// Whether a connection broke before it was accepted. Such an error does not affect the listener.
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted | Kind::ConnectionReset | Kind::ConnectionRefused | Kind::Interrupted
    )
}

struct Server<E> {
    endpoint: Arc<E>,
    local: LocalAddr,
    /// Cancelled at shutdown. From then on, running requests may finish, but no new requests start.
    closing: CancellationToken,
    /// Cancelled to abort all running requests.
    cut: CancellationToken,
}

impl<E> Clone for Server<E> {
    fn clone(&self) -> Self {
        Self {
            endpoint: Arc::clone(&self.endpoint),
            local: self.local.clone(),
            closing: self.closing.clone(),
            cut: self.cut.clone(),
        }
    }
}

impl<E: Endpoint<Output = Response> + 'static> Server<E> {
    async fn connection(self, stream: TcpStream, remote: SocketAddr, place: ConnectionSlot) {
        // A response is a single small write, so the system must not wait for more data.
        let _ = stream.set_nodelay(true);
        let connection = Arc::clone(&place.connection);
        let (closing, cut, stop) = (self.closing.clone(), self.cut.clone(), connection.stop.clone());
        let remote = RemoteAddr(remote.into());
        let socket = WatchedSocket {
            stream,
            connection: Arc::clone(&connection),
        };
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            connection.requested();
            let whence = (request, self.local.clone(), remote.clone(), Scheme::HTTP);
            let mut request = Request::from(whence);
            request.set_data(Arc::clone(&connection));
            let (endpoint, connection) = (Arc::clone(&self.endpoint), Arc::clone(&connection));
            // The future is on the heap, so that a connection without a request needs little memory.
            Box::pin(async move {
                let response = if api_runtime::is_urgent(request.uri().path()) {
                    endpoint.get_response(request).await
                } else {
                    let answered = api_runtime::run(async move { endpoint.get_response(request).await });
                    let failed = |_| StatusCode::INTERNAL_SERVER_ERROR.into_response();
                    answered.await.unwrap_or_else(failed)
                };
                let response: hyper::Response<_> = response.into();
                Ok::<_, Infallible>(response.map(|body| Answer { body, connection }))
            })
        });
        let mut http = http1::Builder::new();
        http.max_buf_size(MAX_BUFFER);
        let mut served = http.serve_connection(TokioIo::new(socket), service);
        let ended = tokio::select! {
            ended = poll_fn(|context| served.poll_without_shutdown(context)) => ended,
            () = stop.cancelled() => return,
            () = closing.cancelled() => {
                Pin::new(&mut served).graceful_shutdown();
                tokio::select! {
                    ended = poll_fn(|context| served.poll_without_shutdown(context)) => ended,
                    () = stop.cancelled() => return,
                    () = cut.cancelled() => return,
                }
            }
        };
        // An error here means that the client disconnected or did not send HTTP. While the server stops, it does not
        // read what clients still send.
        if ended.is_ok() && !closing.is_cancelled() {
            tokio::select! {
                () = linger(served.into_parts().io.into_inner().stream) => {}
                () = stop.cancelled() => {}
                () = cut.cancelled() => {}
            }
        }
        drop(place);
    }
}

/// Closes a connection. The client may still be sending its body, because the server responded before it had read the
/// body. Unread bytes would make the client's system discard the response, so the server reads these bytes for a short
/// time.
async fn linger(mut stream: TcpStream) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let read = async {
        let (mut buffer, mut left) = (vec![0; LINGER_BUFFER], LINGER_BYTES);
        while left > 0 {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(count) => left = left.saturating_sub(count),
            }
        }
    };
    let _ = tokio::time::timeout(LINGER, read).await;
}

/// The body of a response. Dropping the body marks the connection as waiting for the next request.
struct Answer<B> {
    body: B,
    connection: Arc<Connection>,
}

impl<B: Body + Unpin> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for Answer<B> {
    fn drop(&mut self) {
        self.connection.answered();
    }
}

/// A socket that reports when bytes arrive and when the client stops reading.
struct WatchedSocket {
    stream: TcpStream,
    connection: Arc<Connection>,
}

impl WatchedSocket {
    fn note<T>(&self, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.connection.wrote(written.is_ready());
        written
    }
}

impl AsyncRead for WatchedSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.connection.was_read(buffer.filled().len() > before);
        read
    }
}

impl AsyncWrite for WatchedSocket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
