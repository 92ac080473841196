//! The notifications that a partner opts in to.

use std::{fmt, str::FromStr};

/// A kind of notification one opts in to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NotificationType {
    /// Results of asynchronous and future orders, by webhook.
    AsyncOrders,
    /// A SIM that runs low, by webhook.
    WebhookLowData,
    /// The same by e-mail.
    EmailLowData,
    /// The partner's credit that runs low, by webhook.
    WebhookCreditLimit,
    /// The same by e-mail.
    EmailCreditLimit,
}

/// A word that is no [`NotificationType`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is no type of notification; known are async_orders, webhook_low_data, email_low_data, webhook_credit_limit, email_credit_limit"
)]
pub struct UnknownType(String);

impl NotificationType {
    /// All there are.
    pub const ALL: [Self; 5] = [
        Self::AsyncOrders,
        Self::WebhookLowData,
        Self::EmailLowData,
        Self::WebhookCreditLimit,
        Self::EmailCreditLimit,
    ];

    /// Airalo's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AsyncOrders => "async_orders",
            Self::WebhookLowData => "webhook_low_data",
            Self::EmailLowData => "email_low_data",
            Self::WebhookCreditLimit => "webhook_credit_limit",
            Self::EmailCreditLimit => "email_credit_limit",
        }
    }

    /// Whether it comes by e-mail.
    pub fn is_email(self) -> bool {
        matches!(self, Self::EmailLowData | Self::EmailCreditLimit)
    }

    pub(crate) fn has_levels(self) -> bool {
        matches!(self, Self::WebhookCreditLimit | Self::EmailCreditLimit)
    }
}

impl fmt::Display for NotificationType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for NotificationType {
    type Err = UnknownType;

    fn from_str(word: &str) -> Result<Self, UnknownType> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .ok_or_else(|| UnknownType(word.to_owned()))
    }
}
