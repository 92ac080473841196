//! The index of new events: a failure at one event does not stop the others, and events that are
//! not indexed are searched when a person's data is erased.

use super::Story;
use hookfast::internals::domain::SearchTerms;
use hookfast::internals::store::EventIndexer;
use sqlx::Connection;

const MARKED: &str = "SELECT string_agg(k.key, ' ') FROM hookfast_data.search_terms t JOIN hookfast_data.idempotency_keys k USING (event_id) WHERE t.term = ''";

impl Story {
    /// Indexes events that are old enough; returns how many events have search terms.
    pub(super) async fn index(&self) -> String {
        let mut indexer = EventIndexer::of_new_events();
        while indexer.step(&self.pool).await.expect("a batch") {}
        self.text("SELECT count(DISTINCT event_id) FROM hookfast_data.search_terms")
            .await
    }

    /// An order with that payload instead of its own.
    async fn arrived_with(&self, n: u32, payload: &str) {
        self.execute(&format!("SELECT order_arrived({n}); UPDATE hookfast_data.events SET body = convert_to({payload}, 'UTF8') WHERE id = event_of({n})"))
            .await;
    }

    async fn erasable(&self, term: &str) -> String {
        self.text(&format!(
            "SELECT matching FROM hookfast.erase_all(term => '{term}')"
        ))
        .await
    }
}

#[tokio::test]
async fn only_an_event_that_cannot_be_indexed_is_skipped() {
    let story = Story::new().await;
    story
        .execute("SELECT order_arrived(n) FROM generate_series(1, 7) n")
        .await;
    story
        .execute("ALTER TABLE hookfast_data.search_terms ADD CHECK (term <> 'request-3')")
        .await;
    assert_eq!(story.index().await, "7", "the third is found by its mark");
    assert_eq!(story.text(MARKED).await, "order:request-3:completed");
    let terms = "SELECT string_agg(term, ' ' ORDER BY term) FROM hookfast_data.search_terms WHERE term LIKE 'request-%'";
    assert_eq!(
        story.text(terms).await,
        "request-1 request-2 request-4 request-5 request-6 request-7"
    );
    let log = "SELECT details->>'why' FROM hookfast_data.audit_log WHERE action = 'event.not_indexed' AND target = event_of(3)::text";
    assert_eq!(story.text(log).await, "SQLSTATE 23514");
    assert_eq!(story.erasable("request-3").await, "1");
    story
        .execute("SELECT order_arrived(8, minutes_ago => 2)")
        .await;
    assert_eq!(story.index().await, "8", "the indexer continues");
}

