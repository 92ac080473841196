//! Alerts: open, resolved and single ones, each with its section of the runbook.

use super::{Site, run, text};

#[tokio::test(flavor = "multi_thread")]
async fn alerts_are_open_until_their_condition_ends() {
    let site = Site::new().await;
    run(
        &site,
        "SELECT order_arrived(1), died(1); SELECT hookfast_data.alert_dead_letters(10); \
         SELECT hookfast.pause_handler('crm', 'release 41 of the ledger'); SELECT hookfast_data.evaluate_alerts()"
            .to_owned(),
    )
    .await;
    let operator = site.visitor("mira", &site.operator).await;
    let open = text(&operator.get("/alerts").await);
    assert_eq!(
        open.matches("<section class=\"section\" id=\"alert-")
            .count(),
        1
    );
    for expected in [
        "hookfast.handler.paused",
        "release 41 of the ledger",
        "hookfast.resume_handler(&#39;crm&#39;, &#39;the receiver is repaired&#39;)",
        "What not to do",
    ] {
        assert!(open.contains(expected), "{expected}");
    }
    let single = text(&operator.get("/alerts?state=reported").await);
    assert!(single.contains("hookfast.delivery.dead") && single.contains("hookfast.retry(1001, "));
    let nothing = text(&operator.get("/alerts?state=resolved").await);
    assert!(nothing.contains("No alerts in this window"));

    run(
        &site,
        "SELECT hookfast.resume_handler('crm', 'done'); SELECT hookfast_data.evaluate_alerts()"
            .to_owned(),
    )
    .await;
    assert!(text(&operator.get("/alerts").await).contains("No open alerts"));
    let resolved = text(&operator.get("/alerts?state=resolved").await);
    assert!(resolved.contains("It ended"));
    let all = text(&operator.get("/alerts?state=all&window=all").await);
    assert_eq!(
        all.matches("<section class=\"section\" id=\"alert-")
            .count(),
        3
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_has_a_page_and_readers_see_no_reason() {
    let site = Site::new().await;
    run(
        &site,
        "SELECT hookfast.pause_handler('crm', 'release 41 of the ledger'); SELECT hookfast_data.evaluate_alerts()"
            .to_owned(),
    )
    .await;
    let id = site.text("(SELECT event_id FROM hookfast.alerts)").await;
    let reader = site.visitor("rosa", &site.reader).await;
    let page = reader.get(&format!("/alerts/{id}")).await;
    assert_eq!(page.status, 200);
    let page = text(&page);
    assert!(page.contains("hidden from readers") && !page.contains("release 41"));
    for missing in ["x", "01a2216f-ac13-755d-9aa7-441aa8cdc63e"] {
        let answer = reader.get(&format!("/alerts/{missing}")).await;
        assert_eq!(answer.status, 404, "{missing}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_muted_alert_counts_nowhere_until_its_condition_changes() {
    let site = Site::new().await;
    let paused = |why: &str| {
        format!(
            "UPDATE hookfast_data.handlers SET paused_at = now(), paused_why = '{why}' WHERE name = 'crm'; \
             SELECT hookfast_data.evaluate_alerts()"
        )
    };
    let served = "INSERT INTO hookfast_data.leases (kind, owner, handlers, expires_at) \
        SELECT 'worker', 'a test', array_agg(id), now() + interval '1 hour' FROM hookfast_data.handlers";
    run(&site, served.to_owned()).await;
    run(&site, paused("release 41")).await;
    let operator = site.visitor("mira", &site.operator).await;
    let id = site.text("(SELECT event_id FROM hookfast.alerts)").await;
    let before = text(&operator.get("/alerts").await);
    assert!(before.contains(&format!("/act/mute_alert?event_id={id}")));
    let title = |page: &str| {
        let (_, rest) = page.split_once("<title>").expect("a title");
        rest.split("</title>").next().unwrap_or_default().to_owned()
    };
    assert!(title(&before).contains("crm paused") && !before.contains("(muted)"));
    let fields = [("event_id", id.as_str()), ("why", "known until Monday")];
    assert_eq!(operator.post("/act/mute_alert", &fields).await.status, 303);

    // Another visitor, since the summary of a role is kept for seconds.
    let reader = site.visitor("rosa", &site.reader).await;
    let open = text(&reader.get("/alerts").await);
    assert!(open.contains("No open alerts") && open.contains("crm paused"));
    assert!(open.contains("(muted)") && !title(&open).contains("crm"));
    let muted = text(&operator.get("/alerts?state=muted").await);
    assert!(muted.contains("muted until it changes") && muted.contains("known until Monday"));
    assert!(muted.contains(&format!("/act/unmute_alert?event_id={id}")));
    let muted = text(&reader.get("/alerts?state=muted").await);
    assert!(muted.contains("hidden from readers") && !muted.contains("known until"));

    // The same condition is still muted; another reason is a change; so is its end.
    let is_muted = "(SELECT muted_at IS NOT NULL FROM hookfast.alerts WHERE is_open)";
    run(&site, "SELECT hookfast_data.evaluate_alerts()".to_owned()).await;
    assert_eq!(site.text(is_muted).await, "true");
    run(&site, paused("release 42")).await;
    assert_eq!(site.text(is_muted).await, "false");
    assert_eq!(operator.post("/act/mute_alert", &fields).await.status, 303);
    run(
        &site,
        "SELECT hookfast.resume_handler('crm', 'done'); SELECT hookfast_data.evaluate_alerts()"
            .to_owned(),
    )
    .await;
    run(&site, paused("release 42")).await;
    assert_eq!(site.text(is_muted).await, "false");
    let answer = operator.post("/act/mute_alert", &fields).await;
    assert!(
        text(&answer).contains("is not open"),
        "the first one has ended"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_links_the_acts_that_the_runbook_names() {
    let site = Site::new().await;
    run(
        &site,
        "SELECT order_arrived(1), died(1); SELECT hookfast_data.alert_dead_letters(10); \
         SELECT hookfast.pause_handler('crm', 'release 41'); SELECT hookfast_data.evaluate_alerts()"
            .to_owned(),
    )
    .await;
    let operator = site.visitor("mira", &site.operator).await;
    let reader = site.visitor("rosa", &site.reader).await;
    for (tab, act, in_runbook) in [
        ("open", "/act/resume_handler?handler=crm", 2),
        ("reported", "/act/retry?delivery_id=1001", 2),
        ("reported", "/act/retry_all?handler=shop", 2),
        ("reported", "/act/discard?delivery_id=1001", 1),
    ] {
        let path = format!("/alerts?state={tab}");
        let shown = text(&operator.get(&path).await);
        let links = format!("href=\"{act}\"");
        // The usual act also stands above the details.
        assert_eq!(shown.matches(&links).count(), in_runbook, "{act}: {shown}");
        let shown = text(&reader.get(&path).await);
        assert!(!shown.contains("/act/"), "{act}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn single_alerts_are_told_apart_in_the_list() {
    let site = Site::new().await;
    run(
        &site,
        "SELECT order_arrived(n), died(n) FROM generate_series(1, 3) n; \
         UPDATE hookfast_data.events SET conflicts_with = event_of(1) WHERE id IN (event_of(2), event_of(3)); \
         SELECT hookfast_data.conflict_alert(event_of(2)), hookfast_data.conflict_alert(event_of(3)); \
         SELECT hookfast_data.alert_dead_letters(10); \
         SELECT hookfast.acknowledge_conflict(event_of(2), 'a test')"
            .to_owned(),
    )
    .await;
    let operator = site.visitor("mira", &site.operator).await;
    let shown = text(&operator.get("/alerts?state=reported").await);
    let section = |heading: &str| {
        let sections = shown
            .split("<section class=\"section\" id=\"alert-")
            .skip(1);
        let mut found = sections.filter(|section| section.contains(heading));
        let section = found.next().unwrap_or_else(|| panic!("{heading}: {shown}"));
        let (above, _) = section.split_once("<details").expect("details");
        above.to_owned()
    };
    for (order, state, act) in [(2, "acknowledged", false), (3, "not acknowledged", true)] {
        let above = section(&format!("airalo, order:request-{order}:completed"));
        assert!(above.contains(&format!(">{state}</span>")), "{above}");
        let id = site.text(&format!("(SELECT event_of({order}))")).await;
        assert!(above.contains(&format!("href=\"/events/{id}\"")), "{above}");
        let link = format!("/act/acknowledge_conflict?event_id={id}");
        assert_eq!(above.contains(&link), act, "{above}");
    }
    let above = section("shop, airalo.order.completed, ");
    assert!(above.contains("href=\"/events/"), "{above}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_open_alerts_those_that_ended_lately_are_offered() {
    let site = Site::new().await;
    let operator = site.visitor("mira", &site.operator).await;
    let link = "/alerts?state=resolved&#38;window=24h";
    let nothing = text(&operator.get("/alerts").await);
    assert!(nothing.contains("No open alerts") && !nothing.contains("resolved of the last"));
    run(
        &site,
        "SELECT hookfast.pause_handler('crm', 'release 41'); SELECT hookfast_data.evaluate_alerts(); \
         SELECT hookfast.resume_handler('crm', 'done'); SELECT hookfast_data.evaluate_alerts()"
            .to_owned(),
    )
    .await;
    let resolved = text(&operator.get("/alerts").await);
    assert!(
        resolved.contains("Show 1 resolved of the last 24 hours"),
        "{resolved}"
    );
    assert!(resolved.contains(link), "{resolved}");
}
