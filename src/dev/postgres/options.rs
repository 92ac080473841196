//! What a private cluster is to be like.

use std::path::PathBuf;

/// How a private cluster is started.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// Where its files are.
    pub home: Home,
    /// Whether it outlives a loss of power.
    pub durability: Durability,
    /// Connections at a time.
    pub max_connections: u16,
    /// Further settings of `postgresql.conf`, as name and value; they win over ours.
    pub settings: Vec<(String, String)>,
}

/// Where a cluster's files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Home {
    /// In this directory, or where its `pg.location` says; kept.
    Dir(PathBuf),
    /// In the folder for temporary files (a fast one in `/dev/shm`, where that has 2 GiB free), removed at the end.
    Temporary,
}

/// What is on disk when a commit returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// All of it.
    Durable,
    /// Nothing, and commits may be lost even where only Postgres crashes. For tests of other things.
    Fast,
}

impl ClusterOptions {
    /// A durable cluster that is kept in `dir`, made where it is missing.
    pub fn in_dir(dir: impl Into<PathBuf>) -> Self {
        Self::new(Home::Dir(dir.into()), Durability::Durable)
    }

    /// A cluster that is gone when it is stopped, or when this process ends.
    pub fn temporary(durability: Durability) -> Self {
        Self::new(Home::Temporary, durability)
    }

    fn new(home: Home, durability: Durability) -> Self {
        Self {
            home,
            durability,
            max_connections: 200,
            settings: Vec::new(),
        }
    }
}

impl Durability {
    pub(super) fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Durable => &[
                ("fsync", "on"),
                ("synchronous_commit", "on"),
                ("full_page_writes", "on"),
            ],
            // Little WAL, and nothing that waits for a disk.
            Self::Fast => &[
                ("fsync", "off"),
                ("synchronous_commit", "off"),
                ("full_page_writes", "off"),
                ("wal_level", "minimal"),
                ("max_wal_senders", "0"),
                ("max_wal_size", "4GB"),
                ("checkpoint_timeout", "1h"),
                ("checkpoint_flush_after", "0"),
                ("bgwriter_flush_after", "0"),
            ],
        }
    }
}
