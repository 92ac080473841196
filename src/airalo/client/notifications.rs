//! Notification settings: opt-in, opt-out and lookup.

use super::{ApiError, Call, Client, Repeat};
use crate::sources::airalo::NotificationType;
use serde::Deserialize;

/// A notification type that the partner has opted in to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Setting {
    /// The notification type, in Airalo's words.
    #[serde(rename = "type")]
    pub kind: String,
    /// The URL or e-mail address that receives the notifications.
    pub contact_point: String,
    /// For credit limits: the percentages that trigger a notification.
    #[serde(default)]
    pub levels: Option<Vec<serde_json::Value>>,
}

#[derive(Deserialize)]
struct Enveloped {
    data: Option<Inside>,
}

#[derive(Deserialize)]
struct Inside {
    notification: Option<Setting>,
}

/// All percentages that Airalo documents.
const LEVELS: [u8; 4] = [50, 70, 80, 90];

impl Client {
    /// Opts in, so that Airalo sends these notifications to this URL or e-mail address. Airalo
    /// first checks a URL with a HEAD request.
    ///
    /// # Errors
    /// [`ApiError`], also if the URL fails the HEAD check.
    pub async fn opt_in(&self, kind: NotificationType, to: &str) -> Result<Setting, ApiError> {
        let mut body = serde_json::json!({"type": kind.as_str()});
        // Airalo's documentation calls the address `email`. One client of other developers calls it
        // `contact_point`.
        body[if kind.is_email() {
            "email"
        } else {
            "webhook_url"
        }] = to.into();
        if kind.has_levels() {
            body["levels"] = LEVELS.as_slice().into();
        }
        let answer = self
            .call(Call::post("v2/notifications/opt-in", body), Repeat::Freely)
            .await?;
        answer
            .json::<Enveloped>()?
            .data
            .and_then(|data| data.notification)
            .ok_or(ApiError::Unreadable(answer.status))
    }

    /// Opts out, so that Airalo stops sending these notifications.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn opt_out(&self, kind: NotificationType) -> Result<(), ApiError> {
        let body = serde_json::json!({"type": kind.as_str()});
        self.call(Call::post("v2/notifications/opt-out", body), Repeat::Freely)
            .await
            .map(drop)
    }

    /// Returns the setting of this type, or `None` if the partner has not opted in. Airalo's
    /// documentation shows one setting in the response and no way to select it. So the type is sent
    /// as a parameter, and a response about another type counts as none.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn setting(&self, kind: NotificationType) -> Result<Option<Setting>, ApiError> {
        let mut call = Call::get("v2/notifications/opt-in");
        call.query.push(("type", kind.as_str().to_owned()));
        let answer = match self.call(call, Repeat::Freely).await {
            Err(ApiError::NotFound) => return Ok(None),
            answer => answer?,
        };
        let setting = answer
            .json::<Enveloped>()?
            .data
            .and_then(|data| data.notification);
        Ok(setting.filter(|setting| setting.kind == kind.as_str()))
    }
}
