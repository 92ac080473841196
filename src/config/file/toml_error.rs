//! Why a text is not a configuration file: the line, the key and what is expected there.
//!
//! TOML's own message quotes the line and the value. The line of a misspelt setting often holds a secret, and the message
//! is printed and logged, so it is rebuilt from what cannot hold one.

use toml::de::Error;

/// Longer names are no settings, and may be secrets.
const LONGEST_NAME: usize = 24;

/// One line that repeats no value of the text.
pub(super) fn describe(mut error: Error, text: &str) -> String {
    let place = error
        .span()
        .and_then(|span| text.get(..span.start))
        .map(position);
    let message = without_values(error.message());
    // Only an error that does not know its text prints its keys.
    error.set_input(None);
    let printed = error.to_string();
    let keys = printed
        .trim_end()
        .rsplit_once("\nin `")
        .and_then(|(_, keys)| keys.strip_suffix('`'));
    let keys = keys.map(|keys| {
        format!(
            "in `{}`",
            keys.split('.')
                .map(name_or_dots)
                .collect::<Vec<_>>()
                .join(".")
        )
    });
    let place: Vec<_> = place.into_iter().chain(keys).collect();
    if place.is_empty() {
        message
    } else {
        format!("{}: {message}", place.join(", "))
    }
}

fn position(before: &str) -> String {
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    format!("line {line}, column {column}")
}

/// The messages of the TOML parser hold nothing of the text. Those of serde may hold a value or a key.
fn without_values(message: &str) -> String {
    // The last one is the program's: what the text has stands before it.
    let expected = message.rfind(", expected ").map_or("", |at| &message[at..]);
    let found = |prefix: &str| {
        message
            .strip_prefix(prefix)
            .map(|rest| rest.strip_suffix(expected).unwrap_or(rest))
    };
    if let Some(found) = found("invalid type: ").or_else(|| found("invalid value: ")) {
        let kind = found
            .split(['"', '`'])
            .next()
            .unwrap_or_default()
            .trim_end();
        // serde's words for TOML's types, in TOML's.
        let kind = match kind {
            "sequence" => "list",
            "map" => "table",
            other => other,
        };
        let expected = expected
            .replace("a sequence", "a list, such as [\"…\"]")
            .replace("a map", "a table");
        return format!("a value of the type {kind} cannot stand here{expected}");
    }
    if found("unknown variant ").is_some() {
        return format!("unknown value{expected}");
    }
    if let Some(name) = found("unknown field ").map(|name| name.trim_matches('`')) {
        return match is_name(name) {
            true => format!("unknown field `{name}`{expected}"),
            false => format!("unknown field (its name is not repeated){expected}"),
        };
    }
    match message.split_once(", available keys: ") {
        Some((unexpected, known)) => {
            let name = unexpected
                .rsplit(": ")
                .next()
                .unwrap_or_default()
                .split(", ")
                .next()
                .filter(|name| is_name(name));
            let name = name.map(|name| format!(" `{name}`")).unwrap_or_default();
            format!("unknown field{name}, expected {known}")
        }
        None => message.to_owned(),
    }
}

fn name_or_dots(key: &str) -> &str {
    if is_name(key) { key } else { "…" }
}

/// Whether it looks like a setting or a name in a configuration, and not like a secret in the wrong place.
fn is_name(key: &str) -> bool {
    key.len() <= LONGEST_NAME
        && key
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte))
}
