//! The wake-up between processes.

use super::{Connection, Database, Role, StoreError};
use sqlx::postgres::PgListener;

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
        sqlx::query("SELECT hookfast_data.notify($1, '')")
            .bind(Channel::Wake.name())
            .execute(&mut self.inner)
            .await
            .map(drop)
            .map_err(StoreError::new("notify"))
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

/// Hears the wake-ups of other processes.
pub struct Listener(PgListener);

impl Listener {
    /// Listens on a connection of its own.
    ///
    /// # Errors
    /// Where the database cannot be asked.
    pub async fn connect(database: &Database, channel: Channel) -> Result<Self, StoreError> {
        let run = async {
            let mut listener = PgListener::connect_with(&database.pool(Role::General, 1)).await?;
            listener.listen(channel.name()).await?;
            Ok(Self(listener))
        };
        run.await.map_err(StoreError::new("listen"))
    }

    /// Waits for a wake-up.
    ///
    /// # Errors
    /// Where the connection broke.
    pub async fn heard(&mut self) -> Result<Heard, StoreError> {
        // `try_recv` says None where the connection was lost, and would silently connect anew.
        match self.0.try_recv().await {
            Ok(Some(said)) => Ok(said.payload().parse().map_or(Heard::Work, Heard::Late)),
            Ok(None) => Err(StoreError::new("listen")(sqlx::Error::WorkerCrashed)),
            Err(error) => Err(StoreError::new("listen")(error)),
        }
    }
}
