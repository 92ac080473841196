//! The notification types that a partner can opt in to.

use std::{fmt, str::FromStr};

/// A notification type that a partner can opt in to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NotificationType {
    /// Results of asynchronous and future orders, by webhook.
    AsyncOrders,
    /// A SIM with little data or time left, by webhook.
    WebhookLowData,
    /// A SIM with little data or time left, by e-mail.
    EmailLowData,
    /// A partner with little credit left, by webhook.
    WebhookCreditLimit,
    /// A partner with little credit left, by e-mail.
    EmailCreditLimit,
}

/// The name is not a [`NotificationType`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a notification type; the types are async_orders, webhook_low_data, email_low_data, webhook_credit_limit, email_credit_limit"
)]
pub struct UnknownType(String);

impl NotificationType {
    /// All notification types.
    pub const ALL: [Self; 5] = [
        Self::AsyncOrders,
        Self::WebhookLowData,
        Self::EmailLowData,
        Self::WebhookCreditLimit,
        Self::EmailCreditLimit,
    ];

    /// Airalo's name of the type.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AsyncOrders => "async_orders",
            Self::WebhookLowData => "webhook_low_data",
            Self::EmailLowData => "email_low_data",
            Self::WebhookCreditLimit => "webhook_credit_limit",
            Self::EmailCreditLimit => "email_credit_limit",
        }
    }

    /// Whether the notification is sent by e-mail.
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
