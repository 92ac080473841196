//! Any order and any repetition of events.

use super::{Event, Projection};
use proptest::{prelude::*, test_runner::TestRunner};

/// A story of one request: it failed, was completed, conflicted, and was found in Airalo's list,
/// with data and credit notifications.
fn story() -> Vec<Event> {
    let order = |id: u32, iccid: &str, request: &str| {
        format!(
            r#"{{"data":{{"id":{id},"description":"d","price":{id}.5,"sims":[{{"iccid":"{iccid}","matching_id":"m{id}"}}]}}{request}}}"#
        )
    };
    let low = |level: &str, left: u32| {
        format!(
            r#"{{"level":"{level}","package_name":"p","remaining_percentage":{left},"iccid":"8901"}}"#
        )
    };
    vec![
        Event::new(1, r#"{"data":{"code":34,"reason":"no"},"request_id":"r"}"#),
        Event::new(2, order(7, "8901", r#","request_id":"r""#)),
        Event::conflict(3, order(8, "8902", r#","request_id":"r""#)),
        Event::conflict(4, order(9, "8903", r#","request_id":"r""#)),
        // The first order as in Airalo's list, without the request.
        Event::new(5, order(7, "8901", "")),
        Event::new(6, low("75%", 25)),
        Event::new(7, low("90%", 10)),
        Event::new(
            8,
            r#"{"message":"Surpassed 50% of the credit limit balance","remaining":500}"#,
        ),
        Event::new(
            9,
            r#"{"message":"Surpassed 80% of the credit limit balance","remaining":200}"#,
        ),
    ]
}

#[test]
fn any_order_and_any_repetition_have_the_same_result() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (projection, expected) = runtime.block_on(async {
        let projection = Projection::new().await;
        for event in story() {
            projection.bring(&event).await;
        }
        let expected = projection.whole().await;
        (projection, expected)
    });
    for part in [
        "\"90\"",
        "\"80\"",
        "8902",
        "8903",
        "\"possible_double_purchase\": true",
        "\"state\": \"completed\"",
    ] {
        assert!(expected.contains(part), "{part} is not in {expected}");
    }
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let count = story().len();
    let orders = (
        Just((0..count).collect::<Vec<_>>()).prop_shuffle(),
        prop::collection::vec(0..count, 0..6),
    );
    runner
        .run(&orders, |(mut order, again)| {
            order.extend(again);
            let left = runtime.block_on(async {
                projection.empty().await;
                for event in &order {
                    projection.bring(&story()[*event]).await;
                }
                projection.whole().await
            });
            prop_assert_eq!(&left, &expected);
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}
