//! An object's members, each as it was written, and read as what it is meant to be.

use crate::sources::json::{number, scalar, text};
use rust_decimal::Decimal;
use secrecy::SecretString;
use serde_json::value::RawValue;
use std::{collections::HashMap, str::FromStr};

/// The members of an object; of two with one name, the last.
#[derive(Default)]
pub(super) struct Members<'b>(HashMap<String, &'b RawValue>);

impl<'b> Members<'b> {
    /// Those of a body; none where it is not an object.
    pub(super) fn of(body: &'b [u8]) -> Self {
        serde_json::from_slice(body).map(Self).unwrap_or_default()
    }

    fn inside(raw: &'b RawValue) -> Self {
        serde_json::from_str(raw.get())
            .map(Self)
            .unwrap_or_default()
    }

    fn get(&self, name: &str) -> Option<&'b RawValue> {
        self.0.get(name).copied()
    }

    /// Those of an object inside.
    pub(super) fn object(&self, name: &str) -> Self {
        self.get(name).map(Self::inside).unwrap_or_default()
    }

    /// Those of each object of an array inside.
    pub(super) fn objects(&self, name: &str) -> Vec<Self> {
        let elements: Option<Vec<&RawValue>> = self
            .get(name)
            .and_then(|raw| serde_json::from_str(raw.get()).ok());
        elements
            .unwrap_or_default()
            .into_iter()
            .map(Self::inside)
            .collect()
    }

    /// A text or a number, as text.
    pub(super) fn scalar(&self, name: &str) -> Option<String> {
        scalar(self.get(name))
    }

    /// A text that says something.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        text(self.get(name))
    }

    /// The same, for what nobody else may see.
    pub(super) fn secret(&self, name: &str) -> Option<SecretString> {
        self.text(name).map(SecretString::from)
    }

    /// A number, or a text that is one, exactly as written.
    pub(super) fn decimal(&self, name: &str) -> Option<Decimal> {
        let written = number(self.get(name)).or_else(|| self.text(name))?;
        let written = written.trim();
        Decimal::from_str(written)
            .or_else(|_| Decimal::from_scientific(written))
            .ok()
    }

    /// A whole number, or a text that is one.
    pub(super) fn whole(&self, name: &str) -> Option<u32> {
        self.scalar(name)?.trim().parse().ok()
    }

    /// True or false.
    pub(super) fn truth(&self, name: &str) -> Option<bool> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }

    /// Older producers put some members under integer-like keys, whose numbers vary: `{"1": {"data": {"text": null}}}`.
    /// A member that stands where it should comes first.
    pub(super) fn flat(mut self) -> Self {
        let odd: Vec<_> = self
            .0
            .iter()
            .filter(|(key, _)| key.bytes().all(|b| b.is_ascii_digit()))
            .collect();
        let inside: Vec<_> = odd
            .into_iter()
            .flat_map(|(_, raw)| Self::inside(raw).object("data").0)
            .collect();
        for (name, raw) in inside {
            self.0.entry(name).or_insert(raw);
        }
        self
    }
}
