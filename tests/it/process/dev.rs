//! `hookfast dev`: its private Postgres ends with it, even after a kill, and the next start takes
//! over.

use crate::support::{airalo::post, raw_http::Client, server::Server, wait_until};
use hookfast::sources::airalo::sample;
use nix::{
    fcntl::OFlag,
    pty::{grantpt, posix_openpt, ptsname_r, unlockpt},
};
use std::{
    fs::OpenOptions,
    io::{BufRead, BufReader},
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process::{Child, Command, Output, Stdio},
};
use tokio::net::TcpStream;

fn dev(folder: &Path) -> Server {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookfast"));
    // Nothing listens there: pending deliveries are retried.
    command
        .args(["dev", "--forward", "http://127.0.0.1:9/"])
        .current_dir(folder)
        .env_remove("DATABASE_URL");
    Server::start(command, None)
}

fn port(folder: &Path) -> SocketAddr {
    let url =
        std::fs::read_to_string(folder.join(".hookfast/database-url")).expect("the database's URL");
    let url = url::Url::parse(url.trim()).expect("a URL");
    SocketAddr::from(([127, 0, 0, 1], url.port().expect("a port")))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_with_its_postgres_and_starts_again_on_the_same_data() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut first = dev(folder.path());
    first.ready().await;
    let database = port(folder.path());
    let body = sample("order.completed").expect("a sample");
    let (status, stored) = post(first.ingress().await, body).await;
    assert_eq!((status, &stored["status"]), (200, &"stored".into()));
    first.kill().await;
    wait_until("the end of Postgres", async || {
        TcpStream::connect(database).await.is_err()
    })
    .await;

    let mut second = dev(folder.path());
    second.ready().await;
    let database = port(folder.path());
    let (status, known) = post(second.ingress().await, body).await;
    assert_eq!(
        (status, &known["status"], &known["event_id"]),
        (200, &"duplicate".into(), &stored["event_id"])
    );
    second.signal(nix::sys::signal::Signal::SIGINT);
    assert_eq!(second.ended().await.code(), Some(0));
    assert!(
        TcpStream::connect(database).await.is_err(),
        "Postgres ended before `hookfast dev` did"
    );
}

/// A process that prints on a terminal and not into the test's log; it is killed when dropped.
struct OnTerminal(Child);

impl Drop for OnTerminal {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

/// With a configuration, SIGHUP reads it again. A closed terminal sends the same signal.
#[tokio::test(flavor = "multi_thread")]
async fn it_reads_secrets_again_on_sighup_and_ends_when_its_terminal_is_closed() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(
        folder.path().join("mine.toml"),
        "[sources.own]\nkind = 'sql'\n",
    )
    .expect("written");
    // No process that this or another test starts may keep it open.
    let terminal =
        posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).expect("a terminal");
    grantpt(&terminal)
        .and_then(|()| unlockpt(&terminal))
        .expect("a terminal that can be opened");
    let mut side = OpenOptions::new();
    side.read(true)
        .write(true)
        .custom_flags(OFlag::O_NOCTTY.bits());
    let stream = || {
        Stdio::from(
            side.open(ptsname_r(&terminal).expect("its name"))
                .expect("its other side"),
        )
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookfast"));
    command
        .args(["dev", "--config", "mine.toml"])
        .current_dir(folder.path())
        .env_remove("DATABASE_URL");
    command
        .env("HOOKFAST_LISTEN", "127.0.0.1:0")
        .env("HOOKFAST_ADMIN_LISTEN", "127.0.0.1:0")
        .env("HOOKFAST_CONSOLE_LISTEN", "127.0.0.1:0")
        .env("RUST_LOG", "info");
    let process = command
        .stdin(stream())
        .stdout(stream())
        .stderr(stream())
        .spawn()
        .expect("it starts");
    let mut process = OnTerminal(process);
    let pid = nix::unistd::Pid::from_raw(i32::try_from(process.0.id()).expect("a pid"));
    let hang_up =
        || nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGHUP).expect("it runs");

    drop(command);
    let mut screen = BufReader::new(terminal);
    let mut shown = |text: &str| {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert_ne!(
                screen.read_line(&mut line).expect("the terminal is open"),
                0
            );
        }
    };
    shown("ready");
    let database = port(folder.path());
    hang_up();
    shown("configuration read again");
    drop(screen);
    hang_up();
    let mut ended = None;
    wait_until("its end", async || {
        ended = process.0.try_wait().expect("it is ours");
        ended.is_some()
    })
    .await;
    assert_eq!(
        ended.expect("just seen").code(),
        Some(0),
        "nothing reads its log, and it ends normally"
    );
    assert!(
        TcpStream::connect(database).await.is_err(),
        "its Postgres ended too"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_random_secret_is_made_and_kept_private_and_it_stays_on_this_machine() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let run = |arguments: &[&str], listen: &str| -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookfast"));
        command
            .args(arguments)
            .current_dir(&folder)
            .env_remove("AIRALO_CLIENT_SECRET")
            .env_remove("DATABASE_URL");
        command
            .env("HOOKFAST_LISTEN", listen)
            .env("HOOKFAST_ADMIN_LISTEN", "127.0.0.1:0")
            .env("HOOKFAST_CONSOLE_LISTEN", "127.0.0.1:0")
            .output()
            .expect("it runs")
    };
    let open = run(&["dev"], "0.0.0.0:0");
    let printed = String::from_utf8_lossy(&open.stderr).into_owned();
    assert!(
        !open.status.success() && printed.contains("only with your own secret"),
        "{printed}"
    );

    let mut command = Command::new(env!("CARGO_BIN_EXE_hookfast"));
    command
        .args(["dev", "--forward", "http://127.0.0.1:9/"])
        .current_dir(&folder)
        .env_remove("DATABASE_URL");
    let server = Server::start_without_secret(command);
    server.ready().await;
    let secrets = folder.path().join(".hookfast/dev.env");
    assert_eq!(
        std::fs::metadata(&secrets)
            .expect("the secrets")
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
    let url = format!("http://{}/webhooks/airalo", server.ingress().await);
    let sent = run(&["send", "credit_limit.50", "--url", &url], "127.0.0.1:0");
    let printed = String::from_utf8_lossy(&sent.stdout).into_owned();
    assert!(
        printed.starts_with("200") && printed.contains("stored"),
        "signed with the secret of this folder: {printed}"
    );
    let mut client = Client::connect(server.ingress().await).await;
    client
        .send("POST /webhooks/airalo HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\n{}")
        .await;
    client.answer().await.problem(401, "not-verified");
    let noted = std::fs::read_to_string(&secrets).expect("the secrets");
    let values: Vec<_> = noted
        .lines()
        .filter_map(|line| line.split_once("_SECRET="))
        .collect();
    assert_eq!(values.len(), 2, "{noted}");
    for (_, value) in values {
        assert!(!server.log().contains(value), "the log contains a secret");
    }
}
