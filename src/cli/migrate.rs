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
    Ok(ExitCode::SUCCESS)
}
