//! No function of Hookfast resolves a name where another role may have created it, or shows its
//! arguments to its caller.

use crate::support::postgres::database;
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use std::{fs, path::Path};

/// The functions that readers may call besides those that the views call.
const READERS_CALL: &str = "'{hookfast.event_id_at,hookfast.find,hookfast.timeline,hookfast.explain,hookfast.status,\
    hookfast.retention_preview,hookfast.handler_id,hookfast.airalo_results_since}'::text[]";

/// All functions of Hookfast, and what each lacks. A body that was parsed when it was created
/// resolves no names any more; the functions it calls are checked themselves.
const LACKING: &str = "WITH RECURSIVE ours AS ( \
        SELECT p.oid, n.nspname || '.' || p.proname AS name, p.prosrc, coalesce(p.proconfig, '{}') AS settings, \
            p.prosqlbody IS NOT NULL AS parsed \
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname IN ('hookfast', 'hookfast_data')), \
    calls AS ( \
        SELECT d.objid AS caller, d.refobjid AS called FROM pg_depend d \
            WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_proc'::regclass \
        UNION SELECT a.oid, b.oid FROM ours a JOIN ours b \
            ON NOT a.parsed AND a.prosrc ~ ('\\m' || replace(b.name, '.', '\\.') || '\\(')), \
    reached AS ( \
        SELECT d.refobjid AS oid FROM pg_depend d JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid \
            JOIN pg_class c ON c.oid = r.ev_class AND c.relnamespace = 'hookfast'::regnamespace \
            WHERE d.refclassid = 'pg_proc'::regclass \
        UNION SELECT o.oid FROM ours o WHERE o.name = ANY (READERS_CALL) \
        UNION SELECT c.called FROM reached r JOIN calls c ON c.caller = r.oid) ";

async fn names(connection: &mut PgConnection, query: &str) -> Vec<String> {
    let query = format!("{}{query}", LACKING.replace("READERS_CALL", READERS_CALL));
    sqlx::query_scalar(AssertSqlSafe(query))
        .fetch_all(connection)
        .await
        .expect("names")
}

#[tokio::test]
async fn every_function_has_a_search_path_of_its_own_or_was_parsed_at_creation() {
    let database = database().await;
    let mut connection = database.connect().await;
    let without = "SELECT o.name FROM ours o WHERE NOT o.parsed AND 'search_path=pg_catalog, pg_temp' <> ALL (o.settings) \
        ORDER BY 1";
    assert_eq!(names(&mut connection, without).await, [""; 0]);
    connection
        .execute("ALTER FUNCTION hookfast_data.as_jsonb RESET search_path")
        .await
        .expect("altered");
    assert_eq!(
        names(&mut connection, without).await,
        ["hookfast_data.as_jsonb"],
        "the check finds violations"
    );
}

/// Functions that run with the owner's rights use every table, so each table has to belong to the
/// owner, not of the caller.
#[tokio::test]
async fn every_function_that_creates_tables_runs_with_the_rights_of_the_owner() {
    let database = database().await;
    let mut connection = database.connect().await;
    let creating = |definer: &str| {
        format!(
            "SELECT o.name FROM ours o JOIN pg_proc p USING (oid) \
             WHERE o.prosrc ~ 'CREATE( UNLOGGED)? TABLE' AND {definer} p.prosecdef ORDER BY 1"
        )
    };
    assert_eq!(names(&mut connection, &creating("NOT")).await, [""; 0]);
    let found = names(&mut connection, &creating("")).await;
    assert_eq!(
        found,
        [
            "hookfast_data.copy_retained_rows",
            "hookfast_data.create_partition"
        ],
        "the check finds violations"
    );
}

/// A body that is text is parsed in the caller's session, where a backslash in a string may have
/// another meaning.
#[tokio::test]
async fn every_function_with_a_backslash_sets_standard_conforming_strings() {
    let database = database().await;
    let mut connection = database.connect().await;
    let without = "SELECT o.name FROM ours o WHERE NOT o.parsed AND strpos(o.prosrc, '\\') > 0 \
        AND 'standard_conforming_strings=on' <> ALL (o.settings) ORDER BY 1";
    assert_eq!(names(&mut connection, without).await, [""; 0]);
    connection
        .execute("ALTER FUNCTION hookfast_data.term_pattern RESET standard_conforming_strings")
        .await
        .expect("altered");
    assert_eq!(
        names(&mut connection, without).await,
        ["hookfast_data.term_pattern"],
        "the check finds violations"
    );
}

/// The caller's settings stay in force inside a SECURITY DEFINER function: `debug_print_plan` with
/// `client_min_messages = log` sends the arguments of the function's statements to the caller.
#[tokio::test]
async fn no_function_that_readers_reach_prints_its_plans() {
    let database = database().await;
    let mut connection = database.connect().await;
    let printing = "SELECT o.name FROM ours o JOIN reached USING (oid) WHERE NOT o.parsed AND NOT o.settings \
        @> '{debug_print_parse=off,debug_print_rewritten=off,debug_print_plan=off}' ORDER BY 1";
    assert_eq!(names(&mut connection, printing).await, [""; 0]);
    let reached = names(
        &mut connection,
        "SELECT o.name FROM ours o JOIN reached USING (oid)",
    )
    .await;
    for name in [
        "as_jsonb",
        "redact_payload",
        "redact_fields",
        "visible_key",
        "find_events",
        "body_matches",
    ] {
        assert!(
            reached.contains(&format!("hookfast_data.{name}")),
            "{name} is not in {reached:?}"
        );
    }
    connection
        .execute("ALTER FUNCTION hookfast_data.body_matches RESET debug_print_plan")
        .await
        .expect("altered");
    assert_eq!(
        names(&mut connection, printing).await,
        ["hookfast_data.body_matches"],
        "the check finds violations"
    );
}

/// A role may have been granted any of them alone. The functions that these call are covered, since
/// a setting of a function applies until it returns.
#[tokio::test]
async fn no_public_function_with_the_rights_of_the_owner_prints_its_plans() {
    let database = database().await;
    let mut connection = database.connect().await;
    let owners = "SELECT o.name FROM ours o JOIN pg_proc p USING (oid) WHERE p.prosecdef AND o.name LIKE 'hookfast.%'";
    let printing = format!(
        "{owners} AND NOT o.settings \
         @> '{{debug_print_parse=off,debug_print_rewritten=off,debug_print_plan=off}}' ORDER BY 1"
    );
    assert!(names(&mut connection, owners).await.len() > 30);
    assert_eq!(names(&mut connection, &printing).await, [""; 0]);
    connection
        .execute("ALTER FUNCTION hookfast.discard RESET debug_print_plan")
        .await
        .expect("altered");
    assert_eq!(
        names(&mut connection, &printing).await,
        ["hookfast.discard"],
        "the check finds violations"
    );
}

/// Any role that may connect can hold any advisory lock.
#[test]
fn nothing_but_the_migrations_relies_on_an_advisory_lock() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![
        root.join("src"),
        root.join("schema"),
        root.join("migrations"),
    ];
    let (mut seen, mut relying) = (0, Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                seen += 1;
                if fs::read_to_string(&path).is_ok_and(|text| {
                    text.contains("advisory_lock") || text.contains("advisory_xact")
                }) {
                    relying.push(
                        path.strip_prefix(root)
                            .expect("below it")
                            .display()
                            .to_string(),
                    );
                }
            }
        }
    }
    assert!(seen > 300, "{seen} files");
    assert_eq!(relying, ["src/store/migrate/lock.rs"]);
}
