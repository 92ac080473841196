//! A reader who may call one function more than readers may is not shown what the views hide from
//! readers: not in a result, not in an error, and not in a notice.
//!
//! Most functions run with the rights of the owner, who sees everything.

use super::{
    calls::{CALLS, CANARY, IDS, UNMASKED, WORLD},
    roles_of,
};
use crate::support::postgres::{Database, database, server_log};
use sqlx::{AssertSqlSafe, Connection, PgConnection, postgres::PgDatabaseError};
use std::collections::BTreeMap;
use tokio::sync::{Mutex, MutexGuard};

/// Precedes the name of the function that is called next in the server's log.
const MARK: &str = "canary test calls ";

/// A reader, who connects with every message turned on.
struct Rita {
    connection: PgConnection,
    admin: PgConnection,
    role: String,
    /// The size of the server's log before its session.
    logged: usize,
    ids: Vec<(&'static str, String)>,
    _database: Database,
    _alone: MutexGuard<'static, ()>,
}

/// These tests share the server's log.
static LOG: Mutex<()> = Mutex::const_new(());

impl Rita {
    async fn new() -> Self {
        let alone = LOG.lock().await;
        let database = database().await;
        let mut admin = database.connect().await;
        let readers = roles_of(&database, &mut admin).await;
        assert!(WORLD.contains(CANARY));
        for statement in WORLD.split_inclusive(";\n") {
            run(&mut admin, statement).await;
        }
        let url = database.login("rita", &[&readers]).await;
        let role = url::Url::parse(&url).expect("a URL").username().to_owned();
        // The log then has everything that a client can have sent to it.
        run(
            &mut admin,
            &format!("ALTER ROLE {role} SET log_min_messages = debug1"),
        )
        .await;
        let logged = server_log().await.len();
        let mut connection = PgConnection::connect(&url).await.expect("it may connect");
        run(&mut connection, "SELECT hookfast.console_ticket()").await;
        let mut ids = Vec::new();
        for (name, query) in IDS {
            let query = format!("SELECT ({query})::text");
            let id: Option<String> = sqlx::query_scalar(AssertSqlSafe(query.as_str()))
                .fetch_one(&mut admin)
                .await
                .expect(&query);
            ids.push((name, id.expect(name)));
        }
        run(
            &mut connection,
            // Pretty plans have line breaks within numbers.
            "SET client_min_messages = debug1; SET debug_pretty_print = off; SET debug_print_parse = on; SET debug_print_rewritten = on; SET debug_print_plan = on",
        )
        .await;
        Self {
            connection,
            admin,
            role,
            logged,
            ids,
            _database: database,
            _alone: alone,
        }
    }

