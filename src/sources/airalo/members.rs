//! The members of a JSON object, kept as they were written and converted on access.

use crate::sources::json::{number, scalar, text};
use rust_decimal::Decimal;
use secrecy::SecretString;
use serde_json::value::RawValue;
use std::{collections::HashMap, str::FromStr};

/// The members of an object. If a name occurs twice, the last one counts.
#[derive(Default)]
pub(super) struct Members<'b>(HashMap<String, &'b RawValue>);

impl<'b> Members<'b> {
    /// The members of a body. There are none if the body is not an object.
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

    /// The members of a nested object.
    pub(super) fn object(&self, name: &str) -> Self {
        self.get(name).map(Self::inside).unwrap_or_default()
    }

    /// The members of each object in a nested array.
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

    /// A string or a number, as text.
    pub(super) fn scalar(&self, name: &str) -> Option<String> {
        scalar(self.get(name))
    }

    /// A string that is not blank.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        text(self.get(name))
    }

    /// A string that must not be printed.
    pub(super) fn secret(&self, name: &str) -> Option<SecretString> {
        self.text(name).map(SecretString::from)
    }

    /// The exact value of a number, or of a string that holds one.
    pub(super) fn decimal(&self, name: &str) -> Option<Decimal> {
        let written = number(self.get(name)).or_else(|| self.text(name))?;
        let written = written.trim();
        Decimal::from_str(written)
            .or_else(|_| Decimal::from_scientific(written))
            .ok()
    }

    /// A whole number, or a string that holds one.
    pub(super) fn integer(&self, name: &str) -> Option<u32> {
        self.scalar(name)?.trim().parse().ok()
    }

    pub(super) fn boolean(&self, name: &str) -> Option<bool> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }

    /// Moves up members under integer-like keys. Older producers wrote some members so, under
    /// varying numbers: `{"1": {"data": {"text": null}}}`. A member in its proper place has
    /// priority.
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
