//! Airalo's simulator of webhooks, the only sender there is in its sandbox.

use super::{ApiError, Call, Client, Repeat};
use std::{fmt, str::FromStr};

/// What the simulator sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Simulated {
    /// A SIM that runs low: `data_75`, `data_90`, `expire_3`, `expire_1`.
    LowData(&'static str),
    /// Credit that runs low: 50, 70, 80, 90.
    CreditLimit(u8),
    /// The result of an asynchronous order.
    AsyncOrder,
}

/// A word that is nothing the simulator sends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{word}' is nothing the simulator sends; it sends {}", names(), word = .0)]
pub struct UnknownSimulated(String);

impl Simulated {
    /// All there are.
    pub const ALL: [Self; 9] = [
        Self::LowData("data_75"),
        Self::LowData("data_90"),
        Self::LowData("expire_3"),
        Self::LowData("expire_1"),
        Self::CreditLimit(50),
        Self::CreditLimit(70),
        Self::CreditLimit(80),
        Self::CreditLimit(90),
        Self::AsyncOrder,
    ];
}

fn names() -> String {
    Simulated::ALL.map(|what| what.to_string()).join(", ")
}

impl fmt::Display for Simulated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LowData(kind) => write!(f, "low_data.{kind}"),
            Self::CreditLimit(level) => write!(f, "credit_limit.{level}"),
            Self::AsyncOrder => f.write_str("async_order"),
        }
    }
}

impl FromStr for Simulated {
    type Err = UnknownSimulated;

    fn from_str(word: &str) -> Result<Self, UnknownSimulated> {
        Self::ALL
            .into_iter()
            .find(|what| what.to_string() == word)
            .ok_or_else(|| UnknownSimulated(word.to_owned()))
    }
}

impl Client {
    /// Has Airalo send a webhook, to the URL that is opted in, or to another.
    ///
    /// # Errors
    /// [`ApiError`]; that the webhook was not taken is one.
    pub async fn simulate(
        &self,
        what: Simulated,
        iccid: Option<&str>,
        to: Option<&str>,
    ) -> Result<(), ApiError> {
        let mut body = match what {
            Simulated::LowData(kind) => {
                serde_json::json!({"event": "low_data_notification", "type": kind})
            }
            // The documentation's schema says text, its examples a number.
            Simulated::CreditLimit(level) => {
                serde_json::json!({"event": "credit_limit_notification", "level": level})
            }
            Simulated::AsyncOrder => serde_json::json!({"event": "async_order_notification"}),
        };
        for (name, value) in [("iccid", iccid), ("webhook_url", to)] {
            if let Some(value) = value {
                body[name] = value.into();
            }
        }
        self.call(Call::post("v2/simulator/webhook", body), Repeat::Freely)
            .await
            .map(drop)
    }
}
