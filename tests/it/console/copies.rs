//! What is copied as curl or as SQL: `sh` and psql send and select exactly the stored bytes, and run
//! nothing that a sender wrote.

use super::{
    Site, form,
    psql::{Psql, statements},
    run, text,
};
use std::{path::Path, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    process::Command,
    time::timeout,
};

/// Texts that a shell, psql or a terminal must not obey. They are bodies, keys, topics and filters.
const TEXTS: [&str; 24] = [
    "{\"it's\": \"$(touch pwned) \\\\ %s\", \"n\": 1970670598291982290, \"m\": 1e400, \"z\": -0}",
    "$(touch pwned)",
    "`touch pwned`",
    "'; touch pwned; '",
    "\"; touch pwned; \"",
    "'; DROP TABLE hookfast_data.events; --",
    "\\'; DROP TABLE hookfast_data.events; --",
    "E'\\''; SELECT 1/0; --",
    "\\! touch pwned",
    "\\\n\\! touch pwned\n",
    "x\r\n\\! touch pwned\r\n",
    "--\n-- ; /* */ $$ $1 $body$ :name :'name' :\"name\"",
    "($1::text::text)",
    "@/etc/hostname",
    "-n",
    "-e \\0101",
    "%s %n %% \\045",
    "!! !$ ^a^b",
    "two\n\nlines\n\n",
    "\u{202e}gpj.exe\u{2066}\u{200b}\u{feff}\u{ad}\u{e0041}",
    "\x1b]0;owned\x07\x1b[2J\x08\x7f\u{85}",
    "\\u0000 \\x00 \\000",
    "{\"a\":\"\\u0000\",\"a\":\"\\ud800\"}",
    " Grüße 日本 ",
];

/// Bytes that are no text.
const BYTES: [&[u8]; 5] = [
    b"",
    b"\x00\xff\n'; DROP TABLE x --\x00",
    b"\xc3\x28\xf0\x80\x80\x80",
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\xff",
    b"\n\n",
];

fn bodies() -> Vec<Vec<u8>> {
    let mut bodies: Vec<_> = TEXTS.iter().map(|text| text.as_bytes().to_vec()).collect();
    bodies.extend(BYTES.iter().map(|bytes| bytes.to_vec()));
    bodies.push("a'\\$`\u{202e}".repeat(1_600).into_bytes());
    bodies.push((0..=255).collect());
    bodies
}

/// A literal of the test's own.
fn hex_text(text: &str) -> String {
    format!("convert_from('\\x{}', 'UTF8')", hex::encode(text))
}

/// Stores an event, with the text as its key, its topic and its headers. Returns its id.
async fn store(site: &Site, number: usize, hostile: &str, body: &[u8]) -> String {
    let key = hex_text(&format!("{number} {hostile}"));
    let topic = hex_text(hostile);
    // hyper accepts no control characters in headers.
    let header: String = hostile.chars().filter(|c| !c.is_control()).collect();
    let header = hex_text(header.trim());
    run(
        site,
        format!(
            "INSERT INTO hookfast_data.sources (name, kind) VALUES ('acme', 'hmac') ON CONFLICT DO NOTHING; \
             INSERT INTO hookfast_data.events (id, source_id, subscription_version, type, topic, origin, idempotency_key, \
                headers, body) \
             SELECT hookfast_data.new_event_id(), s.id, 1, 'acme.paid', {topic}, 'webhook', {key}, \
                jsonb_build_object('content-type', {header}, 'user-agent', ARRAY['sender', {header}], 'x-signature', 'no'), \
                '\\x{}' FROM hookfast_data.sources s WHERE s.name = 'acme'",
            hex::encode(body)
        ),
    )
    .await;
    site.text(&format!(
        "(SELECT event_id::text FROM hookfast.events WHERE idempotency_key = {key})"
    ))
    .await
}