#[tokio::test]
async fn a_partly_indexed_event_is_erased_together_with_its_mark() {
    let story = Story::new().await;
    story
        .arrived_with(
            1,
            "(SELECT jsonb_agg(jsonb_build_object('iccid', 'card ' || n)) FROM generate_series(1, 150) n)::text",
        )
        .await;
    story
        .arrived_with(
            2,
            r#"'{"iccid": "card 1", "x": "' || repeat('x', 1100000) || '"}'"#,
        )
        .await;
    story
        .arrived_with(3, r#"'{"\u0069ccid": "card\u00201"}'"#)
        .await;
    story.index().await;
    assert_eq!(
        story.text(MARKED).await,
        "order:request-1:completed order:request-2:completed"
    );
    assert_eq!(
        story
            .text("SELECT count(*) FROM hookfast_data.search_terms WHERE term LIKE 'card %'")
            .await,
        "101"
    );
    assert_eq!(story.erasable("card 1").await, "3");
    assert_eq!(story.erasable("card 150").await, "1");
    assert_eq!(story.erasable("card 151").await, "0");
    assert_eq!(story.erasable("").await, "0", "the mark is not a term");
    assert_eq!(
        story.text("SELECT count(*) FROM hookfast.find('')").await,
        "0"
    );
    story
        .execute("SELECT hookfast.erase_all(term => 'card 1', why => 'a request', at_most => 3)")
        .await;
    assert_eq!(
        story
            .text("SELECT count(*) FROM hookfast_data.search_terms")
            .await,
        "0"
    );
}

#[tokio::test]
async fn an_enqueued_event_with_too_many_values_is_marked_at_once() {
    let story = Story::new().await;
    story.execute("INSERT INTO hookfast_data.sources (name, kind, search_fields) VALUES ('own', 'sql', '{order}')").await;
    for (n, payload) in [
        (
            1,
            "SELECT jsonb_agg(jsonb_build_object('order', n)) FROM generate_series(1, 120) n",
        ),
        (
            2,
            "SELECT (repeat('[', 5000) || '{\"order\": 7777}' || repeat(']', 5000))::jsonb",
        ),
        (
            3,
            "SELECT jsonb_agg(jsonb_build_object('x', n) || '{\"order\": 7777}') FROM generate_series(1, 2000) n",
        ),
        (4, "SELECT '{\"order\": 7777}'::jsonb"),
    ] {
        story
            .execute(&format!(
                "SELECT hookfast.enqueue('own', 'own.paid', ({payload}), 'key-{n}')"
            ))
            .await;
    }
    assert_eq!(story.text(MARKED).await, "key-1 key-2 key-3");
    assert_eq!(story.erasable("7777").await, "3");
    assert_eq!(story.erasable("120").await, "1");
}

/// Each level of a payload is a copy of everything below it, so the amount that is read is bounded
/// by its length too.
#[tokio::test]
async fn a_large_or_deep_payload_is_enqueued_in_time_and_marked() {
    let story = Story::new().await;
    story.execute("INSERT INTO hookfast_data.sources (name, kind, search_fields) VALUES ('own', 'sql', '{id}')").await;
    let nested = |levels: usize, open: &str, close: &str, inner: &str| {
        format!("(repeat('{open}', {levels}) || {inner} || repeat('{close}', {levels}))::jsonb")
    };
    let text = |bytes: usize| format!("'\"' || repeat('z', {bytes}) || '\"'");
    for (name, payload, marked) in [
        ("deep", nested(5000, "[", "]", "1"), true),
        ("named", nested(5000, "{\"id\":", "}", "1"), true),
        (
            "wide",
            "(SELECT jsonb_agg(jsonb_build_object('id', i)) FROM generate_series(1, 100000) i)"
                .to_owned(),
            true,
        ),
        ("large", nested(31, "{\"a\":", "}", &text(20_000_000)), true),
        ("usual", "'{\"id\": \"only-here\"}'".to_owned(), false),
    ] {
        story
            .execute(&format!(
                "SET LOCAL statement_timeout = '5s'; SELECT hookfast.enqueue('own', 'own.{name}', {payload})"
            ))
            .await;
        let mark = format!(
            "SELECT bool_or(t.term = '') FROM hookfast.events e JOIN hookfast_data.search_terms t USING (event_id) WHERE e.type = 'own.{name}'"
        );
        assert_eq!(story.text(&mark).await, marked.to_string(), "{name}");
    }
    assert_eq!(
        story
            .text("SELECT count(*) FROM hookfast.find('only-here')")
            .await,
        "1"
    );
    assert_eq!(
        story.erasable("99999").await,
        "1",
        "marked events are searched as well"
    );
}

#[tokio::test]
async fn erasing_finds_unindexed_events_however_many_they_are() {
    let story = Story::new().await;
    story
        .execute("SELECT order_arrived(n) FROM generate_series(1, 5003) n")
        .await;
    assert_eq!(
        story
            .text("SELECT count(*) FROM hookfast.find('request-1')")
            .await,
        "0",
        "only the newest are searched"
    );
    assert_eq!(story.erasable("request-1").await, "1");
    assert_eq!(
        story
            .text("SELECT count(*) FROM hookfast.find('request-5003')")
            .await,
        "1"
    );
}

#[tokio::test]
async fn conflicts_are_announced_while_the_indexer_is_busy() {
    let story = Story::new().await;
    story.execute("SELECT order_arrived(n) FROM generate_series(1, 4) n; UPDATE hookfast_data.events SET conflicts_with = event_of(1) WHERE id IN (event_of(2), event_of(3))").await;
    let mut connection = story.connect().await;
    let mut indexing = connection.begin().await.expect("a transaction");
    sqlx::query("SELECT FROM hookfast_data.next_events(1, 1, 1)")
        .execute(&mut *indexing)
        .await
        .expect("locks the index");
    for announced in ["1", "1", "0"] {
        assert_eq!(
            story.text("SELECT hookfast_data.alert_conflicts(1)").await,
            announced
        );
    }
    assert_eq!(
        story
            .text("SELECT count(*) FROM hookfast.alerts WHERE type = 'hookfast.conflict'")
            .await,
        "2"
    );
}

/// Another program searches the body of an event than the one that indexes it.
#[tokio::test]
async fn a_body_is_searched_by_the_rule_that_indexes_it() {
    let story = Story::new().await;
    let fields = ["id".to_owned(), "größe".to_owned(), "a.b \"c\"".to_owned()];
    let written = "ARRAY['id', 'größe', 'a.b \"c\"']";
    for body in [
        r#"{"id": "a", "x": [{"ID" : 2.50}, {"y": {"Größe": -1e3}}]}"#,
        r#"{"\u0069D": "\u0061\/\"b", "GR\u00d6SSE": 1, "GRÖSSE": "x", "gr\u00F6\u00dfe": "\ud83d\ude00é\\n\n"}"#,
        r#"{"a.b \"c\"": "(+)*[x]{2}^$|.?", "aXb \"c\"": "no", "id": "5 "}"#,
        r#"{"note": "say \"id\": 5", "ids": 6, "i": "id", "x": ["id", 7], "id": true}"#,
    ] {
        let quoted = body.replace('\'', "''");
        let found = SearchTerms::of(body.as_bytes(), &fields).terms;
        let others = [
            "2.5", "a ", "5", "6", "7", "no", "id", "1000", "(+)*", "-1e3", "a",
        ]
        .map(ToOwned::to_owned);
        for term in found.iter().cloned().chain(others) {
            let matches = format!(
                "SELECT hookfast_data.body_matches(convert_to('{quoted}', 'UTF8'), hookfast_data.term_pattern({written}, '{}'))",
                term.replace('\'', "''")
            );
            assert_eq!(
                story.text(&matches).await,
                found.contains(&term).to_string(),
                "{term} in {body}"
            );
        }
    }
}
