//! The commands, as a person meets them.

use crate::support::{
    airalo::order,
    postgres::{database, durable_cluster},
    server::Server,
    sink::Sink,
};
use std::process::{Command, Output};

fn hookfast(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookfast"));
    // Nothing of this machine's own configuration.
    for name in ["DATABASE_URL", "HOOKFAST_CONFIG", "AIRALO_CLIENT_SECRET", "RUST_LOG"] {
        command.env_remove(name);
    }
    let folder = tempfile::tempdir().expect("a folder");
    command.args(arguments).envs(variables.iter().copied()).current_dir(&folder).output().expect("it runs")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_what_is_wrong_and_what_to_do() {
    let database = durable_cluster().await;
    let url = &*database.url();
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("hookfast.toml");
    let write = |text: &str| std::fs::write(&config, text).expect("written");
    let config = config.to_str().expect("a path");
    let good = "[sources.airalo]\nkind = 'airalo'\nsecrets = ['env:AIRALO_CLIENT_SECRET']\n";
    let secret = ("AIRALO_CLIENT_SECRET", "0123456789abcdef-canary");

    write(good);
    let checked = hookfast(&["check", "--config", config], &[("DATABASE_URL", url), secret]);
    assert!(checked.status.success() && text(&checked).contains("1 sources, 0 handlers"), "{}", text(&checked));
    assert!(!text(&checked).contains("canary"));
    let password = url::Url::parse(url).expect("a URL").password().expect("a password").to_owned();
    assert!(!text(&checked).contains(&password), "a URL is printed without its password");

    let checked = hookfast(&["check", "--config", config], &[("DATABASE_URL", url)]);
    assert_eq!(checked.status.code(), Some(1));
    assert!(text(&checked).contains("env:AIRALO_CLIENT_SECRET is not set"), "{}", text(&checked));

    write(&good.replace("secrets", "secret"));
    let checked = hookfast(&["check", "--config", config], &[("DATABASE_URL", "postgres://127.0.0.1:1/none"), secret]);
    assert_eq!(checked.status.code(), Some(1));
    let said = text(&checked);
    assert!(said.contains("unknown field `secret`") && said.contains("127.0.0.1:1/none cannot be asked"), "{said}");
    // The tests' usual cluster would lose commits with its machine, and that is found.
    write(good);
    let fast = crate::support::postgres::database().await;
    let checked = hookfast(&["check", "--config", config], &[("DATABASE_URL", fast.url()), secret]);
    assert!(!checked.status.success() && text(&checked).contains("fsync = off"), "{}", text(&checked));
    let checked = hookfast(&["check"], &[secret]);
    assert!(text(&checked).contains("DATABASE_URL is not set"), "{}", text(&checked));
    // As many providers do it where the disk is full.
    let mut connection = fast.connect().await;
    let read_only = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$";
    sqlx::raw_sql(read_only).execute(&mut connection).await.expect("set");
    let checked = hookfast(&["check", "--config", config], &[("DATABASE_URL", fast.url()), secret]);
    assert!(!checked.status.success() && text(&checked).contains("the database is read-only"), "{}", text(&checked));
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_does_not_start_on_what_it_cannot_keep() {
    let short =
        hookfast(&["serve"], &[("DATABASE_URL", "postgres://127.0.0.1:1/none"), ("AIRALO_CLIENT_SECRET", "canary")]);
    assert_eq!(short.status.code(), Some(1));
    assert!(text(&short).contains("at least 16") && !text(&short).contains("canary"), "{}", text(&short));
    let missing = hookfast(&["serve"], &[("DATABASE_URL", "postgres://127.0.0.1:1/none")]);
    assert!(text(&missing).contains("AIRALO_CLIENT_SECRET is not set"), "{}", text(&missing));
    let literal = hookfast(&["send", "order.completed", "--secret", "canary-0123456789"], &[]);
    assert!(
        text(&literal).contains("env:NAME or file:/path") && !text(&literal).contains("canary"),
        "{}",
        text(&literal)
    );

    let database = database().await;
    sqlx::raw_sql("DROP SCHEMA hookfast CASCADE; DROP SCHEMA hookfast_data CASCADE")
        .execute(&mut database.connect().await)
        .await
        .expect("gone");
    let addresses = [("HOOKFAST_LISTEN", "127.0.0.1:0"), ("HOOKFAST_ADMIN_LISTEN", "127.0.0.1:0")];
    let variables =
        [("DATABASE_URL", database.url()), ("AIRALO_CLIENT_SECRET", "0123456789abcdef"), addresses[0], addresses[1]];
    let pending = hookfast(&["serve", "--no-migrate"], &variables);
    assert_eq!(pending.status.code(), Some(1));
    assert!(text(&pending).contains("hookfast migrate"), "{}", text(&pending));
    let planned = hookfast(&["migrate", "--plan"], &variables);
    let said = text(&planned);
    for part in [
        "0001_foundation.sql",
        "0010_operations.sql",
        "hookfast_data.outbox (ACCESS EXCLUSIVE)",
        "outbox_event on outbox",
    ] {
        assert!(planned.status.success() && said.contains(part), "{part} is not in: {said}");
    }
    assert!(text(&hookfast(&["serve", "--no-migrate"], &variables)).contains("hookfast migrate"), "it changed nothing");
    let migrated = hookfast(&["migrate"], &variables);
    let all = hookfast::store::planned().expect("a plan").len();
    let applied = format!(" {all} migrations applied");
    assert!(migrated.status.success() && text(&migrated).contains(&applied), "{}", text(&migrated));
    assert!(text(&hookfast(&["migrate"], &variables)).contains("0 migrations applied"));
    let planned = text(&hookfast(&["migrate", "--plan"], &variables));
    assert!(planned.contains("nothing to do") && !planned.contains("Built afterwards"), "{planned}");
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_are_sent_and_taken_and_nothing_secret_is_logged() {
    let (database, sink) = (database().await, Sink::start().await);
    let server = Server::serve(database.url(), &sink.config(""), &[]);
    server.ready().await;
    let url = format!("http://{}/webhooks/airalo", server.ingress().await);
    let secret = ("AIRALO_CLIENT_SECRET", crate::support::server::AIRALO_SECRET);
    let list = hookfast(&["send", "list"], &[]);
    let samples: Vec<String> = text(&list).lines().map(str::to_owned).collect();
    assert!(samples.len() >= 9, "{samples:?}");
    for sample in &samples {
        let sent = hookfast(&["send", sample, "--url", &url], &[secret]);
        let expected = if sample == "order.conflict" { "conflict" } else { "stored" };
        assert!(sent.status.success() && text(&sent).contains(expected), "{sample}: {}", text(&sent));
    }
    let forged = hookfast(&["send", "order.completed", "--forged", "--url", &url], &[]);
    assert!(!forged.status.success() && text(&forged).starts_with("401"), "{}", text(&forged));
    let (status, _) = crate::support::airalo::post(server.ingress().await, &order("canary-in-the-body", 1)).await;
    assert_eq!(status, 200);
    crate::support::wait_until("the deliveries", async || sink.counts().len() == samples.len() + 1).await;
    for secret in [crate::support::server::AIRALO_SECRET, crate::support::server::HANDLER_SECRET, "canary-in-the-body"]
    {
        assert!(!server.log().contains(secret), "the log holds {secret}");
    }
}

/// A secret in a file is exchanged while it runs: both are good in between, and then only the new one.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_read_again_on_sighup() {
    use nix::sys::signal::Signal;
    let database = database().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secret");
    std::fs::write(&file, "another-secret-0123456789\n").expect("written");
    let config = format!("[sources.airalo]\nkind = 'airalo'\nsecrets = ['file:{}']\n", file.display());
    let server = Server::serve(database.url(), &config, &["--roles", "ingress"]);
    server.ready().await;
    let ingress = server.ingress().await;
    let status = async |n| crate::support::airalo::post(ingress, &order("rotated", n)).await.0;
    assert_eq!(status(1).await, 401);
    std::fs::write(&file, crate::support::server::AIRALO_SECRET).expect("written");
    server.signal(Signal::SIGHUP);
    server.logged("secrets read again").await;
    assert_eq!(status(1).await, 200);
    std::fs::write(&file, "short").expect("written");
    server.signal(Signal::SIGHUP);
    server.logged("the old ones stay").await;
    assert_eq!(status(2).await, 200);
}