/// Answers one request with 200, and returns it.
async fn receive(listener: &TcpListener) -> (String, Vec<u8>) {
    let (mut stream, _) = listener.accept().await.expect("curl");
    let (mut got, mut chunk) = (Vec::new(), vec![0; 65_536]);
    loop {
        let ends = got.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = ends {
            let head = String::from_utf8_lossy(&got[..end]).to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
                .unwrap_or(0);
            if got.len() >= end + 4 + length {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                stream.write_all(answer).await.expect("an answer");
                let head = String::from_utf8(got[..end].to_vec()).expect("text");
                return (head, got[end + 4..].to_vec());
            }
        }
        let read = stream.read(&mut chunk).await.expect("a request");
        assert_ne!(read, 0, "curl closed the connection");
        got.extend_from_slice(&chunk[..read]);
    }
}

/// Runs a script in an empty folder, where nothing may be left.
async fn sh(script: &str, folder: &Path) {
    let mut shell = Command::new("sh")
        .current_dir(folder)
        .env("HOME", folder)
        .env("no_proxy", "*")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        // curl shows its progress.
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("sh");
    let mut stdin = shell.stdin.take().expect("a pipe");
    stdin.write_all(script.as_bytes()).await.expect("sh reads");
    drop(stdin);
    let ended = timeout(Duration::from_secs(20), shell.wait()).await;
    assert!(
        ended.expect("in time").expect("a status").success(),
        "{script}"
    );
}

/// A terminal obeys nothing of what is pasted.
fn assert_visible(command: &str) {
    for character in command.chars().filter(|c| *c != '\n') {
        assert!(!deceives(character), "{character:?} in {command}");
    }
}

