//! Airalo's partner webhooks: results of asynchronous orders, low data and the credit limit.
//!
//! This is based on Airalo's public documentation and on deliveries that others have logged. No
//! byte-exact delivery is public, and no body or header names the kind of event. So parsing is
//! tolerant: a body that is not understood is stored as `airalo.unknown` and answered like any
//! other. It is never rejected.

mod classify;
mod client_settings;
mod identify;
mod members;
mod notification;
mod notification_type;
mod payload;
mod samples;
mod signature;

pub use client_settings::{BASE_URL, ClientSettings};
pub use notification::{CreditLimit, LowData, Notification, Order, OrderFailure, Sim};
pub use notification_type::{NotificationType, UnknownType};
pub use samples::{sample, sample_names};
pub use signature::{SIGNATURE_HEADER, sign};

use super::{Description, Rejection, SourceKind};
use crate::domain::PayloadFields;
use crate::signing::Secret;
use axum::http::{HeaderMap, HeaderName};
use std::time::SystemTime;

/// The texts with instructions are secret too, because they may repeat the codes.
const SECRET: &[&str] = &[
    "access_code",
    "confirmation_code",
    "direct_apple_installation_url",
    "lpa",
    "manual_installation",
    "matching_id",
    "msisdn",
    "qrcode",
    "qrcode_installation",
    "qrcode_url",
];

/// The values that a customer, a shop or Airalo's support names.
const SEARCH: &[&str] = &["code", "description", "iccid", "id", "request_id"];

/// The source kind `airalo`.
///
/// | type | idempotency key | window | fingerprint |
/// |---|---|---|---|
/// | `airalo.order.completed` | `order:{request_id}:completed` | forever | `order:{order id}:{iccid}:{iccid}…`, the ICCIDs sorted |
/// | `airalo.order.failed` | `order:{request_id}:failed` | forever | none |
/// | `airalo.low_data.{75,90,3days,1days}` | `low_data:{iccid}:{package}:{level}` | 6 h | none |
/// | `airalo.low_data.other` | `low_data:{iccid}:{package}:other:{level as written}` | 6 h | none |
/// | `airalo.credit_limit.{50,70,80,90}` | `credit_limit:{threshold}:{remaining as written}` | 6 h | none |
/// | `airalo.credit_limit.other` | `credit_limit:other:{message}:{remaining as written}` | 6 h | none |
/// | `airalo.unknown` | `body:{sha256}` | 6 h | none |
///
/// An order has an alias, `order:id:{id}:completed` (or `failed`). Reconciliation may find an order
/// without knowing its request, and then it is the same event as its webhook. An order without a
/// usable `request_id` (none, empty, not text) has only that key. An order that also has no id is
/// identified by its body's hash. A failure identified by its body's hash has a window of 6 h,
/// because its bytes may hold only the reason, and the next order may fail for the same reason.
///
/// Values from outside cannot forge another event's key: `:` and `%` inside a part are written
/// `%3A` and `%25`. A key over 200 bytes becomes `sha256:…`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Airalo;

impl Airalo {
    /// The kind's name in the configuration.
    pub const NAME: &str = "airalo";
}

impl SourceKind for Airalo {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn signature_headers(&self) -> Vec<HeaderName> {
        vec![HeaderName::from_static(SIGNATURE_HEADER)]
    }

    /// The signature covers only the body. It proves neither the time nor the URL.
    fn verify<'s>(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        secrets: &'s [Secret],
        _now: SystemTime,
    ) -> Result<&'s Secret, Rejection> {
        signature::verify(headers, body, secrets)
    }

    fn sign(&self, secret: &Secret, _id: &str, body: &[u8], _now: SystemTime) -> Option<HeaderMap> {
        let (name, value) = sign(secret, body);
        Some(HeaderMap::from_iter([(
            HeaderName::from_static(name),
            value.parse().ok()?,
        )]))
    }

    /// With one of the secret fields, anybody can install the eSIM.
    fn fields(&self) -> PayloadFields {
        PayloadFields::new(SECRET, SEARCH)
    }

    fn type_prefix(&self) -> Option<String> {
        Some(Self::NAME.to_owned())
    }

    /// Ignores the topic: the signature does not cover it, and the body shows every known kind.
    fn describe(&self, _topic: Option<&str>, _headers: &HeaderMap, body: &[u8]) -> Description {
        let kind = classify::classify(body);
        Description {
            event_type: kind.event_type(),
            identity: identify::identify(&kind, body),
        }
    }
}
