//! Signed orders as Airalo sends them: each has another id and another `request_id`, all else is the same.

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
/// The order's id is moved behind everything else that the order has, so that what differs is at the end.
const ORDER_ID: &str = r#""id":700001,"#;
const AFTER_ORDER: &str = r#"},"meta":"#;
const NEW_ORDER_ID: &str = r#","id":"#;
const BETWEEN: &str = r#"},"meta":{"message":"success"},"request_id":""#;
const AFTER_ID: &str = r#""}"#;
const ORDER_ID_LENGTH: usize = 19;
const ID_LENGTH: usize = 25;
const END: usize = ORDER_ID_LENGTH + BETWEEN.len() + ID_LENGTH + AFTER_ID.len();
const NUMBER_LENGTH: usize = 11;

/// Makes requests, numbered from 0. The body's hash is computed once up to the ids, which are at its end, so that a
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
        let order = SAMPLE.find(AFTER_ORDER).map_or(SAMPLE, |at| &SAMPLE[..at]);
        let body = (order.replacen(ORDER_ID, "", 1) + NEW_ORDER_ID).into_bytes();
        let length = body.len() + END;
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
        let mut end = [0; END];
        let run = self.run;
        // It has room: 1 + 8 + 10 are the order id's 19, and 2 + 8 + 4 + 11 the other id's 25.
        let _ = write!(
            &mut end[..],
            "1{run:08}{number:010}{BETWEEN}e_{run:08}-id_{number:011}{AFTER_ID}"
        );
        let signature = self
            .hashed
            .clone()
            .chain_update(end)
            .finalize()
            .into_bytes();
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
