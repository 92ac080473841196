//! Identical evidence is counted, and different evidence is bounded.

use super::Store;
use hookfast::internals::store::{Connection, EvidenceBody, EvidenceBound, NewEvidence, Role};

const BOUND: EvidenceBound = EvidenceBound {
    rows: 3,
    bytes: 1000,
};
const KEPT: &str = "SELECT coalesce(string_agg(convert_from(substring(body, 1, 1), 'UTF8') || count, ' ' ORDER BY quarantine_id), 'nothing') FROM hookfast.quarantine";

struct Fixture {
    store: Store,
    connection: Connection,
}

impl Fixture {
    async fn new() -> Self {
        let store = Store::new().await;
        let connection = store.connection(Role::Quarantine).await;
        Self { store, connection }
    }

    /// Identical requests have the same digest: here, the same letter.
    async fn keep(&mut self, letter: u8, bytes: usize, answered: bool) -> bool {
        let body = vec![letter; bytes].into();
        let body = if answered {
            EvidenceBody::Answered(body)
        } else {
            EvidenceBody::Whole(body)
        };
        self.keep_as("wrong_signature", letter, body).await
    }

    async fn keep_as(&mut self, reason: &'static str, letter: u8, body: EvidenceBody) -> bool {
        let evidence = NewEvidence {
            source: self.store.source,
            reason,
            digest: [letter; 32],
            topic: None,
            headers: "{}".to_owned(),
            body,
        };
        self.connection
            .keep_evidence(&evidence, BOUND)
            .await
            .expect("an answer")
    }

    async fn keep_excerpt(&mut self, letter: u8) -> bool {
        let body = EvidenceBody::Excerpt {
            start: vec![letter; 10].into(),
            bytes: 100_000,
            sha256: [7; 32],
        };
        self.keep_as("wrong_signature", letter, body).await
    }

    async fn kept(&self) -> String {
        self.store.text(KEPT).await
    }
}

#[tokio::test]
async fn identical_ones_are_one_row_with_a_count() {
    for answered in [false, true] {
        let mut fixture = Fixture::new().await;
        for letter in *b"aabaab" {
            assert!(fixture.keep(letter, 10, answered).await);
        }
        assert_eq!(fixture.kept().await, "a4 b2");
        let times = "SELECT count(*) FROM hookfast.quarantine WHERE last_at > first_at";
        assert_eq!(fixture.store.count(times).await, 2);
    }
}

#[tokio::test]
async fn of_those_answered_401_the_oldest_and_the_largest_are_evicted() {
    let mut fixture = Fixture::new().await;
    for letter in *b"abacde" {
        assert!(fixture.keep(letter, 10, false).await);
    }
    assert_eq!(fixture.kept().await, "c1 d1 e1", "at most three rows");
    fixture.keep(b'f', 985, false).await;
    assert_eq!(
        fixture.kept().await,
        "d1 e1",
        "at most a thousand bytes, and small ones stay instead of a large one"
    );
    fixture.keep(b'g', 980, false).await;
    assert_eq!(fixture.kept().await, "d1 e1 g1");
    fixture
        .store
        .execute("SELECT hookfast.reverify_quarantined(at_most => 3, why => 'a test')")
        .await;
    for letter in *b"hijk" {
        fixture.keep(letter, 10, false).await;
    }
    let asked = "SELECT string_agg(convert_from(substring(body, 1, 1), 'UTF8'), '' ORDER BY 1) FROM hookfast.quarantine WHERE requested_action IS NOT NULL";
    assert_eq!(
        fixture.store.text(asked).await,
        "deg",
        "requests with a requested action wait for its result"
    );
}

#[tokio::test]
async fn no_reason_uses_the_capacity_of_another() {
    let mut fixture = Fixture::new().await;
    for letter in *b"abc" {
        assert!(fixture.keep(letter, 10, false).await);
    }
    for letter in *b"stuvwxyz" {
        fixture
            .keep_as(
                "missing_signature",
                letter,
                EvidenceBody::Whole(vec![letter; 300].into()),
            )
            .await;
    }
    assert_eq!(fixture.kept().await, "a1 b1 c1 x1 y1 z1");
}

#[tokio::test]
async fn requests_answered_200_are_never_evicted_and_have_their_own_bounds() {
    let mut fixture = Fixture::new().await;
    for letter in *b"abc" {
        assert!(fixture.keep(letter, 10, true).await);
    }
    assert!(!fixture.keep(b'd', 10, true).await, "three rows");
    assert!(
        fixture.keep(b'b', 10, true).await,
        "known requests are still counted"
    );
    for letter in *b"stuvwxyz" {
        assert!(
            fixture.keep(letter, 10, false).await,
            "requests answered 401 have their own bound"
        );
    }
    assert_eq!(fixture.kept().await, "a1 b2 c1 x1 y1 z1");
    fixture
        .store
        .execute("DELETE FROM hookfast_data.quarantine WHERE responded_ok AND count = 1")
        .await;
    assert!(!fixture.keep(b'd', 991, true).await, "a thousand bytes");
    assert!(fixture.keep(b'd', 990, true).await);
    assert_eq!(fixture.kept().await, "b2 x1 y1 z1 d1");
}

