//! Airalo's notifications as types, for handlers in Rust. Tolerant as the rest: unknown members are left out, what is
//! missing or of another form is `None`, numbers may be texts, and nothing is refused.

use super::classify::{Kind, classify};
use super::members::Members;
use rust_decimal::Decimal;
use secrecy::SecretString;

/// What a body says.
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
    /// An order that was asked for earlier, with its SIMs.
    OrderCompleted(Box<Order>),
    /// An order that came to nothing.
    OrderFailed(OrderFailure),
    /// A SIM that runs low.
    LowData(LowData),
    /// The partner's credit that runs low.
    CreditLimit(CreditLimit),
    /// Anything else.
    Unknown,
}

/// A completed order.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// What the asynchronous order was answered with.
    pub request_id: Option<String>,
    /// Airalo's number.
    pub id: Option<String>,
    /// Airalo's code, `YYYYMMDD-{id}`.
    pub code: Option<String>,
    /// What was ordered.
    pub package_id: Option<String>,
    /// Its name.
    pub package: Option<String>,
    /// What whoever ordered wrote to it.
    pub description: Option<String>,
    /// SIMs.
    pub quantity: Option<u32>,
    /// Days.
    pub validity: Option<u32>,
    /// The data volume, as `3 GB`.
    pub data: Option<String>,
    /// Text messages.
    pub text: Option<String>,
    /// Minutes.
    pub voice: Option<String>,
    /// Of the prices, as `USD`.
    pub currency: Option<String>,
    /// The price.
    pub price: Option<Decimal>,
    /// The partner's price.
    pub net_price: Option<Decimal>,
    /// What was paid.
    pub total_amount_paid: Option<Decimal>,
    /// `net_pricing` or `discount_pricing`.
    pub pricing_model: Option<String>,
    /// `YYYY-MM-DD HH:MM:SS`, in UTC without saying so.
    pub created_at: Option<String>,
    /// The SIMs.
    pub sims: Vec<Sim>,
}

/// A SIM. What installs it is never printed.
#[derive(Clone, Debug, Default)]
pub struct Sim {
    /// Airalo's number.
    pub id: Option<String>,
    /// Its own number: text, since it is longer than what most languages keep as a number.
    pub iccid: Option<String>,
    /// The server it is installed from.
    pub lpa: Option<SecretString>,
    /// What the server asks for.
    pub matching_id: Option<SecretString>,
    /// What the QR code says.
    pub qrcode: Option<SecretString>,
    /// Its picture.
    pub qrcode_url: Option<SecretString>,
    /// Installs it on iOS.
    pub direct_apple_installation_url: Option<SecretString>,
    /// Asked for at the installation.
    pub confirmation_code: Option<SecretString>,
    /// Its phone number.
    pub msisdn: Option<SecretString>,
    /// `automatic` or `manual`.
    pub apn_type: Option<String>,
    /// The access point's name.
    pub apn_value: Option<String>,
    /// Whether roaming has to be switched on.
    pub is_roaming: Option<bool>,
}

/// A failed order.
#[derive(Clone, Debug, Default)]
pub struct OrderFailure {
    /// What the asynchronous order was answered with.
    pub request_id: Option<String>,
    /// Airalo's number, where it got one.
    pub id: Option<String>,
    /// Airalo's number of the error.
    pub code: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// A SIM that runs low.
#[derive(Clone, Debug, Default)]
pub struct LowData {
    /// The SIM.
    pub iccid: String,
    /// Its package.
    pub package_name: Option<String>,
    /// `75%`, `90%` (used), `3days`, `1days` (to the end), as written.
    pub level: Option<String>,
    /// What is left.
    pub remaining_percentage: Option<Decimal>,
}

/// Credit that runs low.
#[derive(Clone, Debug, Default)]
pub struct CreditLimit {
    /// What Airalo wrote; the threshold stands in it.
    pub message: Option<String>,
    /// What is left, in a currency that is not named.
    pub remaining: Option<Decimal>,
}

impl Notification {
    /// Reads a body, as the source classifies it.
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
            quantity: order.whole("quantity"),
            validity: order.whole("validity"),
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
            is_roaming: sim.truth("is_roaming"),
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
