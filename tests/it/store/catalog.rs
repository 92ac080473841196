//! The catalogue of the public SQL interface in Rust, compared with the catalog of Postgres.

use crate::support::postgres::database;
use hookfast::ErrorKind;
use hookfast::internals::store::catalog::{Caller, functions, views};

const COLUMNS: &str = "SELECT c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) \
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
    WHERE c.relnamespace = 'hookfast'::regnamespace AND c.relkind = 'v' ORDER BY c.relname COLLATE \"C\", a.attnum";

/// Input parameters come first in all functions; those with a default are the last ones.
const PARAMETERS: &str = "SELECT p.proname || '.' || coalesce(p.proargnames[i], '') || ' ' \
    || CASE t WHEN 'hookfast.event'::regtype THEN 'hookfast.event' ELSE format_type(t, NULL) END \
    || CASE WHEN i > p.pronargs - p.pronargdefaults THEN ' DEFAULT' ELSE '' END \
    FROM pg_proc p CROSS JOIN LATERAL unnest(p.proargtypes) WITH ORDINALITY AS a (t, i) \
    WHERE p.pronamespace = 'hookfast'::regnamespace ORDER BY p.proname COLLATE \"C\", i";

#[tokio::test]
async fn the_catalogue_has_every_view_column_function_and_parameter() {
    let database = database().await;
    let pool = database.pool().await;
    let known: Vec<String> = sqlx::query_scalar(COLUMNS)
        .fetch_all(&pool)
        .await
        .expect("columns");
    let listed: Vec<_> = views::ALL
        .iter()
        .flat_map(|view| {
            let columns = view.columns.iter();
            columns.map(|column| format!("{}.{} {}", view.name, column.name, column.sql_type))
        })
        .collect();
    assert!(known.len() > 200);
    for view in views::ALL {
        let ordered = format!(
            "SELECT FROM hookfast.{} ORDER BY {} LIMIT 0",
            view.name, view.order
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(ordered.as_str()))
            .execute(&pool)
            .await
            .expect(&ordered);
    }
    assert_eq!(listed, known);

    let known: Vec<String> = sqlx::query_scalar(PARAMETERS)
        .fetch_all(&pool)
        .await
        .expect("parameters");
    let listed: Vec<_> = functions::ALL
        .iter()
        .flat_map(|function| {
            function.parameters.iter().map(|parameter| {
                let default = if parameter.is_required {
                    ""
                } else {
                    " DEFAULT"
                };
                format!(
                    "{}.{} {}{default}",
                    function.name, parameter.name, parameter.sql_type
                )
            })
        })
        .collect();
    assert!(known.len() > 80);
    assert_eq!(listed, known);

    let names: Vec<String> = sqlx::query_scalar(
        "SELECT proname::text FROM pg_proc WHERE pronamespace = 'hookfast'::regnamespace ORDER BY proname COLLATE \"C\"",
    )
    .fetch_all(&pool)
    .await
    .expect("functions");
    let listed: Vec<_> = functions::ALL
        .iter()
        .map(|function| function.name)
        .collect();
    assert_eq!(listed, names);
}

#[test]
fn every_act_of_an_operator_needs_a_reason() {
    let mut acts = 0;
    for function in functions::ALL {
        let is_act = function.caller.needs_reason();
        if function.caller != Caller::Person {
            assert_eq!(is_act, function.takes("why"), "{}", function.name);
        }
        acts += usize::from(is_act);
    }
    assert!(acts > 20, "{acts}");
}

/// With a kind that the constraint does not allow, no such attempt could be settled.
#[tokio::test]
async fn an_attempt_may_have_every_kind_of_error_and_no_other() {
    let database = database().await;
    let allowed: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT m[1] COLLATE \"C\" FROM pg_constraint c, \
             regexp_matches(pg_get_constraintdef(c.oid), '''([a-z_]+)''', 'g') m \
         WHERE c.conname = 'attempts_error_kind_check' AND c.conrelid = 'hookfast_data.attempts'::regclass ORDER BY 1",
    )
    .fetch_all(&database.pool().await)
    .await
    .expect("the constraint");
    let mut known = ErrorKind::ALL.map(ErrorKind::as_str);
    known.sort_unstable();
    assert_eq!(allowed, known);
}
