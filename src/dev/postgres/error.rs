//! What can go wrong with a private cluster. Each error says what to do next.

use std::{io, path::PathBuf};

/// Why a private Postgres cluster could not be started, found or taken over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// No server binaries of Postgres 15 or later.
    #[error(
        "no Postgres 15 or later was found{seen}: install it (Debian, Ubuntu: apt-get install postgresql; Fedora: dnf \
         install postgresql-server; macOS: brew install postgresql@17), name its bin directory in HOOKFAST_PG_BIN, or \
         give a running database in DATABASE_URL"
    )]
    NoBinaries {
        /// What was found and is too old, or empty.
        seen: String,
    },
    /// `HOOKFAST_PG_BIN` does not hold what it should.
    #[error(
        "HOOKFAST_PG_BIN is {dir}, but {problem}: set it to the bin directory of Postgres 15 or later, or unset it"
    )]
    WrongBinaries {
        /// Its value.
        dir: PathBuf,
        /// What is wrong with it.
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
        /// Its major version.
        made_by: u32,
    },
    /// We are root, Postgres refuses to be, and there is nobody else.
    #[error(
        "Postgres refuses to run as root, and there is neither a user 'postgres' nor 'nobody' to run it as: run \
         hookfast as an ordinary user, or give a running database in DATABASE_URL"
    )]
    NoAccount,
    /// Another living process owns the cluster.
    #[error(
        "{holder} already runs the Postgres of {dir}; it goes on undisturbed. Stop it first, or give this one another \
         directory or a database in DATABASE_URL"
    )]
    InUse {
        /// The directory both want.
        dir: PathBuf,
        /// The other process, as `process 4711`.
        holder: String,
    },
    /// Files of somebody else.
    #[error(
        "{path} belongs to another user (uid {uid}); nothing in it was touched. Run hookfast as that user, or remove \
         it to begin with an empty database"
    )]
    NotOurs {
        /// Whose owner is wrong.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// A directory that others can read and that holds other things.
    #[error(
        "{dir} is open to other users and holds other files, so no database was put into it: choose another directory, \
         or close this one (chmod 700)"
    )]
    NotPrivate {
        /// The directory asked for.
        dir: PathBuf,
    },
    /// The data is there and its password is not.
    #[error(
        "the password of the database in {data} is not in {file}; nothing was changed. Put the file back, or remove \
         {data} to begin with an empty database"
    )]
    NoPassword {
        /// The data directory.
        data: PathBuf,
        /// Where it should be.
        file: PathBuf,
    },
    /// `pg.location` names something that cannot be our cluster.
    #[error(
        "{file} says that the database is in {place}, but {problem}. Nothing was changed: put it right, or remove \
         {file} to begin with an empty database"
    )]
    BadLocation {
        /// The file that names it.
        file: PathBuf,
        /// What it names.
        place: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The user Postgres runs as cannot get at its data, or there is no place it could.
    #[error(
        "the user Postgres runs as (uid {uid}) cannot enter {dir}; nothing was changed. Make the directories above it \
         enterable for that user (chmod o+x), or choose another directory"
    )]
    Unreachable {
        /// Where it should be.
        dir: PathBuf,
        /// Who cannot enter.
        uid: u32,
    },
    /// A predecessor's Postgres does not end.
    #[error(
        "the Postgres of an earlier run (process {pid}) in {data} does not stop; no data is lost. Stop it by hand \
         (kill -QUIT {pid}) and start again"
    )]
    StillRunning {
        /// Its postmaster.
        pid: i32,
        /// Its data directory.
        data: PathBuf,
    },
    /// `initdb` failed.
    #[error(
        "initdb could not make a database in {place}; a half-made one is not kept. It said: {output}"
    )]
    Initdb {
        /// Where.
        place: PathBuf,
        /// The end of what it wrote.
        output: String,
    },
    /// Postgres ended, or did not get ready in time.
    #[error(
        "Postgres did not start: {problem}. Its data was not removed; its log is {log}, and ends with: {tail}"
    )]
    DidNotStart {
        /// How it failed.
        problem: String,
        /// The whole log.
        log: PathBuf,
        /// The end of it.
        tail: String,
    },
    /// Postgres runs and does not answer us.
    #[error("the private Postgres runs but does not answer; its log is {log}")]
    NoAnswer {
        /// The log.
        log: PathBuf,
        /// What the connection said.
        #[source]
        source: sqlx::Error,
    },
    /// A file or process operation failed.
    #[error("could not {doing}")]
    Io {
        /// What was being done, with the path.
        doing: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The program is shutting down.
    #[error("the program ended while the private Postgres was being started")]
    Interrupted,
}

/// Names what was being done when an operation of the system failed.
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
