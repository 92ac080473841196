//! Airalo's notifications as types, for handlers in Rust.
//!
//! Parsing is tolerant: unknown members are ignored, a missing member or one of another form is
//! `None`, numbers may be strings, and nothing is rejected.

use super::classify::{Kind, classify};
use super::members::Members;
use rust_decimal::Decimal;
use secrecy::SecretString;

/// A notification, parsed from an event's body.
///
/// ```
/// use hookfast::sources::airalo::Notification;
///
/// let body = br#"{"request_id":"r","data":{"id":7,"net_price":8.10,"sims":[{"iccid":"8901","matching_id":"secret"}]}}"#;
/// let Notification::OrderCompleted(order) = Notification::read(body) else { panic!() };
/// assert_eq!(order.net_price.unwrap().to_string(), "8.10");
/// assert_eq!(order.sims[0].iccid.as_deref(), Some("8901"));
/// assert!(!format!("{order:?}").contains("secret"));
/// ```
#[derive(Clone, Debug)]
pub enum Notification {
    /// An asynchronous order was completed.
    OrderCompleted(Box<Order>),
    /// An order failed.
    OrderFailed(OrderFailure),
    /// A SIM has little data or time left.
    LowData(LowData),
    /// The partner has little credit left.
    CreditLimit(CreditLimit),
    /// The body is not understood.
    Unknown,
}

/// A completed order.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// The request id from Airalo's response to the asynchronous order.
    pub request_id: Option<String>,
    /// Airalo's order number.
    pub id: Option<String>,
    /// Airalo's order code, `YYYYMMDD-{id}`.
    pub code: Option<String>,
    /// The id of the ordered package.
    pub package_id: Option<String>,
    /// The name of the package.
    pub package: Option<String>,
    /// The description that the order was placed with.
    pub description: Option<String>,
    /// The number of SIMs.
    pub quantity: Option<u32>,
    /// The validity in days.
    pub validity: Option<u32>,
    /// The data volume, such as `3 GB`.
    pub data: Option<String>,
    /// The number of text messages.
    pub text: Option<String>,
    /// The number of minutes.
    pub voice: Option<String>,
    /// The currency of the prices, such as `USD`.
    pub currency: Option<String>,
    /// The price of the package.
    pub price: Option<Decimal>,
    /// The partner's net price.
    pub net_price: Option<Decimal>,
    /// The amount that was paid in total.
    pub total_amount_paid: Option<Decimal>,
    /// `net_pricing` or `discount_pricing`.
    pub pricing_model: Option<String>,
    /// The time of the order, as `YYYY-MM-DD HH:MM:SS` in UTC. Airalo does not write the time zone.
    pub created_at: Option<String>,
    /// The SIMs of the order.
    pub sims: Vec<Sim>,
}

/// A SIM. The values that install it are never printed.
#[derive(Clone, Debug, Default)]
pub struct Sim {
    /// Airalo's number of the SIM.
    pub id: Option<String>,
    /// The SIM's ICCID. It is text, because it is too long for the number types of most languages.
    pub iccid: Option<String>,
    /// The address of the server that installs the eSIM.
    pub lpa: Option<SecretString>,
    /// The matching id that the server asks for.
    pub matching_id: Option<SecretString>,
    /// The content of the QR code.
    pub qrcode: Option<SecretString>,
    /// The URL of the QR code's picture.
    pub qrcode_url: Option<SecretString>,
    /// The URL that installs the eSIM on iOS.
    pub direct_apple_installation_url: Option<SecretString>,
    /// The code that the installation asks for.
    pub confirmation_code: Option<SecretString>,
    /// The phone number of the SIM.
    pub msisdn: Option<SecretString>,
    /// `automatic` or `manual`.
    pub apn_type: Option<String>,
    /// The name of the access point.
    pub apn_value: Option<String>,
    /// Whether roaming has to be turned on.
    pub is_roaming: Option<bool>,
}

