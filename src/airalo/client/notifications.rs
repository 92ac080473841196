//! What Airalo tells, and where to.

use super::{ApiError, Call, Client, Repeat};
use crate::sources::airalo::NotificationType;
use serde::Deserialize;

/// What is opted in to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Setting {
    /// The type, in Airalo's word.
    #[serde(rename = "type")]
    pub kind: String,
    /// The URL or the e-mail address.
    pub contact_point: String,
    /// Of credit limits: at which percentages.
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

/// All that Airalo names.
const LEVELS: [u8; 4] = [50, 70, 80, 90];

impl Client {
    /// Opts in: from now on these notifications go to that URL (or address). Airalo asks the URL by HEAD first.
    ///
    /// # Errors
    /// [`ApiError`]; a URL that fails the HEAD check is one.
    pub async fn opt_in(&self, kind: NotificationType, to: &str) -> Result<Setting, ApiError> {
        let mut body = serde_json::json!({"type": kind.as_str()});
        // The documentation calls the address `email`, one client of others `contact_point`.
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

    /// Opts out.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn opt_out(&self, kind: NotificationType) -> Result<(), ApiError> {
        let body = serde_json::json!({"type": kind.as_str()});
        self.call(Call::post("v2/notifications/opt-out", body), Repeat::Freely)
            .await
            .map(drop)
    }

    /// What this type is opted in to, if it is. Airalo's documentation has one setting in the answer and no way to say
    /// which: so the type is sent, and an answer about another type is none.
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
