//! The Postgres for the measurements, with a separate database for each run.

use crate::figures::say;
use crate::usage;
use anyhow::Context;
use hookfast::internals::dev::postgres::{Cluster, ClusterOptions, Durability};
use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

pub(crate) struct Postgres {
    cluster: Option<Cluster>,
    url: url::Url,
    made: AtomicU32,
}

/// A database that [`Postgres::discard`] drops.
pub(crate) struct Database {
    pub(crate) url: String,
    name: String,
}

/// Parses `NAME=VALUE`.
pub(crate) fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it is written NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Postgres {
    /// Uses the Postgres of DATABASE_URL, or starts a private one that is removed afterwards.
    pub(crate) async fn start(settings: Vec<(String, String)>) -> anyhow::Result<Self> {
        let given = std::env::var("DATABASE_URL")
            .ok()
            .filter(|url| !url.is_empty());
        let (cluster, url) = match given {
            Some(url) => (None, url),
            None => {
                let options = ClusterOptions {
                    settings,
                    ..ClusterOptions::temporary(Durability::Durable)
                };
                let cluster = Cluster::start(options).await?;
                let url = cluster.url();
                (Some(cluster), url)
            }
        };
        let url = url::Url::parse(&url).context("DATABASE_URL cannot be read")?;
        let postgres = Self {
            cluster,
            url,
            made: AtomicU32::new(0),
        };
        postgres.describe().await?;
        Ok(postgres)
    }

    async fn connect(&self) -> anyhow::Result<PgConnection> {
        PgConnection::connect(self.url.as_str())
            .await
            .context("Postgres cannot be reached")
    }

    /// Prints the settings that influence the figures.
    async fn describe(&self) -> anyhow::Result<()> {
        const SETTINGS: [&str; 6] = [
            "server_version",
            "fsync",
            "synchronous_commit",
            "full_page_writes",
            "shared_buffers",
            "max_wal_size",
        ];
        let mut connection = self.connect().await?;
        let mut found = Vec::new();
        for name in SETTINGS {
            let value: String = sqlx::query_scalar("SELECT current_setting($1)")
                .bind(name)
                .fetch_one(&mut connection)
                .await?;
            found.push(format!("{name} {value}"));
        }
        let processors = std::thread::available_parallelism()?;
        say(&format!(
            "Postgres: {}\nload, server and Postgres together on {processors} processors",
            found.join(", ")
        ));
        if let Some(cluster) = &self.cluster {
            let data = cluster.data_dir();
            if statfs(&data).is_ok_and(|found| found.filesystem_type() == TMPFS_MAGIC) {
                say(&format!(
                    "NOT DURABLE: {} is in memory; set TMPDIR to a directory on a disk",
                    data.display()
                ));
            }
        }
        connection.close().await.map_err(Into::into)
    }

    /// Creates an empty database after a checkpoint, so that no run has to write what an earlier
    /// run left.
    pub(crate) async fn fresh(&self) -> anyhow::Result<Database> {
        let name = format!(
            "hookfast_speed_{}_{}",
            std::process::id(),
            self.made.fetch_add(1, Ordering::Relaxed)
        );
        let mut connection = self.connect().await?;
        sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .execute(&mut connection)
            .await?;
        // Only a superuser may do this. Without it the runs differ a little more.
        let _ = sqlx::query("CHECKPOINT").execute(&mut connection).await;
        connection.close().await?;
        let mut url = self.url.clone();
        url.set_path(&name);
        Ok(Database {
            url: url.into(),
            name,
        })
    }

    /// The total processor time of the private Postgres. `None` for another Postgres, or if it
    /// cannot be read.
    pub(crate) fn processor(&self) -> Option<Duration> {
        let file =
            std::fs::read_to_string(self.cluster.as_ref()?.data_dir().join("postmaster.pid"))
                .ok()?;
        usage::processor_of_family(file.lines().next()?.trim().parse().ok()?)
    }

    /// Drops the database and closes its connections.
    pub(crate) async fn discard(&self, database: Database) -> anyhow::Result<()> {
        let mut connection = self.connect().await?;
        let drop = format!("DROP DATABASE {} WITH (FORCE)", database.name);
        sqlx::query(AssertSqlSafe(drop))
            .execute(&mut connection)
            .await?;
        connection.close().await.map_err(Into::into)
    }

    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        match self.cluster {
            Some(cluster) => Ok(cluster.stop().await?),
            None => Ok(()),
        }
    }
}

impl Database {
    pub(crate) async fn connect(&self) -> anyhow::Result<PgConnection> {
        Ok(PgConnection::connect(&self.url).await?)
    }

    /// The number of transactions committed in this database so far.
    pub(crate) async fn transactions(&self) -> anyhow::Result<i64> {
        let mut connection = self.connect().await?;
        let query = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()";
        let transactions = sqlx::query(query)
            .fetch_one(&mut connection)
            .await?
            .try_get(0)?;
        connection.close().await?;
        Ok(transactions)
    }
}
