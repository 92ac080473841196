//! The secrets that a configuration uses, and the settings that use them.

use super::{
    Config, HandlerKind,
    secrets::{SecretError, SecretRef, Value, surplus},
};

/// A value that is read for one setting.
pub(crate) struct UsedSecret<'c> {
    /// The table of the setting: `[sources.airalo]`.
    pub(crate) table: String,
    /// The setting: `secrets`, `headers.authorization`.
    pub(crate) setting: String,
    value: Found<'c>,
}

enum Found<'c> {
    Reference(&'c SecretRef),
    Text(&'c str),
}

impl UsedSecret<'_> {
    /// What to call it in messages: the reference, or that the text is in the file.
    pub(crate) fn label(&self) -> String {
        match self.value {
            Found::Reference(reference) => reference.to_string(),
            Found::Text(_) => "the text in the file".to_owned(),
        }
    }

    pub(crate) fn is_environment(&self) -> bool {
        matches!(self.value, Found::Reference(reference) if reference.is_environment())
    }

    pub(crate) fn read(&self) -> Result<String, SecretError> {
        match self.value {
            Found::Reference(reference) => reference.read(),
            Found::Text(text) => Ok(text.to_owned()),
        }
    }
}

impl<'c> From<&'c Value> for Found<'c> {
    fn from(value: &'c Value) -> Self {
        match value {
            Value::Reference(reference) => Self::Reference(reference),
            Value::Text(text) => Self::Text(text),
        }
    }
}

impl Config {
    /// Every value that a reload can replace, in the order of the tables.
    pub(crate) fn used_secrets(&self) -> Vec<UsedSecret<'_>> {
        let mut used = Vec::new();
        let mut add = |table: String, setting: &str, value| {
            used.push(UsedSecret {
                table,
                setting: setting.to_owned(),
                value,
            })
        };
        for source in &self.sources {
            let table = || format!("[sources.{}]", source.name);
            for reference in source.secrets.references() {
                add(table(), "secrets", Found::Reference(reference));
            }
            if let Some(api) = &source.api {
                let table = || format!("[sources.{}.api]", source.name);
                add(table(), "client_id", (&api.client_id).into());
                add(
                    table(),
                    "client_secret",
                    Found::Reference(&api.client_secret),
                );
            }
        }
        for handler in &self.handlers {
            let HandlerKind::Http(http) = &handler.kind else {
                continue;
            };
            let table = || format!("[handlers.{}]", handler.name);
            for reference in http.secrets.references() {
                add(table(), "secrets", Found::Reference(reference));
            }
            for (name, value) in &http.headers {
                add(table(), &format!("headers.{name}"), value.into());
            }
        }
        used
    }

    /// Those of `[console.proxy]`, which are read at the start only.
    fn secrets_of_the_proxy(&self) -> impl Iterator<Item = UsedSecret<'_>> {
        let references = self
            .console_proxy
            .iter()
            .flat_map(|proxy| proxy.secrets.references());
        references.map(|reference| UsedSecret {
            table: "[console.proxy]".to_owned(),
            setting: "secrets".to_owned(),
            value: Found::Reference(reference),
        })
    }

    /// Warns of secrets with something around them that is probably not part of them, one sentence
    /// for each. No sentence shows a value.
    pub fn odd_secrets(&self) -> Vec<String> {
        let odd = |used: UsedSecret<'_>| {
            let what = surplus(&used.read().ok()?)?;
            Some(format!(
                "{} {}: {} {what}, which is used as part of the secret. Remove it at the origin of the secret, unless the other side has it too",
                used.table,
                used.setting,
                used.label()
            ))
        };
        let used = self.used_secrets().into_iter();
        used.chain(self.secrets_of_the_proxy())
            .filter_map(odd)
            .collect()
    }
}
