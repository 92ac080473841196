//! The two kinds of load: a closed loop, which sends as fast as the responses arrive, and an open
//! loop, which sends at a fixed rate.

use crate::{client::Connection, figures::Times, orders::Orders};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{sync::Semaphore, task::JoinSet};

/// The pause after a response other than 200, or after a broken connection.
const PAUSE: Duration = Duration::from_millis(10);

/// The result of a load.
#[derive(Default)]
pub(crate) struct LoadResult {
    /// From the request to the 200. In the open loop, from the moment when it should have been
    /// sent.
    pub(crate) times: Times,
    /// The numbers of the acknowledged orders. Only the open loop records them.
    pub(crate) acknowledged: Vec<u64>,
    /// All other results, and how often each occurred.
    pub(crate) others: BTreeMap<String, u64>,
}

impl LoadResult {
    fn append(&mut self, other: Self) {
        self.times.append(other.times);
        self.acknowledged.extend(other.acknowledged);
        for (what, count) in other.others {
            *self.others.entry(what).or_default() += count;
        }
    }

    fn other(&mut self, answer: anyhow::Result<u16>) {
        let what = answer.map_or_else(|error| error.to_string(), |status| status.to_string());
        *self.others.entry(what).or_default() += 1;
    }

    /// All other results as text.
    pub(crate) fn others(&self) -> String {
        let others: Vec<String> = self
            .others
            .iter()
            .map(|(what, count)| format!("{count} × {what}"))
            .collect();
        if others.is_empty() {
            "none".to_owned()
        } else {
            others.join(", ")
        }
    }
}

/// A connection that is opened again after it broke.
struct Caller {
    address: SocketAddr,
    connection: Option<Connection>,
}

impl Caller {
    async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<u16> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.address).await?,
        };
        let status = connection.exchange(request).await?;
        self.connection = Some(connection);
        Ok(status)
    }
}

/// Runs this many connections. Each sends the next order when the last one is answered. Responses
/// before `warm` has passed are not measured. `acknowledged` counts all of them.
pub(crate) async fn closed_loop(
    address: SocketAddr,
    orders: &Arc<Orders>,
    connections: usize,
    (warm, measured): (Duration, Duration),
    acknowledged: &Arc<AtomicU64>,
) -> anyhow::Result<LoadResult> {
    let from = Instant::now() + warm;
    let until = from + measured;
    let mut running = JoinSet::new();
    for _ in 0..connections {
        let mut caller = Caller {
            address,
            connection: None,
        };
        let (orders, acknowledged) = (orders.clone(), acknowledged.clone());
        running.spawn(async move {
            let (mut result, mut request) = (LoadResult::default(), Vec::new());
            while Instant::now() < until {
                orders.write(orders.next(), &mut request);
                let begun = Instant::now();
                match caller.exchange(&request).await {
                    Ok(200) => {
                        let ended = Instant::now();
                        acknowledged.fetch_add(1, Ordering::Relaxed);
                        if ended >= from && ended <= until {
                            result.times.add(ended - begun);
                        }
                    }
                    other => {
                        result.other(other);
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            }
            result
        });
    }
    gather(running).await
}

/// When each order of an open loop should be sent, as time since the start.
pub(crate) fn schedule(rate: f64, length: Duration, evenly: bool) -> Vec<Duration> {
    let mut at = 0.0;
    let mut times = Vec::new();
    while at < length.as_secs_f64() {
        times.push(Duration::from_secs_f64(at));
        // Poisson: the gaps are exponential. 1 - [0, 1) is never 0.
        at += if evenly {
            1.0
        } else {
            -(1.0 - rand::random::<f64>()).ln()
        } / rate;
    }
    times
}

/// Sends order n at `start + schedule[n]` on a free connection. If none is free, the order waits,
/// and its time already counts. Orders before `warm` are sent but not measured. Also returns the
/// largest delay of the pacing thread.
pub(crate) async fn open_loop(
    address: SocketAddr,
    orders: &Arc<Orders>,
    connections: usize,
    (start, warm): (Instant, Duration),
    schedule: &Arc<Vec<Duration>>,
) -> anyhow::Result<(LoadResult, Duration)> {
    let due = Arc::new(Semaphore::new(0));
    let pacer = pace(start, schedule.clone(), due.clone());
    let mut running = JoinSet::new();
    for _ in 0..connections {
        let mut caller = Caller {
            address,
            connection: Connection::open(address).await.ok(),
        };
        let (orders, due, schedule) = (orders.clone(), due.clone(), schedule.clone());
        running.spawn(async move {
            let (mut result, mut request) = (LoadResult::default(), Vec::new());
            while let Ok(permit) = due.acquire().await {
                permit.forget();
                let number = orders.next();
                let Some(&at) = usize::try_from(number).ok().and_then(|n| schedule.get(n)) else {
                    break;
                };
                orders.write(number, &mut request);
                match caller.exchange(&request).await {
                    Ok(200) => {
                        result.acknowledged.push(number);
                        if at >= warm {
                            result.times.add(start.elapsed().saturating_sub(at));
                        }
                    }
                    other => result.other(other),
                }
            }
            result
        });
    }
    let result = gather(running).await?;
    let latest = tokio::task::spawn_blocking(move || pacer.join()).await?;
    Ok((
        result,
        latest.map_err(|_| anyhow::anyhow!("the pacer panicked"))?,
    ))
}

/// Releases the orders on schedule from its own thread, because the timers of a runtime have a
/// resolution of a millisecond. Returns its largest delay.
fn pace(
    start: Instant,
    schedule: Arc<Vec<Duration>>,
    due: Arc<Semaphore>,
) -> std::thread::JoinHandle<Duration> {
    std::thread::spawn(move || {
        let mut latest = Duration::ZERO;
        for at in schedule.iter() {
            if let Some(early) = at.checked_sub(start.elapsed()) {
                #[allow(clippy::disallowed_methods, reason = "a thread of its own")]
                std::thread::sleep(early);
            }
            latest = latest.max(start.elapsed().saturating_sub(*at));
            due.add_permits(1);
        }
        // Enough permits for every connection to notice that no order is left.
        due.add_permits(Semaphore::MAX_PERMITS / 2);
        latest
    })
}

async fn gather(mut running: JoinSet<LoadResult>) -> anyhow::Result<LoadResult> {
    let mut all = LoadResult::default();
    while let Some(result) = running.join_next().await {
        all.append(result?);
    }
    Ok(all)
}
