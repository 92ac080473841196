//! What a failed statement means for whoever asked.

/// Why a statement failed, as far as it matters for what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection is gone, or the server is not there, or it is read-only: connect anew, later.
    /// Whether the statement was committed is not known.
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
#[error("{statement}: {source}")]
pub struct StoreError {
    statement: &'static str,
    source: sqlx::Error,
}

impl StoreError {
    pub(super) fn new(statement: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self { statement, source }
    }

    /// What it means.
    pub fn fault(&self) -> Fault {
        let sqlx::Error::Database(error) = &self.source else {
            return match &self.source {
                sqlx::Error::Encode(_) | sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => Fault::Other,
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
        self.source.as_database_error()?.code().map(std::borrow::Cow::into_owned)
    }

    /// Whether the server answered, and said no.
    pub(super) fn is_refused(&self) -> bool {
        matches!(self.source, sqlx::Error::Database(_)) && self.fault() != Fault::Lost
    }
}
