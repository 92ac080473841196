//! Things that a start does not wait for.

use crate::support::postgres::database;
use hookfast::internals::app::{Builder, RunError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A process that tried this repeatedly would answer every webhook with 503, as if the database
/// were unavailable.
#[tokio::test]
async fn a_start_that_waiting_cannot_repair_ends_with_the_reason() {
    let database = database().await;
    sqlx::query("SELECT setval('hookfast_data.sources_id_seq', 32767)")
        .execute(&database.pool().await)
        .await
        .expect("the last number is taken");
    let app = Builder::new(database.url())
        .expect("a URL")
        .sql_source("own".parse().expect("a name"))
        .build();
    let ended =
        tokio::time::timeout(Duration::from_secs(60), app.run(CancellationToken::new())).await;
    let error = ended
        .expect("it ends by itself")
        .expect_err("no number is left");
    assert!(matches!(error, RunError::Database(_)), "{error}");
    assert!(
        error
            .to_string()
            .contains("reached maximum value of sequence"),
        "{error}"
    );
}
