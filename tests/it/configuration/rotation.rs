//! Secrets are replaced while the process runs: SIGHUP reads the configuration's lists and every
//! reference again.

use crate::raw_server::{RawServer, read_request};
use crate::support::{
    airalo::{order, request_signed_with},
    postgres::database,
    raw_http::Client,
    server::Server,
    wait_until,
};
use hookfast::internals::signing::standard_webhooks;
use nix::sys::signal::Signal;
use sqlx::Executor;
use std::{net::SocketAddr, path::Path, time::Duration};
use tokio::{io::AsyncWriteExt, sync::mpsc};

const OLD: &str = "the-old-secret-0123456789";
const NEW: &str = "the-new-secret-0123456789";

async fn status(ingress: SocketAddr, secret: &str, n: u64) -> u16 {
    let mut client = Client::connect(ingress).await;
    client
        .send(request_signed_with(secret, &order("rotated", n)))
        .await;
    client.answer().await.status
}

fn config(secrets: &[&str], more: &str) -> String {
    format!("[sources.airalo]\nkind = 'airalo'\nsecrets = {secrets:?}\n{more}")
}

/// Sends SIGHUP, waits until it is done, and returns the log lines about it.
async fn reloaded(server: &Server) -> String {
    const DONE: &str = "configuration read again";
    let before = server.log().len();
    server.signal(Signal::SIGHUP);
    wait_until("SIGHUP", async || server.log()[before..].contains(DONE)).await;
    server.log()[before..].to_owned()
}

