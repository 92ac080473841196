//! Airalo's webhook simulator. In Airalo's sandbox nothing else sends webhooks.

use super::{ApiError, Call, Client, Repeat};
use std::{fmt, str::FromStr};

/// A notification that the simulator can send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Simulated {
    /// A low-data notification: `data_75`, `data_90`, `expire_3` or `expire_1`.
    LowData(&'static str),
    /// A credit-limit notification for 50, 70, 80 or 90 percent.
    CreditLimit(u8),
    /// The result of an asynchronous order.
    AsyncOrder,
}

/// The name does not belong to any notification that the simulator sends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the simulator does not send '{word}'; it sends {}", names(), word = .0)]
pub struct UnknownSimulated(String);

impl Simulated {
    /// All notifications that the simulator sends.
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
    /// Makes Airalo send a webhook to the URL of the opt-in, or to the URL in `to`.
    ///
    /// # Errors
    /// [`ApiError`], also if the receiver did not accept the webhook.
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
            // Airalo's schema declares a string, but its examples have a number.
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
