//! The receiver to which an http handler pushes. It records when each order arrived, and answers at
//! once.

use crate::orders;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// The response to every order.
const DONE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// When each order first arrived, and how many arrivals it had.
pub(crate) struct Arrivals {
    start: Instant,
    orders: Vec<(AtomicU64, AtomicU32)>,
}

impl Arrivals {
    /// For orders below `count`, with times since `start`.
    pub(crate) fn new(start: Instant, count: usize) -> Arc<Self> {
        let orders = (0..count)
            .map(|_| (AtomicU64::new(0), AtomicU32::new(0)))
            .collect();
        Arc::new(Self { start, orders })
    }

    fn arrived(&self, body: &[u8]) {
        let nanoseconds = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let Some((at, times)) = orders::number(body).and_then(|number| self.orders.get(number))
        else {
            return;
        };
        if times.fetch_add(1, Ordering::Relaxed) == 0 {
            at.store(nanoseconds, Ordering::Release);
        }
    }

    /// When the order first arrived, as time since the start.
    pub(crate) fn at(&self, number: u64) -> Option<Duration> {
        let (at, _) = self.orders.get(usize::try_from(number).ok()?)?;
        Some(at.load(Ordering::Acquire))
            .filter(|at| *at > 0)
            .map(Duration::from_nanos)
    }

    /// How many orders arrived more than once.
    pub(crate) fn repeated(&self) -> usize {
        self.orders
            .iter()
            .filter(|(_, times)| times.load(Ordering::Relaxed) > 1)
            .count()
    }
}

/// Receives until this process ends. It has its own thread, so that no order waits for the load to
/// notice it.
pub(crate) fn start(arrivals: Option<Arc<Arrivals>>) -> anyhow::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::spawn(move || {
        runtime.block_on(async move {
            let Ok(listener) = TcpListener::from_std(listener) else {
                return;
            };
            while let Ok((stream, _)) = listener.accept().await {
                let arrivals = arrivals.clone();
                // The sender notices a broken connection.
                tokio::spawn(async move { drop(receive(stream, arrivals).await) });
            }
        });
    });
    Ok(address)
}

async fn receive(mut stream: TcpStream, arrivals: Option<Arc<Arrivals>>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(8 * 1024);
    loop {
        while let Some((body, end)) = whole(&buffer) {
            if let Some(arrivals) = &arrivals {
                arrivals.arrived(&buffer[body..end]);
            }
            buffer.drain(..end);
            stream.write_all(DONE).await?;
        }
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

/// Where the body of a complete request begins and ends.
fn whole(buffer: &[u8]) -> Option<(usize, usize)> {
    let body = buffer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&buffer[..body]).ok()?;
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    let length = fields
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or("0", |(_, value)| value);
    let end = body + length.trim().parse::<usize>().ok()?;
    (buffer.len() >= end).then_some((body, end))
}
