//! The clients of the pull handler: each claims, books every delivery in the transaction that
//! completes it, and now and then fails one or disappears with its deliveries. Their connections
//! suffer the same faults as those of Hookfast.

use sqlx::{Connection, PgConnection, Row};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

const CLIENTS: usize = 2;

/// How long a client waits for the database before it abandons the connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// The pause after a claim that found nothing, and after any error.
const PAUSE: Duration = Duration::from_millis(100);

const CLAIM: &str =
    "SELECT lease_id, delivery_id, event_id FROM hookfast.claim('pulled', owner => 'torture',
    batch => 20, lease => '10 seconds')";

/// Clients that pull until they are stopped.
pub(crate) struct PullClients {
    stopped: Arc<AtomicBool>,
    tasks: JoinSet<()>,
}

impl PullClients {
    pub(crate) fn start(url: &str) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for _ in 0..CLIENTS {
            let (url, stopped) = (url.to_owned(), Arc::clone(&stopped));
            tasks.spawn(async move {
                while !stopped.load(Ordering::Relaxed) {
                    // A connection that broke, was frozen or was abandoned on purpose; the lease
                    // expires by itself.
                    let _ = pull(&url, &stopped).await;
                    sleep(PAUSE).await;
                }
            });
        }
        Self { stopped, tasks }
    }

    pub(crate) async fn stop(mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Pulls over one connection, until an error.
async fn pull(url: &str, stopped: &AtomicBool) -> sqlx::Result<()> {
    let mut database = within(PgConnection::connect(url)).await?;
    while !stopped.load(Ordering::Relaxed) {
        let claimed = within(sqlx::query(CLAIM).fetch_all(&mut database)).await?;
        if claimed.is_empty() {
            sleep(PAUSE).await;
        }
        for row in claimed {
            let (lease, delivery) = (row.try_get("lease_id")?, row.try_get("delivery_id")?);
            match rand::random_range(0..1000) {
                // Like a killed client: its deliveries are rescued when the lease expires.
                0..5 => return Ok(()),
                5..25 => within(fail(&mut database, lease, delivery)).await?,
                _ => {
                    within(book(
                        &mut database,
                        lease,
                        delivery,
                        row.try_get("event_id")?,
                    ))
                    .await?
                }
            }
        }
    }
    Ok(())
}

async fn fail(database: &mut PgConnection, lease: i64, delivery: i64) -> sqlx::Result<()> {
    let fail = "SELECT hookfast.fail($1, $2, 'on purpose')";
    sqlx::query(fail)
        .bind(lease)
        .bind(delivery)
        .execute(database)
        .await
        .map(|_| ())
}

/// The work and the end of the delivery are one transaction.
async fn book(
    database: &mut PgConnection,
    lease: i64,
    delivery: i64,
    event: uuid::Uuid,
) -> sqlx::Result<()> {
    let mut transaction = database.begin().await?;
    let book = "INSERT INTO torture.ledger (handler, event_id) VALUES ('pulled', $1)";
    sqlx::query(book)
        .bind(event)
        .execute(&mut *transaction)
        .await?;
    let complete = "SELECT hookfast.complete($1, $2)";
    sqlx::query(complete)
        .bind(lease)
        .bind(delivery)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

async fn within<T>(work: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    timeout(PATIENCE, work)
        .await
        .map_err(|_| sqlx::Error::PoolTimedOut)?
}
