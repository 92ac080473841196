//! The text that `hookfast dev` prints once it listens: its addresses and commands to try.

use crate::cli::{folder::FOLDER, samples};
use crate::config::{Config, HandlerConfig, HandlerKind};
use std::{fmt::Write, net::SocketAddr};

/// The text without a configuration file.
pub(super) fn without_file(ingress: SocketAddr, forward: &str) -> String {
    format!(
        "hookfast receives webhooks on http://{ingress}/webhooks/airalo\n\
         and pushes them to {forward} (in another terminal, in this folder: hookfast listen)\n\
         try it:  hookfast send order.completed\n\
         {}",
        inspect()
    )
}

/// The text with the sources and handlers of a configuration.
pub(super) fn of_config(ingress: SocketAddr, config: &Config) -> String {
    let mut text = String::new();
    for source in &config.sources {
        let (name, kind) = (&source.name, source.kind.name());
        let _ = writeln!(
            text,
            "hookfast receives webhooks on http://{ingress}/webhooks/{name} ({kind})"
        );
    }
    for (name, _) in &config.sql_sources {
        let _ = writeln!(text, "source {name}: SELECT hookfast.enqueue('{name}', …)");
    }
    for handler in &config.handlers {
        let _ = writeln!(text, "handler {}", described(handler));
    }
    if config.sources.is_empty() && config.sql_sources.is_empty() {
        text.push_str(
            "the configuration has no source, so no webhook can be received: add [sources.NAME]\n",
        );
    }
    if config.handlers.is_empty() {
        text.push_str(
            "the configuration has no handler, so events are stored but not delivered: add [handlers.NAME]\n",
        );
    }
    if let Some(source) = config.sources.first() {
        let name = source.name.as_str();
        let what = samples::all()
            .find(|sample| sample.sender == name)
            .map_or("FILE", |sample| sample.name);
        let _ = writeln!(text, "try it:  hookfast send {what} --source {name}");
    }
    text.push_str(&inspect());
    text
}

fn described(handler: &HandlerConfig) -> String {
    let types: Vec<_> = handler.types.iter().map(ToString::to_string).collect();
    let kind = match &handler.kind {
        HandlerKind::Http(_) => "http".to_owned(),
        HandlerKind::Sql(function) => format!("sql, {function}(hookfast.event)"),
        HandlerKind::Airalo => "airalo".to_owned(),
        HandlerKind::Pull => "pull".to_owned(),
    };
    format!("{}: {} ({kind})", handler.name, types.join(", "))
}

fn inspect() -> String {
    format!(
        "inspect: hookfast status, or any other command, in this folder ({FOLDER}/ has the database's URL and the addresses)"
    )
}