    /// Calls a function, which she may call only meanwhile, and undoes what it did.
    async fn shown(&mut self, name: &str, calls: &[&'static str]) -> Shown {
        let grant = format!("GRANT EXECUTE ON FUNCTION hookfast.{name} TO {}", self.role);
        run(&mut self.admin, &grant).await;
        run(
            &mut self.connection,
            &format!("DO $$ BEGIN RAISE LOG '{MARK}{name} '; END $$"),
        )
        .await;
        let mut shown = Shown::default();
        for arguments in calls {
            let filled = self
                .ids
                .iter()
                .fold((*arguments).to_owned(), |filled, (id, value)| {
                    filled.replace(id, value)
                });
            let call = format!("SELECT coalesce(f::text, '') FROM hookfast.{name}({filled}) f");
            let mut transaction = self.connection.begin().await.expect("a transaction");
            let rows = sqlx::query_scalar::<_, String>(AssertSqlSafe(call.as_str()))
                .fetch_all(&mut *transaction)
                .await;
            transaction.rollback().await.expect("rolled back");
            match rows {
                Ok(rows) => shown.results.extend(rows),
                Err(error) => {
                    let error = error
                        .into_database_error()
                        .expect("an answer of the server");
                    let error = error.downcast_ref::<PgDatabaseError>();
                    assert_ne!(error.code(), "42601", "{call}: {error:?}");
                    shown.errors.push((*arguments, format!("{error:?}")));
                }
            }
        }
        let revoke = format!(
            "REVOKE EXECUTE ON FUNCTION hookfast.{name} FROM {}",
            self.role
        );
        run(&mut self.admin, &revoke).await;
        shown
    }

    /// The functions in whose calls the server logged the canary: in a notice, an error or a plan.
    async fn logged(&self) -> Vec<String> {
        let bytes: Vec<String> = CANARY.bytes().map(|byte| byte.to_string()).collect();
        let log = server_log().await;
        let words: Vec<&str> = log[self.logged..].split_whitespace().collect();
        // A plan contains texts byte by byte.
        let log = words.join(" ").replace(&bytes.join(" "), CANARY);
        let mut names: Vec<String> = log
            .split(MARK)
            .skip(1)
            .filter(|part| reveals(part))
            .filter_map(|part| part.split(' ').next().map(str::to_owned))
            .collect();
        names.dedup();
        names
    }
}

#[derive(Default)]
struct Shown {
    results: Vec<String>,
    /// The arguments and the error, with its detail, hint and context.
    errors: Vec<(&'static str, String)>,
}

async fn run(connection: &mut PgConnection, statements: &str) {
    sqlx::raw_sql(AssertSqlSafe(statements))
        .execute(connection)
        .await
        .expect(statements);
}

/// Whether a text contains the canary, as text or as bytes.
fn reveals(text: &str) -> bool {
    text.contains(CANARY) || text.contains(&hex::encode(CANARY))
}

/// The functions of the schema without a call, and the calls without a function.
async fn without_call(admin: &mut PgConnection) -> Vec<String> {
    let there: Vec<String> = sqlx::query_scalar(
        "SELECT p.proname::text FROM pg_proc p WHERE p.pronamespace = 'hookfast'::regnamespace ORDER BY 1",
    )
    .fetch_all(admin)
    .await
    .expect("the functions");
    let called = |name: &String| CALLS.iter().any(|(called, _)| called == name);
    let missing = CALLS
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .filter(|name| !there.contains(name));
    there
        .iter()
        .filter(|name| !called(name))
        .cloned()
        .chain(missing)
        .collect()
}

#[tokio::test]
async fn no_function_shows_more_to_a_reader_who_may_call_it_than_the_views_do() {
    let mut rita = Rita::new().await;
    assert_eq!(
        without_call(&mut rita.admin).await,
        [""; 0],
        "CALLS has every function of the schema"
    );
    let mut revealing = BTreeMap::<String, Vec<String>>::new();
    for (name, calls) in CALLS {
        let shown = rita.shown(name, calls).await;
        assert_ne!(
            shown.errors.first().map(|(arguments, _)| arguments),
            calls.first(),
            "the first call of {name} succeeds: {:?}",
            shown.errors
        );
        let results = shown.results.iter().filter(|row| reveals(row)).count();
        let unmasked = UNMASKED.iter().any(|(listed, _)| listed == name);
        assert!(!unmasked || results > 0, "{name} is listed, but is masked");
        let found = revealing.entry((*name).to_owned()).or_default();
        found.extend((results > 0 && !unmasked).then(|| "result".to_owned()));
        let errors = shown.errors.iter().filter(|(_, error)| reveals(error));
        found.extend(errors.map(|(arguments, error)| format!("{arguments}: {error}")));
    }
    // What the server logged, a client may have got as a notice.
    for name in rita.logged().await {
        revealing.entry(name).or_default().push("log".to_owned());
    }
    revealing.retain(|_, found| !found.is_empty());
    assert!(revealing.is_empty(), "{revealing:#?}");
}

#[tokio::test]
async fn the_check_finds_a_function_that_reveals_something_in_any_way() {
    let mut rita = Rita::new().await;
    let define = |body: &str| {
        format!(
            "CREATE OR REPLACE FUNCTION hookfast.probe(event uuid) RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$ \
             DECLARE secret text := (SELECT e.idempotency_key FROM hookfast_data.events e WHERE e.id = probe.event); \
             BEGIN {body}; RETURN ''; END $$"
        )
    };
    for (body, result, error, log) in [
        ("NULL", false, false, false),
        ("RETURN secret", true, false, false),
        ("RETURN secret::bytea", true, false, false),
        ("RAISE '%', secret", false, true, true),
        ("RAISE 'x' USING DETAIL = secret", false, true, true),
        ("RAISE 'x' USING HINT = secret", false, true, true),
        ("PERFORM secret::integer", false, true, true),
        ("RAISE NOTICE '%', secret", false, false, true),
        ("RAISE DEBUG '%', secret", false, false, true),
        ("RAISE WARNING 'x' USING HINT = secret", false, false, true),
        (
            "PERFORM FROM hookfast_data.idempotency_keys k WHERE k.key = secret",
            false,
            false,
            true,
        ),
    ] {
        run(&mut rita.admin, &define(body)).await;
        rita.logged = server_log().await.len();
        let shown = rita.shown("probe", &["'FIRST'"]).await;
        let found = (
            shown.results.iter().any(|row| reveals(row)),
            shown.errors.iter().any(|(_, error)| reveals(error)),
            !rita.logged().await.is_empty(),
        );
        assert_eq!(found, (result, error, log), "{body}");
    }
    assert_eq!(without_call(&mut rita.admin).await, ["probe"]);
}
