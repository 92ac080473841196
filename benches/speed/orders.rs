//! Signed orders as Airalo sends them. Only the order id and the `request_id` differ between them.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha512;
use std::{
    io::Write,
    sync::atomic::{AtomicU64, Ordering},
};

/// The secret that signs the orders, here and in the servers.
pub(crate) const SECRET: &str = "a secret for measuring, and for nothing else";

/// The path to which orders are posted.
pub(crate) const PATH: &str = "/webhooks/airalo/async_orders";

const SAMPLE: &str = include_str!("../../src/sources/airalo/samples/order.completed.json");
/// The order's id is moved behind all other fields of the order, so that only the end of the body
/// differs.
const ORDER_ID: &str = r#""id":700001,"#;
const AFTER_ORDER: &str = r#"},"meta":"#;
const NEW_ORDER_ID: &str = r#","id":"#;
const BETWEEN: &str = r#"},"meta":{"message":"success"},"request_id":""#;
const AFTER_ID: &str = r#""}"#;
const ORDER_ID_LENGTH: usize = 19;
const ID_LENGTH: usize = 25;
const END: usize = ORDER_ID_LENGTH + BETWEEN.len() + ID_LENGTH + AFTER_ID.len();
const NUMBER_LENGTH: usize = 11;

/// Makes requests, numbered from 0. The body's hash is computed once up to the ids, which are at
/// its end. So a signature costs this process a few hundred bytes of hashing and not 1.4 KB.
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

    /// Takes the number of the next order.
    pub(crate) fn next(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Writes the whole request with that number into `buffer`.
    pub(crate) fn write(&self, number: u64, buffer: &mut Vec<u8>) {
        let mut end = [0; END];
        let run = self.run;
        // The text has room for it: 1 + 8 + 10 are the 19 characters of the order id, and 2 + 8 + 4
        // + 11 the 25 of the other id.
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

/// The number in the body of an order, as a handler receives it.
pub(crate) fn number(body: &[u8]) -> Option<usize> {
    let end = body.len().checked_sub(AFTER_ID.len())?;
    let digits = body.get(end.checked_sub(NUMBER_LENGTH)?..end)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// HMAC-SHA512 with [`SECRET`].
pub(crate) fn keyed() -> Hmac<Sha512> {
    Hmac::new_from_slice(SECRET.as_bytes()).expect("HMAC takes keys of any length")
}
