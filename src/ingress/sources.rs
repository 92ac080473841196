//! The sources for which this process receives requests.

use crate::domain::{OnInvalidSignature, PayloadFields, SourceName};
use crate::signing::Secret;
use crate::sources::SourceKind;
use crate::store::SourceRegistration;
use arc_swap::ArcSwap;
use std::{collections::HashMap, fmt, sync::Arc};

/// A source has no secret, so its requests cannot be verified.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the source '{0}' has no secret, so no request to it could be verified; other sources are not affected. Configure \
     at least one secret"
)]
pub struct NoSecret(pub SourceName);

/// A source as the ingress uses it. Its secrets can be replaced while it runs.
pub struct Source {
    name: SourceName,
    kind: Arc<dyn SourceKind>,
    fields: PayloadFields,
    secrets: ArcSwap<Vec<Secret>>,
    on_invalid_signature: OnInvalidSignature,
}

impl Source {
    /// Makes a source with its present secrets.
    ///
    /// # Errors
    /// [`NoSecret`] if the list is empty.
    pub fn new(
        name: SourceName,
        kind: Arc<dyn SourceKind>,
        secrets: Vec<Secret>,
        on_invalid_signature: OnInvalidSignature,
    ) -> Result<Self, NoSecret> {
        if secrets.is_empty() {
            return Err(NoSecret(name));
        }
        let fields = kind.fields();
        Ok(Self {
            name,
            kind,
            fields,
            secrets: ArcSwap::from_pointee(secrets),
            on_invalid_signature,
        })
    }

    /// Adds members of the payload that readers of the database must not see, or by which an event
    /// can be found.
    #[must_use]
    pub fn with_fields(mut self, fields: &PayloadFields) -> Self {
        self.fields = self.fields.and(fields);
        self
    }

    pub(super) fn name(&self) -> &SourceName {
        &self.name
    }

    pub(super) fn kind(&self) -> &dyn SourceKind {
        &*self.kind
    }

    pub(super) fn secrets(&self) -> Arc<Vec<Secret>> {
        self.secrets.load_full()
    }

    pub(super) fn on_invalid_signature(&self) -> OnInvalidSignature {
        self.on_invalid_signature
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .field("kind", &self.kind.name())
            .finish_non_exhaustive()
    }
}

/// The sources by name.
#[derive(Debug)]
pub struct Sources(HashMap<String, Source>);

impl Sources {
    /// Collects sources. If two have the same name, the last one wins.
    pub fn new(sources: impl IntoIterator<Item = Source>) -> Self {
        Self(
            sources
                .into_iter()
                .map(|source| (source.name.as_str().to_owned(), source))
                .collect(),
        )
    }

    /// Finds a source by its name.
    pub fn get(&self, name: &str) -> Option<&Source> {
        self.0.get(name)
    }

    /// The name, kind and fields of each source, sorted by name.
    pub fn registrations(&self) -> Vec<SourceRegistration> {
        let registration = |source: &Source| SourceRegistration {
            name: source.name.clone(),
            kind: source.kind.name(),
            fields: source.fields.clone(),
        };
        let mut registrations: Vec<_> = self.0.values().map(registration).collect();
        registrations.sort_by(|a, b| a.name.cmp(&b.name));
        registrations
    }

    /// Replaces the secrets of a source. All later requests are verified by the new ones. Returns
    /// whether the source exists.
    ///
    /// # Errors
    /// [`NoSecret`] if the list is empty; the old secrets stay.
    pub fn replace_secrets(
        &self,
        name: &SourceName,
        secrets: Vec<Secret>,
    ) -> Result<bool, NoSecret> {
        if secrets.is_empty() {
            return Err(NoSecret(name.clone()));
        }
        let source = self.get(name.as_str());
        Ok(source
            .map(|source| source.secrets.store(Arc::new(secrets)))
            .is_some())
    }
}
