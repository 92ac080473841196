//! The kind of a failed attempt.

/// Why an attempt failed, as the column `error_kind` groups failures. The error's text is for
/// people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The handler itself reported an error.
    #[default]
    Handler,
    /// The handler panicked.
    Panic,
    /// The receiver answered with a status that is not 2xx.
    Status,
    /// A time limit was exceeded, whichever it was.
    Timeout,
    /// The worker or its connection to the database went away during the attempt.
    Lost,
    /// The settling transaction could not commit.
    Commit,
    /// The receiver's name could not be resolved.
    NameResolution,
    /// The receiver's address is not public, and the handler does not allow private addresses.
    AddressBlocked,
    /// The TLS handshake failed.
    Tls,
    /// Nothing accepts connections at the receiver's address.
    ConnectionRefused,
    /// The connection could not be opened for another reason.
    ConnectionFailed,
    /// The receiver closed the connection before it answered.
    ConnectionBroken,
    /// The response has more headers than Hookfast reads.
    ResponseTooLarge,
    /// The response is not HTTP/1.1.
    InvalidResponse,
    /// The request failed for another reason.
    Request,
}

impl ErrorKind {
    /// Every kind.
    pub const ALL: [Self; 15] = [
        Self::Handler,
        Self::Panic,
        Self::Status,
        Self::Timeout,
        Self::Lost,
        Self::Commit,
        Self::NameResolution,
        Self::AddressBlocked,
        Self::Tls,
        Self::ConnectionRefused,
        Self::ConnectionFailed,
        Self::ConnectionBroken,
        Self::ResponseTooLarge,
        Self::InvalidResponse,
        Self::Request,
    ];

    /// The value in the column `error_kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Handler => "handler",
            Self::Panic => "panic",
            Self::Status => "status",
            Self::Timeout => "timeout",
            Self::Lost => "lost",
            Self::Commit => "commit",
            Self::NameResolution => "name_resolution",
            Self::AddressBlocked => "address_blocked",
            Self::Tls => "tls",
            Self::ConnectionRefused => "connection_refused",
            Self::ConnectionFailed => "connection_failed",
            Self::ConnectionBroken => "connection_broken",
            Self::ResponseTooLarge => "response_too_large",
            Self::InvalidResponse => "invalid_response",
            Self::Request => "request",
        }
    }
}