fn has(log: &str, secret: &str, change: &str) -> bool {
    log.lines()
        .any(|line| line.contains(secret) && line.contains(&format!("change=\"{change}\"")))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_added_secret_is_valid_after_sighup_and_a_removed_one_is_not() {
    let (database, folder) = (database().await, tempfile::tempdir().expect("a folder"));
    let path = |name: &str| folder.path().join(name);
    let label = |name: &str| format!("file:{}", path(name).display());
    std::fs::write(path("old"), OLD).expect("written");
    std::fs::write(path("new"), format!("{NEW}\n")).expect("written");
    let (old, new) = (label("old"), label("new"));
    let environment = [
        ("IN_THE_ENVIRONMENT", "another-secret-0123456789"),
        ("OF_THE_START", "a-third-secret-0123456789"),
    ];
    let server = Server::serve_with(
        database.url(),
        &config(&[&old, "env:IN_THE_ENVIRONMENT"], ""),
        &environment,
    );
    server.ready().await;
    let ingress = server.ingress().await;
    assert_eq!(
        (status(ingress, OLD, 1).await, status(ingress, NEW, 1).await),
        (200, 401)
    );

    server.configure(&config(&[&old, &new, "env:IN_THE_ENVIRONMENT"], ""));
    let log = reloaded(&server).await;
    assert!(
        has(&log, &old, "unchanged") && has(&log, &new, "added"),
        "{log}"
    );
    assert!(
        has(&log, "env:IN_THE_ENVIRONMENT", "as at the start"),
        "{log}"
    );
    assert!(!log.contains("needs a restart"), "{log}");
    assert_eq!(
        (status(ingress, OLD, 2).await, status(ingress, NEW, 3).await),
        (200, 200)
    );

    server.configure(&config(&[&new, "env:OF_THE_START"], ""));
    let log = reloaded(&server).await;
    assert!(
        has(&log, &old, "removed") && has(&log, "env:OF_THE_START", "added"),
        "{log}"
    );
    assert_eq!(
        (status(ingress, OLD, 4).await, status(ingress, NEW, 5).await),
        (401, 200)
    );

    std::fs::write(path("new"), OLD).expect("written");
    let log = reloaded(&server).await;
    assert!(has(&log, &new, "changed"), "{log}");
    assert_eq!(
        (status(ingress, OLD, 6).await, status(ingress, NEW, 7).await),
        (200, 401)
    );
    for secret in [OLD, NEW] {
        assert!(!server.log().contains(secret), "{}", server.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_need_a_restart_are_named_and_nothing_is_lost() {
    let database = database().await;
    let environment = [("OLD", OLD)];
    let server = Server::serve_with(database.url(), &config(&["env:OLD"], ""), &environment);
    server.ready().await;
    let ingress = server.ingress().await;
    // Another setting: the process keeps the value from its start.
    server.configure(&config(&["env:OLD"], "[ingress]\nbody_bytes = '2MiB'\n"));
    assert!(reloaded(&server).await.contains("needs a restart"));
    server.configure(&config(
        &["env:OLD"],
        "[sources.other]\nkind = 'airalo'\nsecrets = ['env:OLD']\n",
    ));
    assert!(reloaded(&server).await.contains("needs a restart"));
    // A reference that cannot be read, and a file that does not exist.
    for (text, printed) in [
        (
            config(&["env:OLD", "env:NOT_THERE"], ""),
            "env:NOT_THERE is not set",
        ),
        (
            config(&["env:OLD", "file:/nowhere/at/all"], ""),
            "file:/nowhere/at/all cannot be read",
        ),
        ("kind = ".to_owned(), "cannot be used"),
    ] {
        let before = server.log().len();
        server.configure(&text);
        server.signal(Signal::SIGHUP);
        wait_until(printed, async || {
            let log = server.log();
            log[before..].contains(printed) && log[before..].contains("stay in use")
        })
        .await;
        assert_eq!(status(ingress, OLD, 1).await, 200);
    }
}

/// The credentials of the API, which reconciliation uses.
#[tokio::test(flavor = "multi_thread")]
async fn reconciliation_calls_with_the_new_credentials() {
    let (tell, mut requests) = mpsc::unbounded_channel();
    let api = RawServer::start(move |_, mut stream| {
        let tell = tell.clone();
        async move {
            while let Some(request) = read_request(&mut stream).await {
                let _ = tell.send(String::from_utf8_lossy(&request.body).into_owned());
                let answer = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(answer).await.expect("the client reads");
            }
        }
    })
    .await;
    let (database, folder) = (database().await, tempfile::tempdir().expect("a folder"));
    let secret = folder.path().join("secret");
    std::fs::write(&secret, OLD).expect("written");
    let account = format!(
        "[sources.airalo.api]\nclient_id = 'env:PARTNER'\nclient_secret = 'file:{}'\nbase_url = 'http://{}'\nreconcile_every = '1s'\n",
        secret.display(),
        api.addr
    );
    let server = Server::serve_with(
        database.url(),
        &config(&["env:OLD"], &account),
        &[("OLD", OLD), ("PARTNER", "partner")],
    );
    server.ready().await;
    let expect =
        "SELECT hookfast.airalo_expect_order('request', 'shop-1', interval '1 microsecond')";
    database
        .connect()
        .await
        .execute(expect)
        .await
        .expect("expected");
    let mut until = async |secret: &str| {
        while !requests.recv().await.expect("a request").contains(secret) {}
    };
    until(OLD).await;
    std::fs::write(&secret, NEW).expect("written");
    let log = reloaded(&server).await;
    assert!(has(&log, "secret", "changed"), "{log}");
    tokio::time::timeout(Duration::from_secs(60), until(NEW))
        .await
        .expect("a request with the new secret");
}

/// The secrets of the handler itself, and references in its headers.
#[tokio::test(flavor = "multi_thread")]
async fn an_http_handler_signs_with_the_new_secret_and_sends_the_new_header() {
    let (sender, mut requests) = mpsc::unbounded_channel();
    let receiver = RawServer::start(move |_, mut stream| {
        let sender = sender.clone();
        async move {
            while let Some(request) = read_request(&mut stream).await {
                sender.send(request).expect("the test listens");
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(answer).await.expect("the handler reads");
            }
        }
    })
    .await;
    let (database, folder) = (database().await, tempfile::tempdir().expect("a folder"));
    let write =
        |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    let label = |name: &str| format!("file:{}", Path::new(folder.path()).join(name).display());
    let whsec = |byte| standard_webhooks::secret_text([byte; 32]);
    write("token", "Bearer 1");
    write("one", &whsec(1));
    write("two", &whsec(2));
    let handler = |secrets: &[String]| {
        let shop = format!(
            "[handlers.shop]\nkind = 'http'\ntypes = ['*']\nurl = 'http://{}/'\nallow_private = true\nsecrets = {secrets:?}\n\
             headers = {{ authorization = '{}' }}\n",
            receiver.addr,
            label("token")
        );
        config(&["env:OLD"], &shop)
    };
    let server = Server::serve_with(database.url(), &handler(&[label("one")]), &[("OLD", OLD)]);
    server.ready().await;
    let ingress = server.ingress().await;
    write("token", "Bearer 2");
    server.configure(&handler(&[label("one"), label("two")]));
    let log = reloaded(&server).await;
    assert!(
        has(&log, &label("two"), "added") && has(&log, &label("token"), "changed"),
        "{log}"
    );
    assert_eq!(status(ingress, OLD, 1).await, 200);
    let request = requests.recv().await.expect("a request");
    assert_eq!(request.header("authorization"), Some("Bearer 2"));
    let (id, time) = (
        request.header("webhook-id").expect("an id"),
        request.header("webhook-timestamp").expect("a time"),
    );
    let secrets =
        [1, 2].map(|byte| standard_webhooks::parse_secret("test", &whsec(byte)).expect("a secret"));
    let expected =
        standard_webhooks::sign(&secrets, id, time.parse().expect("a number"), &request.body);
    assert_eq!(request.header("webhook-signature"), Some(expected.as_str()));
}
