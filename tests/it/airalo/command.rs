//! The commands against the emulator and the database.

use super::{Airalo, CLIENT_ID, at_once};
use crate::support::{postgres, server::AIRALO_SECRET};
use hookfast::airalo::client::Client;
use hookfast::internals::dev::airalo_emulator::FaultPlan;
use hookfast::internals::domain::RoleNames;
use hookfast::internals::store::ensure_roles;
use hookfast::sources::airalo::ClientSettings;
use std::process::{Command, Output};

/// Runs a command against a local Airalo in a separate folder without any configuration.
async fn hookfast(
    airalo: &Airalo,
    database_url: Option<&str>,
    arguments: &[&str],
) -> (bool, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookfast"));
    command
        .arg("airalo")
        .args(arguments)
        .current_dir(folder.path())
        .env_remove("DATABASE_URL");
    command
        .env("AIRALO_BASE_URL", format!("http://{}", airalo.address))
        .env("AIRALO_CLIENT_ID", CLIENT_ID);
    command
        .env("AIRALO_CLIENT_SECRET", AIRALO_SECRET)
        .stdin(std::process::Stdio::null());
    if let Some(url) = database_url {
        command.env("DATABASE_URL", url);
    }
    let run = tokio::task::spawn_blocking(move || command.output().expect("it runs"));
    let Output {
        status,
        stdout,
        stderr,
    } = run.await.expect("it ends");
    let text = String::from_utf8_lossy(&stderr).into_owned() + &String::from_utf8_lossy(&stdout);
    assert!(!text.contains(AIRALO_SECRET), "{text}");
    (status.success(), text)
}

