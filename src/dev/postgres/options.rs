//! Options of a private cluster.

use std::path::PathBuf;

/// How a private cluster is started.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// The location of the cluster's files.
    pub home: Home,
    /// Whether committed data survives a loss of power.
    pub durability: Durability,
    /// The maximum number of connections at a time.
    pub max_connections: u16,
    /// Further settings of `postgresql.conf`, as name and value. They override ours.
    pub settings: Vec<(String, String)>,
}

/// The location of a cluster's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Home {
    /// This directory, or the one that its `pg.location` names. It is kept.
    Dir(PathBuf),
    /// The folder for temporary files, removed at the end. A fast cluster is in `/dev/shm` if that
    /// has 2 GiB free.
    Temporary,
}

/// What is on disk when a commit returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// All committed data.
    Durable,
    /// Nothing. Commits may be lost even if only Postgres crashes. For tests that do not test
    /// durability.
    Fast,
}

impl ClusterOptions {
    /// A durable cluster that is kept in `dir`, which is created if it is missing.
    pub fn in_dir(dir: impl Into<PathBuf>) -> Self {
        Self::new(Home::Dir(dir.into()), Durability::Durable)
    }

    /// A cluster that is removed when it is stopped, or when this process ends.
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
            // Little WAL, and no waiting for a disk.
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
