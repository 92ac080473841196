//! The console's own login: it begins and ends sessions, and reads nothing.

use super::Site;
use hookfast::internals::store::catalog::{Caller, functions};
use sqlx::{AssertSqlSafe, PgConnection};

async fn is_refused(connection: &mut PgConnection, statement: &str) -> bool {
    let answer = sqlx::query(AssertSqlSafe(statement))
        .execute(connection)
        .await;
    let code = answer.err().and_then(|error| {
        let error = error.into_database_error()?;
        Some(error.code()?.into_owned())
    });
    code.as_deref() == Some("42501")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_login_of_the_console_reads_nothing() {
    let site = Site::new().await;
    let relations: Vec<String> = sqlx::query_scalar(
        "SELECT format('%s.%I', c.relnamespace::regnamespace, c.relname) FROM pg_class c WHERE c.relnamespace IN ('hookfast'::regnamespace, \
            'hookfast_data'::regnamespace) AND c.relkind IN ('r', 'p', 'v', 'm') ORDER BY 1",
    )
    .fetch_all(&site.pool)
    .await
    .expect("relations");
    assert!(relations.len() > 40, "{}", relations.len());
    for role in [None, Some(&site.console)] {
        let mut connection = site.connect_as(&site.login).await;
        if let Some(role) = role {
            sqlx::query(AssertSqlSafe(format!("SET ROLE \"{role}\"")))
                .execute(&mut connection)
                .await
                .expect("its own role");
        }
        for relation in &relations {
            let select = format!("SELECT FROM {relation} LIMIT 0");
            assert!(
                is_refused(&mut connection, &select).await,
                "{role:?} {relation}"
            );
        }
        let callable = "SELECT coalesce(string_agg(p.proname::text, ',' ORDER BY p.proname), '') FROM pg_proc p \
            WHERE p.pronamespace = to_regnamespace('hookfast') AND has_function_privilege(p.oid, 'EXECUTE') \
                AND has_schema_privilege('hookfast', 'USAGE')";
        let callable: String = sqlx::query_scalar(callable)
            .fetch_one(&mut connection)
            .await
            .expect("an answer");
        let mut own: Vec<_> = functions::ALL
            .iter()
            .filter(|function| function.caller == Caller::Console)
            .map(|function| function.name)
            .collect();
        own.sort_unstable();
        let expected = if role.is_some() {
            own.join(",")
        } else {
            String::new()
        };
        assert_eq!(callable, expected, "{role:?}");
        for call in [
            "SELECT hookfast.pause_handler('shop', 'why')",
            "SELECT * FROM hookfast.retry_all()",
            "SELECT * FROM hookfast.reveal(gen_random_uuid(), 'why')",
            "SELECT * FROM hookfast.status()",
        ] {
            assert!(is_refused(&mut connection, call).await, "{role:?} {call}");
        }
    }
}

/// It is no member of the owner, and it may make neither roles nor grants.
#[tokio::test(flavor = "multi_thread")]
async fn the_login_of_the_console_takes_no_other_role() {
    let site = Site::new().await;
    let owner = site
        .text("(SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'hookfast_data')")
        .await;
    let mut connection = site.connect_as(&site.login).await;
    for statement in [
        format!("SET ROLE {owner}"),
        format!("SELECT set_config('role', '{owner}', true)"),
        format!("GRANT {owner} TO \"{}\"", site.login),
        format!("CREATE ROLE made_by_{}", site.login),
    ] {
        assert!(is_refused(&mut connection, &statement).await, "{statement}");
    }
    let attributes = format!(
        "(SELECT concat_ws(' ', rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolbypassrls) FROM pg_roles \
            WHERE rolname = '{}')",
        site.login
    );
    assert_eq!(site.text(&attributes).await, "f f f f f");
}
