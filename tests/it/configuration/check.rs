//! `hookfast check` rejects what `hookfast serve` rejects, in the same words, and warns about
//! surprising settings.

use super::{File, checked, hookfast};
use crate::support::{postgres::database, server::HANDLER_SECRET};
use hookfast::internals::dev::postgres::{Cluster, ClusterOptions, Durability};
use sqlx::{Connection, PgConnection};

const SECRET: (&str, &str) = ("AIRALO_CLIENT_SECRET", "0123456789abcdef");
const AIRALO: &str = "[sources.airalo]\nkind = 'airalo'\nsecrets = ['env:AIRALO_CLIENT_SECRET']\n";

fn warnings(printed: &str) -> Vec<&str> {
    printed
        .lines()
        .filter(|line| line.starts_with("warning"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn check_rejects_every_configuration_that_serve_rejects() {
    let database = database().await;
    let addresses = [
        ("HOOKFAST_LISTEN", "127.0.0.1:0"),
        ("HOOKFAST_ADMIN_LISTEN", "127.0.0.1:0"),
    ];
    let variables = [
        ("DATABASE_URL", database.url()),
        SECRET,
        addresses[0],
        addresses[1],
    ];
    for (handler, why) in [
        (
            "kind = 'sql'\ntypes = ['*']\nfunction = 'shop.nowhere'",
            "there is no function shop.nowhere(hookfast.event)",
        ),
        (
            "kind = 'pull'\ntypes = ['*']\nfilter = '$.a'",
            "the payload filter '$.a' is invalid",
        ),
    ] {
        let config = File::new(&format!("{AIRALO}[handlers.shop]\n{handler}\n"));
        let (served, refused) = hookfast(&["serve", "--config", config.name()], &variables);
        let refused = refused
            .lines()
            .find(|line| line.contains(why))
            .unwrap_or_default();
        let refused = refused.trim_start_matches("hookfast: ");
        assert!(
            !served && refused.starts_with("handler 'shop': "),
            "{refused}"
        );
        let (passed, printed) = hookfast(&["check", "--config", config.name()], &variables);
        assert!(
            !passed && printed.contains(&format!("error    {refused}")),
            "{refused} is not in:\n{printed}"
        );
    }
    // Before the migrations this cannot be known.
    sqlx::raw_sql("DROP SCHEMA hookfast CASCADE; DROP SCHEMA hookfast_data CASCADE")
        .execute(&mut database.connect().await)
        .await
        .expect("dropped");
    let config = File::new(&format!(
        "{AIRALO}[handlers.shop]\nkind = 'sql'\ntypes = ['*']\nfunction = 'shop.nowhere'\n"
    ));
    let (_, printed) = hookfast(&["check", "--config", config.name()], &variables);
    assert!(
        printed.contains("note     handlers: ") && !printed.contains("there is no function"),
        "{printed}"
    );
}

/// Every delivery would fail, and use up its attempts.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_the_role_may_not_execute_is_named_with_the_grant() {
    let database = database().await;
    let mut connection = database.connect().await;
    let url = database.login("server", &[]).await;
    let role: String = sqlx::query_scalar("SELECT 'server_of_' || current_database()")
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
        "GRANT ALL ON SCHEMA hookfast, hookfast_data TO {role}; GRANT ALL ON ALL TABLES IN SCHEMA hookfast_data TO {role}; \
         CREATE SCHEMA \"the shop\"; CREATE FUNCTION \"the shop\".books(event hookfast.event) RETURNS void LANGUAGE sql AS ''; \
         REVOKE EXECUTE ON FUNCTION \"the shop\".books FROM PUBLIC"
    ))
    .await;
    let config = File::new(&format!(
        "{AIRALO}[handlers.shop]\nkind = 'sql'\ntypes = ['*']\nfunction = '\"the shop\".books'\n"
    ));
    let addresses = [
        ("HOOKFAST_LISTEN", "127.0.0.1:0"),
        ("HOOKFAST_ADMIN_LISTEN", "127.0.0.1:0"),
    ];
    let variables = [
        ("DATABASE_URL", url.as_str()),
        SECRET,
        addresses[0],
        addresses[1],
    ];
    for grant in [
        format!("GRANT USAGE ON SCHEMA \"the shop\" TO {role}"),
        format!("GRANT EXECUTE ON FUNCTION \"the shop\".books(hookfast.event) TO {role}"),
    ] {
        let problem =
            "handler 'shop': this role may not execute \"the shop\".books(hookfast.event)";
        let (passed, printed) = hookfast(&["check", "--config", config.name()], &variables);
        assert!(
            !passed && printed.contains(&format!("error    {problem}")) && printed.contains(&grant),
            "{grant}: {printed}"
        );
        let (served, printed) = hookfast(
            &["serve", "--no-migrate", "--config", config.name()],
            &variables,
        );
        assert!(
            !served && printed.contains(problem) && printed.contains(&grant),
            "{grant}: {printed}"
        );
        run(grant).await;
    }
    let (_, printed) = hookfast(&["check", "--config", config.name()], &variables);
    assert!(!printed.contains("handler 'shop': "), "{printed}");
}

