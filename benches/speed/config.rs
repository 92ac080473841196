//! A configuration file with one http handler, for `hookfast serve`.

use std::net::SocketAddr;
use tempfile::NamedTempFile;

/// The variable of the secret that signs what is pushed.
pub(crate) const HANDLER_SECRET: &str = "SPEED_HANDLER_SECRET";

/// Everything goes to `receiver`, so many at once. The file is removed when this is dropped.
pub(crate) fn one_handler(receiver: SocketAddr, concurrency: usize) -> anyhow::Result<NamedTempFile> {
    let file = NamedTempFile::with_suffix(".toml")?;
    let text = format!(
        r#"[sources.airalo]
kind = "airalo"
secrets = ["env:AIRALO_CLIENT_SECRET"]

[handlers.receiver]
kind = "http"
types = ["*"]
url = "http://{receiver}/"
secrets = ["env:{HANDLER_SECRET}"]
concurrency = {concurrency}
allow_private = true
"#
    );
    std::fs::write(file.path(), text)?;
    Ok(file)
}
