//! A configuration file with one http handler, for `hookfast serve`.

use std::net::SocketAddr;
use tempfile::NamedTempFile;

/// Everything from Airalo goes to `receiver`; the file is removed when this is dropped.
pub(crate) fn one_handler(receiver: SocketAddr, concurrency: usize) -> anyhow::Result<NamedTempFile> {
    let file = NamedTempFile::with_suffix(".toml")?;
    let text = format!("TODO {receiver} {concurrency}");
    std::fs::write(file.path(), text)?;
    Ok(file)
}
