//! The fault-injecting proxy in front of an echo server: each fault behaves as documented.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::{Instant, timeout},
};

use crate::support::proxy::{Fault, Proxy};

/// A timeout that is long enough for any machine.
const LONG: Duration = Duration::from_secs(30);
/// How long a test waits to see that nothing arrives. Bytes that were sent would arrive much earlier.
const NOTHING: Duration = Duration::from_millis(200);

/// Starts an echo server.
async fn echo() -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    (address, server)
}

async fn proxy() -> Proxy {
    Proxy::start(echo().await.0).await
}

async fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(proxy.address()).await.unwrap()
}

/// Sends `text` and reads the echo.
async fn said(stream: &mut TcpStream, text: &str) -> std::io::Result<()> {
    stream.write_all(text.as_bytes()).await?;
    let mut heard = vec![0; text.len()];
    timeout(LONG, stream.read_exact(&mut heard))
        .await
        .expect("nothing comes back")?;
    assert_eq!(heard, text.as_bytes());
    Ok(())
}

/// Reads until the connection closes; an error if it was reset.
async fn rest(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut heard = Vec::new();
    timeout(LONG, stream.read_to_end(&mut heard)).await.expect("no end")?;
    Ok(heard)
}

#[tokio::test]
async fn it_forwards_and_counts() {
    let proxy = proxy().await;
    let mut stream = connect(&proxy).await;
    said(&mut stream, "bonjour").await.unwrap();
    // The client has finished sending, but the response still arrives.
    stream.write_all(b"au revoir").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(rest(&mut stream).await.unwrap(), b"au revoir");
    let counts = proxy.counts();
    assert_eq!(
        (counts.connections, counts.reset, counts.up, counts.down),
        (1, 0, 16, 16)
    );
}

#[tokio::test]
async fn who_is_refused_is_refused_by_the_system_and_the_port_stays() {
    let proxy = proxy().await;
    let mut standing = connect(&proxy).await;
    said(&mut standing, "one").await.unwrap();
    for _ in 0..20 {
        proxy.set(Fault::Refuse).await;
        let refused = TcpStream::connect(proxy.address()).await.unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        proxy.set(Fault::None).await;
        said(&mut connect(&proxy).await, "again").await.unwrap();
    }
    said(&mut standing, "two").await.unwrap();
}

#[tokio::test]
async fn a_black_hole_takes_who_comes_and_stalls_who_is_there_and_loses_nothing() {
    let proxy = proxy().await;
    let mut standing = connect(&proxy).await;
    said(&mut standing, "one").await.unwrap();
    proxy.set(Fault::BlackHole).await;
    let mut new = connect(&proxy).await;
    for stream in [&mut standing, &mut new] {
        stream.write_all(b"two").await.unwrap();
        assert!(
            timeout(NOTHING, stream.read_u8()).await.is_err(),
            "bytes passed the proxy"
        );
    }
    proxy.set(Fault::None).await;
    for stream in [&mut standing, &mut new] {
        let mut heard = [0; 3];
        timeout(LONG, stream.read_exact(&mut heard)).await.unwrap().unwrap();
        assert_eq!(&heard, b"two");
    }
}

#[tokio::test]
async fn slow_is_slow_for_each_chunk() {
    let proxy = proxy().await;
    let mut stream = connect(&proxy).await;
    proxy.set(Fault::Slow(Duration::from_millis(40))).await;
    let began = Instant::now();
    for _ in 0..3 {
        said(&mut stream, "slowly").await.unwrap();
    }
    // The request needs three round trips.
    assert!(began.elapsed() >= Duration::from_millis(240), "{:?}", began.elapsed());
}

#[tokio::test]
async fn all_are_reset_and_new_ones_are_not() {
    let proxy = proxy().await;
    let mut streams = [connect(&proxy).await, connect(&proxy).await];
    for stream in &mut streams {
        said(stream, "one").await.unwrap();
    }
    assert_eq!(proxy.counts().open, 2);
    proxy.reset_all();
    for stream in &mut streams {
        let ended = rest(stream).await.unwrap_err();
        assert_eq!(ended.kind(), std::io::ErrorKind::ConnectionReset);
    }
    said(&mut connect(&proxy).await, "two").await.unwrap();
    assert_eq!((proxy.counts().connections, proxy.counts().reset), (3, 2));
}

#[tokio::test]
async fn new_ones_are_reset_and_standing_ones_are_not() {
    let proxy = proxy().await;
    let mut standing = connect(&proxy).await;
    said(&mut standing, "one").await.unwrap();
    proxy.set(Fault::ResetNew).await;
    // The proxy accepts the connection and resets it before a byte comes back.
    let mut new = connect(&proxy).await;
    let _ = new.write_all(b"two").await;
    let heard = rest(&mut new).await;
    assert!(
        heard.as_ref().is_err() || heard.as_ref().is_ok_and(Vec::is_empty),
        "{heard:?}"
    );
    said(&mut standing, "two").await.unwrap();
}

#[tokio::test]
async fn an_answer_is_cut_after_so_many_bytes() {
    let proxy = proxy().await;
    let mut stream = connect(&proxy).await;
    said(&mut stream, "as many as you like").await.unwrap();
    proxy.set(Fault::CutAnswerAfter(4)).await;
    stream.write_all(b"an answer").await.unwrap();
    let mut heard = [0; 4];
    let whole = timeout(LONG, stream.read_exact(&mut heard)).await.unwrap();
    // A reset may overtake the last bytes. In no case does a fifth byte arrive.
    assert!(whole.is_err() || &heard == b"an a", "{heard:?}");
    assert!(matches!(timeout(LONG, stream.read_u8()).await, Ok(Err(_))));
}

#[tokio::test]
async fn answers_are_swallowed_and_requests_are_not() {
    let proxy = proxy().await;
    let mut stream = connect(&proxy).await;
    proxy.set(Fault::SwallowAnswers).await;
    stream.write_all(b"lost").await.unwrap();
    assert!(timeout(NOTHING, stream.read_u8()).await.is_err());
    let deadline = Instant::now() + LONG;
    while proxy.counts().swallowed < 4 {
        assert!(
            Instant::now() < deadline,
            "timed out while waiting until the proxy swallows the response"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!((proxy.counts().up, proxy.counts().down), (4, 0));
    proxy.set(Fault::None).await;
    said(&mut stream, "found").await.unwrap();
}
