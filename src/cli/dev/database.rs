//! Selects the database of `hookfast dev`: its private Postgres, or the one in DATABASE_URL.

use crate::cli::{
    folder::FOLDER,
    process::{say, variable},
};
use crate::dev::postgres::{Cluster, ClusterOptions};
use crate::store::{self, Database};
use std::path::Path;

/// A database that is available while `hookfast dev` runs.
pub(super) struct DevDatabase {
    pub(super) url: String,
    cluster: Option<Cluster>,
}

impl DevDatabase {
    /// Starts the private Postgres unless DATABASE_URL names another database, and prints which one
    /// is used and why.
    pub(super) async fn open() -> anyhow::Result<Self> {
        let why = match variable("DATABASE_URL") {
            None => "since DATABASE_URL is not set",
            Some(url) if Cluster::owns_url(Path::new(FOLDER), &url) => {
                "because DATABASE_URL names it"
            }
            Some(url) => {
                let database: Database = url.parse()?;
                say(&format!(
                    "database: {database}, since DATABASE_URL names it (unset it for a private Postgres in {FOLDER}/)"
                ));
                return Ok(Self { url, cluster: None });
            }
        };
        let cluster = Cluster::start(ClusterOptions::in_dir(FOLDER)).await?;
        say(&format!(
            "database: the private Postgres of this folder, on 127.0.0.1:{}, {why}",
            cluster.port()
        ));
        if let Some(port) = cluster.moved_from() {
            tracing::warn!(
                taken = port,
                port = cluster.port(),
                "another program listens on the previous port of the private Postgres, so it has a new port; URLs with the old port no longer work"
            );
        }
        if store::drop_unreleased(&cluster.url().parse()?).await? {
            say(
                "the database in this folder was made by an unreleased build of hookfast: its events were deleted, and it is created again",
            );
        }
        Ok(Self {
            url: cluster.url(),
            cluster: Some(cluster),
        })
    }

    pub(super) fn is_private(&self) -> bool {
        self.cluster.is_some()
    }

    pub(super) async fn close(self) -> anyhow::Result<()> {
        if let Some(cluster) = self.cluster {
            cluster.stop().await?;
        }
        Ok(())
    }
}
