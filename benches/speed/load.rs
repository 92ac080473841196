//! The two kinds of load: as fast as the answers come, and at a rate of its own.

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

/// After an answer that is not a 200, or a connection that broke.
const PAUSE: Duration = Duration::from_millis(10);

/// What a load brought.
#[derive(Default)]
pub(crate) struct Brought {
    /// From request (open loop: from when it should have been sent) to 200.
    pub(crate) times: Times,
    /// The numbers of the orders that were acknowledged; the open loop's only.
    pub(crate) acknowledged: Vec<u64>,
    /// What else came, and how often.
    pub(crate) others: BTreeMap<String, u64>,
}

impl Brought {
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

    /// What else came, for people.
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

/// A connection that is made anew when it broke.
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

/// So many connections, each sending the next order when the last is answered; what happens before `warm` has passed
/// is not in the times. `acknowledged` counts all along.
pub(crate) async fn closed_loop(
    address: SocketAddr,
    orders: &Arc<Orders>,
    connections: usize,
    (warm, measured): (Duration, Duration),
    acknowledged: &Arc<AtomicU64>,
) -> anyhow::Result<Brought> {
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
            let (mut brought, mut request) = (Brought::default(), Vec::new());
            while Instant::now() < until {
                orders.write(orders.next(), &mut request);
                let begun = Instant::now();
                match caller.exchange(&request).await {
                    Ok(200) => {
                        let ended = Instant::now();
                        acknowledged.fetch_add(1, Ordering::Relaxed);
                        if ended >= from && ended <= until {
                            brought.times.add(ended - begun);
                        }
                    }
                    other => {
                        brought.other(other);
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            }
            brought
        });
    }
    gather(running).await
}

/// When each order of an open loop should be sent, since the start.
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

/// Sends order n at `start + schedule[n]`, on whichever connection is free; one that finds none free waits, and its
/// time runs. Those before `warm` are sent, but not in the times. Answers also with how late the clock was at worst.
pub(crate) async fn open_loop(
    address: SocketAddr,
    orders: &Arc<Orders>,
    connections: usize,
    (start, warm): (Instant, Duration),
    schedule: &Arc<Vec<Duration>>,
) -> anyhow::Result<(Brought, Duration)> {
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
            let (mut brought, mut request) = (Brought::default(), Vec::new());
            while let Ok(permit) = due.acquire().await {
                permit.forget();
                let number = orders.next();
                let Some(&at) = usize::try_from(number).ok().and_then(|n| schedule.get(n)) else {
                    break;
                };
                orders.write(number, &mut request);
                match caller.exchange(&request).await {
                    Ok(200) => {
                        brought.acknowledged.push(number);
                        if at >= warm {
                            brought.times.add(start.elapsed().saturating_sub(at));
                        }
                    }
                    other => brought.other(other),
                }
            }
            brought
        });
    }
    let brought = gather(running).await?;
    let latest = tokio::task::spawn_blocking(move || pacer.join()).await?;
    Ok((
        brought,
        latest.map_err(|_| anyhow::anyhow!("the pacer panicked"))?,
    ))
}

/// A thread of its own, since a runtime's timers are a millisecond coarse. Answers with how late it was at worst.
fn pace(
    start: Instant,
    schedule: Arc<Vec<Duration>>,
    due: Arc<Semaphore>,
) -> std::thread::JoinHandle<Duration> {
    std::thread::spawn(move || {
        let mut latest = Duration::ZERO;
        for at in schedule.iter() {
            if let Some(early) = at.checked_sub(start.elapsed()) {
                std::thread::sleep(early);
            }
            latest = latest.max(start.elapsed().saturating_sub(*at));
            due.add_permits(1);
        }
        // Enough that every connection finds out that nothing is left.
        due.add_permits(Semaphore::MAX_PERMITS / 2);
        latest
    })
}

async fn gather(mut running: JoinSet<Brought>) -> anyhow::Result<Brought> {
    let mut all = Brought::default();
    while let Some(brought) = running.join_next().await {
        all.append(brought?);
    }
    Ok(all)
}
