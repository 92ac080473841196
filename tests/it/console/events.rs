//! The pages Events, Event and Find.

use super::{Site, Visitor, run, text};
use std::collections::BTreeSet;

/// Bodies that a page, a terminal and psql must not obey.
const HOSTILE: [&[u8]; 6] = [
    br#"{"id":1970670598291982290,"x":"</pre><script>alert(1)</script>","dup":1,"dup":2}"#,
    b"\x00\xff\n'; DROP TABLE x --",
    b"",
    br#"{"it's":"$(id) \\ %s"}"#,
    "\u{202e}gpj.exe".as_bytes(),
    b"1e400",
];

/// Stores an event of a source without secret fields, and returns its id.
async fn store(site: &Site, key: &str, body: &[u8]) -> String {
    run(
        site,
        format!(
            "INSERT INTO hookfast_data.sources (name, kind) VALUES ('acme', 'hmac') ON CONFLICT DO NOTHING; \
             INSERT INTO hookfast_data.events (id, source_id, subscription_version, type, origin, idempotency_key, \
                headers, body) \
             SELECT hookfast_data.new_event_id(), s.id, 1, 'acme.paid', 'webhook', '{key}', \
                '{{\"content-type\": \"application/json\", \"x-signature\": \"canary\"}}', '\\x{}' \
             FROM hookfast_data.sources s WHERE s.name = 'acme'",
            hex::encode(body)
        ),
    )
    .await;
    let query =
        format!("(SELECT event_id::text FROM hookfast.events WHERE idempotency_key = '{key}')");
    site.text(&query).await
}

async fn page(visitor: &Visitor<'_>, path: &str) -> String {
    let answer = visitor.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.head);
    text(&answer)
}

/// The ids of a list, in its order.
fn listed(page: &str) -> Vec<String> {
    let rows = page.split("data-label=\"Type\"><a href=\"/events/").skip(1);
    rows.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()))
        .collect()
}

/// The address of a link of the pager.
fn pager(page: &str, rel: &str) -> Option<String> {
    let (before, _) = page.split_once(&format!("\" rel=\"{rel}\""))?;
    let (_, address) = before.rsplit_once("href=\"")?;
    Some(address.replace("&#38;", "&"))
}

#[tokio::test]
async fn events_of_one_moment_are_listed_once_each() {
    let site = Site::new().await;
    let first = store(&site, "first", b"{}").await;
    run(
        &site,
        "INSERT INTO hookfast_data.events (id, source_id, subscription_version, type, origin, idempotency_key, \
            headers, body) \
         SELECT (substr(e.id::text, 1, 14) || '7' || lpad(to_hex(n / 16), 3, '0') || '-9' || lpad(to_hex(n % 16), 3, '0') \
            || '-000000000000')::uuid, e.source_id, 1, 'acme.same', 'webhook', 'same' || n, '{}', '{}' \
         FROM hookfast_data.events e, generate_series(1, 5000) n WHERE e.idempotency_key = 'first'"
            .to_owned(),
    )
    .await;
    let operator = site.visitor("mira", &site.operator).await;
    let mut seen = Vec::new();
    let mut last = page(&operator, "/events?type=acme.same").await;
    loop {
        seen.extend(listed(&last));
        match pager(&last, "next") {
            Some(next) => last = page(&operator, &next).await,
            None => break,
        }
    }
    let once: BTreeSet<_> = seen.iter().collect();
    assert_eq!((seen.len(), once.len()), (5000, 5000));
    assert!(seen.is_sorted_by(|a, b| a > b));
    assert!(!seen.contains(&first));
    // The page above the last is the one that was read before it, and says how many are newer.
    assert!(last.contains("100+ newer"));
    let above = page(&operator, &pager(&last, "prev").expect("newer")).await;
    assert_eq!(listed(&above), seen[4900..4950]);
}

#[tokio::test]
async fn the_page_shows_and_copies_exactly_the_stored_bytes() {
    let site = Site::new().await;
    let operator = site.visitor("mira", &site.operator).await;
    let reader = site.visitor("ron", &site.reader).await;
    for (number, body) in HOSTILE.iter().enumerate() {
        let id = store(&site, &format!("hostile{number}"), body).await;
        let download = operator.get(&format!("/events/{id}/body")).await;
        assert_eq!(download.body, *body);
        assert_eq!(
            download.header("content-type"),
            Some("application/octet-stream")
        );
        assert_eq!(download.header("x-content-type-options"), Some("nosniff"));
        assert!(
            download
                .header("content-disposition")
                .is_some_and(|value| value.starts_with("attachment;"))
        );
        for tab in ["", "raw", "hex", "headers"] {
            let page = page(&operator, &format!("/events/{id}?body={tab}")).await;
            assert!(!page.contains("<script>alert"), "{tab}");
            assert!(!page.contains("canary"), "a hidden header: {tab}");
            assert!(!page.contains('\u{202e}'), "{tab}");
        }
        let page = page(&operator, &format!("/events/{id}")).await;
        let sql = page
            .split_once("id=\"as-sql\"")
            .and_then(|(_, rest)| rest.split_once("<pre>")?.1.split_once("</pre>"))
            .map(|(sql, _)| sql.replace("&#39;", "'").replace("&#60;", "<"));
        let sql = sql.expect("the statement");
        let selected = format!(
            "(SELECT encode(x.body, 'hex') FROM ({}) x)",
            sql.trim_end_matches(';')
        );
        assert_eq!(site.text(&selected).await, hex::encode(body), "{sql}");
        // Readers see no bytes.
        assert_eq!(reader.get(&format!("/events/{id}/body")).await.status, 404);
        let page = text(&reader.get(&format!("/events/{id}")).await);
        assert!(!page.contains("id=\"as-sql\""));
        assert!(!page.contains("/act/"), "a reader has no acts");
    }
}

