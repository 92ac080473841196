//! A search field that a source gets later finds the events that are already stored.

use super::Story;
use hookfast::internals::domain::PayloadFields;
use hookfast::internals::store::{EventIndexer, SourceRegistration, register_sources};

impl Story {
    /// A process starts with these search fields for the source.
    async fn registered(&self, search: &[&str]) {
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        let fields = PayloadFields::new(&names(&["lpa"]), &names(search));
        let source = SourceRegistration {
            name: "airalo".parse().expect("a name"),
            kind: "airalo",
            fields,
        };
        register_sources(&self.pool, &[source])
            .await
            .expect("registered");
    }

    async fn found(&self, term: &str) -> String {
        self.text(&format!("SELECT count(*) FROM hookfast.find('{term}')"))
            .await
    }

    async fn reindex_to_the_end(&self) {
        let mut older = EventIndexer::of_older_events();
        while older.step(&self.pool).await.expect("a step") {}
    }
}

const FIELDS: [&str; 4] = ["code", "iccid", "id", "request_id"];
const MORE: [&str; 5] = ["code", "iccid", "id", "quantity", "request_id"];
const JOB: &str =
    "SELECT string_agg(concat_ws(' ', source, state, events_read), ', ') FROM hookfast.reindexes";

#[tokio::test]
async fn a_search_field_that_is_added_finds_stored_events_once_they_are_indexed_again() {
    let story = Story::new().await;
    story
        .execute("SELECT order_arrived(n, 4710 + n) FROM generate_series(1, 9) n")
        .await;
    assert_eq!(story.index().await, "9");
    story.registered(&FIELDS).await;
    assert_eq!(story.text(JOB).await, "null", "nothing has changed");
    let before: i64 = story
        .text("SELECT count(*) FROM hookfast_data.search_terms")
        .await
        .parse()
        .expect("a number");
    story.registered(&MORE).await;
    assert_eq!(story.text(JOB).await, "airalo waiting 0");
    assert_eq!(story.found("4715").await, "0");
    story.reindex_to_the_end().await;
    assert_eq!(story.found("4715").await, "1");
    assert_eq!(story.text(JOB).await, "airalo done 9");
    let after = story
        .text("SELECT count(*) FROM hookfast_data.search_terms")
        .await;
    assert_eq!(
        after,
        (before + 9).to_string(),
        "events that were indexed before have no second terms"
    );
    let logged = "SELECT string_agg(action || ' ' || target || ' ' || (details->>'events'), ', ') FROM hookfast_data.audit_log WHERE action LIKE 'source.%'";
    assert_eq!(story.text(logged).await, "source.reindexed airalo 9");
    // Fewer fields, or the same: there is nothing to index.
    story.registered(&FIELDS).await;
    assert_eq!(story.text(JOB).await, "airalo done 9");
    assert!(
        !EventIndexer::of_older_events()
            .step(&story.pool)
            .await
            .expect("a step"),
        "there is no job"
    );
}

#[tokio::test]
async fn indexing_again_starts_at_the_newest_and_continues_in_steps() {
    let story = Story::new().await;
    story.execute("SELECT order_arrived(n, 100000 + n) FROM generate_series(1, 1200) n; ANALYZE hookfast_data.events").await;
    story.index().await;
    story.registered(&MORE).await;
    assert!(
        EventIndexer::of_older_events()
            .step(&story.pool)
            .await
            .expect("a step")
    );
    assert_eq!(
        (story.found("101200").await, story.found("100001").await),
        ("1".into(), "0".into())
    );
    assert_eq!(story.text(JOB).await, "airalo running 500");
    let row = "SELECT message FROM hookfast.status() WHERE area = 'search' AND subject = 'airalo' AND state = 'ok'";
    let message = story.text(row).await;
    assert!(
        message.contains("500 of about 1200 read, complete since 20"),
        "{message}"
    );
    // Another process, or the same after a restart.
    assert!(
        EventIndexer::of_older_events()
            .step(&story.pool)
            .await
            .expect("a step")
    );
    assert_eq!(story.text(JOB).await, "airalo running 1000");
    // Another field is added meanwhile: the job starts over.
    story
        .registered(&["code", "data", "iccid", "id", "quantity", "request_id"])
        .await;
    assert_eq!(story.text(JOB).await, "airalo waiting 0");
    story.reindex_to_the_end().await;
    assert_eq!(story.found("100001").await, "1");
    assert_eq!(
        story.text(row).await,
        "null",
        "an ended job is not in the status"
    );
}

#[tokio::test]
async fn an_event_that_cannot_be_indexed_again_is_marked_and_skipped() {
    let story = Story::new().await;
    story
        .execute("SELECT order_arrived(n, 4710 + n) FROM generate_series(1, 7) n")
        .await;
    story.index().await;
    story
        .execute("ALTER TABLE hookfast_data.search_terms ADD CHECK (term <> '4713')")
        .await;
    story.registered(&MORE).await;
    story.reindex_to_the_end().await;
    let terms = "SELECT string_agg(term, ' ' ORDER BY term) FROM hookfast_data.search_terms WHERE term LIKE '471_'";
    assert_eq!(story.text(terms).await, "4711 4712 4714 4715 4716 4717");
    let passed = "SELECT bool_and(target = event_of(3)::text) FROM hookfast_data.audit_log WHERE action = 'event.not_indexed'";
    assert_eq!(story.text(passed).await, "true");
    assert_eq!(story.text(JOB).await, "airalo done 7");
}

#[tokio::test]
async fn no_event_is_indexed_again_during_an_erasing() {
    let story = Story::new().await;
    story.execute("SELECT order_arrived(1, 4711)").await;
    story.index().await;
    story.registered(&MORE).await;
    let mut erasing = story.pool.begin().await.expect("a transaction");
    sqlx::query("SELECT hookfast.erase(event_of(1), 'a request')")
        .execute(&mut *erasing)
        .await
        .expect("erased");
    assert!(
        !EventIndexer::of_older_events()
            .step(&story.pool)
            .await
            .expect("a step")
    );
    erasing.commit().await.expect("committed");
    story.reindex_to_the_end().await;
    assert_eq!(
        story
            .text("SELECT count(*) FROM hookfast_data.search_terms")
            .await,
        "0"
    );
}

#[tokio::test]
async fn an_operator_can_have_a_source_indexed_again() {
    let story = Story::new().await;
    story.execute("SELECT order_arrived(1)").await;
    assert_eq!(
        story
            .refused("SELECT hookfast.reindex('nobody', 'x')")
            .await,
        "HF004"
    );
    assert_eq!(
        story.refused("SELECT hookfast.reindex('airalo', '')").await,
        "22023"
    );
    story
        .execute("SELECT hookfast.reindex('airalo', 'events were passed over')")
        .await;
    story.reindex_to_the_end().await;
    assert_eq!(
        (story.text(JOB).await, story.found("request-1").await),
        ("airalo done 1".into(), "1".into())
    );
}
