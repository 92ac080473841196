//! Handlers, and one of them.

use super::{Site, Visitor, run, text};

async fn page(visitor: &Visitor<'_>, path: &str) -> String {
    let answer = visitor.get(path).await;
    assert_eq!(answer.status, 200, "{path}");
    text(&answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_have_their_state_and_the_acts_that_the_visitor_may_do() {
    let site = Site::new().await;
    run(
        &site,
        "SELECT order_arrived(n), pending(n) FROM generate_series(1, 3) n; \
         SELECT hookfast.pause_handler('crm', 'release 41 of the ledger')"
            .to_owned(),
    )
    .await;
    let (operator, reader) = (
        site.visitor("mira", &site.operator).await,
        site.visitor("rosa", &site.reader).await,
    );
    let all = page(&operator, "/handlers").await;
    for expected in [
        ">unserved<",
        ">paused<",
        "/act/pause_handler?handler=shop",
        "/act/resume_handler?handler=crm",
        "/act/pause_all_handlers",
        "release 41 of the ledger",
    ] {
        assert!(all.contains(expected), "{expected}");
    }
    let seen = page(&reader, "/handlers").await;
    assert!(seen.contains(">unserved<"));
    assert!(!seen.contains("/act/") && !seen.contains("release 41"));

    let one = page(&operator, "/handlers/shop").await;
    for expected in [
        "no configuration has it any more",
        "/act/reschedule_all?handler=shop",
        "/act/retire_handler?handler=shop",
        "id=\"delivery-1003\"",
        "airalo.*",
    ] {
        assert!(one.contains(expected), "{expected}");
    }
    assert!(!page(&reader, "/handlers/shop").await.contains("/act/"));
    assert_eq!(operator.get("/handlers/nobody").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn busy_slots_are_those_of_live_processes() {
    let site = Site::new().await;
    run(
        &site,
        "SELECT order_arrived(n) FROM generate_series(1, 30) n; \
         SELECT pending(n) FROM generate_series(1, 30) n; \
         UPDATE hookfast_data.outbox SET lease_id = 7 WHERE id <= 1012; \
         INSERT INTO hookfast_data.processes (owner, roles, version, seen_at, handlers, slots) VALUES \
             ('one', '{worker}', '0', now(), '{crm,shop}', '{NULL,16}'), \
             ('two', '{worker}', '0', now(), '{shop}', '{4}'), \
             ('gone', '{worker}', '0', now() - interval '1 minute', '{shop}', '{100}')"
            .to_owned(),
    )
    .await;
    let operator = site.visitor("mira", &site.operator).await;
    assert!(
        page(&operator, "/")
            .await
            .contains("data-label=\"Slots busy\">12 of 20</td>")
    );
    assert!(
        page(&operator, "/handlers/shop")
            .await
            .contains("12 of 20 slots are busy")
    );
    // A worker holds more than it runs, so that the next delivery is there when one ends.
    let more = "UPDATE hookfast_data.outbox SET lease_id = 7 WHERE id <= 1025";
    run(&site, more.to_owned()).await;
    // What a page shows of a handler is kept for some seconds for each role.
    let reader = site.visitor("rosa", &site.reader).await;
    assert!(
        page(&reader, "/handlers/shop")
            .await
            .contains("20 of 20 slots are busy")
    );
    assert!(
        !page(&operator, "/handlers/crm")
            .await
            .contains("slots are busy"),
        "clients run it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_are_paged_once_each_in_every_state() {
    let site = Site::new().await;
    run(
        &site,
        "SELECT order_arrived(n) FROM generate_series(1, 420) n; \
         SELECT pending(n) FROM generate_series(1, 120) n; \
         SELECT died(n, died_at => now()) FROM generate_series(121, 270) n; \
         SELECT delivered(n) FROM generate_series(271, 420) n"
            .to_owned(),
    )
    .await;
    let operator = site.visitor("mira", &site.operator).await;
    for (state, expected) in [
        ("ready", 120),
        ("dead", 150),
        ("delivered", 150),
        ("waiting", 0),
    ] {
        let path = format!("/handlers/shop?state={state}&window=24h");
        let mut seen = all_rows(&operator, &path).await;
        assert_eq!(seen.len(), expected, "{state}");
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), expected, "{state}: each once");
    }
    // What is no state, window or cursor is the first page.
    let path = "/handlers/shop?state=x&window=y&cursor=';--";
    assert!(page(&operator, path).await.contains("id=\"delivery-1001\""));
}

/// The deliveries of all pages of a list.
pub(super) async fn all_rows(visitor: &Visitor<'_>, path: &str) -> Vec<String> {
    let (mut rows, mut next) = (Vec::new(), Some(path.to_owned()));
    while let Some(path) = next {
        let page = page(visitor, &path).await;
        let ids = page.split("<tr id=\"delivery-").skip(1);
        rows.extend(ids.filter_map(|row| row.split('"').next().map(str::to_owned)));
        next = page.split_once("\" rel=\"next\"").map(|(before, _)| {
            let address = before.rsplit("href=\"").next().expect("an address");
            address.replace("&#38;", "&")
        });
    }
    rows
}
