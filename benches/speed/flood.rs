//! Measures how much memory an attack can make the server use, and whether the server survives.

use crate::client::Connection;
use crate::config;
use crate::database::Postgres;
use crate::figures::{Table, fine, say};
use crate::orders::{Orders, PATH};
use crate::receiver;
use crate::server::Server;
use clap::Parser;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

const MEBIBYTE: usize = 1024 * 1024;

/// The size of one part of a slow body, and the time between two parts.
const PART: usize = 48 * 1024;
const PART_EVERY: Duration = Duration::from_millis(400);

/// How long an attacker waits after a response or a failed connection.
const PAUSE: Duration = Duration::from_millis(20);

#[derive(Parser)]
pub(crate) struct Flood {
    /// Attackers, each with one connection at a time, opened again whenever it is closed.
    #[arg(long, default_value_t = 1500)]
    attackers: usize,
    /// Seconds.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
}

#[derive(Clone, Copy)]
enum Attack {
    /// A forged body of 1 MiB at full speed.
    Fast,
    /// A forged body of 1 MiB in small parts.
    Slow,
    /// Nearly 32 KiB of headers, and a small forged body.
    Headers,
    /// Headers that never end.
    Endless,
}

/// The results that the attackers saw, and how often.
type Seen = Arc<Mutex<BTreeMap<String, u64>>>;

impl Default for Flood {
    fn default() -> Self {
        Self::parse_from(["flood"])
    }
}

impl Flood {
    pub(crate) async fn run(&self, postgres: &Postgres) -> anyhow::Result<()> {
        say(&format!(
            "\nflood: {} attackers for {} s: a third each of 1 MiB fast, 1 MiB slow, 32 KiB of headers",
            self.attackers, self.seconds
        ));
        let database = postgres.fresh().await?;
        let config = config::one_handler(receiver::start(None)?, 32)?;
        let server = Server::hookfast(&database.url, "ingress,worker", Some(config.path())).await?;
        let (orders, seen) = (Orders::new(), Seen::default());
        let before = genuine(server.address, &orders).await;
        let mut attackers = JoinSet::new();
        for number in 0..self.attackers {
            let attack = match number % 6 {
                0 | 3 => Attack::Fast,
                1 | 4 => Attack::Slow,
                2 => Attack::Headers,
                _ => Attack::Endless,
            };
            attackers.spawn(attack.run(server.address, seen.clone()));
        }
        let (mut taken, mut refused) = (0, 0);
        let end = Instant::now() + Duration::from_secs(self.seconds);
        while Instant::now() < end {
            match genuine(server.address, &orders).await {
                Ok(200) => taken += 1,
                _ => refused += 1,
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        attackers.shutdown().await;
        let ended = Instant::now();
        let usage = server.usage()?;
        let mut after = genuine(server.address, &orders).await;
        while !matches!(after, Ok(200)) && ended.elapsed() < Duration::from_secs(60) {
            tokio::time::sleep(PAUSE).await;
            after = genuine(server.address, &orders).await;
        }
        let back = ended.elapsed().as_secs_f64() * 1e3;

        let mut table = Table::of(&["", "figure", "aimed at"]);
        table.row([
            "memory at most, MiB".to_owned(),
            fine(usage.highest),
            "< 150 MB (143 MiB)".to_owned(),
        ]);
        table.row([
            "memory at the end, MiB".to_owned(),
            fine(usage.resident),
            String::new(),
        ]);
        table.row([
            "genuine request before".to_owned(),
            described(&before),
            "200".to_owned(),
        ]);
        table.row([
            "genuine during it, 200 / not".to_owned(),
            format!("{taken} / {refused}"),
            String::new(),
        ]);
        table.row([
            "genuine request after".to_owned(),
            described(&after),
            "200".to_owned(),
        ]);
        table.row(["ms until then".to_owned(), fine(back), String::new()]);
        table.print();
        server.stop().await?;
        postgres.discard(database).await?;
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen: Vec<String> = seen
            .iter()
            .map(|(what, count)| format!("{count} × {what}"))
            .collect();
        say(&format!("  the attackers saw: {}", seen.join(", ")));
        Ok(())
    }
}

fn described(answer: &anyhow::Result<u16>) -> String {
    answer
        .as_ref()
        .map_or_else(ToString::to_string, u16::to_string)
}

/// Sends a signed order on its own connection.
async fn genuine(address: SocketAddr, orders: &Orders) -> anyhow::Result<u16> {
    let mut request = Vec::new();
    orders.write(orders.next(), &mut request);
    let exchange = async { Connection::open(address).await?.exchange(&request).await };
    tokio::time::timeout(Duration::from_secs(10), exchange).await?
}

impl Attack {
    async fn run(self, address: SocketAddr, seen: Seen) {
        loop {
            let what = match self.once(address).await {
                Ok(status) => status,
                Err(error) => error.kind().to_string(),
            };
            *seen
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .entry(what)
                .or_default() += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Uses one connection until its end. Returns the status code of the response.
    async fn once(self, address: SocketAddr) -> std::io::Result<String> {
        let (mut answer, mut requests) = TcpStream::connect(address).await?.into_split();
        let attack = async {
            // The server may close the connection during this. Only its response counts.
            let _ = self.send(&mut requests).await;
            std::future::pending::<()>().await;
        };
        let mut status = [0; 12];
        tokio::select! {
            () = attack => {}
            read = answer.read_exact(&mut status) => { read?; }
        }
        Ok(String::from_utf8_lossy(&status[9..]).into_owned())
    }

    async fn send(self, to: &mut (impl AsyncWriteExt + Unpin)) -> std::io::Result<()> {
        let signature = "ab".repeat(64);
        let head = |length: usize| {
            format!(
                "POST {PATH} HTTP/1.1\r\nhost: x\r\nairalo-signature: {signature}\r\ncontent-length: {length}\r\n"
            )
        };
        match self {
            Self::Fast => {
                to.write_all(format!("{}\r\n", head(MEBIBYTE)).as_bytes())
                    .await?;
                let part = vec![b'x'; 64 * 1024];
                for _ in 0..MEBIBYTE / part.len() {
                    to.write_all(&part).await?;
                }
            }
            Self::Slow => {
                to.write_all(format!("{}\r\n", head(MEBIBYTE)).as_bytes())
                    .await?;
                let part = vec![b'x'; PART];
                for _ in 0..MEBIBYTE.div_ceil(PART) {
                    to.write_all(&part).await?;
                    tokio::time::sleep(PART_EVERY).await;
                }
            }
            Self::Headers => {
                let mut request = head(2);
                for number in 0..60 {
                    request.push_str(&format!("x-{number:02}: {}\r\n", "h".repeat(500)));
                }
                request.push_str("\r\n{}");
                to.write_all(request.as_bytes()).await?;
            }
            Self::Endless => {
                to.write_all(head(2).as_bytes()).await?;
                for number in 0..60 {
                    to.write_all(format!("x-{number:02}: {}\r\n", "h".repeat(500)).as_bytes())
                        .await?;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        Ok(())
    }
}
