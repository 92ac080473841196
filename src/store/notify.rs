//! The wake-up between processes.

use super::{
    Connection, Database, Role, StoreError,
    connect::{MARGIN, POOLED},
    error::within,
};
use sqlx::{Acquire as _, postgres::PgListener};
use std::time::Duration;

/// What notifications are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// There may be work for workers.
    Wake,
    /// Something is asked of the quarantine.
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
    /// Where the statement failed: they find the work by polling.
    pub async fn notify(&mut self) -> Result<(), StoreError> {
        let notify = sqlx::query("SELECT hookfast_data.notify($1, '')").bind(Channel::Wake.name());
        within(self.deadline(), "notify", notify.execute(&mut self.inner))
            .await
            .map(drop)
    }
}

/// What a wake-up says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// There may be work.
    Work,
    /// A transaction committed deliveries that were due at this time (microseconds since 1970) or later: perhaps long
    /// ago, before what has been looked at since.
    Late(i64),
}

/// How long a quiet connection is believed to be alive.
const CHECK_EVERY: Duration = Duration::from_secs(10);

/// Hears the wake-ups of other processes.
pub struct Listener {
    inner: PgListener,
    database: Database,
}

impl Listener {
    /// Listens on a connection of its own.
    ///
    /// # Errors
    /// Where the database cannot be asked.
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

    /// Waits for a wake-up.
    ///
    /// # Errors
    /// Where the connection broke.
    pub async fn heard(&mut self) -> Result<Heard, StoreError> {
        loop {
            // `try_recv` says None where the connection was lost, and would silently connect again.
            let heard = async {
                let heard = tokio::time::timeout(CHECK_EVERY, self.inner.try_recv()).await;
                heard.map_or(Ok(None), |heard| {
                    heard?.ok_or(sqlx::Error::WorkerCrashed).map(Some)
                })
            };
            match within(CHECK_EVERY + MARGIN, "listen", heard).await? {
                Some(said) => return Ok(said.payload().parse().map_or(Heard::Work, Heard::Late)),
                None => self.check().await?,
            }
        }
    }

    /// Forgets the notifications that have arrived and were not heard.
    ///
    /// # Errors
    /// If the connection broke.
    pub async fn forget_unheard(&mut self) -> Result<(), StoreError> {
        let forget = async {
            // Without a wait there is none left; the number is a bound, for notifications that arrive as fast.
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

    /// Silence is what a dead connection sounds like, too.
    async fn check(&mut self) -> Result<(), StoreError> {
        let check = sqlx::query("SELECT 1").execute(&mut self.inner);
        let Err(error) = within(MARGIN, "listen", check).await else {
            return Ok(());
        };
        // A dropped PgListener says UNLISTEN on its connection and waits for the answer: it gets one that can answer.
        if let (Ok(mut other), Ok(dead)) = (
            self.database.connect(Role::General).await,
            self.inner.acquire().await,
        ) {
            std::mem::swap(dead, &mut other.inner);
        }
        Err(error)
    }
}
