//! The command `status`.

use super::{RunningCommand, Story};

#[tokio::test(flavor = "multi_thread")]
async fn operate_cli_status_names_the_level_and_the_areas() {
    let story = Story::new().await;
    let trouble = story.run(&["status"]).failed().contains(&[
        "intake",
        "no live process receives webhooks",
        "handler",
    ]);
    assert!(
        trouble.out.starts_with("UNHEALTHY: intake ingress"),
        "{}",
        trouble.out
    );
    assert_eq!(
        story.run(&["status", "--json"]).failed().rows()[0]["state"],
        "critical"
    );
    story
        .execute(
            "INSERT INTO hookfast_data.processes (owner, roles, version) VALUES ('host:1', '{ingress,worker}', '0.1.0'); \
             INSERT INTO hookfast_data.leases (kind, owner, handlers, expires_at) SELECT 'worker', 'host:1', array_agg(id), now() + interval '1 h' FROM hookfast_data.handlers",
        )
        .await;
    let well = story.run(&["status"]).ok();
    assert!(
        well.out
            .starts_with("OK: intake is safe and work is moving\n"),
        "{}",
        well.out
    );
    assert_eq!(
        story.run(&["status", "--json"]).ok().rows()[0]["state"],
        "ok"
    );

    let watching = RunningCommand::start(story.url(), &["status", "--watch"]);
    watching.printed("OK: ", 2).await;
    watching.interrupt();
    watching.ended().await.ok();
}
