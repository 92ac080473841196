//! Classifies failed statements, and gives every statement a deadline in this process.

use futures_util::FutureExt as _;
use sqlx::postgres::PgDatabaseError;
use std::{io, time::Duration};

/// The kind of a failure, which decides how to continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection is lost or no longer answers, or the server is unavailable, read-only or
    /// full. Connect again later. It is not known whether the statement was committed.
    Lost,
    /// A deadlock or a serialization failure. Nothing was changed, and the same statement may
    /// succeed now.
    Contended,
    /// A lock was not available in time. Nothing was changed.
    LockTimeout,
    /// The server rejects the data of a row. Nothing was changed.
    Data,
    /// Any other error. Nothing was changed, and the same statement will most likely fail again.
    Other,
}

/// A statement that failed, with its name and the cause.
#[derive(Debug, thiserror::Error)]
#[error("{statement}: {}", describe(cause))]
pub struct StoreError {
    statement: &'static str,
    cause: sqlx::Error,
}

/// The server's message with its SQLSTATE. sqlx's own text ends with a line of the server's source
/// code, which is of no use to anybody.
pub(crate) fn describe(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => match error.code() {
            Some(code) => format!("{} (SQLSTATE {code})", error.message()),
            None => error.message().to_owned(),
        },
        other => other.to_string(),
    }
}

/// Waits for the database no longer than `limit`, and then fails with [`Fault::Lost`].
///
/// The server's timeouts end a statement on a connection that works, but not every statement:
/// COMMIT has none. If the connection has died silently, as in a failover behind a proxy, no answer
/// and no error would ever arrive. An interrupted statement leaves its connection in an unknown
/// state. The connection has to be dropped, not closed, since closing would wait for the same dead
/// peer. For this reason every use of a connection gets its [`StoreError`] from here.
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
    /// An answer that cannot be decoded.
    pub(super) fn unreadable(statement: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |cause| Self { statement, cause }
    }

    /// The server's error; `None` if the server did not answer.
    pub(super) fn answered(&self) -> Option<&(dyn sqlx::error::DatabaseError + 'static)> {
        self.cause.as_database_error()
    }

    /// Returns the kind of the failure.
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
            // The server is read-only: leave a demoted primary at once.
            Some("25006") => Fault::Lost,
            Some(code) => match &code[..code.len().min(2)] {
                "22" | "23" | "54" => Fault::Data,
                "08" | "57" | "58" | "53" => Fault::Lost,
                _ => Fault::Other,
            },
            None => Fault::Other,
        }
    }

    pub(super) fn sqlstate(&self) -> Option<String> {
        self.answered()?.code().map(std::borrow::Cow::into_owned)
    }

    /// The server's message; the whole error if the server did not answer.
    pub(super) fn message(&self) -> String {
        match self.answered() {
            Some(answer) => answer.message().to_owned(),
            None => self.to_string(),
        }
    }

    /// The SQLSTATE, message and hint of a statement that the server rejected.
    pub(super) fn rejection(&self) -> Option<(String, String, Option<String>)> {
        let answer = self.answered().filter(|_| self.is_refused())?;
        let hint = answer
            .try_downcast_ref::<PgDatabaseError>()
            .and_then(PgDatabaseError::hint);
        let code = answer.code().unwrap_or_default().into_owned();
        Some((code, answer.message().to_owned(), hint.map(str::to_owned)))
    }

    /// Whether the role lacks a privilege.
    pub(crate) fn is_denied(&self) -> bool {
        self.sqlstate().as_deref() == Some("42501")
    }

    /// Whether no answer arrived before the deadline.
    pub(super) fn is_unanswered(&self) -> bool {
        matches!(&self.cause, sqlx::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut)
    }

    /// Whether the server ended the statement because it took too long.
    pub(super) fn is_statement_timeout(&self) -> bool {
        self.answered()
            .is_some_and(|answer| answer.code().as_deref() == Some("57014"))
    }

    /// Whether the server answered and rejected the statement.
    pub(super) fn is_refused(&self) -> bool {
        self.answered().is_some() && self.fault() != Fault::Lost
    }
}