#[test]
fn a_pattern_that_no_source_can_match_is_named() {
    let config = format!(
        "{AIRALO}[sources.stripe]\nkind = 'hmac'\nsecrets = ['env:AIRALO_CLIENT_SECRET']\nheader = 'x-s'\nencoding = 'hex'\n\
         algorithm = 'sha256'\nsigned = '{{body}}'\ntype = ['/type']\nkey = ['/id']\ntype_prefix = 'stripe.eu'\n\
         [handlers.shop]\nkind = 'pull'\ntypes = ['strip.*', 'stripe.*', 'stripe.eu.invoice.paid', 'stripe.us.*', '*', 'hookfast.*', 'airalo.order.*', 'hookfast.new.*']\n\
         [handlers.other]\nkind = 'pull'\ntypes = ['stripe.*']\nsources = ['airalo']\n"
    );
    let printed = checked(&config, &[SECRET]);
    let warned = warnings(&printed);
    for expected in [
        "[handlers.shop] types: 'strip.*'",
        "[handlers.shop] types: 'stripe.us.*'",
        "[handlers.other] types: 'stripe.*'",
    ] {
        assert!(
            warned.iter().any(|line| line.contains(expected)),
            "{expected} is not in:\n{printed}"
        );
    }
    assert_eq!(warned.len(), 3, "{printed}");
    // A source that may send any type, and one that applications use.
    for source in [
        "[sources.acme]\nkind = 'standard_webhooks'\nsecrets = ['env:HANDLER_SECRET']\ntype_prefix = ''\n",
        "[sources.own]\nkind = 'sql'\n",
    ] {
        let printed = checked(
            &[&config, source].concat(),
            &[SECRET, ("HANDLER_SECRET", HANDLER_SECRET)],
        );
        assert!(!printed.contains("[handlers.shop] types"), "{printed}");
    }
}

#[test]
fn a_secret_field_that_readers_would_see_elsewhere_is_named() {
    let config = "[sources.shop]\nkind = 'hmac'\nsecrets = ['env:AIRALO_CLIENT_SECRET']\nheader = 'x-s'\nencoding = 'hex'\n\
        algorithm = 'sha256'\nsigned = '{body}'\ntype = ['/type']\ntype_prefix = 'shop'\nkey = ['/data/PIN', '/id']\n\
        secret_fields = ['pin', 'code']\nsearch_fields = ['code', 'customer']\n\
        [handlers.books]\nkind = 'pull'\ntypes = ['shop.*']\nordered_by = '/data/pin'\n\
        [handlers.fine]\nkind = 'pull'\ntypes = ['shop.*']\nordered_by = '/data/id'\n";
    let printed = checked(config, &[SECRET]);
    for expected in [
        "[sources.shop] search_fields: 'code'",
        "[sources.shop] key: '/data/PIN'",
        "[handlers.books] ordered_by: '/data/pin'",
    ] {
        assert!(
            warnings(&printed)
                .iter()
                .any(|line| line.contains(expected)),
            "{expected} is not in:\n{printed}"
        );
    }
    assert_eq!(warnings(&printed).len(), 3, "{printed}");
}

#[test]
fn a_receiver_on_a_public_host_by_plain_http_is_named() {
    let handler = |name: &str, url: &str| {
        format!(
            "[handlers.{name}]\nkind = 'http'\ntypes = ['*']\nsecrets = ['env:HANDLER_SECRET']\nurl = '{url}'\nallow_private = true\n"
        )
    };
    let config = [
        AIRALO.to_owned(),
        handler("open", "http://shop.example.com/hooks"),
        handler("address", "http://8.8.8.8/hooks"),
        handler("tls", "https://shop.example.com/hooks"),
        handler("near", "http://10.0.0.7:8080/"),
        handler("here", "http://localhost:8080/"),
        handler("neighbour", "http://shop:8080/"),
    ]
    .concat();
    let printed = checked(&config, &[SECRET, ("HANDLER_SECRET", HANDLER_SECRET)]);
    for expected in ["[handlers.open] url: ", "[handlers.address] url: "] {
        assert!(
            warnings(&printed)
                .iter()
                .any(|line| line.contains(expected)),
            "{expected} is not in:\n{printed}"
        );
    }
    assert_eq!(warnings(&printed).len(), 2, "{printed}");
}