/// A failed order.
#[derive(Clone, Debug, Default)]
pub struct OrderFailure {
    /// The request id from Airalo's response to the asynchronous order.
    pub request_id: Option<String>,
    /// Airalo's order number, if the order has one.
    pub id: Option<String>,
    /// Airalo's error code.
    pub code: Option<String>,
    /// The reason of the failure.
    pub reason: Option<String>,
}

/// A SIM with little data or time left.
#[derive(Clone, Debug, Default)]
pub struct LowData {
    /// The ICCID of the SIM.
    pub iccid: String,
    /// The name of its package.
    pub package_name: Option<String>,
    /// `75%` or `90%` (used), `3days` or `1days` (until the end), as written.
    pub level: Option<String>,
    /// The remaining data or time in percent.
    pub remaining_percentage: Option<Decimal>,
}

/// A partner's account with little credit left.
#[derive(Clone, Debug, Default)]
pub struct CreditLimit {
    /// Airalo's message. Only this text holds the threshold.
    pub message: Option<String>,
    /// The remaining credit. Its currency is not named.
    pub remaining: Option<Decimal>,
}

impl Notification {
    /// Parses a body in the same way as the source classifies it.
    pub fn read(body: &[u8]) -> Self {
        let root = || Members::of(body);
        match classify(body) {
            Kind::Completed { order, .. } => Self::OrderCompleted(Box::new(Order {
                request_id: order.request_id,
                id: order.id,
                ..Order::read(root())
            })),
            Kind::Failed { order } => Self::OrderFailed(OrderFailure {
                request_id: order.request_id,
                id: order.id,
                ..OrderFailure::read(&root())
            }),
            Kind::LowData { iccid, .. } => Self::LowData(LowData {
                iccid,
                ..LowData::read(&root())
            }),
            Kind::CreditLimit { .. } => Self::CreditLimit(CreditLimit::read(&root())),
            Kind::Unknown => Self::Unknown,
        }
    }
}

impl Order {
    fn read(root: Members<'_>) -> Self {
        let data = root.object("data");
        let order = if data.objects("sims").is_empty() {
            root.flat()
        } else {
            data.flat()
        };
        Self {
            code: order.scalar("code"),
            package_id: order.scalar("package_id"),
            package: order.text("package"),
            description: order.text("description"),
            quantity: order.integer("quantity"),
            validity: order.integer("validity"),
            data: order.text("data"),
            text: order.scalar("text"),
            voice: order.scalar("voice"),
            currency: order.text("currency"),
            price: order.decimal("price"),
            net_price: order.decimal("net_price"),
            total_amount_paid: order.decimal("total_amount_paid"),
            pricing_model: order.text("pricing_model"),
            created_at: order.text("created_at"),
            sims: order.objects("sims").iter().map(Sim::read).collect(),
            ..Self::default()
        }
    }
}

impl Sim {
    fn read(sim: &Members<'_>) -> Self {
        Self {
            id: sim.scalar("id"),
            iccid: sim.scalar("iccid"),
            lpa: sim.secret("lpa"),
            matching_id: sim.secret("matching_id"),
            qrcode: sim.secret("qrcode"),
            qrcode_url: sim.secret("qrcode_url"),
            direct_apple_installation_url: sim.secret("direct_apple_installation_url"),
            confirmation_code: sim.secret("confirmation_code"),
            msisdn: sim.secret("msisdn"),
            apn_type: sim.text("apn_type"),
            apn_value: sim.text("apn_value"),
            is_roaming: sim.boolean("is_roaming"),
        }
    }
}

impl OrderFailure {
    fn read(root: &Members<'_>) -> Self {
        let data = root.object("data");
        Self {
            code: data.scalar("code").or_else(|| root.scalar("code")),
            reason: data.text("reason").or_else(|| root.text("reason")),
            ..Self::default()
        }
    }
}

impl LowData {
    fn read(root: &Members<'_>) -> Self {
        Self {
            package_name: root.scalar("package_name"),
            level: root.scalar("level"),
            remaining_percentage: root.decimal("remaining_percentage"),
            ..Self::default()
        }
    }
}

impl CreditLimit {
    fn read(root: &Members<'_>) -> Self {
        Self {
            message: root.text("message"),
            remaining: root.decimal("remaining"),
        }
    }
}
