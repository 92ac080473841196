//! Signed orders as Airalo sends them: each another `request_id`, all else the same.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha512;
use std::{
    io::Write,
    sync::atomic::{AtomicU64, Ordering},
};

/// What signs, here and in the servers.
pub(crate) const SECRET: &str = "a secret for measuring, and for nothing else";

/// Where they are posted.
pub(crate) const PATH: &str = "/webhooks/airalo/async_orders";

const SAMPLE: &str = include_str!("../../src/sources/airalo/samples/order.completed.json");
const BEFORE_ID: &str = r#""request_id":""#;
const AFTER_ID: &str = r#""}"#;
const ID_LENGTH: usize = 25;
const NUMBER_LENGTH: usize = 11;

/// Makes requests, numbered from 0. The body's hash is computed once up to the id, which is at its end, so that a
/// signature costs this process some hundred bytes of hashing and not 1.4 KB.
pub(crate) struct Orders {
    next: AtomicU64,
    head: Vec<u8>,
    body: Vec<u8>,
    hashed: Hmac<Sha512>,
    run: u32,
}

impl Orders {
    pub(crate) fn new() -> Self {
        let start = SAMPLE.find(BEFORE_ID).map_or(SAMPLE.len(), |at| at + BEFORE_ID.len());
        let body = SAMPLE.as_bytes()[..start].to_vec();
        let length = body.len() + ID_LENGTH + AFTER_ID.len();
        let head = format!(
            "POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: speed\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\nairalo-signature: "
        );
        let mut hashed = keyed();
        hashed.update(&body);
        Self {
            next: AtomicU64::new(0),
            head: head.into_bytes(),
            body,
            hashed,
            run: rand::random::<u32>() % 100_000_000,
        }
    }

    /// The number of the next one.
    pub(crate) fn next(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Puts the whole request of that number into `buffer`.
    pub(crate) fn write(&self, number: u64, buffer: &mut Vec<u8>) {
        let mut end = [0; ID_LENGTH + AFTER_ID.len()];
        // It has room: 2 + 8 + 4 + 11 are the id's 25.
        let _ = write!(&mut end[..], "e_{:08}-id_{number:011}{AFTER_ID}", self.run);
        let signature = self.hashed.clone().chain_update(end).finalize().into_bytes();
        let mut text = [0; 128];
        let _ = hex::encode_to_slice(signature, &mut text);
        buffer.clear();
        for part in [&self.head[..], &text, b"\r\n\r\n", &self.body, &end] {
            buffer.extend_from_slice(part);
        }
    }
}

/// The number in an order's body, as a handler gets it.
pub(crate) fn number(body: &[u8]) -> Option<usize> {
    let end = body.len().checked_sub(AFTER_ID.len())?;
    let digits = body.get(end.checked_sub(NUMBER_LENGTH)?..end)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// HMAC-SHA512 with [`SECRET`].
pub(crate) fn keyed() -> Hmac<Sha512> {
    Hmac::new_from_slice(SECRET.as_bytes()).expect("HMAC takes keys of any length")
}
