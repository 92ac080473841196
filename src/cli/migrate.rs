//! `hookfast migrate`.

use super::process::{database_url, say};
use crate::store::{self, Database, Role};
use std::process::ExitCode;

pub(super) async fn run() -> anyhow::Result<ExitCode> {
    let database: Database = database_url()?.parse()?;
    let applied = store::migrate(&database).await?;
    store::check_schema(&database).await?;
    let made = store::ensure_partitions(&database.pool(Role::General, 1)).await?;
    say(&format!("{database}: {applied} migrations applied, {made} partitions made; the schema fits this program"));
    // As long as the tables are large; nothing waits for it, and nothing is wrong without it.
    match store::ensure_indexes(&database).await {
        Ok(0) => {}
        Ok(built) => say(&format!("{built} indexes built")),
        Err(error) => say(&format!(
            "not every index could be built ({error}); nothing is wrong without, and workers try again every hour"
        )),
    }
    Ok(ExitCode::SUCCESS)
}