/// Characters that no page shows as they are.
fn deceives(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_curl_command_sends_exactly_the_stored_bytes() {
    let site = Site::new().await;
    let operator = site.visitor("mira", &site.operator).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let receiver = listener.local_addr().expect("an address").to_string();
    let folder = tempfile::tempdir().expect("a folder");
    for (number, body) in bodies().iter().enumerate() {
        let hostile = TEXTS[number % TEXTS.len()];
        let id = store(&site, number, hostile, body).await;
        let page = text(&operator.get(&format!("/events/{id}")).await);
        let [command] = &statements(&page, "id=\"as-curl\"")[..] else {
            panic!("no command for {hostile:?}");
        };
        assert_visible(command);
        let script = command.replace("127.0.0.1:8080", &receiver);
        let ((head, sent), ()) = tokio::join!(
            async {
                let received = timeout(Duration::from_secs(20), receive(&listener)).await;
                received.unwrap_or_else(|_| panic!("curl sends nothing: {command}"))
            },
            sh(&script, folder.path())
        );
        assert_eq!(&sent, body, "{command}");
        let header: String = hostile.chars().filter(|c| !c.is_control()).collect();
        let header = header.trim();
        for expected in [
            format!("\r\ncontent-type: {header}\r\n"),
            format!("\r\nuser-agent: {header}\r\n"),
            "\r\nuser-agent: sender\r\n".to_owned(),
        ] {
            assert!(
                format!("{head}\r\n").contains(&expected),
                "{expected:?}: {head}"
            );
        }
        assert!(!head.contains("x-signature"), "{head}");
        let path = head.split(' ').nth(1).expect("a path");
        let topic = path.strip_prefix("/webhooks/acme/").expect("the topic");
        let topic = percent_encoding::percent_decode_str(topic);
        assert_eq!(topic.decode_utf8().expect("text"), hostile);
    }
    let left = folder.path().read_dir().expect("the folder").count();
    assert_eq!(left, 0, "a command ran what a sender wrote");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_statement_selects_exactly_the_stored_bytes() {
    let site = Site::new().await;
    let person = site.person("mira", &site.operator).await;
    let operator = site.log_in(&person).await;
    for (number, body) in bodies().iter().enumerate() {
        let hostile = TEXTS[number % TEXTS.len()];
        let id = store(&site, number, hostile, body).await;
        let page = text(&operator.get(&format!("/events/{id}")).await);
        let copied = statements(&page, "id=\"as-sql\"");
        assert_eq!(copied.len(), 1, "{hostile:?}");
        assert_visible(&copied[0]);
        for settings in [
            "",
            "-c standard_conforming_strings=off -c backslash_quote=on",
        ] {
            let psql = Psql {
                site: &site,
                person: &person,
                role: &site.operator,
                settings,
            };
            let rows = psql.rows(&copied).await.expect(&copied[0]);
            let [row] = &rows[0][..] else {
                panic!("{rows:?}")
            };
            assert_eq!(row["body"], format!("\\x{}", hex::encode(body)));
            assert_eq!(row["topic"], hostile);
            assert_eq!(row["idempotency_key"], format!("{number} {hostile}"));
            assert_eq!(row["type"], "acme.paid");
        }
    }
}

/// A link may have any value, and one value may look like the placeholder of another.
#[tokio::test(flavor = "multi_thread")]
async fn statements_with_hostile_filters_run_as_they_are_shown() {
    let site = Site::new().await;
    let person = site.person("mira", &site.operator).await;
    let operator = site.log_in(&person).await;
    let mut read = 0;
    for hostile in TEXTS {
        for path in ["/dead", "/events"] {
            let other = if path == "/dead" { "reason" } else { "origin" };
            let query = form(&[
                ("handler", hostile),
                ("source", hostile),
                ("type", hostile),
                (other, "($1::text::text)"),
            ]);
            let page = operator.get(&format!("{path}?{query}")).await;
            assert_eq!(page.status, 200, "{hostile:?}");
            let shown = statements(&text(&page), "id=\"sql\"");
            for statement in &shown {
                assert_visible(statement);
                read += usize::from(statement.contains("'($1::text::text)'"));
            }
            for settings in ["", "-c standard_conforming_strings=off"] {
                let psql = Psql {
                    site: &site,
                    person: &person,
                    role: &site.operator,
                    settings,
                };
                let rows = psql.rows(&shown).await;
                rows.unwrap_or_else(|error| panic!("{error}\n{shown:#?}"));
            }
        }
    }
    assert!(read >= 2 * TEXTS.len(), "the statements have the value");
}

/// The page without what is copied, typed or sent, which is exact.
fn without_exact_values(page: &str) -> String {
    [
        ("data-copy=\"", "\""),
        ("value=\"", "\""),
        ("<textarea", "</textarea>"),
    ]
    .iter()
    .fold(page.to_owned(), |page, (start, end)| {
        let mut parts = page.split(start);
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |kept, part| {
            kept + part.split_once(end).map_or("", |(_, rest)| rest)
        })
    })
}

const DECEPTIVE: &str =
    "a\u{202a}\u{202e}\u{2066}\u{2069}\u{1}\u{85}\u{200b}\u{200f}\u{feff}\u{ad}\u{e0041}z";

#[tokio::test(flavor = "multi_thread")]
async fn no_page_has_a_character_that_deceives() {
    let site = Site::new().await;
    let literal = hex_text(DECEPTIVE);
    let body = format!("{{\"{}\": \"{}\"}}", &DECEPTIVE.replace('\x01', ""), 1);
    let id = store(&site, 1, DECEPTIVE, body.as_bytes()).await;
    let statement = r#"
        SELECT order_arrived(1), died(1, DECEPTIVE);
        INSERT INTO hookfast_data.airalo_expected (source_id, request_id, description, placed_at, expected_by, check_at,
            unknown_why)
            SELECT s.id, NULL, DECEPTIVE, now() - interval '1 hour', now() - interval '34 minutes', now(), DECEPTIVE
            FROM hookfast_data.sources s WHERE s.name = 'airalo';
        INSERT INTO hookfast_data.airalo_orders (source_id, request_id, order_id, description, state, rank, reason, package,
            quantity, event_id, received_at)
            SELECT s.id, DECEPTIVE, DECEPTIVE, DECEPTIVE, 'failed', 3, DECEPTIVE, DECEPTIVE, 1, event_of(1), now()
            FROM hookfast_data.sources s WHERE s.name = 'airalo';
        INSERT INTO hookfast_data.quarantine (source_id, digest, reason, topic, headers, body)
            SELECT s.id, sha256('x'), 'wrong_signature', DECEPTIVE, jsonb_build_object('content-type', DECEPTIVE,
            DECEPTIVE, DECEPTIVE), convert_to(DECEPTIVE, 'UTF8') FROM hookfast_data.sources s WHERE s.name = 'airalo';
        SELECT hookfast_data.alert_dead_letters(10);
        SELECT hookfast.pause_handler('crm', DECEPTIVE);
        SELECT hookfast.hold_event(event_of(1), DECEPTIVE);
        SELECT hookfast_data.evaluate_alerts();
    "#;
    run(&site, statement.replace("DECEPTIVE", &literal)).await;
    let first = site.text("(SELECT event_of(1)::text)").await;
    let alert = site
        .text("(SELECT event_id::text FROM hookfast.alerts LIMIT 1)")
        .await;
    let encoded = form(&[("q", DECEPTIVE)]);
    let described = encoded.replacen("q=", "description=", 1);
    let paths = [
        "/".to_owned(),
        format!("/find?{encoded}&other=1"),
        "/orders".to_owned(),
        "/orders?state=all".to_owned(),
        format!("/orders?{encoded}"),
        format!("/orders/airalo?{described}"),
        "/events".to_owned(),
        format!("/events?{}", encoded.replacen("q=", "type=", 1)),
        format!("/events/{id}"),
        format!("/events/{id}?body=raw"),
        format!("/events/{id}?body=hex"),
        format!("/events/{id}?body=headers"),
        format!("/events/{first}"),
        "/handlers".to_owned(),
        "/handlers/crm".to_owned(),
        "/handlers/shop?state=dead".to_owned(),
        format!("/handlers/{}", encoded.replacen("q=", "", 1)),
        "/dead".to_owned(),
        format!("/dead?{}", encoded.replacen("q=", "error=", 1)),
        "/alerts".to_owned(),
        format!("/alerts/{alert}"),
        "/sources".to_owned(),
        "/sources/airalo".to_owned(),
        "/quarantine/1".to_owned(),
        "/quarantine/1?body=raw".to_owned(),
        "/access".to_owned(),
        "/act/retry_all?handler=shop".to_owned(),
        format!(
            "/act/pause_handler?handler=shop&{}",
            encoded.replacen("q=", "why=", 1)
        ),
    ];
    let mut marks = 0;
    for (name, role) in [
        ("ron", &site.reader),
        ("sue", &site.support),
        ("mira", &site.operator),
    ] {
        let visitor = site.visitor(name, role).await;
        for path in &paths {
            let page = visitor.get(path).await;
            assert!([200, 404].contains(&page.status), "{path}: {}", page.head);
            let page = text(&page);
            marks += page.matches("U+202E").count();
            let seen = without_exact_values(&page);
            let deceives = seen
                .chars()
                .find(|c| !matches!(c, '\n' | '\t') && deceives(*c));
            assert_eq!(deceives, None, "{name} {path}");
        }
    }
    assert!(marks > 40, "the pages show the fields: {marks}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_makes_no_large_page() {
    let site = Site::new().await;
    let operator = site.visitor("mira", &site.operator).await;
    for (number, unit) in ["a", "<", "\u{202e}", "1,"].iter().enumerate() {
        let body = match *unit {
            "1," => format!("[{}1]", unit.repeat(500_000)),
            unit => format!("\"{}\"", unit.repeat(1_000_000 / unit.len())),
        };
        let id = store(&site, number, "large", body.as_bytes()).await;
        run(
            &site,
            format!(
                "INSERT INTO hookfast_data.quarantine (source_id, digest, reason, headers, body) \
                 SELECT s.id, sha256('{number}'), 'wrong_signature', '{{}}', e.body \
                 FROM hookfast_data.sources s, hookfast_data.events e WHERE s.name = 'acme' AND e.id = '{id}'"
            ),
        )
        .await;
        let quarantined = site
            .text("(SELECT max(quarantine_id) FROM hookfast.quarantine)")
            .await;
        for page in [
            format!("/events/{id}"),
            format!("/quarantine/{quarantined}"),
        ] {
            for shape in ["pretty", "raw", "hex"] {
                let path = format!("{page}?body={shape}");
                let shown = text(&operator.get(&path).await);
                assert!(shown.len() < 600 * 1024, "{path}: {}", shown.len());
                assert!(shown.contains("The download has all of it."), "{path}");
            }
            let download = operator.get(&format!("{page}/body")).await;
            assert!(download.body == body.as_bytes(), "{page}");
            assert_eq!(
                download.header("content-type"),
                Some("application/octet-stream")
            );
            assert_eq!(download.header("x-content-type-options"), Some("nosniff"));
            let disposition = download.header("content-disposition").unwrap_or_default();
            assert!(disposition.starts_with("attachment;"), "{page}");
        }
    }
}
