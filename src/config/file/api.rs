//! `[sources.NAME.api]`.

use super::Problems;
use crate::config::{ApiConfig, secrets::Value};
use crate::sources::airalo::{BASE_URL, NotificationType};
use serde::Deserialize;
use std::{collections::BTreeMap, time::Duration};

const TIMEOUT: Duration = Duration::from_secs(30);
const RECONCILE_EVERY: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Api {
    client_id: String,
    client_secret: String,
    base_url: Option<String>,
    timeout: Option<String>,
    reconcile_every: Option<String>,
    #[serde(default)]
    opt_in: BTreeMap<String, String>,
}

impl Api {
    pub(super) fn checked(&self, place: &str, problems: &mut Problems) -> Option<ApiConfig> {
        let at = |key: &str| format!("{place} api.{key}");
        let client_secret = problems.parsed(&at("client_secret"), &self.client_secret);
        let mut known = true;
        for word in self.opt_in.keys() {
            known &= problems
                .parsed::<NotificationType>(&at("opt_in"), word)
                .is_some();
        }
        let timeout = problems.duration(&at("timeout"), self.timeout.as_deref(), TIMEOUT);
        let every = problems.duration(
            &at("reconcile_every"),
            self.reconcile_every.as_deref(),
            RECONCILE_EVERY,
        );
        let every = match every.is_zero() {
            true => Err("must be greater than zero"),
            false => Ok(every),
        };
        let every = problems.note(&at("reconcile_every"), every);
        Some(ApiConfig {
            reconcile_every: every?,
            opt_in: known.then(|| self.opt_in.clone())?,
            base_url: self.base_url.clone().unwrap_or_else(|| BASE_URL.to_owned()),
            client_id: Value::parse(self.client_id.clone()),
            client_secret: client_secret?,
            timeout,
        })
    }
}
