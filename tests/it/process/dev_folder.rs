//! `hookfast dev` and its folder: the files in it, their permissions, and how other commands use
//! them.

use crate::support::{
    airalo::post,
    postgres::database,
    server::{AIRALO_SECRET, HANDLER_SECRET, Server},
    wait_until,
};
use hookfast::sources::airalo::sample;
use nix::{sys::signal::Signal, unistd::geteuid};
use sqlx::Connection;
use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

/// A folder in which `hookfast dev` is started repeatedly.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).expect("a mode");
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// A command in this folder, without this machine's own configuration.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookfast"));
        command.args(arguments).current_dir(self.path());
        for name in [
            "DATABASE_URL",
            "HOOKFAST_CONFIG",
            "AIRALO_CLIENT_SECRET",
            "HOOKFAST_LISTEN_SECRET",
        ] {
            command.env_remove(name);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("it runs")
    }

    async fn dev(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Server {
        let mut command = self.command(&[&["dev"], arguments].concat());
        command.envs(environment.iter().copied());
        let server = Server::start_printing(command, &self.path().join("printed"));
        server.ready().await;
        server
    }

    fn printed(&self) -> String {
        fs::read_to_string(self.path().join("printed")).expect("its output")
    }

    fn url(&self) -> String {
        fs::read_to_string(self.path().join(".hookfast/database-url"))
            .expect("the URL")
            .trim()
            .to_owned()
    }
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

async fn stop(mut server: Server) {
    server.signal(Signal::SIGTERM);
    assert!(server.ended().await.success());
    server.logged("stopped").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_postgres_keeps_its_port_and_uses_another_if_it_is_in_use() {
    let folder = Folder::new();
    stop(folder.dev(&[], &[]).await).await;
    let first = folder.dev(&[], &[]).await;
    let url = folder.url();
    assert!(
        folder
            .printed()
            .starts_with("database: the private Postgres of this folder"),
        "{}",
        folder.printed()
    );
    assert!(
        folder
            .printed()
            .lines()
            .next()
            .expect("a line")
            .ends_with("since DATABASE_URL is not set")
    );
    stop(first).await;

    // An application was given the URL, and its shell has exported it.
    let again = folder.dev(&[], &[("DATABASE_URL", &url)]).await;
    assert_eq!(folder.url(), url);
    let first_line = folder.printed().lines().next().expect("a line").to_owned();
    assert!(
        first_line.contains("private Postgres") && first_line.contains("DATABASE_URL"),
        "{first_line}"
    );
    stop(again).await;

    let port = url::Url::parse(&url)
        .expect("a URL")
        .port()
        .expect("a port");
    let taken = TcpListener::bind(("127.0.0.1", port)).expect("it is free");
    let moved = folder.dev(&[], &[("DATABASE_URL", &url)]).await;
    assert_ne!(folder.url(), url);
    moved.logged(&format!("taken={port}")).await;
    drop(taken);
    stop(moved).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_its_folder_find_its_database_and_its_addresses() {
    let folder = Folder::new();
    assert!(text(&folder.run(&["status"])).contains("DATABASE_URL is not set"));
    let server = folder
        .dev(
            &[
                "--listen",
                "localhost:0",
                "--forward",
                "http://127.0.0.1:9/",
            ],
            &[],
        )
        .await;
    let mut send = folder.command(&["send", "order.completed"]);
    let sent = send
        .env("AIRALO_CLIENT_SECRET", AIRALO_SECRET)
        .output()
        .expect("it runs");
    assert!(text(&sent).starts_with("200"), "{}", text(&sent));
    let events = folder.run(&["events"]);
    assert!(
        text(&events).contains("airalo.order.completed"),
        "{}",
        text(&events)
    );
    let printed = folder.printed();
    let address = server.ingress().await;
    assert!(
        printed.contains(&format!("http://{address}/webhooks/airalo\n")),
        "{printed}"
    );
    // A second process is rejected, and the notes of the first stay.
    let second = folder
        .command(&["dev", "--listen", ":0"])
        .env("AIRALO_CLIENT_SECRET", AIRALO_SECRET)
        .output();
    assert!(text(&second.expect("it runs")).contains("already runs the Postgres"));
    let mut send = folder.command(&["send", "order.completed"]);
    let sent = send
        .env("AIRALO_CLIENT_SECRET", AIRALO_SECRET)
        .output()
        .expect("it runs");
    assert!(text(&sent).contains("duplicate"), "{}", text(&sent));
    // An explicit URL wins.
    let other = folder
        .command(&["events"])
        .env("DATABASE_URL", "postgres://127.0.0.1:1/none")
        .output();
    assert!(text(&other.expect("it runs")).contains("cannot query the database"));
    stop(server).await;
    assert!(
        text(&folder.run(&["events"])).contains("Start `hookfast dev`"),
        "{}",
        text(&folder.run(&["events"]))
    );
    let refused = folder
        .command(&["send", "order.completed"])
        .env("AIRALO_CLIENT_SECRET", AIRALO_SECRET)
        .output();
    assert!(text(&refused.expect("it runs")).contains("Start `hookfast dev`"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_of_its_environment_is_written_to_disk() {
    let (folder, database) = (Folder::new(), database().await);
    let environment = [
        ("DATABASE_URL", database.url()),
        ("HOOKFAST_LISTEN_SECRET", HANDLER_SECRET),
    ];
    let server = folder.dev(&[], &environment).await;
    assert!(
        folder.printed().starts_with("database: postgres://"),
        "{}",
        folder.printed()
    );
    let password = url::Url::parse(database.url())
        .expect("a URL")
        .password()
        .expect("a password")
        .to_owned();
    let mut names = Vec::new();
    for entry in fs::read_dir(folder.path().join(".hookfast")).expect("the folder") {
        let entry = entry.expect("an entry");
        let file = entry.path();
        // A folder cannot be read.
        let Ok(bytes) = fs::read(&file) else {
            continue;
        };
        let content = String::from_utf8_lossy(&bytes);
        names.push(entry.file_name());
        for secret in [AIRALO_SECRET, HANDLER_SECRET, &password] {
            assert!(
                !content.contains(secret),
                "{} contains a secret",
                file.display()
            );
        }
    }
    assert!(names.contains(&"dev.env".into()), "{names:?}");
    assert!(!folder.printed().contains(&password));
    for (arguments, name) in [
        (&["send", "order.completed"][..], "AIRALO_CLIENT_SECRET"),
        (&["listen"], "HOOKFAST_LISTEN_SECRET"),
        (&["events"], "DATABASE_URL"),
    ] {
        let shown = text(&folder.run(arguments));
        assert!(
            shown.contains("not written to disk")
                && shown
                    .to_lowercase()
                    .contains(&format!("set {name}").to_lowercase()),
            "{shown}"
        );
    }
    stop(server).await;
}

/// The link of another terminal, and its code for a phone.
#[tokio::test(flavor = "multi_thread")]
async fn console_link_has_the_address_of_the_console_of_this_folder() {
    let folder = Folder::new();
    let server = folder
        .dev(&[], &[("AIRALO_CLIENT_SECRET", AIRALO_SECRET)])
        .await;
    wait_until("the link", async || {
        folder.printed().contains("login?ticket=")
    })
    .await;
    let printed = folder.printed();
    let (_, link) = printed.split_once("console: ").expect("a link");
    let (address, _) = link.split_once("login?ticket=").expect("a ticket");
    let linked = text(&folder.run(&["console", "link", "--qr"]));
    let last = linked.lines().last().expect("a line");
    assert!(
        last.starts_with(&format!("{address}login?ticket=")),
        "{linked}"
    );
    assert!(
        linked.contains('▀') && linked.lines().count() > 20,
        "{linked}"
    );
    let other = text(&folder.run(&["console", "link", "--url", "https://hooks.example.com"]));
    assert!(
        other.starts_with("https://hooks.example.com/login?ticket="),
        "{other}"
    );
    stop(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_others_can_write_to_is_refused_before_anything_is_written() {
    let folder = Folder::new();
    let inside = folder.path().join(".hookfast");
    fs::create_dir(&inside).expect("made");
    let refused = |word: &str| {
        let mut dev = folder.command(&[
            "dev",
            "--listen",
            ":0",
            "--admin-listen",
            ":0",
            "--console-listen",
            ":0",
        ]);
        let shown = dev
            .env("AIRALO_CLIENT_SECRET", AIRALO_SECRET)
            .output()
            .expect("it runs");
        assert!(
            !shown.status.success() && text(&shown).contains(word),
            "{}",
            text(&shown)
        );
        assert_eq!(fs::read_dir(&inside).expect("it is there").count(), 0);
        assert!(
            text(&folder.run(&["status"])).contains(word),
            "its content is not read either"
        );
    };
    fs::set_permissions(&inside, fs::Permissions::from_mode(0o777)).expect("a mode");
    refused("chmod 700 .hookfast");
    fs::set_permissions(&inside, fs::Permissions::from_mode(0o700)).expect("a mode");
    if geteuid().is_root() {
        std::os::unix::fs::chown(&inside, Some(65534), None).expect("root may");
        refused("another user (uid 65534)");
    }
}

const CONFIG: &str = "\
[sources.airalo]
kind = 'airalo'
secrets = ['env:AIRALO_CLIENT_SECRET']

[sources.shop_events]
kind = 'sql'

[handlers.books]
kind = 'sql'
types = ['airalo.*']
function = 'shop.on_webhook'
";

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_the_role_may_not_execute_is_waited_for_too() {
    let (folder, database) = (Folder::new(), database().await);
    fs::write(folder.path().join("mine.toml"), CONFIG).expect("written");
    let url = database.login("server", &["hookfast"]).await;
    database.login("keeper", &[]).await;
    let mut connection = database.connect().await;
    let name: String = sqlx::query_scalar("SELECT current_database()")
        .fetch_one(&mut connection)
        .await
        .expect("a name");
    let mut run = async |statements: String| {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statements))
            .execute(&mut connection)
            .await
            .expect("done");
    };
    run(format!(
        "CREATE SCHEMA shop AUTHORIZATION keeper_of_{name}; GRANT USAGE ON SCHEMA shop TO PUBLIC; \
         CREATE FUNCTION shop.on_webhook(event hookfast.event) RETURNS void LANGUAGE sql AS ''; \
         ALTER FUNCTION shop.on_webhook OWNER TO keeper_of_{name}; REVOKE EXECUTE ON FUNCTION shop.on_webhook FROM PUBLIC"
    ))
    .await;
    let server = folder
        .dev(&["--config", "mine.toml"], &[("DATABASE_URL", &url)])
        .await;
    let grant =
        format!("GRANT EXECUTE ON FUNCTION shop.on_webhook(hookfast.event) TO server_of_{name}");
    server
        .logged(&format!("Have the owner of the function run: {grant}"))
        .await;
    run(grant).await;
    server.logged("its deliveries start now").await;
    stop(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_whose_function_is_missing_is_waited_for_and_then_served() {
    let folder = Folder::new();
    fs::write(folder.path().join("mine.toml"), CONFIG).expect("written");
    let server = folder.dev(&["--config", "mine.toml"], &[]).await;
    server.logged("the handler waits for its function").await;
    let printed = folder.printed();
    for part in [
        "/webhooks/airalo (airalo)",
        "shop_events",
        "books: airalo.* (sql, shop.on_webhook",
        "order.completed --source airalo",
    ] {
        assert!(printed.contains(part), "{part} is not in: {printed}");
    }
    assert!(
        !printed.contains("hookfast listen"),
        "nothing is pushed there: {printed}"
    );
    // The printed command, as a person would type it, finds the configuration and the address.
    let mut send = folder.command(&["send", "order.completed", "--source", "airalo"]);
    let sent = send
        .env("AIRALO_CLIENT_SECRET", AIRALO_SECRET)
        .output()
        .expect("it runs");
    assert!(
        text(&sent).contains("stored"),
        "the address is in use meanwhile: {}",
        text(&sent)
    );
    let mut check = folder.command(&["check"]);
    let checked = check
        .env("AIRALO_CLIENT_SECRET", AIRALO_SECRET)
        .output()
        .expect("it runs");
    for part in [
        "ok       database: ",
        "handler 'books': there is no function shop.on_webhook",
    ] {
        assert!(
            text(&checked).contains(part),
            "{part} is not in: {}",
            text(&checked)
        );
    }

    let pool = sqlx::PgPool::connect(&folder.url())
        .await
        .expect("connections");
    sqlx::raw_sql(
        "CREATE SCHEMA shop; CREATE TABLE shop.done (key text); \
         CREATE FUNCTION shop.on_webhook(event hookfast.event) RETURNS void LANGUAGE sql \
            AS $$ INSERT INTO shop.done SELECT (event).idempotency_key $$",
    )
    .execute(&pool)
    .await
    .expect("the function");
    let done = async || {
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM shop.done")
            .fetch_one(&pool)
            .await
            .expect("a number")
    };
    wait_until("the function's work on earlier events", async || {
        done().await == 1
    })
    .await;
    let (status, _) = post(
        server.ingress().await,
        sample("order.failed").expect("a sample"),
    )
    .await;
    assert_eq!(status, 200);
    wait_until("the function's work on later events", async || {
        done().await == 2
    })
    .await;
    pool.close().await;
    stop(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_without_a_configuration_are_retired_until_it_returns() {
    let folder = Folder::new();
    let config = |handler: &str| {
        let text = format!(
            "[sources.shop]\nkind = 'sql'\n[handlers.{handler}]\nkind = 'pull'\ntypes = ['shop.*']\n"
        );
        fs::write(folder.path().join("hookfast.toml"), text).expect("written");
    };
    let value = async |query: &str| -> String {
        let mut connection = sqlx::PgConnection::connect(&folder.url())
            .await
            .expect("a connection");
        let query = format!("SELECT ({query})::text");
        sqlx::query_scalar(sqlx::AssertSqlSafe(query))
            .fetch_one(&mut connection)
            .await
            .expect("an answer")
    };
    let handlers = "SELECT string_agg(handler || ' ' || state, ', ' ORDER BY handler) FROM hookfast.handler_health";
    let arguments = ["--config", "hookfast.toml"];
    config("stock");
    let first = folder.dev(&arguments, &[]).await;
    value("SELECT hookfast.enqueue('shop', 'shop.paid', '{}')").await;
    let other = "INSERT INTO hookfast_data.handlers (name, kind, types, max_attempts, registered_version) VALUES ('program', 'rust', '{*}', 3, 0)";
    let mut connection = sqlx::PgConnection::connect(&folder.url())
        .await
        .expect("a connection");
    sqlx::query(other)
        .execute(&mut connection)
        .await
        .expect("another program's handler");
    stop(first).await;

    config("warehouse");
    let second = folder.dev(&arguments, &[]).await;
    assert_eq!(
        value(handlers).await,
        "program unserved, stock retired, warehouse ok"
    );
    assert_eq!(
        value("SELECT state FROM hookfast.deliveries").await,
        "retired",
        "it stays"
    );
    second
        .logged("registered handlers are neither in this configuration")
        .await;
    stop(second).await;

    config("stock");
    let third = folder.dev(&arguments, &[]).await;
    assert_eq!(
        value(handlers).await,
        "program unserved, stock ok, warehouse retired"
    );
    assert_eq!(
        value("SELECT count(*) FROM hookfast.claim('stock', 'a client')").await,
        "1"
    );
    stop(third).await;
}
