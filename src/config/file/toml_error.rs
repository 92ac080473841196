//! Explains why a text is not a configuration file: the line, the key and what is expected there.
//!
//! TOML's own message quotes the line and the value. The line of a misspelt setting often holds a
//! secret, and the message is printed and logged. So the message is rebuilt from the parts that
//! cannot hold a secret.

use toml::de::Error;

/// A longer name is not a setting, and may be a secret.
const LONGEST_NAME: usize = 24;

/// One line that repeats no value of the text.
pub(super) fn describe(mut error: Error, text: &str) -> String {
    let place = error
        .span()
        .and_then(|span| text.get(..span.start))
        .map(position);
    let message = without_values(error.message());
    // An error prints its keys only if it does not have its text.
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

/// Messages of the TOML parser contain nothing of the text. Messages of serde may contain a value
/// or a key.
fn without_values(message: &str) -> String {
    // The last `expected` is serde's own; anything from the text is before it.
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
        // Replace serde's names of TOML's types with TOML's.
        let kind = match kind {
            "sequence" => "list",
            "map" => "table",
            other => other,
        };
        let expected = expected
            .replace("a sequence", "a list, such as [\"…\"]")
            .replace("a map", "a table");
        return format!("a value of the type {kind} is not allowed here{expected}");
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

/// Whether it looks like the name of a setting or a table, and not like a misplaced secret.
fn is_name(key: &str) -> bool {
    key.len() <= LONGEST_NAME
        && key
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte))
}
