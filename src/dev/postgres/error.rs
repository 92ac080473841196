//! Errors of a private cluster. Each message says what to do next.

use std::{io, path::PathBuf};

/// Why a private Postgres cluster could not be started, found or taken over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// No server binaries of Postgres 15 or later were found.
    #[error(
        "no Postgres 15 or later was found{seen}: install it (Debian, Ubuntu: apt-get install postgresql; Fedora: dnf \
         install postgresql-server; macOS: brew install postgresql@17), name its bin directory in HOOKFAST_PG_BIN, or \
         give a running database in DATABASE_URL"
    )]
    NoBinaries {
        /// The versions that were found and are too old, or an empty text.
        seen: String,
    },
    /// `HOOKFAST_PG_BIN` does not name a usable Postgres.
    #[error(
        "HOOKFAST_PG_BIN is {dir}, but {problem}: set it to the bin directory of Postgres 15 or later, or unset it"
    )]
    WrongBinaries {
        /// The value of `HOOKFAST_PG_BIN`.
        dir: PathBuf,
        /// What is wrong with the directory.
        problem: String,
    },
    /// The data was made by a major version that is not installed.
    #[error(
        "the data in {data} was made by Postgres {made_by}, which is not installed; it was not touched. Install \
         Postgres {made_by}, or remove that directory to begin with an empty database"
    )]
    OtherVersion {
        /// The data directory.
        data: PathBuf,
        /// The major version that made the data.
        made_by: u32,
    },
    /// We are root, which Postgres refuses, and there is no other user to run it as.
    #[error(
        "Postgres refuses to run as root, and there is neither a user 'postgres' nor 'nobody' to run it as: run \
         hookfast as an ordinary user, or give a running database in DATABASE_URL"
    )]
    NoAccount,
    /// Another running process owns the cluster.
    #[error(
        "{holder} already runs the Postgres of {dir}; it was not affected. Stop it first, or give this one another \
         directory or a database in DATABASE_URL"
    )]
    InUse {
        /// The directory that both processes use.
        dir: PathBuf,
        /// The other process, such as `process 4711`.
        holder: String,
    },
    /// The files belong to another user.
    #[error(
        "{path} belongs to another user (uid {uid}); nothing in it was touched. Run hookfast as that user, or remove \
         it to begin with an empty database"
    )]
    NotOurs {
        /// The file or directory with the wrong owner.
        path: PathBuf,
        /// The uid of the owner.
        uid: u32,
    },
    /// Other users can read the directory, and it holds other files.
    #[error(
        "{dir} is open to other users and holds other files, so no database was created in it: choose another directory, \
         or close this one (chmod 700)"
    )]
    NotPrivate {
        /// The requested directory.
        dir: PathBuf,
    },
    /// The data exists but its password file is missing.
    #[error(
        "the password of the database in {data} is not in {file}; nothing was changed. Put the file back, or remove \
         {data} to begin with an empty database"
    )]
    NoPassword {
        /// The data directory.
        data: PathBuf,
        /// The expected path of the password file.
        file: PathBuf,
    },
    /// `pg.location` names something that cannot be our cluster.
    #[error(
        "{file} names {data_dir} as the directory of the database, but {problem}. Nothing was changed: correct it, or \
         remove {file} to begin with an empty database"
    )]
    BadLocation {
        /// The path of the `pg.location` file.
        file: PathBuf,
        /// The directory that the file names.
        data_dir: PathBuf,
        /// What is wrong with that directory.
        problem: String,
    },
    /// The user that Postgres runs as cannot reach its data, and no other data_dir is usable.
    #[error(
        "the user Postgres runs as (uid {uid}) cannot enter {dir}; nothing was changed. Let that user enter the \
         directories above it (chmod o+x), or choose another directory"
    )]
    Unreachable {
        /// The directory that the user cannot enter.
        dir: PathBuf,
        /// The uid of that user.
        uid: u32,
    },
    /// A Postgres of an earlier run does not stop.
    #[error(
        "the Postgres of an earlier run (process {pid}) in {data} does not stop; no data is lost. Stop it by hand \
         (kill -QUIT {pid}) and start again"
    )]
    StillRunning {
        /// The pid of its postmaster.
        pid: i32,
        /// The data directory.
        data: PathBuf,
    },
    /// `initdb` failed.
    #[error(
        "initdb could not create a database in {data_dir}; an incomplete one is not kept. Its output: {output}"
    )]
    Initdb {
        /// The directory in which `initdb` ran.
        data_dir: PathBuf,
        /// The last lines of its output.
        output: String,
    },
    /// Postgres ended, or did not become ready in time.
    #[error(
        "Postgres did not start: {problem}. Its data was not removed; its log is {log}, and ends with: {tail}"
    )]
    DidNotStart {
        /// How the start failed.
        problem: String,
        /// The path of the log.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// Postgres runs but accepts no connection.
    #[error("the private Postgres runs but accepts no connection; its log is {log}")]
    NoAnswer {
        /// The path of the log.
        log: PathBuf,
        /// The error of the connection.
        #[source]
        source: sqlx::Error,
    },
    /// A file or process operation failed.
    #[error("could not {doing}")]
    Io {
        /// The operation, with the path.
        doing: String,
        /// The cause of the failure.
        #[source]
        source: io::Error,
    },
    /// The program is shutting down.
    #[error("the program ended while the private Postgres was being started")]
    Interrupted,
}

/// Names the operation in the error of a failed system call.
pub(super) trait Doing<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, ClusterError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, ClusterError> {
        self.map_err(|source| ClusterError::Io {
            doing: what(),
            source,
        })
    }
}