/// The script creates a role `hookfast`, which is the name of the cluster's own superuser here.
#[tokio::test(flavor = "multi_thread")]
async fn the_role_that_docker_compose_makes_is_enough_and_no_superuser() {
    let script = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/scripts/lib/compose-init.sh"
    ))
    .expect("a script");
    let sql = script
        .split_once("<<'SQL'\n")
        .and_then(|(_, rest)| rest.split_once("\nSQL"))
        .expect("its SQL")
        .0;
    let sql = sql
        .replace("ROLE hookfast LOGIN", "ROLE composed LOGIN")
        .replace("TO hookfast;", "TO composed;");
    let cluster = Cluster::start(ClusterOptions::temporary(Durability::Durable))
        .await
        .expect("a private Postgres");
    let mut connection = PgConnection::connect(&cluster.url())
        .await
        .expect("a connection");
    sqlx::raw_sql(sqlx::AssertSqlSafe(
        sql.replace(":'password'", "'composed'"),
    ))
    .execute(&mut connection)
    .await
    .expect(&sql);
    let mut url = url::Url::parse(&cluster.url()).expect("a URL");
    url.set_username("composed").expect("a user");
    url.set_password(Some("composed")).expect("a password");
    let variables = [("DATABASE_URL", url.as_str()), SECRET];
    let (migrated, printed) = hookfast(&["migrate"], &variables);
    assert!(
        migrated && !printed.contains("roles for readers"),
        "{printed}"
    );
    let (passed, printed) = hookfast(&["check"], &variables);
    assert!(passed && warnings(&printed).is_empty(), "{printed}");
    let granted = "SELECT has_schema_privilege('hookfast_reader', 'hookfast', 'USAGE') AND has_schema_privilege('hookfast_operator', 'hookfast', 'USAGE')";
    let granted: bool = sqlx::query_scalar(granted)
        .fetch_one(&mut connection)
        .await
        .expect("an answer");
    assert!(granted, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_superuser_is_named() {
    let database = database().await;
    let (_, printed) = hookfast(&["check"], &[("DATABASE_URL", database.url()), SECRET]);
    assert!(
        warnings(&printed)
            .iter()
            .any(|line| line.contains("superuser")),
        "{printed}"
    );
    let role = format!("plain_{}", std::process::id());
    let mut connection = database.connect().await;
    let name: String = sqlx::query_scalar("SELECT current_database()")
        .fetch_one(&mut connection)
        .await
        .expect("a name");
    let make = format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'plain'; GRANT CREATE ON DATABASE {name} TO {role}"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(make))
        .execute(&mut connection)
        .await
        .expect("a role");
    let mut url = url::Url::parse(database.url()).expect("a URL");
    url.set_username(&role).expect("a user");
    url.set_password(Some("plain")).expect("a password");
    let (_, printed) = hookfast(&["check"], &[("DATABASE_URL", url.as_str()), SECRET]);
    let undo = format!("DROP OWNED BY {role}; DROP ROLE {role}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(undo))
        .execute(&mut connection)
        .await
        .expect("dropped");
    assert!(
        printed.contains("ok       database") && !printed.contains("superuser"),
        "{printed}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn check_names_registered_handlers_that_no_configuration_has_and_retired_ones() {
    let database = database().await;
    let mut connection = database.connect().await;
    sqlx::raw_sql(
        "INSERT INTO hookfast_data.handlers (name, kind, types, max_attempts, registered_version) \
            SELECT name, 'pull', '{*}', 3, 0 FROM unnest('{former,later,shop}'::text[]) AS t (name); \
         SELECT hookfast.retire_handler('shop', 'renamed', at_most => 0)",
    )
    .execute(&mut connection)
    .await
    .expect("handlers");
    let config = File::new(&format!(
        "{AIRALO}[handlers.shop]\nkind = 'pull'\ntypes = ['*']\n"
    ));
    let variables = [("DATABASE_URL", database.url()), SECRET];
    let (_, printed) = hookfast(&["check", "--config", config.name()], &variables);
    let named = |start: &str| printed.lines().any(|line| line.starts_with(start));
    assert!(
        named("warning  handlers: former, later are registered, and neither"),
        "{printed}"
    );
    assert!(
        printed.contains("hookfast handlers retire NAME --why"),
        "{printed}"
    );
    assert!(
        named("note     handlers: shop is retired; `hookfast serve`"),
        "{printed}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sequence_that_hands_out_blocks_is_named() {
    let database = database().await;
    let check = || hookfast(&["check"], &[("DATABASE_URL", database.url()), SECRET]).1;
    let warned = |printed: &str| {
        warnings(printed)
            .iter()
            .any(|line| line.contains("hookfast_data.outbox_id_seq"))
    };
    assert!(!warned(&check()));
    sqlx::raw_sql("ALTER SEQUENCE hookfast_data.outbox_id_seq CACHE 20")
        .execute(&mut database.connect().await)
        .await
        .expect("altered");
    let printed = check();
    assert!(warned(&printed), "{printed}");
}
