//! A keep-alive HTTP/1.1 connection with as little work for each request as possible.

use anyhow::{Context, bail};
use std::{net::SocketAddr, ops::Range};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The longest response that is accepted, in bytes.
const LONGEST: usize = 256 * 1024;

pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    body: Range<usize>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(1024),
            body: 0..0,
        })
    }

    /// Sends a whole request and waits for the response. Returns its status.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<u16> {
        self.stream.write_all(request).await?;
        self.answer().await
    }

    /// Sends a GET, for requests that are rare.
    pub(crate) async fn get(&mut self, path: &str) -> anyhow::Result<u16> {
        self.exchange(format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").as_bytes())
            .await
    }

    /// The body of the last response.
    pub(crate) fn body(&self) -> &[u8] {
        &self.buffer[self.body.clone()]
    }

    async fn answer(&mut self) -> anyhow::Result<u16> {
        // Nothing is pipelined, so the buffer holds no part of the next response.
        self.buffer.clear();
        let mut head = None;
        loop {
            if head.is_none() {
                head = read_head(&self.buffer)?;
            }
            if let Some((status, ref body)) = head
                && self.buffer.len() >= body.end
            {
                self.body = body.clone();
                return Ok(status);
            }
            if self.buffer.len() > LONGEST {
                bail!("an answer of more than {LONGEST} bytes");
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server closed the connection before its answer");
            }
        }
    }
}

/// The status and the range of the body, once the head is complete.
fn read_head(buffer: &[u8]) -> anyhow::Result<Option<(u16, Range<usize>)>> {
    let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&buffer[..end]).context("an answer's head that is not text")?;
    let status = head
        .get(9..12)
        .and_then(|status| status.parse().ok())
        .context("an answer without a status")?;
    let length = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let length = length
        .filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map(|(_, value)| value.trim());
    let length: usize = length
        .last()
        .context("an answer without a content-length")?
        .parse()?;
    Ok(Some((status, end + 4..end + 4 + length)))
}
