//! The examples in the documents, exactly as printed there.

use crate::support::{
    client::{Receiver, receivers},
    postgres::database,
    raw_http::Client,
    server::{HANDLER_SECRET, Server},
    wait_until,
};
use hookfast::internals::signing::standard_webhooks;
use std::{
    fs,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("a page")
}

/// The blocks of one language, in their order.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("```{language}\n");
    page.split(&opening)
        .skip(1)
        .map(|rest| rest.split("\n```").next().expect("a block ends"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_the_handlers_is_right() {
    let page = page("docs/HANDLERS.md");
    let (configuration, sql) = (blocks(&page, "toml"), blocks(&page, "sql"));
    let [function, claim, enqueue, many, roles] = sql[..] else {
        panic!("five examples, not {}", sql.len())
    };
    let database = database().await;
    let pool = database.pool().await;
    let run = async |statements: &str| {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statements.to_owned()))
            .execute(&pool)
            .await
            .expect(statements);
    };
    run(function).await;
    let airalo = "\n[sources.airalo]\nkind = 'airalo'\nsecrets = ['env:AIRALO_CLIENT_SECRET']\n";
    let server = Server::serve(database.url(), &[configuration[0], airalo].concat(), &[]);
    server.ready().await;
    run(enqueue).await;
    run(enqueue
        .replace("'order-17', 'paid'", "'order-18', 'paid'")
        .replace("\nCOMMIT", "\nROLLBACK")
        .as_str())
    .await;
    let state = async || {
        sqlx::query_scalar::<_, String>(
            "SELECT string_agg(request_id || ' ' || state, ', ') FROM shop.orders",
        )
        .fetch_one(&pool)
        .await
        .expect("the orders")
    };
    wait_until("the function's work", async || {
        state().await == "order-17 shop.order.paid"
    })
    .await;
    let claimed: Vec<(i64, i64)> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT lease_id, delivery_id FROM ({}) claimed",
        claim.trim_end_matches(';')
    )))
    .fetch_all(&pool)
    .await
    .expect("a claim");
    assert_eq!(claimed.len(), 1);
    let (lease, delivery) = claimed[0];
    run(&format!("SELECT hookfast.complete({lease}, {delivery})")).await;
    run(many).await;
    wait_until("the work of both", async || {
        let state = state().await;
        ["order-20", "order-21"]
            .iter()
            .all(|order| state.contains(order))
    })
    .await;
    let role = format!("shop_app_{}", std::process::id());
    run(&roles.replace("shop_app", &role)).await;
    run(&format!(
        "SET ROLE {role}; SELECT hookfast.enqueue('shop_events', 'shop.order.paid', '{{\"order\": \"order-19\"}}'); RESET ROLE"
    ))
    .await;
    wait_until("the function's work", async || {
        state().await.contains("order-19 shop.order.paid")
    })
    .await;
    run(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

/// The example of a receiver in the page is the same as in its file, and does what the page
/// describes.
#[tokio::test(flavor = "multi_thread")]
async fn the_receiver_in_express_is_right() {
    let (page, file) = (
        page("docs/HANDLERS.md"),
        page("examples/receivers/node/express.mjs"),
    );
    assert_eq!(blocks(&page, "js"), [file.trim_end()]);
    if !receivers().contains(&"node") {
        return;
    }
    let receiver = Receiver::express().await;
    let secret = standard_webhooks::parse_secret("it", HANDLER_SECRET).expect("a secret");
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a time")
        .as_secs();
    let signed = standard_webhooks::sign(&[secret], "one", now, b"{}");
    for (signature, body, status) in [
        (&*signed, "{}", 204),
        (&*signed, "{ }", 401),
        ("v1,AAAA", "{}", 401),
        ("", "{}", 401),
    ] {
        let request = format!(
            "POST /hooks HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nwebhook-id: one\r\nwebhook-timestamp: {now}\r\n\
             webhook-signature: {signature}\r\nhookfast-type: airalo.order.completed\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut client = Client::connect(receiver.address).await;
        client.send(request).await;
        assert_eq!(client.answer().await.status, status, "{signature} {body}");
    }
}

/// A sender's own verifier behind Hookfast: the settings on the page exist.
#[test]
fn the_configurations_on_the_page_of_the_handlers_are_valid() {
    let page = page("docs/HANDLERS.md");
    let configurations = blocks(&page, "toml");
    assert!(configurations.len() >= 2, "{configurations:?}");
    for configuration in configurations {
        hookfast::internals::config::Config::parse(configuration)
            .unwrap_or_else(|error| panic!("{error}"));
    }
}

/// The commands on a page exist in the program.
async fn commands_are_known(page: &str) {
    let lines = page.lines().flat_map(|line| line.split('`')).map(str::trim);
    let shown: std::collections::BTreeSet<Vec<&str>> = lines
        .filter_map(|text| text.strip_prefix("hookfast "))
        .map(|rest| {
            let word = |word: &&str| {
                word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') && !word.starts_with('-')
            };
            rest.split(' ').take_while(word).take(2).collect()
        })
        .collect();
    assert!(shown.len() > 5, "{shown:?}");
    for command in shown {
        let mut help = std::process::Command::new(env!("CARGO_BIN_EXE_hookfast"));
        // A second word may be an argument, such as a package.
        let known = help
            .args(&command)
            .arg("--help")
            .output()
            .expect("it runs")
            .status
            .success();
        assert!(known, "hookfast {} is no command", command.join(" "));
    }
}

/// Their column `sample_ids` is long: all columns together make one line of hundreds of letters in
/// psql.
#[test]
fn examples_name_the_columns_of_functions_that_return_a_sample() {
    for name in [
        "README.md",
        "docs/RUNBOOK.md",
        "docs/SQL.md",
        "docs/HANDLERS.md",
        "docs/airalo.md",
    ] {
        let page = page(name);
        for function in [
            "retry_all",
            "discard_all",
            "reschedule_all",
            "replay_all",
            "erase_all",
            "retire_handler",
            "reverify_quarantined",
            "discard_quarantined",
            "acknowledge_conflicts",
        ] {
            let defined = format!("schema/functions/hookfast/{function}.sql");
            assert!(
                Path::new(env!("CARGO_MANIFEST_DIR"))
                    .join(&defined)
                    .exists(),
                "{defined}"
            );
            let example = format!("SELECT * FROM hookfast.{function}(");
            assert!(!page.contains(&example), "{name}: {example}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guide_to_airalo_is_right() {
    let page = page("docs/airalo.md");
    let configuration = blocks(&page, "toml");
    let config = hookfast::internals::config::Config::parse(configuration[0])
        .unwrap_or_else(|error| panic!("{error}"));
    let api = config.sources[0].api.as_ref().expect("an API");
    assert_eq!((api.opt_in.len(), config.handlers.len()), (3, 2));
    assert!(configuration[0].contains("[sources.airalo]\n"));
    let quarantine = configuration[0].replacen(
        "kind = \"airalo\"\n",
        &format!("kind = \"airalo\"\n{}\n", configuration[1]),
        1,
    );
    assert!(
        hookfast::internals::config::Config::parse(&quarantine).is_ok(),
        "{quarantine}"
    );
    let database = database().await;
    let pool = database.pool().await;
    sqlx::raw_sql("INSERT INTO hookfast_data.sources (name, kind) VALUES ('airalo', 'airalo')")
        .execute(&pool)
        .await
        .expect("one");
    let sql = blocks(&page, "sql");
    assert_eq!(sql.len(), 2);
    for statements in sql {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statements.to_owned()))
            .execute(&pool)
            .await
            .expect(statements);
    }
    let state: String = sqlx::query_scalar(
        "SELECT state FROM hookfast.airalo_orders WHERE description = 'order-4711'",
    )
    .fetch_one(&pool)
    .await
    .expect("it is expected");
    assert_eq!(state, "expected");
    commands_are_known(&page).await;
    // Each alert that it names exists, or is a type of Airalo.
    let alerts: Vec<String> = sqlx::query_scalar("SELECT type FROM hookfast_data.alert_types")
        .fetch_all(&pool)
        .await
        .expect("the types");
    let rows = page
        .split("## Alerts to subscribe to")
        .nth(1)
        .and_then(|rest| rest.split("\n## ").next())
        .expect("a table");
    let named: Vec<_> = rows
        .split('`')
        .filter(|word| word.starts_with("hookfast.") && !word.ends_with('*'))
        .collect();
    assert!(named.len() >= 4, "{named:?}");
    for alert in named {
        assert!(alerts.contains(&alert.to_owned()), "{alert}");
    }
}
