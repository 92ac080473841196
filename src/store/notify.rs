//! Sends and receives wake-ups between processes.

use super::{
    Connection, Database, Role, StoreError,
    connect::{MARGIN, POOLED},
    error::within,
};
use sqlx::{Acquire as _, postgres::PgListener};
use std::time::Duration;

/// The subject of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// There may be deliveries for workers.
    Wake,
    /// An operator has requested an action on quarantined requests.
    Quarantine,
}

impl Channel {
    fn name(self) -> &'static str {
        match self {
            Self::Wake => "hookfast_wake",
            Self::Quarantine => "hookfast_quarantine",
        }
    }
}

impl Connection {
    /// Wakes the workers of other processes.
    ///
    /// # Errors
    /// If the statement fails. The workers then find the deliveries by polling.
    pub async fn notify(&mut self) -> Result<(), StoreError> {
        let notify = sqlx::query("SELECT hookfast_data.notify($1, '')").bind(Channel::Wake.name());
        within(self.deadline(), "notify", notify.execute(&mut self.inner))
            .await
            .map(drop)
    }
}

/// The content of a wake-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WakeUp {
    /// There may be deliveries to claim.
    Work,
    /// A transaction committed deliveries that were due at this time (microseconds since 1970) or
    /// later. The time may be long ago, before the due times that claims have read since.
    Late(i64),
}

/// How long a silent connection is assumed to be alive.
const CHECK_EVERY: Duration = Duration::from_secs(10);

/// Receives the wake-ups of other processes.
pub struct Listener {
    inner: PgListener,
    database: Database,
}

impl Listener {
    /// Opens a connection of its own, and listens on the channel.
    ///
    /// # Errors
    /// If the database cannot be queried.
    pub async fn connect(database: &Database, channel: Channel) -> Result<Self, StoreError> {
        let run = async {
            let mut listener = PgListener::connect_with(&database.pool(Role::General, 1)).await?;
            listener.listen(channel.name()).await?;
            Ok(Self {
                inner: listener,
                database: database.clone(),
            })
        };
        within(POOLED, "listen", run).await
    }

    /// Waits for the next wake-up.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn next(&mut self) -> Result<WakeUp, StoreError> {
        loop {
            // `try_recv` returns `None` if the connection was lost, and would silently connect
            // again.
            let notification = async {
                let notification = tokio::time::timeout(CHECK_EVERY, self.inner.try_recv()).await;
                notification.map_or(Ok(None), |notification| {
                    notification?.ok_or(sqlx::Error::WorkerCrashed).map(Some)
                })
            };
            match within(CHECK_EVERY + MARGIN, "listen", notification).await? {
                Some(notification) => {
                    return Ok(notification
                        .payload()
                        .parse()
                        .map_or(WakeUp::Work, WakeUp::Late));
                }
                None => self.check().await?,
            }
        }
    }

    /// Discards the notifications that have arrived and were not read.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn discard_pending(&mut self) -> Result<(), StoreError> {
        let forget = async {
            // If nothing is received without waiting, no notification is left. The number is a
            // bound in case notifications arrive as fast as they are read.
            for _ in 0..100_000 {
                match tokio::time::timeout(Duration::ZERO, self.inner.try_recv()).await {
                    Ok(Ok(Some(_))) => {}
                    Ok(Ok(None)) => return Err(sqlx::Error::WorkerCrashed),
                    Ok(Err(error)) => return Err(error),
                    Err(_) => break,
                }
            }
            Ok(())
        };
        within(MARGIN, "listen", forget).await
    }

    /// A dead connection is silent too.
    async fn check(&mut self) -> Result<(), StoreError> {
        let check = sqlx::query("SELECT 1").execute(&mut self.inner);
        let Err(error) = within(MARGIN, "listen", check).await else {
            return Ok(());
        };
        // A `PgListener` that is dropped sends UNLISTEN on its connection and waits for the answer.
        // So it gets a connection that can answer.
        if let (Ok(mut other), Ok(dead)) = (
            self.database.connect(Role::General).await,
            self.inner.acquire().await,
        ) {
            std::mem::swap(dead, &mut other.inner);
        }
        Err(error)
    }
}
