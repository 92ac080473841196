//! Choosing a port on the loopback address.

use std::{
    io,
    net::{Ipv4Addr, TcpListener},
};

/// The port that Postgres listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Port {
    /// Any free port.
    Any,
    /// This port, or another if it is taken.
    Preferred(u16),
    /// This port only.
    Fixed(u16),
}

impl Port {
    /// The port for the next start. A preferred port is abandoned if it is taken, or if a start on
    /// it has just failed.
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
/// The port is below the range that systems give to outgoing connections. In that range, a client
/// that reconnects while Postgres is down can be given that very port, connect to itself, and so
/// keep Postgres from getting the port back.
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
