//! Configuration files for `hookfast serve`.

use std::net::SocketAddr;
use tempfile::NamedTempFile;

/// The environment variable with the secret that signs pushed deliveries.
pub(crate) const HANDLER_SECRET: &str = "SPEED_HANDLER_SECRET";

/// A configuration that pushes all events to `receiver`, with this many attempts at the same time.
/// Dropping the result removes the file.
pub(crate) fn one_handler(
    receiver: SocketAddr,
    concurrency: usize,
) -> anyhow::Result<NamedTempFile> {
    file(&handler(
        "receiver",
        "*",
        receiver,
        &format!("concurrency = {concurrency}"),
    ))
}

/// The same with two more handlers that no webhook is routed to, one of them ordered.
pub(crate) fn three_handlers(receiver: SocketAddr) -> anyhow::Result<NamedTempFile> {
    let mut handlers = handler("receiver", "airalo.*", receiver, "");
    handlers += &handler("paused", "other.*", receiver, "");
    handlers += &handler("parked", "other.*", receiver, "ordered_by = \"/key\"");
    file(&handlers)
}

fn handler(name: &str, types: &str, receiver: SocketAddr, rest: &str) -> String {
    format!(
        r#"
[handlers.{name}]
kind = "http"
types = ["{types}"]
url = "http://{receiver}/"
secrets = ["env:{HANDLER_SECRET}"]
allow_private = true
{rest}
"#
    )
}

fn file(handlers: &str) -> anyhow::Result<NamedTempFile> {
    const SOURCE: &str =
        "[sources.airalo]\nkind = \"airalo\"\nsecrets = [\"env:AIRALO_CLIENT_SECRET\"]\n";
    let file = NamedTempFile::with_suffix(".toml")?;
    std::fs::write(file.path(), format!("{SOURCE}{handlers}"))?;
    Ok(file)
}
