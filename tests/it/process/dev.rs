//! `hookfast dev`: its private Postgres ends with it, also when it is killed, and the next start takes over.

use crate::support::{airalo::post, raw_http::Client, server::Server, wait_until};
use hookfast::sources::airalo::sample;
use std::{
    net::SocketAddr,
    path::Path,
    process::{Command, Output},
};
use tokio::net::TcpStream;

fn dev(folder: &Path) -> Server {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookfast"));
    // Nobody listens there: what is owed is tried again.
    command.args(["dev", "--forward", "http://127.0.0.1:9/"]).current_dir(folder).env_remove("DATABASE_URL");
    Server::start(command, None)
}

fn port(folder: &Path) -> SocketAddr {
    let url = std::fs::read_to_string(folder.join(".hookfast/database-url")).expect("the database's URL");
    let url = url::Url::parse(url.trim()).expect("a URL");
    SocketAddr::from(([127, 0, 0, 1], url.port().expect("a port")))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_with_its_postgres_however_it_ends_and_starts_again_on_what_is_left() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut first = dev(folder.path());
    first.ready().await;
    let database = port(folder.path());
    let body = sample("order.completed").expect("a sample");
    let (status, stored) = post(first.ingress().await, body).await;
    assert_eq!((status, &stored["status"]), (200, &"stored".into()));
    first.kill().await;
    wait_until("the end of Postgres", async || TcpStream::connect(database).await.is_err()).await;

    let mut second = dev(folder.path());
    second.ready().await;
    let database = port(folder.path());
    let (status, known) = post(second.ingress().await, body).await;
    assert_eq!((status, &known["status"], &known["event_id"]), (200, &"duplicate".into(), &stored["event_id"]));
    second.signal(nix::sys::signal::Signal::SIGINT);
    assert_eq!(second.ended().await.code(), Some(0));
    assert!(TcpStream::connect(database).await.is_err(), "Postgres ended before it did");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_random_secret_is_made_and_kept_private_and_it_stays_on_this_machine() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let run = |arguments: &[&str], listen: &str| -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookfast"));
        command.args(arguments).current_dir(&folder).env_remove("AIRALO_CLIENT_SECRET").env_remove("DATABASE_URL");
        command.env("HOOKFAST_LISTEN", listen).env("HOOKFAST_ADMIN_LISTEN", "127.0.0.1:0").output().expect("it runs")
    };
    let open = run(&["dev"], "0.0.0.0:0");
    let said = String::from_utf8_lossy(&open.stderr).into_owned();
    assert!(!open.status.success() && said.contains("only with a secret of yours"), "{said}");

    let mut command = Command::new(env!("CARGO_BIN_EXE_hookfast"));
    command.args(["dev", "--forward", "http://127.0.0.1:9/"]).current_dir(&folder).env_remove("DATABASE_URL");
    let server = Server::start_without_secret(command);
    server.ready().await;
    let secrets = folder.path().join(".hookfast/dev.env");
    assert_eq!(std::fs::metadata(&secrets).expect("the secrets").permissions().mode() & 0o777, 0o600);
    let url = format!("http://{}/webhooks/airalo", server.ingress().await);
    let sent = run(&["send", "credit_limit.50", "--url", &url], "127.0.0.1:0");
    let said = String::from_utf8_lossy(&sent.stdout).into_owned();
    assert!(said.starts_with("200") && said.contains("stored"), "signed with the secret of this folder: {said}");
    let mut client = Client::connect(server.ingress().await).await;
    client.send("POST /webhooks/airalo HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\n{}").await;
    client.answer().await.problem(401, "not-verified");
    let noted = std::fs::read_to_string(&secrets).expect("the secrets");
    let values: Vec<_> = noted.lines().filter_map(|line| line.split_once("_SECRET=")).collect();
    assert_eq!(values.len(), 2, "{noted}");
    for (_, value) in values {
        assert!(!server.log().contains(value), "the log holds a secret");
    }
}
