//! The secrets of `hookfast dev`, and its notes for the other commands in this folder.

use super::database::DevDatabase;
use crate::cli::{
    dev::{AIRALO_SECRET, LISTEN_SECRET},
    folder::{CONFIG, Folder, HANDLERS, Note},
    process::secret_variable,
};
use crate::domain::HandlerName;
use crate::signing::standard_webhooks;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// The secrets of this folder, from the environment or generated at the first start, and the other
/// notes.
pub(super) struct Notes {
    folder: Folder,
    pub(super) airalo: String,
    pub(super) listen: String,
    notes: BTreeMap<&'static str, Note>,
    private_database: bool,
}

impl Notes {
    /// Generates the missing secrets, and writes those that are not from the environment to disk.
    pub(super) fn open(folder: Folder, database: &DevDatabase) -> anyhow::Result<Self> {
        let mut notes = BTreeMap::new();
        let mut secret = |name: &'static str, make: fn() -> String| -> anyhow::Result<String> {
            if let Some(value) = secret_variable(name) {
                notes.insert(name, Note::InEnvironment);
                return Ok(value);
            }
            let value = match folder.note(name)? {
                Some(Note::Value(value)) => value,
                _ => make(),
            };
            notes.insert(name, Note::Value(value.clone()));
            Ok(value)
        };
        let airalo = secret(AIRALO_SECRET, || hex::encode(rand::random::<[u8; 32]>()))?;
        let listen = secret(LISTEN_SECRET, || {
            standard_webhooks::secret_text(rand::random())
        })?;
        if let Some(declared) = folder.note(HANDLERS)? {
            notes.insert(HANDLERS, declared);
        }
        if !database.is_private() {
            notes.insert("DATABASE_URL", Note::InEnvironment);
        }
        let opened = Self {
            folder,
            airalo,
            listen,
            notes,
            private_database: database.is_private(),
        };
        opened.folder.write(&opened.notes)?;
        Ok(opened)
    }

    /// Notes the configuration file. `hookfast send` signs for its sources.
    pub(super) fn configuration(&mut self, file: &Path) -> anyhow::Result<()> {
        let file = std::path::absolute(file)?;
        self.add(CONFIG, file.display().to_string())
    }

    /// Adds these handlers to those ever declared in this folder, and returns those of earlier
    /// starts. It returns none if the database is not the private one: its handlers may belong to
    /// other programs.
    pub(super) fn declare(&mut self, handlers: &[HandlerName]) -> anyhow::Result<Vec<HandlerName>> {
        if !self.private_database {
            return Ok(Vec::new());
        }
        let noted = match self.notes.get(HANDLERS) {
            Some(Note::Value(names)) => names
                .split(',')
                .filter_map(|name| name.parse().ok())
                .collect(),
            _ => Vec::new(),
        };
        let all: BTreeSet<_> = noted
            .iter()
            .chain(handlers)
            .map(HandlerName::as_str)
            .collect();
        self.add(HANDLERS, all.into_iter().collect::<Vec<_>>().join(","))?;
        Ok(noted)
    }

    /// Notes a value that is not secret.
    pub(super) fn add(&mut self, name: &'static str, value: String) -> anyhow::Result<()> {
        self.notes.insert(name, Note::Value(value));
        self.folder.write(&self.notes)
    }
}