#[tokio::test]
async fn a_request_that_was_401_and_is_200_now_is_kept_whole() {
    let mut fixture = Fixture::new().await;
    assert!(fixture.keep_excerpt(b'a').await && fixture.keep(b'b', 10, false).await);
    let state = "SELECT string_agg(concat_ws(' ', count, responded_ok, is_excerpt, bytes, octet_length(body)), ', ' ORDER BY quarantine_id) FROM hookfast.quarantine";
    assert_eq!(
        fixture.store.text(state).await,
        "1 f t 100000 10, 1 f f 10 10"
    );
    assert!(fixture.keep(b'a', 500, true).await);
    assert_eq!(
        fixture.store.text(state).await,
        "2 t f 500 500, 1 f f 10 10"
    );
    assert!(
        !fixture.keep(b'b', 501, true).await,
        "without room nothing is promised"
    );
    assert_eq!(
        fixture.store.text(state).await,
        "2 t f 500 500, 1 f f 10 10"
    );
    // It keeps its status, however it is answered later.
    assert!(fixture.keep(b'a', 500, false).await);
    for letter in *b"stuvwxyz" {
        assert!(fixture.keep(letter, 10, false).await);
    }
    assert_eq!(fixture.kept().await, "a3 x1 y1 z1");
}

#[tokio::test]
async fn an_excerpt_is_neither_reverified_nor_approved() {
    let mut fixture = Fixture::new().await;
    assert!(fixture.keep_excerpt(b'a').await && fixture.keep(b'b', 10, false).await);
    let changed = "SELECT matching || ' ' || changed FROM hookfast.reverify_quarantined(at_most => 10, why => 'a test')";
    assert_eq!(fixture.store.text(changed).await, "1 1");
    let answers = "SELECT string_agg(coalesce(last_result, requested_action), ' ' ORDER BY quarantine_id) FROM hookfast.quarantine";
    assert_eq!(fixture.store.text(answers).await, "excerpt reverify");
    let refused = sqlx::query("SELECT hookfast.approve_quarantined(1, 'genuine')")
        .execute(&fixture.store.pool)
        .await;
    let refused = refused
        .expect_err("refused")
        .into_database_error()
        .expect("ours");
    assert_eq!(refused.code().as_deref(), Some("HF006"));
    assert!(
        refused.message().contains("only the beginning of the body"),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_at_once_is_one_row_and_no_count_is_lost() {
    let fixture = Fixture::new().await;
    let mut keepers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (mut connection, source) = (
            fixture.store.connection(Role::Quarantine).await,
            fixture.store.source,
        );
        keepers.spawn(async move {
            for i in 0..25u8 {
                let (digest, body) = ([b'a' + i % 5; 32], vec![b'a' + i % 5].into());
                let evidence = NewEvidence {
                    source,
                    reason: "wrong_signature",
                    digest,
                    topic: None,
                    headers: "{}".to_owned(),
                    body: EvidenceBody::Whole(body),
                };
                let bound = EvidenceBound {
                    rows: 100,
                    bytes: 1000,
                };
                assert!(
                    connection
                        .keep_evidence(&evidence, bound)
                        .await
                        .expect("kept")
                );
            }
        });
    }
    keepers.join_all().await;
    assert_eq!(fixture.kept().await.split(' ').count(), 5);
    assert_eq!(
        fixture
            .store
            .count("SELECT sum(count)::bigint FROM hookfast.quarantine")
            .await,
        100
    );
}

/// Genuine requests wait for the ingress to verify them again. Discarding requests meanwhile must
/// not lose them.
#[tokio::test]
async fn requests_with_a_pending_operator_action_are_not_discarded() {
    let mut fixture = Fixture::new().await;
    for letter in *b"ab" {
        assert!(fixture.keep(letter, 10, false).await);
    }
    fixture
        .store
        .execute("SELECT hookfast.approve_quarantined(1, 'genuine')")
        .await;
    assert!(fixture.keep(b'c', 10, false).await);
    let matching = "SELECT matching FROM hookfast.discard_quarantined()";
    assert_eq!(fixture.store.count(matching).await, 2);
    // The request is made between the preview and the change.
    let mut asking = fixture.store.pool.begin().await.expect("a transaction");
    sqlx::query("SELECT hookfast.approve_quarantined(2, 'genuine')")
        .execute(&mut *asking)
        .await
        .expect("queried");
    let pool = fixture.store.pool.clone();
    let discarding = tokio::spawn(async move {
        let discard =
            "SELECT changed FROM hookfast.discard_quarantined(why => 'forged', at_most => 2)";
        sqlx::query_scalar::<_, i64>(discard)
            .fetch_one(&pool)
            .await
            .expect("discarded")
    });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    crate::support::wait_until("the other one", async || {
        discarding.is_finished() || fixture.store.count(waits).await > 0
    })
    .await;
    asking.commit().await.expect("committed");
    assert_eq!(discarding.await.expect("it ends"), 1);
    assert_eq!(fixture.kept().await, "a1 b1");
}
