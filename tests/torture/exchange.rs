//! One HTTP request and its whole answer, or none.

use serde_json::Value;
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long the sender waits before it sends the same request again.
const PATIENCE: Duration = Duration::from_secs(10);

/// The result of one request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// 200 with a body: its members `status` and `event_id`, empty where they are missing.
    Acknowledged { status: String, event_id: String },
    /// Another status.
    Refused(u16),
    /// No connection, a connection that ended, or no answer in time.
    Broken,
    /// The sender closed the connection without waiting for the answer.
    NotAwaited,
}

/// Sends a whole request and waits for the whole answer.
pub(crate) async fn post(address: SocketAddr, request: &[u8]) -> Answer {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request).await?;
        read_answer(&mut stream).await
    };
    match timeout(PATIENCE, exchange).await {
        Ok(Ok((200, body))) => {
            let text = |member: &str| body[member].as_str().unwrap_or_default().to_owned();
            Answer::Acknowledged {
                status: text("status"),
                event_id: text("event_id"),
            }
        }
        Ok(Ok((status, _))) => Answer::Refused(status),
        Ok(Err(_)) | Err(_) => Answer::Broken,
    }
}

/// Sends a whole request and closes the connection.
pub(crate) async fn post_and_leave(address: SocketAddr, request: &[u8]) -> Answer {
    let sending = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request).await
    };
    let _ = timeout(PATIENCE, sending).await;
    Answer::NotAwaited
}

async fn read_answer(stream: &mut TcpStream) -> io::Result<(u16, Value)> {
    let mut bytes = Vec::new();
    let (status, body_at, length) = loop {
        if let Some(head) = parse_head(&bytes) {
            break head;
        }
        more(stream, &mut bytes).await?;
    };
    while bytes.len() < body_at + length {
        more(stream, &mut bytes).await?;
    }
    Ok((
        status,
        serde_json::from_slice(&bytes[body_at..body_at + length]).unwrap_or(Value::Null),
    ))
}

async fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> io::Result<()> {
    match stream.read_buf(bytes).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// The status, where the body begins, and its length.
fn parse_head(bytes: &[u8]) -> Option<(u16, usize, usize)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end])
        .ok()?
        .to_ascii_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    Some((status, end + 4, length.unwrap_or(0)))
}