#[tokio::test]
async fn an_opt_in_checks_the_url_first_and_reports_the_problem() {
    let airalo = Airalo::start(at_once()).await;
    for (arguments, expected) in [
        (
            vec!["opt-in", "async_orders", "--url", "http://127.0.0.1:1/x"],
            "does not answer HEAD",
        ),
        // The emulator itself: an unknown path, and a path that accepts only POST.
        (
            vec!["opt-in", "async_orders", "--url", "EMULATOR/nowhere"],
            "answers HEAD with 404",
        ),
        (
            vec!["opt-in", "async_orders", "--url", "EMULATOR/v2/token"],
            "answers HEAD with 405",
        ),
        (
            vec!["opt-in", "email_low_data", "--url", "http://x/"],
            "email_low_data takes --email",
        ),
        (
            vec!["opt-in", "sms", "--url", "http://x/"],
            "'sms' is not a notification type",
        ),
        (
            vec!["simulate", "everything"],
            "the simulator does not send 'everything'",
        ),
        (vec!["order", "p", "--yes"], "DATABASE_URL is not set"),
        (vec!["reconcile"], "DATABASE_URL is not set"),
    ] {
        let emulator = format!("http://{}", airalo.address);
        let arguments: Vec<_> = arguments
            .iter()
            .map(|a| a.replace("EMULATOR", &emulator))
            .collect();
        let (done, text) = hookfast(
            &airalo,
            None,
            &arguments.iter().map(String::as_str).collect::<Vec<_>>(),
        )
        .await;
        assert!(!done && text.contains(expected), "{arguments:?}: {text}");
    }
    assert!(
        airalo.emulator.state()["opt_ins"]
            .as_object()
            .expect("an object")
            .is_empty()
    );
    let (done, text) = hookfast(
        &airalo,
        None,
        &[
            "opt-in",
            "email_credit_limit",
            "--email",
            "partner@example.com",
        ],
    )
    .await;
    assert!(
        done && text.contains("email_credit_limit is sent to partner@example.com"),
        "{text}"
    );
    let (done, text) = hookfast(&airalo, None, &["status", "--json"]).await;
    assert!(
        done && text.contains(r#""contact_point":"partner@example.com""#)
            && text.lines().count() == 5,
        "{text}"
    );
    assert!(
        hookfast(&airalo, None, &["opt-out", "email_credit_limit"])
            .await
            .0
    );
    assert!(
        !hookfast(&airalo, None, &["status"])
            .await
            .1
            .contains("partner@example.com")
    );
}

#[tokio::test]
async fn an_order_is_confirmed_recorded_and_sent_once() {
    let airalo = Airalo::start(FaultPlan {
        broken_answer: 1.0,
        ..at_once()
    })
    .await;
    let database = postgres::database().await;
    let mut connection = database.connect().await;
    sqlx::raw_sql("INSERT INTO hookfast_data.sources (name, kind) VALUES ('airalo', 'airalo')")
        .execute(&mut connection)
        .await
        .expect("a source");
    let order = [
        "order",
        "emulated-lost",
        "--description",
        "shop-1",
        "--webhook-url",
        "http://127.0.0.1:1/",
    ];
    // No Airalo answers, so nothing is ordered.
    let (done, text) = hookfast(&airalo, Some(database.url()), &order).await;
    assert!(
        !done
            && text.contains("would order 1 × emulated-lost, as 'shop-1'")
            && text.contains("--yes"),
        "{text}"
    );
    assert!(
        airalo.emulator.state()["requests"]
            .as_array()
            .expect("a list")
            .is_empty()
    );
    // The answer is lost: the order is unknown, and the command warns against ordering again.
    let (done, text) = hookfast(
        &airalo,
        Some(database.url()),
        &[&order[..], &["--yes"]].concat(),
    )
    .await;
    assert!(
        !done && text.contains("is unknown: it was not sent again, and must not be"),
        "{text}"
    );
    assert_eq!(
        airalo.emulator.state()["requests"]
            .as_array()
            .expect("a list")
            .len(),
        1
    );
    let (done, text) = hookfast(
        &airalo,
        Some(database.url()),
        &["orders", "--state", "unknown", "--json"],
    )
    .await;
    assert!(done && text.contains(r#""description":"shop-1""#), "{text}");
    // The same description would be a second purchase.
    for more in [&["--yes"][..], &[]] {
        let (done, text) =
            hookfast(&airalo, Some(database.url()), &[&order[..], more].concat()).await;
        assert!(
            !done && text.contains("'shop-1' was ordered at 2") && text.contains("--again"),
            "{text}"
        );
        assert!(
            text.contains("Airalo's response is not known") && !text.contains("would order"),
            "{text}"
        );
    }
    assert_eq!(
        airalo.emulator.state()["requests"]
            .as_array()
            .expect("a list")
            .len(),
        1
    );
    // The order is in Airalo's list.
    let (done, text) = hookfast(&airalo, None, &["orders", "--remote"]).await;
    assert!(
        done && text.contains("shop-1") && text.contains("completed"),
        "{text}"
    );
    let (done, text) = hookfast(&airalo, Some(database.url()), &["reconcile"]).await;
    assert!(
        done && text.contains("shop-1: found and stored: "),
        "{text}"
    );
    let (done, text) = hookfast(
        &airalo,
        Some(database.url()),
        &[&order[..], &["--again"]].concat(),
    )
    .await;
    assert!(
        !done
            && text.contains("this is a second order, and it is charged")
            && text.contains("would order"),
        "{text}"
    );
    // The price of such a package at the last order.
    sqlx::raw_sql(
        "INSERT INTO hookfast_data.airalo_orders (source_id, request_id, state, rank, description, package_id, net_price, currency, event_id, received_at) \
            SELECT id, 'r', 'completed', 3, 'earlier', 'emulated-lost', 3.60, 'USD', gen_random_uuid(), now() FROM hookfast_data.sources WHERE name = 'airalo'",
    )
    .execute(&mut connection)
    .await
    .expect("an order");
    let three = [
        "order",
        "emulated-lost",
        "--quantity",
        "3",
        "--description",
        "shop-3",
    ];
    let (done, text) = hookfast(&airalo, Some(database.url()), &three).await;
    assert!(
        !done && text.contains("cost 3.6 USD each, so this costs about 10.80 USD"),
        "{text}"
    );
    let (done, text) = hookfast(&airalo, None, &["emulate", "--help"]).await;
    for package in [
        "emulated-lost",
        "emulated-new-order",
        "emulated-duplicate",
        "emulated-failed",
    ] {
        assert!(done && text.contains(package), "{package}: {text}");
    }
    let (done, text) = hookfast(&airalo, None, &["emulate", "--lost", "1.5"]).await;
    assert!(!done && text.contains("a share is 0 to 1"), "{text}");
    // The same for an order of which only the result is known.
    let earlier = [
        "order",
        "emulated-lost",
        "--description",
        "earlier",
        "--yes",
    ];
    let (done, text) = hookfast(&airalo, Some(database.url()), &earlier).await;
    assert!(
        !done && text.contains("'earlier' was ordered at 2") && text.contains("(request r)"),
        "{text}"
    );
    // An order that does not exist.
    let expect = [
        "expect",
        "a-request-of-somebody",
        "--description",
        "shop-2",
        "--within",
        "1",
    ];
    let (done, text) = hookfast(&airalo, Some(database.url()), &expect).await;
    assert!(done && text.contains("is expected"), "{text}");
    let (done, text) = hookfast(&airalo, Some(database.url()), &["reconcile"]).await;
    assert!(
        !done && text.contains("shop-2: Airalo's list has no order with this description"),
        "{text}"
    );
}

#[tokio::test]
async fn an_operators_role_gets_an_error_naming_the_role_that_may_order() {
    let airalo = Airalo::start(at_once()).await;
    let database = postgres::database().await;
    let operator: String = sqlx::query_scalar("SELECT 'operators_of_' || current_database()")
        .fetch_one(&mut database.connect().await)
        .await
        .expect("a name");
    let names = RoleNames {
        operator: Some(operator.parse().expect("a role's name")),
        ..RoleNames::default()
    };
    ensure_roles(&database.url().parse().expect("a URL"), &names)
        .await
        .expect("the roles");
    let url = database.login("olga", &[&operator]).await;
    let (done, text) = hookfast(&airalo, Some(&url), &["orders"]).await;
    assert!(done, "the order may be looked up: {text}");
    for (arguments, undone) in [
        (&["order", "p", "--yes"][..], "nothing was ordered"),
        (&["reconcile"], "nothing was searched for"),
    ] {
        let (done, text) = hookfast(&airalo, Some(&url), arguments).await;
        assert!(
            !done && text.contains(undone) && text.contains("42501"),
            "{text}"
        );
        assert!(
            text.contains("hint: this command needs the role of `hookfast serve`"),
            "{text}"
        );
    }
    assert!(
        airalo.emulator.state()["requests"]
            .as_array()
            .expect("a list")
            .is_empty()
    );
}

#[tokio::test]
async fn the_client_secret_is_sent_in_clear_text_to_this_machine_only() {
    let airalo = Airalo::start(at_once()).await;
    let to = |base_url: &str| ClientSettings {
        base_url: base_url.to_owned(),
        ..airalo.settings()
    };
    for elsewhere in [
        "http://partners-api.airalo.com",
        "http://10.0.0.7:9400",
        "http://emulator:9400",
        "http://[2606:4700::1111]/",
    ] {
        let error = Client::new(to(elsewhere)).expect_err(elsewhere).to_string();
        assert!(
            error.contains("in clear text: nothing was sent. Use https://"),
            "{error}"
        );
    }
    for here in [
        "http://127.0.0.2:9400",
        "http://localhost:9400",
        "http://[::1]:9400",
        "https://partners-api.airalo.com",
    ] {
        assert!(Client::new(to(here)).is_ok(), "{here}");
    }
}

#[tokio::test]
async fn newlines_at_the_end_belong_to_no_credentials_of_the_commands() {
    let airalo = Airalo::start(at_once()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let (config, secret) = (
        folder.path().join("hookfast.toml"),
        folder.path().join("secret"),
    );
    std::fs::write(&secret, format!("{AIRALO_SECRET}\n")).expect("written");
    let api = format!(
        "[sources.airalo.api]\nbase_url = 'http://{}'\nclient_id = 'env:AIRALO_CLIENT_ID'\n",
        airalo.address
    );
    let file = format!("file:{}", secret.display());
    for (reference, arguments) in [
        (&*file, &["status", "--config"][..]),
        ("env:AIRALO_CLIENT_SECRET", &["status", "--config"]),
        ("", &["status"]),
    ] {
        let text = format!(
            "[sources.airalo]\nkind = 'airalo'\nsecrets = ['{reference}']\n{api}client_secret = '{reference}'\n"
        );
        std::fs::write(&config, text).expect("written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookfast"));
        command
            .arg("airalo")
            .args(arguments)
            .current_dir(folder.path());
        if !reference.is_empty() {
            command.arg(&config);
        }
        command.env("AIRALO_BASE_URL", format!("http://{}\n", airalo.address));
        command
            .env("AIRALO_CLIENT_ID", format!("{CLIENT_ID}\n"))
            .env("AIRALO_CLIENT_SECRET", format!("{AIRALO_SECRET}\r\n"));
        let run = tokio::task::spawn_blocking(move || command.output().expect("it runs"))
            .await
            .expect("it ends");
        let printed = String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned();
        assert!(
            run.status.success() && printed.contains("async_orders"),
            "{reference}: {printed}"
        );
    }
}

#[tokio::test]
async fn a_client_calls_with_other_credentials_once_they_are_replaced() {
    let airalo = Airalo::start(at_once()).await;
    let client = airalo.client();
    client.check_credentials().await.expect("the right ones");
    client.replace_credentials(
        "somebody".to_owned(),
        "another-secret-0123456789".to_owned().into(),
    );
    assert!(
        client.check_credentials().await.is_err(),
        "the earlier token is not used"
    );
    client.replace_credentials(CLIENT_ID.to_owned(), AIRALO_SECRET.to_owned().into());
    client
        .check_credentials()
        .await
        .expect("the right ones again");
}

/// A request in the quarantine of a database: `reason`, the secret that signed its body, and
/// whether only the beginning of the body was stored.
async fn refused(
    connection: &mut sqlx::PgConnection,
    reason: &str,
    secret: &str,
    is_excerpt: bool,
) {
    let secret = hookfast::internals::signing::Secret::new("it", secret.into()).expect("a secret");
    let (_, signature) = hookfast::sources::airalo::sign(&secret, b"{}");
    sqlx::query(
        "WITH s AS (INSERT INTO hookfast_data.sources (name, kind) VALUES ('airalo', 'airalo') \
            ON CONFLICT (name) DO UPDATE SET kind = excluded.kind RETURNING id) \
         INSERT INTO hookfast_data.quarantine (source_id, digest, reason, headers, body, whole_bytes, body_sha256) \
         SELECT s.id, sha256(uuid_send(gen_random_uuid())), $1, jsonb_build_object('airalo-signature', $2::text), '{}', \
            CASE WHEN $3 THEN 1000000 END, CASE WHEN $3 THEN sha256('a long body') END FROM s",
    )
    .bind(reason)
    .bind(&signature)
    .bind(is_excerpt)
    .execute(connection)
    .await
    .expect("evidence");
}

#[tokio::test]
async fn the_doctor_distinguishes_an_unread_secret_from_a_wrong_one() {
    let airalo = Airalo::start(at_once()).await;
    for (requests, expected) in [
        // The newest request is the last one.
        (
            &[("wrong_signature", AIRALO_SECRET, false)][..],
            "error    quarantine: a rejected request (",
        ),
        (
            &[("wrong_signature", "another-secret-0123456789", false)],
            "error    quarantine: the last 1 request rejected with",
        ),
        // Requests that anyone can send decide nothing.
        (
            &[
                ("wrong_signature", AIRALO_SECRET, false),
                ("missing_signature", "x-0123456789abcdef", false),
            ],
            "signed with env:AIRALO",
        ),
        (
            &[
                ("wrong_signature", AIRALO_SECRET, false),
                ("wrong_signature", "x-0123456789abcdef", false),
            ],
            "signed with env:AIRALO",
        ),
        (
            &[("missing_signature", "x-0123456789abcdef", false)],
            "note     quarantine: requests were rejected, and none can be",
        ),
        // A part of a body matches no signature.
        (
            &[("wrong_signature", "x-0123456789abcdef", true)],
            "note     quarantine: requests were rejected, and none can be",
        ),
    ] {
        let database = postgres::database().await;
        for (reason, secret, is_excerpt) in requests {
            refused(&mut database.connect().await, reason, secret, *is_excerpt).await;
        }
        let (done, text) = hookfast(&airalo, Some(database.url()), &["doctor"]).await;
        assert!(
            !done && text.contains(expected),
            "{expected} is not in: {text}"
        );
        assert!(
            text.contains("ok       credentials")
                && text.contains("error    async_orders: not opted in"),
            "{text}"
        );
    }
}
