//! What a failed statement means for whoever asked, and the deadline that every statement has on this side.

use futures_util::FutureExt as _;
use std::{io, time::Duration};

/// Why a statement failed, as far as it matters for what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection is gone or answers no more, or the server is not there, is read-only or full: connect again,
    /// later. Whether the statement was committed is not known.
    Lost,
    /// A deadlock or a serialization failure: nothing happened, the same again may work.
    Contended,
    /// A lock was not had in time: nothing happened.
    LockTimeout,
    /// The server refuses the data of some row: nothing happened.
    Data,
    /// Anything else: nothing happened, and the same again will most likely not work.
    Other,
}

/// A statement that failed.
#[derive(Debug, thiserror::Error)]
#[error("{statement}: {}", told(cause))]
pub struct StoreError {
    statement: &'static str,
    cause: sqlx::Error,
}

/// A database's error in its own words, with its code. The library's words for it end with a line of the server's
/// source code, which is nobody's business.
pub(crate) fn told(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => match error.code() {
            Some(code) => format!("{} (SQLSTATE {code})", error.message()),
            None => error.message().to_owned(),
        },
        other => other.to_string(),
    }
}

/// Waits for the database no longer than `limit`; past it the answer is [`Fault::Lost`].
///
/// The server's own time-outs end a statement on a connection that works, and not every one: a COMMIT has none. Where
/// the connection has died silently, as in a failover behind a proxy, no answer and no error would ever come. What was
/// interrupted leaves its connection in an unknown state: it has to be dropped, not closed, since a farewell would wait
/// for the same dead peer. That is why nothing else makes a [`StoreError`] of a use of a connection.
pub(super) fn within<T>(
    limit: Duration,
    statement: &'static str,
    run: impl Future<Output = Result<T, sqlx::Error>>,
) -> impl Future<Output = Result<T, StoreError>> {
    // Mapped, since an async block would hold `run` twice.
    tokio::time::timeout(limit, run).map(move |ended| {
        let ended = ended.unwrap_or_else(|_| {
            let problem = format!("no answer within {limit:?}, so the connection was dropped");
            Err(sqlx::Error::Io(io::Error::new(
                io::ErrorKind::TimedOut,
                problem,
            )))
        });
        ended.map_err(|cause| StoreError { statement, cause })
    })
}

impl StoreError {
    /// An answer that cannot be read.
    pub(super) fn unreadable(statement: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |cause| Self { statement, cause }
    }

    /// What the server answered, if it did.
    pub(super) fn answered(&self) -> Option<&(dyn sqlx::error::DatabaseError + 'static)> {
        self.cause.as_database_error()
    }

    /// What it means.
    pub fn fault(&self) -> Fault {
        let sqlx::Error::Database(error) = &self.cause else {
            return match &self.cause {
                sqlx::Error::Encode(_)
                | sqlx::Error::Decode(_)
                | sqlx::Error::ColumnDecode { .. } => Fault::Other,
                _ => Fault::Lost,
            };
        };
        match error.code().as_deref() {
            Some("40P01" | "40001") => Fault::Contended,
            Some("55P03") => Fault::LockTimeout,
            // Read-only: a demoted primary is left at once.
            Some("25006") => Fault::Lost,
            Some(code) => match &code[..code.len().min(2)] {
                "22" | "23" | "54" => Fault::Data,
                "08" | "57" | "58" | "53" => Fault::Lost,
                _ => Fault::Other,
            },
            None => Fault::Other,
        }
    }

    /// The server's code, where it answered.
    pub(super) fn sqlstate(&self) -> Option<String> {
        self.answered()?.code().map(std::borrow::Cow::into_owned)
    }

    /// Whether the role lacks the right.
    pub(crate) fn is_denied(&self) -> bool {
        self.sqlstate().as_deref() == Some("42501")
    }

    /// Whether no answer came within the time.
    pub(super) fn is_unanswered(&self) -> bool {
        matches!(&self.cause, sqlx::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut)
    }

    /// Whether the server ended a statement because it took too long.
    pub(super) fn is_statement_timeout(&self) -> bool {
        self.answered()
            .is_some_and(|answer| answer.code().as_deref() == Some("57014"))
    }

    /// Whether the server answered, and said no.
    pub(super) fn is_refused(&self) -> bool {
        self.answered().is_some() && self.fault() != Fault::Lost
    }
}