#[tokio::test]
async fn invalid_addresses_are_explained() {
    let site = Site::new().await;
    let operator = site.visitor("mira", &site.operator).await;
    for query in [
        "after=yesterday",
        "minute=x",
        "cursor=x",
        "window=2h",
        "type=a%00",
        "payload=%24%28",
    ] {
        let page = page(&operator, &format!("/events?{query}")).await;
        assert!(page.contains("This filter is not valid"), "{query}");
    }
    for path in [
        "/events/x",
        "/events/01a2216f-ac13-755d-9aa7-441aa8cdc63e",
        "/events/x/body",
    ] {
        assert_eq!(operator.get(path).await.status, 404, "{path}");
    }
    let page = page(&operator, "/find?q=%00").await;
    assert!(page.contains("NUL"));
}

#[tokio::test]
async fn one_result_is_opened_and_none_says_what_was_searched() {
    let site = Site::new().await;
    let id = store(&site, "msg-1", b"{}").await;
    let operator = site.visitor("mira", &site.operator).await;
    let answer = operator.get(&format!("/find?q={id}")).await;
    assert_eq!(answer.status, 303);
    assert_eq!(
        answer.header("location"),
        Some(format!("/events/{id}").as_str())
    );
    let answer = operator.get("/find?q=crm").await;
    assert_eq!(answer.header("location"), Some("/handlers/crm"));
    let page = page(&operator, "/find?q=nothing").await;
    assert!(page.contains("was searched among"));
    assert!(page.contains("value=\"nothing\""));
}

#[tokio::test]
async fn an_empty_window_leads_to_the_next_that_has_events() {
    let site = Site::new().await;
    store(&site, "old", b"{}").await;
    let operator = site.visitor("mira", &site.operator).await;
    let page = page(&operator, "/events?after=2100-01-01&source=acme").await;
    assert!(listed(&page).is_empty());
    assert!(page.contains("Show the last hour"), "{page}");
}

#[tokio::test]
async fn secrets_of_a_payload_are_masked_for_everybody() {
    let site = Site::new().await;
    let id = site.text("(SELECT public.order_arrived(1)::text)").await;
    for (name, role) in [("mira", &site.operator), ("ron", &site.reader)] {
        let visitor = site.visitor(name, role).await;
        for tab in ["", "raw", "hex", "headers"] {
            let page = page(&visitor, &format!("/events/{id}?body={tab}")).await;
            assert!(!page.contains("&#34;secret&#34;"), "{name} {tab}");
            assert_eq!(page.contains("***"), tab.is_empty(), "{name} {tab}");
        }
        assert_eq!(
            visitor.get(&format!("/events/{id}/body")).await.status,
            404,
            "{name}"
        );
    }
}

#[tokio::test]
async fn conflicts_are_listed_alone_and_show_who_acknowledged_them() {
    let site = Site::new().await;
    let first = store(&site, "first", b"{\"amount\": 1}").await;
    let second = store(&site, "second", b"{\"amount\": 2}").await;
    run(
        &site,
        format!("UPDATE hookfast_data.events SET conflicts_with = '{first}' WHERE id = '{second}'"),
    )
    .await;
    let operator = site.visitor("mira", &site.operator).await;
    let all = listed(&page(&operator, "/events").await);
    assert_eq!(all, [second.clone(), first]);
    let conflicts = listed(&page(&operator, "/events?source=acme&conflicts=only").await);
    assert_eq!(conflicts, std::slice::from_ref(&second));
    assert!(
        page(&operator, "/events?conflicts=x")
            .await
            .contains("the only value is")
    );

    let address = format!("/events/{second}");
    let acknowledge = format!("/act/acknowledge_conflict?event_id={second}");
    assert!(page(&operator, &address).await.contains(&acknowledge));
    let fields = [("event_id", second.as_str()), ("why", "the sender's test")];
    let answer = operator.post("/act/acknowledge_conflict", &fields).await;
    assert_eq!(answer.status, 303);
    let after = page(&operator, &address).await;
    assert!(after.contains(" acknowledged it ") && !after.contains(&acknowledge));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_says_how_deliveries_ended_and_a_failed_event_which_was_delivered_before() {
    let site = Site::new().await;
    run(
        &site,
        "SELECT order_arrived(n) FROM generate_series(1, 4) n; SELECT delivered(1); SELECT delivered(2); \
         SELECT died(3); SELECT died(4); SELECT hookfast.retry(1004, 'repaired')"
            .to_owned(),
    )
    .await;
    let mut id = Vec::new();
    for n in 1..=4 {
        id.push(site.text(&format!("(SELECT event_of({n})::text)")).await);
    }
    let operator = site.visitor("mira", &site.operator).await;
    let list = page(&operator, "/events?window=all&type=airalo.*").await;
    let row = |n: usize| {
        let (_, rest) = list
            .split_once(&format!("<a href=\"/events/{}\">", id[n - 1]))
            .expect("the event is listed");
        rest.split("</tr>").next().unwrap_or_default().to_owned()
    };
    assert!(row(1).contains("1 delivered") && !row(1).contains("dead"));
    assert!(row(3).contains("1 dead"), "{}", row(3));
    assert!(!row(4).contains(" dead"), "it was retried: {}", row(4));

    let failed = page(&operator, &format!("/events/{}", id[2])).await;
    assert!(failed.contains("The last earlier event of this type that was delivered to shop is"));
    assert!(failed.contains(&format!(
        "href=\"/events/{}?with={}#difference\"",
        id[2], id[1]
    )));
    let taken = page(&operator, &format!("/events/{}", id[1])).await;
    assert!(!taken.contains("The last earlier event"), "nothing fails");
}
