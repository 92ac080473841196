//! The process of a command: environment, signals, output.

use super::folder;
use crate::config::SecretRef;
use crate::store::{MigrateError, StoreError};
use anyhow::Context;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::{env, io::Write};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Open files in addition to the connections of senders: database, handlers, logs.
const OTHER_FILES: usize = 256;

/// Raises the limit of open files as far as this process may: the usual 1,024 are too few for the
/// connections that the ingress accepts.
pub(super) fn raise_file_limit(connections: usize) {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return;
    };
    let files = if setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
        hard
    } else {
        soft
    };
    if files < connections.saturating_add(OTHER_FILES) as u64 {
        tracing::warn!(
            files,
            connections,
            "this process may open too few files for so many connections: at the limit, an idle one is closed for a new \
             one. Raise the limit (ulimit -n, LimitNOFILE), or lower [ingress] connections"
        );
    }
}

/// Prints to standard output. A closed pipe is not an error.
pub(super) fn say(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Prints to standard error.
pub(super) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// An error with its causes. A cause that is already part of the text is not repeated.
pub(super) fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            let colon = if text.is_empty() { "" } else { ": " };
            text = format!("{text}{colon}{cause}");
        }
    }
    text
}

/// What to do if the role lacks a privilege. Commands that use only views and functions of the
/// schema `hookfast` have their own hint; this one is for commands that need Hookfast's tables.
pub(super) fn hint(error: &anyhow::Error) -> Option<&'static str> {
    let is_denied = error.chain().any(|cause| match cause.downcast_ref() {
        Some(MigrateError::Store(error)) => error.is_denied(),
        _ => cause.downcast_ref().is_some_and(StoreError::is_denied),
    });
    is_denied.then_some(
        "this command needs the role of `hookfast serve`, which owns Hookfast's schemas: set DATABASE_URL to the URL that \
         `hookfast serve` has. The roles for readers and operators are not enough",
    )
}

/// An environment variable that is set and not empty.
pub(super) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Reads `DATABASE_URL` from the environment only, since it contains a password.
pub(super) fn database_url() -> anyhow::Result<String> {
    variable("DATABASE_URL").context(
        "DATABASE_URL is not set, so nothing was started. Set it to postgres://USER:PASSWORD@HOST:PORT/DATABASE, or try `hookfast dev`, which does not need it",
    )
}

/// Like [`database_url`], for operators' commands: the default is the database of the `hookfast
/// dev` of this folder.
pub(super) fn database_url_here() -> anyhow::Result<String> {
    match variable("DATABASE_URL") {
        Some(url) => Ok(url),
        None => folder::database_url()?.map_or_else(database_url, Ok),
    }
}

/// Returns a token that the first SIGTERM or SIGINT cancels. The second signal ends the process at
/// once.
pub(super) fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let stopping = stop.clone();
    tokio::spawn(async move {
        for second in [false, true] {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            if second {
                complain(
                    "hookfast: second signal: exiting at once. Deliveries in flight will be attempted again",
                );
                #[allow(clippy::disallowed_methods, reason = "the second signal does not wait")]
                std::process::exit(130);
            }
            tracing::info!(
                "stopping: requests and attempts in flight may finish; a second signal exits at once"
            );
            stopping.cancel();
        }
    });
    Ok(stop)
}

/// Reads a secret from the environment like every other secret; `None` if it is missing.
pub(super) fn secret_variable(name: &str) -> Option<String> {
    SecretRef::environment(name).read().ok()
}

/// Reads a secret by its reference `env:NAME` or `file:/path`. A literal is an error: every user of
/// the machine can see arguments.
pub(super) fn secret_text(reference: &str) -> anyhow::Result<String> {
    Ok(reference.parse::<SecretRef>()?.read()?)
}
