//! A free port on the loopback address.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// A port that is free at this moment. Another program can still take it first.
///
/// It is sought below the range that systems give to outgoing connections: there a client that tries to reconnect
/// while Postgres is down is sooner or later given that very port, connects to itself, and Postgres cannot have it back.
pub(super) fn free() -> io::Result<u16> {
    for _ in 0..50 {
        let port = rand::random_range(15_000..30_000);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr().map(|address| address.port())
}
