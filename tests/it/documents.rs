//! The examples of the documents, as they stand there.

use crate::support::{postgres::database, server::Server, wait_until};
use std::{fs, path::Path};

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("a page")
}

/// The blocks of that language, in their order.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("```{language}\n");
    page.split(&opening).skip(1).map(|rest| rest.split("\n```").next().expect("a block ends")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_the_handlers_is_right() {
    let page = page("docs/HANDLERS.md");
    let (configuration, sql) = (blocks(&page, "toml"), blocks(&page, "sql"));
    let [function, claim, enqueue, roles] = sql[..] else { panic!("four examples, not {}", sql.len()) };
    let database = database().await;
    let pool = database.pool().await;
    let run = async |statements: &str| {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statements.to_owned())).execute(&pool).await.expect(statements);
    };
    run(function).await;
    let airalo = "\n[sources.airalo]\nkind = 'airalo'\nsecrets = ['env:AIRALO_CLIENT_SECRET']\n";
    let server = Server::serve(database.url(), &[configuration[0], airalo].concat(), &[]);
    server.ready().await;
    run(enqueue).await;
    run(enqueue.replace("'order-17', 'paid'", "'order-18', 'paid'").replace("\nCOMMIT", "\nROLLBACK").as_str()).await;
    let state = async || {
        sqlx::query_scalar::<_, String>("SELECT string_agg(request_id || ' ' || state, ', ') FROM shop.orders")
            .fetch_one(&pool)
            .await
            .expect("the orders")
    };
    wait_until("the function's work", async || state().await == "order-17 shop.order.paid").await;
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
    let role = format!("shop_app_{}", std::process::id());
    run(&roles.replace("shop_app", &role)).await;
    run(&format!(
        "SET ROLE {role}; SELECT hookfast.enqueue('shop_events', 'shop.order.paid', '{{\"order\": \"order-19\"}}'); RESET ROLE"
    ))
    .await;
    wait_until("the function's work", async || state().await.contains("order-19 shop.order.paid")).await;
    run(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}
