//! The commands as a user runs them.

use crate::support::{
    airalo::order,
    postgres::{database, durable_cluster},
    server::Server,
    sink::Sink,
};
use std::process::{Command, Output};

fn hookfast(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookfast"));
    // None of this machine's own configuration.
    for name in [
        "DATABASE_URL",
        "HOOKFAST_CONFIG",
        "AIRALO_CLIENT_SECRET",
        "RUST_LOG",
    ] {
        command.env_remove(name);
    }
    let folder = tempfile::tempdir().expect("a folder");
    command
        .args(arguments)
        .envs(variables.iter().copied())
        .current_dir(&folder)
        .output()
        .expect("it runs")
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn check_reports_problems_with_hints() {
    let database = durable_cluster().await;
    let url = &*database.url();
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("hookfast.toml");
    let write = |text: &str| std::fs::write(&config, text).expect("written");
    let config = config.to_str().expect("a path");
    let good = "[sources.airalo]\nkind = 'airalo'\nsecrets = ['env:AIRALO_CLIENT_SECRET']\n";
    let secret = ("AIRALO_CLIENT_SECRET", "0123456789abcdef-canary");

    write(good);
    let checked = hookfast(
        &["check", "--config", config],
        &[("DATABASE_URL", url), secret],
    );
    assert!(
        checked.status.success() && text(&checked).contains("1 source, 0 handlers"),
        "{}",
        text(&checked)
    );
    assert!(!text(&checked).contains("canary"));
    let password = url::Url::parse(url)
        .expect("a URL")
        .password()
        .expect("a password")
        .to_owned();
    assert!(
        !text(&checked).contains(&password),
        "a URL is printed without its password"
    );

    let checked = hookfast(&["check", "--config", config], &[("DATABASE_URL", url)]);
    assert_eq!(checked.status.code(), Some(1));
    assert!(
        text(&checked).contains("env:AIRALO_CLIENT_SECRET is not set"),
        "{}",
        text(&checked)
    );

    write(&good.replace("secrets", "secret"));
    let checked = hookfast(
        &["check", "--config", config],
        &[("DATABASE_URL", "postgres://127.0.0.1:1/none"), secret],
    );
    assert_eq!(checked.status.code(), Some(1));
    let reported = text(&checked);
    assert!(
        reported.contains("unknown field `secret`")
            && reported.contains("127.0.0.1:1/none cannot be queried"),
        "{reported}"
    );
    // The tests' usual cluster would lose commits in a crash, and the check reports that.
    write(good);
    let fast = crate::support::postgres::database().await;
    let checked = hookfast(
        &["check", "--config", config],
        &[("DATABASE_URL", fast.url()), secret],
    );
    assert!(
        !checked.status.success() && text(&checked).contains("fsync = off"),
        "{}",
        text(&checked)
    );
    let checked = hookfast(&["check"], &[secret]);
    assert!(
        text(&checked).contains("DATABASE_URL is not set"),
        "{}",
        text(&checked)
    );
    // Many providers do this if the disk is full.
    let mut connection = fast.connect().await;
    let read_only = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$";
    sqlx::raw_sql(read_only)
        .execute(&mut connection)
        .await
        .expect("set");
    let checked = hookfast(
        &["check", "--config", config],
        &[("DATABASE_URL", fast.url()), secret],
    );
    assert!(
        !checked.status.success() && text(&checked).contains("transactions are read-only"),
        "{}",
        text(&checked)
    );
}

/// sqlx logs an unknown parameter with its value.
#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_parameter_of_the_url_is_ignored_and_its_value_not_logged() {
    let database = database().await;
    let url = format!(
        "{}?sslpassword=canary&application_name=ours",
        database.url()
    );
    let migrated = hookfast(&["migrate"], &[("DATABASE_URL", &url)]);
    let reported = text(&migrated);
    assert!(
        migrated.status.success()
            && reported.contains("sslpassword")
            && !reported.contains("canary"),
        "{reported}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_does_not_start_if_it_cannot_keep_its_guarantees() {
    let short = hookfast(
        &["serve"],
        &[
            ("DATABASE_URL", "postgres://127.0.0.1:1/none"),
            ("AIRALO_CLIENT_SECRET", "canary"),
        ],
    );
    assert_eq!(short.status.code(), Some(1));
    assert!(
        text(&short).contains("at least 16") && !text(&short).contains("canary"),
        "{}",
        text(&short)
    );
    let missing = hookfast(
        &["serve"],
        &[("DATABASE_URL", "postgres://127.0.0.1:1/none")],
    );
    assert!(
        text(&missing).contains("AIRALO_CLIENT_SECRET is not set"),
        "{}",
        text(&missing)
    );
    let literal = hookfast(
        &["send", "order.completed", "--secret", "canary-0123456789"],
        &[],
    );
    assert!(
        text(&literal).contains("env:NAME or file:/path") && !text(&literal).contains("canary"),
        "{}",
        text(&literal)
    );

    let database = database().await;
    sqlx::raw_sql("DROP SCHEMA hookfast CASCADE; DROP SCHEMA hookfast_data CASCADE")
        .execute(&mut database.connect().await)
        .await
        .expect("dropped");
    let addresses = [
        ("HOOKFAST_LISTEN", "127.0.0.1:0"),
        ("HOOKFAST_ADMIN_LISTEN", "127.0.0.1:0"),
    ];
    let variables = [
        ("DATABASE_URL", database.url()),
        ("AIRALO_CLIENT_SECRET", "0123456789abcdef"),
        addresses[0],
        addresses[1],
    ];
    let pending = hookfast(&["serve", "--no-migrate"], &variables);
    assert_eq!(pending.status.code(), Some(1));
    assert!(
        text(&pending).contains("hookfast migrate"),
        "{}",
        text(&pending)
    );
    let planned = hookfast(&["migrate", "--plan"], &variables);
    let reported = text(&planned);
    for part in [
        "_foundation.sql",
        "hookfast_data.sources (SHARE ROW EXCLUSIVE)",
        "functions and views are created after the migrations",
        "outbox_event on outbox",
    ] {
        assert!(
            planned.status.success() && reported.contains(part),
            "{part} is not in: {reported}"
        );
    }
    assert!(
        text(&hookfast(&["serve", "--no-migrate"], &variables)).contains("hookfast migrate"),
        "it changed nothing"
    );
    let migrated = hookfast(&["migrate"], &variables);
    let all = hookfast::internals::store::planned().expect("a plan").len();
    let applied = format!(" {all} migrations applied");
    assert!(
        migrated.status.success() && text(&migrated).contains(&applied),
        "{}",
        text(&migrated)
    );
    let again = text(&hookfast(&["migrate"], &variables));
    for part in [
        "0 migrations applied",
        "roles granted: hookfast_reader, hookfast_support, hookfast_operator, hookfast_console",
    ] {
        assert!(again.contains(part), "{part} is not in: {again}");
    }
    let planned = text(&hookfast(&["migrate", "--plan"], &variables));
    assert!(
        planned.contains("nothing to do") && !planned.contains("Indexes that are built afterwards"),
        "{planned}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_are_sent_and_received_and_no_secret_is_logged() {
    let (database, sink) = (database().await, Sink::start().await);
    let server = Server::serve(database.url(), &sink.config(""), &[]);
    server.ready().await;
    let url = format!("http://{}/webhooks/airalo", server.ingress().await);
    let secret = (
        "AIRALO_CLIENT_SECRET",
        crate::support::server::AIRALO_SECRET,
    );
    let list = hookfast(&["send", "list"], &[]);
    let text_of_list = text(&list);
    let named = text_of_list.lines().filter_map(|line| line.split_once(' '));
    let samples: Vec<String> = named
        .filter(|(_, sender)| sender.trim() == "airalo")
        .map(|(name, _)| name.to_owned())
        .collect();
    assert!(samples.len() >= 9, "{samples:?}");
    for sample in &samples {
        let sent = hookfast(&["send", sample, "--url", &url], &[secret]);
        let expected = if sample == "order.conflict" {
            "conflict"
        } else {
            "stored"
        };
        assert!(
            sent.status.success() && text(&sent).contains(expected),
            "{sample}: {}",
            text(&sent)
        );
    }
    let forged = hookfast(&["send", "order.completed", "--forged", "--url", &url], &[]);
    assert!(
        !forged.status.success() && text(&forged).starts_with("401"),
        "{}",
        text(&forged)
    );
    let (status, _) =
        crate::support::airalo::post(server.ingress().await, &order("canary-in-the-body", 1)).await;
    assert_eq!(status, 200);
    crate::support::wait_until("the deliveries", async || {
        sink.counts().len() == samples.len() + 1
    })
    .await;
    for secret in [
        crate::support::server::AIRALO_SECRET,
        crate::support::server::HANDLER_SECRET,
        "canary-in-the-body",
    ] {
        assert!(!server.log().contains(secret), "the log contains {secret}");
    }
}

/// The log of a start ends with the line that reports readiness, and the log of a stop with the
/// line that reports the stop.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_start_ends_with_ready_and_of_a_stop_with_stopped() {
    let (database, sink) = (database().await, Sink::start().await);
    // As at a first start: every index is missing.
    sqlx::raw_sql("DROP SCHEMA hookfast CASCADE; DROP SCHEMA hookfast_data CASCADE")
        .execute(&mut database.connect().await)
        .await
        .expect("dropped");
    let mut server = Server::serve_with(database.url(), &sink.config(""), &[]);
    server.logged("ready").await;
    let admin = server.admin().await;
    assert_eq!(
        crate::support::server::get(admin, "/readyz").await,
        200,
        "the process is ready"
    );
    let pool = database.pool().await;
    crate::support::wait_until("the indexes", async || {
        sqlx::query_scalar::<_, i64>(
            "SELECT count(*) FROM pg_indexes WHERE indexname = 'quarantine_requested'",
        )
        .fetch_one(&pool)
        .await
        .expect("a number")
            == 1
    })
    .await;
    pool.close().await;
    let last = |server: &Server| server.log().lines().last().expect("a line").to_owned();
    assert!(last(&server).contains(" ready "), "{}", server.log());
    server.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(server.ended().await.success());
    server.logged("stopped").await;
    assert!(last(&server).ends_with("stopped"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_logged_with_its_type_and_subject() {
    let (database, sink) = (database().await, Sink::start().await);
    let server = Server::serve(database.url(), &sink.config(""), &[]);
    server.ready().await;
    sqlx::raw_sql("SELECT hookfast.pause_handler('sink', 'a test')")
        .execute(&mut database.connect().await)
        .await
        .expect("paused");
    server
        .logged("type=\"hookfast.handler.paused\" subject=\"sink\"")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_may_omit_its_host_or_name_it() {
    let database = database().await;
    for listen in ["localhost:0", ":0"] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookfast"));
        command
            .args(["serve", "--listen", listen, "--admin-listen", listen])
            .current_dir(&folder);
        command
            .env("DATABASE_URL", database.url())
            .env_remove("HOOKFAST_CONFIG");
        let server = Server::start(command, None);
        server.ready().await;
        assert!(server.ingress().await.ip().is_loopback(), "{listen}");
    }
    let wrong = hookfast(&["serve", "--listen", "nowhere"], &[]);
    assert!(
        wrong.status.code() == Some(2) && text(&wrong).contains("write HOST:PORT"),
        "{}",
        text(&wrong)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn reverify_waits_and_reports_the_results_of_the_requests() {
    let (database, folder) = (database().await, tempfile::tempdir().expect("a folder"));
    let file = folder.path().join("secret");
    std::fs::write(&file, "another-secret-0123456789\n").expect("written");
    let config = format!(
        "[sources.airalo]\nkind = 'airalo'\nsecrets = ['file:{}']\n",
        file.display()
    );
    let server = Server::serve(database.url(), &config, &["--roles", "ingress"]);
    server.ready().await;
    let ingress = server.ingress().await;
    assert_eq!(
        crate::support::airalo::post(ingress, &order("genuine", 1))
            .await
            .0,
        401
    );
    let mut client = crate::support::raw_http::Client::connect(ingress).await;
    client
        .send(crate::support::airalo::request_signed_with(
            "a-forger-0123456789",
            &order("forged", 2),
        ))
        .await;
    assert_eq!(client.answer().await.status, 401);
    let pool = database.pool().await;
    crate::support::wait_until("both in quarantine", async || {
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM hookfast.quarantine")
            .fetch_one(&pool)
            .await
            .expect("a number")
            == 2
    })
    .await;
    let reverify = || {
        text(&hookfast(
            &["quarantine", "reverify", "--yes", "--why", "a test"],
            &[("DATABASE_URL", database.url())],
        ))
    };
    let too_early = reverify();
    assert!(
        too_early.contains("0 requests accepted, 2 rejected") && too_early.contains("SIGHUP"),
        "{too_early}"
    );
    std::fs::write(&file, crate::support::server::AIRALO_SECRET).expect("written");
    server.signal(nix::sys::signal::Signal::SIGHUP);
    crate::support::wait_until("the new secret", async || {
        crate::support::airalo::post(ingress, &order("later", 3))
            .await
            .0
            == 200
    })
    .await;
    let reported = reverify();
    // The last request may have been rejected once, before the new secret was read.
    assert!(
        reported.contains("accepted, 1 rejected") && !reported.contains("0 requests accepted"),
        "{reported}"
    );
}

/// A secret in a file is replaced while the process runs: both are valid in between, and then only
/// the new one.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_read_again_on_sighup() {
    use nix::sys::signal::Signal;
    let database = database().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secret");
    std::fs::write(&file, "another-secret-0123456789\n").expect("written");
    let config = format!(
        "[sources.airalo]\nkind = 'airalo'\nsecrets = ['file:{}']\n",
        file.display()
    );
    let server = Server::serve(database.url(), &config, &["--roles", "ingress"]);
    server.ready().await;
    let ingress = server.ingress().await;
    let status = async |n| {
        crate::support::airalo::post(ingress, &order("rotated", n))
            .await
            .0
    };
    assert_eq!(status(1).await, 401);
    std::fs::write(&file, crate::support::server::AIRALO_SECRET).expect("written");
    server.signal(Signal::SIGHUP);
    server.logged("secret read again").await;
    server.logged("configuration read again").await;
    assert_eq!(status(1).await, 200);
    std::fs::write(&file, "short").expect("written");
    server.signal(Signal::SIGHUP);
    server.logged("its current ones stay in use").await;
    assert_eq!(status(2).await, 200);
}
