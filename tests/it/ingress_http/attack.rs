//! Genuine requests while idle connections, slow bodies and unfinished large bodies take all
//! resources.
//!
//! The usual run has an eighth of the default limits and of the attack. `HOOKFAST_TEST_ATTACK=full`
//! has all of it: the default limits, 1,024 idle connections, 1,024 slow bodies and 66 large ones,
//! for a minute.

use super::fakes::{GOOD, Server};
use crate::support::raw_http::{request, until};
use hookfast::internals::domain::IngressLimits;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

struct Scale {
    limits: IngressLimits,
    idle: usize,
    slow: usize,
    large: usize,
    /// A slow sender closes after this time and starts again, just before the time limit of a body.
    renewal: Duration,
    lasts: Duration,
}

impl Scale {
    fn from_environment() -> Self {
        if std::env::var("HOOKFAST_TEST_ATTACK").is_ok_and(|scale| scale == "full") {
            let renewal = Duration::from_millis(9_500);
            let (limits, lasts) = (IngressLimits::default(), Duration::from_secs(60));
            return Self {
                limits,
                idle: 1024,
                slow: 1024,
                large: 66,
                renewal,
                lasts,
            };
        }
        let limits = IngressLimits {
            connections: 128,
            bodies_in_flight: 8 * 1024 * 1024,
            body_time: Duration::from_secs(2),
            ..IngressLimits::default()
        };
        let renewal = Duration::from_millis(1_900);
        Self {
            limits,
            idle: 128,
            slow: 128,
            large: 9,
            renewal,
            lasts: Duration::from_secs(5),
        }
    }
}

/// Sends `bytes` repeatedly, each time on a new connection that is held for `hold` or until the
/// server closes it.
async fn attack(address: SocketAddr, bytes: Arc<Vec<u8>>, hold: Duration, sent: Arc<AtomicUsize>) {
    loop {
        if let Ok(mut stream) = TcpStream::connect(address).await {
            let held = async {
                if stream.write_all(&bytes).await.is_ok() {
                    sent.fetch_add(1, Ordering::Relaxed);
                    let mut answer = [0; 1024];
                    while stream.read(&mut answer).await.is_ok_and(|n| n > 0) {}
                }
            };
            let _ = timeout(hold, held).await;
        }
        sleep(hold / 10).await;
    }
}

/// One genuine request on a separate connection: its status, or nothing if no answer arrived.
async fn post(address: SocketAddr, body: &[u8]) -> Option<u16> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        stream
            .write_all(&request("POST", "/webhooks/fixed", &[GOOD], body))
            .await
            .ok()?;
        let mut answer = vec![];
        while !answer.windows(4).any(|four| four == b"\r\n\r\n") {
            (stream.read_buf(&mut answer).await.ok()? > 0).then_some(())?;
        }
        std::str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()
    };
    timeout(Duration::from_secs(10), exchange)
        .await
        .ok()
        .flatten()
}

fn unfinished(length: usize, sent: usize) -> Arc<Vec<u8>> {
    let mut bytes =
        format!("POST /webhooks/fixed HTTP/1.1\r\nhost: h\r\ncontent-length: {length}\r\n\r\n")
            .into_bytes();
    bytes.resize(bytes.len() + sent, b'x');
    Arc::new(bytes)
}

fn raise_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
        .expect("the soft limit may be as high as the hard one");
}

#[tokio::test(flavor = "multi_thread")]
async fn genuine_requests_get_through_idle_slow_and_large_attackers() {
    raise_file_limit();
    let scale = Scale::from_environment();
    let server = Server::start(scale.limits).await;
    let (address, sent) = (server.address, Arc::new(AtomicUsize::new(0)));
    let mut attackers = JoinSet::new();
    let probe = Arc::new(request("HEAD", "/webhooks/fixed", &[], b""));
    let large = scale.limits.body_bytes;
    for (count, bytes, hold) in [
        (scale.idle, probe, Duration::from_secs(75)),
        (scale.slow, unfinished(100, 1), scale.renewal),
        (
            scale.large,
            unfinished(large, large - 1),
            scale.limits.body_time,
        ),
    ] {
        for _ in 0..count {
            attackers.spawn(attack(address, Arc::clone(&bytes), hold, Arc::clone(&sent)));
        }
    }
    until("the attack is under way", || {
        sent.load(Ordering::Relaxed) >= scale.limits.connections
    })
    .await;

    let (start, mut posted, mut lost) = (Instant::now(), 0_usize, vec![]);
    while start.elapsed() < scale.lasts || posted < 100 {
        // One in ten needs memory beyond the share of every small body.
        let size = if posted % 10 == 9 { 200_000 } else { 2_000 };
        posted += 1;
        let status = post(address, &vec![b'y'; size]).await;
        if status != Some(200) {
            lost.push((size, status));
        }
        server.intake.forget();
        // The pace of the genuine sender.
        sleep(Duration::from_millis(20)).await;
    }
    let attempts = sent.load(Ordering::Relaxed);
    assert!(
        lost.len() * 100 <= posted,
        "{} of {posted} genuine requests were lost, beside {attempts} of attackers: {lost:?}",
        lost.len()
    );
    attackers.shutdown().await;
    server.is_well().await;
}
