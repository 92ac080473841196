//! The port on the loopback address.

use std::{
    io,
    net::{Ipv4Addr, TcpListener},
};

/// On which port Postgres is to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Port {
    /// On any that is free.
    Any,
    /// On this one, or on another where it is taken.
    Preferred(u16),
    /// On this one.
    Fixed(u16),
}

impl Port {
    /// The port for the next try; one that is preferred is given up where it is taken, or was taken just now.
    pub(super) fn choose(self, tried: u32) -> io::Result<u16> {
        match self {
            Self::Fixed(port) => Ok(port),
            Self::Preferred(port) if tried == 0 && is_free(port) => Ok(port),
            Self::Preferred(_) | Self::Any => free(),
        }
    }
}

/// A port that is free at this moment. Another program can still take it first.
///
/// It is sought below the range that systems give to outgoing connections: there a client that tries to reconnect
/// while Postgres is down is sooner or later given that very port, connects to itself, and Postgres cannot have it back.
fn free() -> io::Result<u16> {
    for _ in 0..50 {
        let port = rand::random_range(15_000..30_000);
        if is_free(port) {
            return Ok(port);
        }
    }
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()
        .map(|address| address.port())
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
