//! The part of a configuration that a running process cannot replace.

use sha2::{Digest, Sha256};
use toml::{Table, Value};

/// Digest of everything except the lists and references of secrets and the headers of handlers. If
/// it differs between two texts, the second one needs a restart. Comments and the order of settings
/// do not count.
pub(super) fn digest(text: &str) -> [u8; 32] {
    let mut file: Table = text.parse().unwrap_or_default();
    for source in tables(&mut file, "sources") {
        source.remove("secrets");
        if let Some(Value::Table(api)) = source.get_mut("api") {
            api.remove("client_id");
            api.remove("client_secret");
        }
    }
    for handler in tables(&mut file, "handlers") {
        handler.remove("secrets");
        handler.remove("headers");
    }
    Sha256::digest(file.to_string()).into()
}

fn tables<'f>(file: &'f mut Table, name: &str) -> impl Iterator<Item = &'f mut Table> {
    let named = file.get_mut(name).and_then(Value::as_table_mut);
    named
        .into_iter()
        .flatten()
        .filter_map(|(_, value)| value.as_table_mut())
}
