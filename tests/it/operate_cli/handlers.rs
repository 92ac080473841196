//! Commands about handlers and replays.

use super::{RunningCommand, Story};

#[tokio::test(flavor = "multi_thread")]
async fn operate_cli_handlers_and_replays() {
    let story = Story::new().await;
    story.run(&["handlers", "show", "shop"]).ok().contains(&[
        "airalo.*",
        "backlog",
        "failures of the last day",
        "status 500",
    ]);
    story
        .run(&["handlers", "show", "shop", "--json"])
        .ok()
        .contains(&["\"dead_letters\":2"]);
    story
        .run(&["handlers", "show", "none"])
        .failed()
        .complains(&["no handler is named 'none'", "hint: "]);
    story
        .run(&["handlers", "failures"])
        .ok()
        .contains(&["shop", "status 500", "no stock"]);
    assert_eq!(
        story
            .run(&["handlers", "failures", "shop", "--json"])
            .ok()
            .rows()[0]["count"],
        2
    );
    story
        .run(&["handlers", "failures", "mail"])
        .ok()
        .complains(&["no failed attempts"]);
    let handlers = "hint: existing handlers: mail, shop";
    for list in ["deliveries", "dead-letters", "replays", "backlog"] {
        let nobody = [list, "--handler", "ship"];
        story
            .run(&nobody)
            .ok()
            .complains(&["no handler is named 'ship'", handlers]);
    }
    story
        .run(&["handlers", "failures", "ship"])
        .ok()
        .complains(&["no handler is named 'ship'", handlers]);
    for list in ["events", "conflicts", "quarantine"] {
        story
            .run(&[list, "--source", "arialo"])
            .ok()
            .complains(&["no source is named 'arialo'", "airalo"]);
    }
    story
        .run(&["handlers", "pause", "shop", "--why", "stock is counted"])
        .ok()
        .contains(&["is paused"]);
    story
        .run(&["handlers"])
        .ok()
        .contains(&["paused", "stock is counted"]);
    story
        .run(&["handlers", "resume", "shop", "--json", "--why", "a test"])
        .ok()
        .contains(&["{\"done\":"]);
    story
        .run(&["handlers", "resume", "none", "--why", "a test"])
        .failed()
        .complains(&["no handler is named none", "hint: "]);
    story
        .run(&["handlers", "pause-all", "--why", "a move", "--yes"])
        .ok()
        .contains(&["pause: 2 handlers"]);
    story
        .run(&[
            "handlers",
            "resume-all",
            "--yes",
            "--json",
            "--why",
            "a test",
        ])
        .ok()
        .contains(&["{\"changed\":2}"]);

    let start = [
        "replays",
        "start",
        "--handler",
        "mail",
        "--payload",
        "$.data.price > 1",
        "--per-second",
        "5",
        "--why",
        "lost",
    ];
    let same_id = "receivers see the same webhook-id as before";
    story
        .run(&[&start[..], &["--yes"]].concat())
        .ok()
        .contains(&["replay 1 of 2 events started"])
        .complains(&[same_id, "--new-webhook-id"]);
    let started = story
        .run(&[&start[..], &["--yes", "--json", "--new-webhook-id"]].concat())
        .ok();
    assert!(!started.err.contains(same_id), "{}", started.err);
    assert_eq!(started.rows()[0]["replay_id"], 2, "{}", started.out);
    story
        .run(&["replays", "start", "--handler", "none", "--why", "x"])
        .failed()
        .complains(&["no handler is named none", "hint: "]);
    story
        .run(&["replays"])
        .ok()
        .contains(&["running", "mail", "lost"]);
    assert_eq!(
        story
            .run(&[
                "replays",
                "list",
                "--state",
                "running",
                "--handler",
                "mail",
                "--json"
            ])
            .ok()
            .rows()
            .len(),
        2
    );
    story
        .run(&["replays", "show", "1"])
        .ok()
        .contains(&["per second", "$.\"data\".\"price\""]);
    story
        .run(&["replays", "show", "1", "--json"])
        .ok()
        .contains(&["\"matching\":2"]);
    story
        .run(&["replays", "show", "9"])
        .failed()
        .complains(&["there is no replay 9"]);
    story
        .run(&["replays", "pause", "1", "--why", "a test"])
        .ok()
        .contains(&["is paused"]);
    story
        .run(&["replays", "pause", "1", "--why", "a test"])
        .failed()
        .complains(&["replay 1 is paused; nothing was changed", "hint: "]);
    story
        .run(&["replays", "resume", "1", "--why", "a test"])
        .ok()
        .contains(&["resumed"]);
    story
        .run(&["replays", "cancel", "1", "--json", "--why", "a test"])
        .ok()
        .contains(&["{\"done\":"]);
    story
        .run(&["replays", "watch", "1"])
        .failed()
        .contains(&["cancelled"]);
    story.run(&["replays", "watch", "9"]).failed();
    let watching = RunningCommand::start(story.url(), &["replays", "watch", "2"]);
    watching.printed("running, 0 of 2", 1).await;
    story.execute("UPDATE hookfast_data.replays SET state = 'done', replayed = 2, ended_at = now() WHERE id = 2").await;
    watching
        .ended()
        .await
        .ok()
        .contains(&["running, 0 of 2", "done, 2 of 2 (100 %)"]);
    story
        .run(&["replays", "watch", "2", "--json"])
        .ok()
        .contains(&["\"state\":\"done\""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_is_retired_after_a_preview_and_never_while_it_is_served() {
    let story = Story::new().await;
    let before = story.everything().await;
    let retire = ["handlers", "retire", "shop", "--why", "renamed"];
    let asked = story.run(&retire).failed();
    asked.complains(&[
        "would retire handler shop and discard 1 pending delivery",
        "7",
        "not a terminal",
    ]);
    let process = "INSERT INTO hookfast_data.processes (owner, roles, version, handlers) VALUES ('host:1', '{worker}', '0.1.0', '{shop}')";
    assert_eq!(story.everything().await, before);
    story.execute(process).await;
    let refused = story.run(&[&retire[..], &["--yes"]].concat()).failed();
    refused.complains(&[
        "handler shop is in use: the process host:1 has it",
        "hint: Remove the handler from",
    ]);
    story.execute("DELETE FROM hookfast_data.processes").await;
    let kept = story
        .run(&[&retire[..], &["--keep", "--yes"]].concat())
        .ok();
    kept.contains(&["handler shop is retired; 1 pending delivery kept"]);
    story
        .run(&["handlers", "show", "shop"])
        .ok()
        .contains(&["retired why", "renamed"]);
    let done = story.run(&[&retire[..], &["--yes"]].concat()).ok();
    done.contains(&["handler shop is retired; 1 pending delivery discarded"]);
    story
        .run(&["handlers"])
        .ok()
        .contains(&["retired", "renamed"]);
    story
        .run(&["handlers", "retire", "crm", "--why", "x", "--yes"])
        .failed()
        .complains(&["no handler is named crm"]);
    let json = story
        .run(&[
            "handlers", "retire", "mail", "--why", "x", "--yes", "--json",
        ])
        .ok();
    assert_eq!(json.rows()[0]["changed"], 0);
}
