//! Evidence is counted where it is the same, and bounded where it is not.

use super::Store;
use hookfast::store::{Connection, EvidenceBound, NewEvidence, Role};

const BOUND: EvidenceBound = EvidenceBound { rows: 3, bytes: 1000 };
const KEPT: &str = "SELECT coalesce(string_agg(convert_from(substring(body, 1, 1), 'UTF8') || count, ' ' ORDER BY quarantine_id), 'nothing') FROM hookfast.quarantine";

struct Keeper {
    store: Store,
    connection: Connection,
}

impl Keeper {
    async fn new() -> Self {
        let store = Store::new().await;
        let connection = store.connection(Role::Quarantine).await;
        Self { store, connection }
    }

    /// What is identical to another has the same digest: here, the same letter.
    async fn keep(&mut self, letter: u8, bytes: usize, evict: bool) -> bool {
        let evidence = NewEvidence {
            source: self.store.source,
            reason: "wrong_signature",
            digest: [letter; 32],
            topic: None,
            headers: "{}".to_owned(),
            body: vec![letter; bytes].into(),
        };
        self.connection.keep_evidence(&evidence, BOUND, evict).await.expect("an answer")
    }

    async fn kept(&self) -> String {
        self.store.text(KEPT).await
    }
}

#[tokio::test]
async fn identical_ones_are_one_row_with_a_count() {
    for evict in [true, false] {
        let mut keeper = Keeper::new().await;
        for letter in *b"aabaab" {
            assert!(keeper.keep(letter, 10, evict).await);
        }
        assert_eq!(keeper.kept().await, "a4 b2");
        let times = "SELECT count(*) FROM hookfast.quarantine WHERE last_at > first_at";
        assert_eq!(keeper.store.count(times).await, 2);
    }
}

#[tokio::test]
async fn the_oldest_leave_where_they_may() {
    let mut keeper = Keeper::new().await;
    for letter in *b"abacde" {
        assert!(keeper.keep(letter, 10, true).await);
    }
    assert_eq!(keeper.kept().await, "c1 d1 e1", "at most three rows");
    assert!(keeper.keep(b'f', 985, true).await);
    assert_eq!(keeper.kept().await, "e1 f1", "at most a thousand bytes");
    assert!(keeper.keep(b'g', 2000, true).await);
    assert_eq!(keeper.kept().await, "g1", "the newest is always kept");
    keeper.store.execute("SELECT hookfast.reverify(at_most => 1)").await;
    for letter in *b"hijk" {
        assert!(keeper.keep(letter, 10, true).await);
    }
    assert_eq!(keeper.kept().await, "g1 i1 j1 k1", "what an operator asked for waits for its answer");
}

#[tokio::test]
async fn at_the_bound_nothing_more_is_kept_where_nothing_may_leave() {
    let mut keeper = Keeper::new().await;
    for letter in *b"abc" {
        assert!(keeper.keep(letter, 10, false).await);
    }
    assert!(!keeper.keep(b'd', 10, false).await, "three rows");
    assert!(keeper.keep(b'b', 10, false).await, "what is known is counted all the same");
    assert_eq!(keeper.kept().await, "a1 b2 c1");
    keeper.store.execute("DELETE FROM hookfast_data.quarantine WHERE count = 1").await;
    assert!(!keeper.keep(b'd', 991, false).await, "a thousand bytes");
    assert!(keeper.keep(b'd', 990, false).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_at_once_is_one_row_and_no_count_is_lost() {
    let keeper = Keeper::new().await;
    let mut keepers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (mut connection, source) = (keeper.store.connection(Role::Quarantine).await, keeper.store.source);
        keepers.spawn(async move {
            for i in 0..25u8 {
                let (digest, body) = ([b'a' + i % 5; 32], vec![b'a' + i % 5].into());
                let evidence = NewEvidence {
                    source,
                    reason: "wrong_signature",
                    digest,
                    topic: None,
                    headers: "{}".to_owned(),
                    body,
                };
                let bound = EvidenceBound { rows: 100, bytes: 1000 };
                assert!(connection.keep_evidence(&evidence, bound, true).await.expect("kept"));
            }
        });
    }
    keepers.join_all().await;
    assert_eq!(keeper.kept().await.split(' ').count(), 5);
    assert_eq!(keeper.store.count("SELECT sum(count)::bigint FROM hookfast.quarantine").await, 100);
}

/// Genuine requests wait for the ingress to verify them once more: who tidies up meanwhile must not lose them.
#[tokio::test]
async fn what_an_operator_asked_for_is_not_discarded_before_it_is_answered() {
    let mut keeper = Keeper::new().await;
    for letter in *b"ab" {
        assert!(keeper.keep(letter, 10, true).await);
    }
    keeper.store.execute("SELECT hookfast.release(1, 'genuine')").await;
    assert!(keeper.keep(b'c', 10, true).await);
    let matching = "SELECT matching FROM hookfast.discard_quarantined()";
    assert_eq!(keeper.store.count(matching).await, 2);
    // It is asked for between the look and the act.
    let mut asking = keeper.store.pool.begin().await.expect("a transaction");
    sqlx::query("SELECT hookfast.release(2, 'genuine')").execute(&mut *asking).await.expect("asked");
    let pool = keeper.store.pool.clone();
    let discarding = tokio::spawn(async move {
        let discard = "SELECT changed FROM hookfast.discard_quarantined(why => 'forged', at_most => 2)";
        sqlx::query_scalar::<_, i64>(discard).fetch_one(&pool).await.expect("discarded")
    });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    crate::support::wait_until("the other one", async || {
        discarding.is_finished() || keeper.store.count(waits).await > 0
    })
    .await;
    asking.commit().await.expect("committed");
    assert_eq!(discarding.await.expect("it ends"), 1);
    assert_eq!(keeper.kept().await, "a1 b1");
}
