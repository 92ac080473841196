//! Secrets by reference: every command reads them in one way, and reports suspicious ones without
//! showing them.

use super::{File, checked, hookfast};
use crate::support::{
    airalo::{order, post},
    postgres::database,
    server::{AIRALO_SECRET, HANDLER_SECRET, Server},
};
use std::process::Command;

const AIRALO: &str = "[sources.airalo]\nkind = 'airalo'\nsecrets = ['env:AIRALO_CLIENT_SECRET']\n";

/// Signed without the newline at the end of the variable: `check` and `send` accept what the sender
/// signs.
#[tokio::test(flavor = "multi_thread")]
async fn newlines_at_the_end_belong_to_no_secret_in_any_command() {
    let with_newline = format!("{AIRALO_SECRET}\r\n");
    let environment = [("AIRALO_CLIENT_SECRET", with_newline.as_str())];
    let database = database().await;
    let file = File::new(AIRALO);
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookfast"));
    command
        .args(["serve", "--config", file.name()])
        .env("DATABASE_URL", database.url());
    command.envs(environment);
    let server = Server::start_as_it_is(command);
    server.ready().await;
    let ingress = server.ingress().await;
    assert_eq!(post(ingress, &order("newline", 1)).await.0, 200);
    let url = format!("http://{ingress}/webhooks/airalo");
    let in_file = File::new(&with_newline);
    let by_file = format!("file:{}", in_file.name());
    for more in [
        vec![],
        vec!["--secret", "env:AIRALO_CLIENT_SECRET"],
        vec!["--secret", &by_file],
    ] {
        let arguments = [vec!["send", "order.completed", "--url", &url], more].concat();
        let (sent, printed) = hookfast(&arguments, &environment);
        assert!(
            sent && printed.starts_with("200"),
            "{arguments:?}: {printed}"
        );
    }
    // The outgoing side reads the same text.
    let whsec = format!("{HANDLER_SECRET}\n");
    for more in [vec![], vec!["--secret", "env:HOOKFAST_LISTEN_SECRET"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookfast"));
        command
            .args(["listen", "--address", "127.0.0.1:0"])
            .args(more)
            .env("HOOKFAST_LISTEN_SECRET", &whsec);
        let folder = tempfile::tempdir().expect("a folder");
        let mut child = command
            .current_dir(&folder)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        let mut out = std::io::BufReader::new(child.stdout.take().expect("piped"));
        std::io::BufRead::read_line(&mut out, &mut line).expect("a line");
        let _ = (child.kill(), child.wait());
        assert!(line.starts_with("listening on"), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_and_the_start_name_a_secret_with_something_around_it() {
    let config = "[sources.airalo]\nkind = 'airalo'\nsecrets = ['env:QUOTED', 'env:BLANK', 'FILE', 'env:GOOD']\n\
        [sources.airalo.api]\nclient_id = 'env:ID'\nclient_secret = 'env:SINGLE'\n\
        [handlers.shop]\nkind = 'http'\ntypes = ['airalo.*']\nurl = 'http://127.0.0.1:9/'\nallow_private = true\n\
        secrets = ['env:HANDLER_SECRET']\nheaders = { authorization = 'env:TOKEN' }\n";
    let marked = File::new("\u{feff}canary-with-a-mark-0123\n");
    let reference = format!("file:{}", marked.name());
    let config = config.replace("FILE", &reference);
    let variables = [
        ("QUOTED", "\"canary-in-quotes-0123\""),
        ("BLANK", "canary-and-a-blank-0123 "),
        ("GOOD", "canary \"inside\" is a secret like any other\n"),
        ("SINGLE", "'canary-in-single-quotes'"),
        ("ID", "partner"),
        ("TOKEN", "\tBearer canary"),
        ("HANDLER_SECRET", HANDLER_SECRET),
    ];
    let printed = checked(&config, &variables);
    for (name, what) in [
        ("[sources.airalo] secrets: env:QUOTED", "quotes"),
        ("[sources.airalo] secrets: env:BLANK", "whitespace"),
        (
            &format!("[sources.airalo] secrets: {reference}"),
            "byte order mark",
        ),
        ("[sources.airalo.api] client_secret: env:SINGLE", "quotes"),
        (
            "[handlers.shop] headers.authorization: env:TOKEN",
            "whitespace",
        ),
    ] {
        let line = printed
            .lines()
            .find(|line| line.starts_with("warning") && line.contains(name));
        assert!(
            line.is_some_and(|line| line.contains(what)),
            "{name}, {what}:\n{printed}"
        );
    }
    assert!(
        !printed.contains("env:GOOD") && !printed.contains("canary"),
        "{printed}"
    );

    let (database, file) = (database().await, File::new(&config));
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookfast"));
    command
        .args(["serve", "--config", file.name()])
        .env("DATABASE_URL", database.url())
        .envs(variables);
    let server = Server::start_as_it_is(command);
    for name in [
        "env:QUOTED",
        "env:BLANK",
        &reference,
        "env:SINGLE",
        "env:TOKEN",
    ] {
        server.logged(name).await;
    }
    assert!(!server.log().contains("canary"), "{}", server.log());
}
