//! Commands for `sh` that contain the bytes of strangers.
//!
//! People paste them into a terminal. A command therefore has no control character, which the
//! terminal would obey, and no character that deceives: such bytes are octal escapes of `printf`,
//! which every `sh` has (`$'…'` is not in POSIX).

use super::marks;

/// Headers that belong to one connection, or that curl computes from what it sends.
const OF_THE_CONNECTION: [&str; 8] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// A word of a command that has exactly these bytes, or `None` if they contain NUL, which no
/// argument can.
pub(crate) fn word(bytes: &[u8]) -> Option<String> {
    if bytes.contains(&0) {
        return None;
    }
    if let Some(text) = as_is(bytes) {
        return Some(quoted(text));
    }
    // `$(…)` drops line feeds at the end, so they follow it in quotes.
    let ends_at = bytes
        .iter()
        .rposition(|&byte| byte != b'\n')
        .map_or(0, |at| at + 1);
    let (printed, line_feeds) = bytes.split_at(ends_at);
    let mut word = format!("\"$(printf '{}')\"", escaped(printed));
    if !line_feeds.is_empty() {
        word += &quoted(&"\n".repeat(line_feeds.len()));
    }
    Some(word)
}

/// A command that prints exactly these bytes.
pub(crate) fn print(bytes: &[u8]) -> String {
    match as_is(bytes) {
        Some(text) => format!("printf %s {}", quoted(text)),
        None => format!("printf '{}'", escaped(bytes)),
    }
}

/// A command that sends a webhook again with the body as it was stored. The body goes through a
/// pipe: it may contain NUL, and it may be longer than an argument can be. `None` if a header or
/// the address contains NUL.
pub(crate) fn curl(url: &str, headers: &[(&str, &[u8])], body: &[u8]) -> Option<String> {
    let mut command = format!(
        "{} |\n  curl --globoff --request POST --url {}",
        print(body),
        word(url.as_bytes())?
    );
    let mut has_content_type = false;
    for (name, value) in headers {
        if OF_THE_CONNECTION
            .iter()
            .any(|other| name.eq_ignore_ascii_case(other))
        {
            continue;
        }
        has_content_type |= name.eq_ignore_ascii_case("content-type");
        let mut line = name.as_bytes().to_vec();
        // curl removes a header that has a colon and no value; with a semicolon it sends an empty
        // one.
        line.push(if value.is_empty() { b';' } else { b':' });
        if !value.is_empty() {
            line.push(b' ');
        }
        line.extend_from_slice(value);
        command += &format!(" \\\n  --header {}", word(&line)?);
    }
    if !has_content_type {
        command += " \\\n  --header 'content-type:'";
    }
    command += " \\\n  --data-binary @-";
    Some(command)
}

/// The text, if a terminal shows it as it is.
fn as_is(bytes: &[u8]) -> Option<&str> {
    let text = str::from_utf8(bytes).ok()?;
    text.chars()
        .all(|character| character == '\n' || marks::name(character).is_none())
        .then_some(text)
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// For the format of `printf`. Only what means nothing to `printf`, to the shell and to its history
/// stays.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b" _-+=.,:;/@{}[]()<>\"#&|?*~^".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text += &format!("\\{byte:03o}");
        }
    }
    // A format that begins with a hyphen would be an option.
    if text.starts_with('-') {
        text.replace_range(..1, "\\055");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use proptest::prelude::*;

    use super::*;

    fn output(script: &str) -> Vec<u8> {
        use std::io::Write;
        let mut shell = Command::new("sh")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh");
        shell
            .stdin
            .take()
            .expect("a pipe")
            .write_all(script.as_bytes())
            .expect("sh reads");
        let output = shell.wait_with_output().expect("an output");
        assert!(output.status.success(), "{script}");
        output.stdout
    }

    const HOSTILE: [&[u8]; 16] = [
        b"",
        b"it's",
        b"'; rm -rf / #",
        b"$(id) `id` ${HOME} \\ \\n %s %n",
        b"-n",
        b"-e -\x01",
        b"--\x01 -v x",
        b"!! !$ ^a^b",
        b"a\nb\n\n",
        b"\n",
        b"\x1b\n\n",
        b"tab\tcr\r\n",
        b"\x1b]0;owned\x07\x1b[2J",
        b"\xff\xfe\x80",
        "\u{202e}gpj.exe \u{200b}".as_bytes(),
        "Grüße 日本 \\u0041 \"\"".as_bytes(),
    ];

    #[test]
    fn words_and_texts_are_exact() {
        for bytes in HOSTILE {
            let word = word(bytes).expect("no NUL");
            assert_eq!(output(&format!("printf %s {word}")), bytes, "{word}");
            assert_eq!(output(&print(bytes)), bytes, "{}", print(bytes));
        }
        assert_eq!(output(&print(b"\x00a\x00")), b"\x00a\x00");
        assert_eq!(word(b"a\x00"), None);
    }

    #[test]
    fn a_terminal_obeys_nothing_of_a_command() {
        for bytes in HOSTILE {
            for text in [word(bytes).expect("no NUL"), print(bytes)] {
                assert!(
                    text.chars().all(|c| c == '\n' || marks::name(c).is_none()),
                    "{text:?}"
                );
            }
        }
    }

    /// In the place of curl, a function that prints its arguments and its input.
    #[test]
    fn curl_gets_the_stored_headers_and_body() {
        let headers: [(&str, &[u8]); 4] = [
            ("Host", b"a"),
            ("x-empty", b""),
            ("x-hostile", b"it's $(id)\xff"),
            ("content-length", b"3"),
        ];
        let command = curl("https://h/[a]?b='c'&d=$e", &headers, b"\x00\n'%s\\\n").expect("no NUL");
        let script = format!("curl() {{ printf '<%s>' \"$@\"; cat; }}\n{command}\n");
        let expected = [
            &b"<--globoff><--request><POST><--url><https://h/[a]?b='c'&d=$e>"[..],
            b"<--header><x-empty;><--header><x-hostile: it's $(id)\xff>",
            b"<--header><content-type:><--data-binary><@->\x00\n'%s\\\n",
        ];
        assert_eq!(output(&script), expected.concat());
    }

    #[test]
    fn a_body_of_a_mebibyte_is_no_argument() {
        let body: Vec<u8> = (0..1_048_576_u32)
            .map(|index| (index * 7 % 256) as u8)
            .collect();
        assert_eq!(output(&print(&body)), body);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]
        #[test]
        fn any_bytes_are_exact(bytes in any::<Vec<u8>>(), text in any::<String>()) {
            prop_assert_eq!(output(&print(&bytes)), bytes);
            if let Some(word) = word(text.as_bytes()) {
                prop_assert_eq!(output(&format!("printf %s {word}")), text.as_bytes());
            }
        }
    }
}
