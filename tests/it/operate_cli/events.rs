//! Commands about one event.

use super::Story;

#[tokio::test(flavor = "multi_thread")]
async fn events_of_one_term_are_shown_oldest_first() {
    let story = Story::new().await;
    story
        .execute(
            "UPDATE hookfast_data.events SET body = '{\"data\": {\"iccid\": \"8988\"}}' \
             WHERE idempotency_key IN ('order-2', 'order-3')",
        )
        .await;
    let shown = story.run(&["events", "show", "8988", "--json"]).ok().rows();
    let keys: Vec<_> = shown.iter().map(|row| &row["idempotency_key"]).collect();
    assert_eq!(keys, ["order-1", "order-2", "order-3"]);
}

/// More than the program can read, and less than Postgres can.
#[tokio::test(flavor = "multi_thread")]
async fn operate_cli_shows_an_event_whatever_its_payload_is() {
    let story = Story::new().await;
    for (payload, shown) in [
        ("repeat('[', 200) || repeat(']', 200)", "[[[[[[["),
        ("'{\"n\": 1e400}'", "{\"n\": 1000"),
    ] {
        let body = format!("UPDATE hookfast_data.events SET body = convert_to({payload}, 'UTF8')");
        story
            .execute(&format!("{body} WHERE idempotency_key = 'order-1'"))
            .await;
        story
            .run(&["events", "show", "order-1"])
            .ok()
            .contains(&["order-1", shown, "deliveries"]);
        let row = &story
            .run(&["events", "show", "order-1", "--json"])
            .ok()
            .rows()[0];
        assert!(
            row["payload"]
                .as_str()
                .is_some_and(|text| text.starts_with(shown)),
            "{row}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operate_cli_shows_one_event() {
    let story = Story::new().await;
    let (first, third) = (
        &*story.event("order-1").await,
        &*story.event("order-3").await,
    );
    for text in [first, "order-1", "8988"] {
        story.run(&["events", "show", text]).ok().contains(&[
            first,
            "\"iccid\":\"8988\"",
            "deliveries",
            "delivered",
            "dead",
        ]);
        assert_eq!(
            story.run(&["events", "show", text, "--json"]).ok().rows()[0]["payload"]["data"]["price"],
            12
        );
    }
    story
        .run(&["events", "show", third])
        .ok()
        .contains(&["is not JSON", "not json", "ready"]);
    story
        .run(&["events", "show", "nothing"])
        .failed()
        .complains(&["no event found by 'nothing'", "hint: "]);
    story
        .run(&["events", "timeline", "order-1"])
        .ok()
        .contains(&["received", "delivered", "dead letter", "no stock"]);
    assert!(
        story
            .run(&["events", "timeline", "order-1", "--json"])
            .ok()
            .rows()
            .len()
            >= 4
    );
    // Each line shows a short form of its event id, and the whole id, which a replay needs, is
    // below.
    let short = &first[first.len() - 8..];
    let timeline = story
        .run(&["events", "timeline", "order-1"])
        .ok()
        .contains(&["events", "source", first])
        .out;
    let lines: Vec<&str> = timeline
        .lines()
        .skip(1)
        .take_while(|line| !line.is_empty())
        .collect();
    assert!(
        lines.len() >= 4 && lines.iter().all(|line| line.contains(short)),
        "{timeline}"
    );
    story.run(&["events", "timeline", "nothing"]).failed();
    story.run(&["events", "explain", third]).ok().contains(&[
        "shop",
        "pending",
        "mail",
        "delivered",
    ]);
    assert_eq!(
        story
            .run(&["events", "explain", third, "--json"])
            .ok()
            .rows()
            .len(),
        2
    );

    story
        .run(&["events", "hold", first, "--why", "a lawsuit"])
        .ok()
        .contains(&["is held"]);
    story
        .run(&["events", "unhold", first, "--json", "--why", "a test"])
        .ok()
        .contains(&["{\"done\":"]);
    story
        .run(&["events", "unhold", first, "--why", "a test"])
        .failed()
        .complains(&[
            "is not under a retention hold",
            "hint: See hookfast.retention_holds",
        ]);
    story
        .run(&[
            "events",
            "replay",
            first,
            "--handler",
            "mail",
            "--why",
            "again",
        ])
        .ok()
        .contains(&["is pending for mail again"])
        .complains(&["same webhook-id", "--new-webhook-id"]);
    let again = [
        "events",
        "replay",
        first,
        "--handler",
        "shop",
        "--why",
        "again",
        "--new-webhook-id",
    ];
    assert!(!story.run(&again).ok().err.contains("webhook-id"));
    let replay = story
        .run(&[
            "events",
            "replay",
            third,
            "--handler",
            "mail",
            "--why",
            "again",
            "--json",
        ])
        .ok();
    assert!(replay.rows()[0]["replay_id"].is_i64(), "{}", replay.out);
    story
        .run(&["audit"])
        .ok()
        .contains(&["event.held", "a lawsuit", "event.replayed"]);
    assert_eq!(
        story
            .run(&[
                "audit",
                "--json",
                "--action",
                "event.replayed",
                "--target",
                first,
                "--after",
                "1h"
            ])
            .ok()
            .rows()
            .len(),
        2
    );

    let second = &*story.event("order-2").await;
    let before = story.everything().await;
    story
        .run(&["events", "erase", second, "--why", "a request"])
        .failed()
        .complains(&["would erase 1 event\n", "--yes"]);
    let some = [
        "events",
        "erase",
        "--all",
        "--payload",
        "$.data.price < 10",
        "--why",
        "a request",
    ];
    story
        .run(&some)
        .failed()
        .complains(&["would erase 1 event\n", second]);
    assert_eq!(story.everything().await, before);
    story
        .run(&["events", "erase", "--all", "--why", "x"])
        .failed()
        .complains(&["every event would match", "hint: Give at least one"]);
    story
        .run(&[&some[..], &["--yes"]].concat())
        .ok()
        .contains(&["erase: 1 event\n"]);
    story
        .run(&["events", "erase", second, "--why", "x", "--yes"])
        .failed()
        .complains(&["has a payload", "hint: "]);
    story
        .run(&["events", "erase", third, "--why", "x", "--yes"])
        .failed()
        .complains(&["has a pending delivery", "hookfast.explain"]);
}
