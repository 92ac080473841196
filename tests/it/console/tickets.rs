//! Tickets: once, in time, by POST, and for a role that the person may take.

use super::{Sent, Site, asks_to_log_in, run, text};
use std::collections::BTreeSet;

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_redeemed_once() {
    let site = Site::new().await;
    let mira = site.person("mira", &site.operator).await;
    let ticket = site.ticket(&mira).await;
    // A preview of the link asks by GET and HEAD.
    for method in ["GET", "HEAD"] {
        let sent = Sent {
            method,
            path: &format!("/login?ticket={ticket}"),
            headers: vec![],
            body: String::new(),
        };
        if method == "GET" {
            let answer = site.send(sent).await;
            assert_eq!(answer.status, 200);
            assert!(text(&answer).contains(&ticket));
            assert_eq!(answer.header("set-cookie"), None);
        } else {
            let mut client = crate::support::raw_http::Client::connect(site.address).await;
            let head = format!(
                "HEAD {} HTTP/1.1\r\nhost: {}\r\n\r\n",
                sent.path, site.address
            );
            client.send(head).await;
            assert_eq!(client.answer_to_head().await.status, 200);
        }
    }
    let state = "(SELECT string_agg(state, ',') FROM hookfast.access)";
    assert_eq!(site.text(state).await, "ticket");
    let visitor = site.log_in_with(&ticket).await;
    assert_eq!(visitor.get("/access").await.status, 200);
    assert_eq!(site.text(state).await, "session");
    let again = site.redeem(&ticket).await;
    assert_eq!((again.status, again.header("set-cookie")), (401, None));
    assert!(text(&again).contains("Nobody was logged in"));
    assert_eq!(visitor.get("/access").await.status, 200, "it still holds");
    // Neither the ticket nor the key of the session is in the database.
    let kept = site
        .text("(SELECT string_agg(a::text, '') FROM hookfast_data.access a)")
        .await;
    let key = visitor.cookie.split_once('=').expect("a pair").1;
    assert!(!kept.contains(&ticket) && !kept.contains(key), "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_ticket_and_an_invented_one_log_nobody_in() {
    let site = Site::new().await;
    let mira = site.person("mira", &site.operator).await;
    let late = site.ticket(&mira).await;
    run(
        &site,
        "UPDATE hookfast_data.access SET ticket_expires_at = clock_timestamp() - interval '1 second'"
            .to_owned(),
    )
    .await;
    for ticket in [late.as_str(), "", "x", &"A".repeat(43), "' OR true --"] {
        let answer = site.redeem(ticket).await;
        assert_eq!(
            (answer.status, answer.header("set-cookie")),
            (401, None),
            "{ticket}"
        );
    }
    // A cookie that somebody invents is no session.
    for cookie in ["hookfast=", "hookfast=x", "__Host-hookfast=x", "other=1"] {
        let sent = Sent {
            method: "GET",
            path: "/access",
            headers: vec![("cookie", cookie.to_owned())],
            body: String::new(),
        };
        assert!(asks_to_log_in(&site.send(sent).await), "{cookie}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_gives_no_role_that_the_person_may_not_take() {
    let site = Site::new().await;
    let rita = site.person("rita", &site.reader).await;
    let ticket_as = |role: &str| format!("SELECT hookfast.console_ticket('{role}')");
    for role in [&site.operator, &site.support, &site.console, &site.login] {
        let refused = site.text_as(&rita, &ticket_as(role)).await;
        assert_eq!(refused, Err("42501".to_owned()), "{role}");
    }
    site.text_as(&rita, &ticket_as(&site.reader))
        .await
        .expect("her own role");
    // The owner, a member of it, and a superuser are refused, even for who may take them.
    let owner = site
        .text("(SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'hookfast_data')")
        .await;
    let boss = site.person("boss", &owner).await;
    for role in [&owner, &boss] {
        let refused = site.text_as(&boss, &ticket_as(role)).await;
        assert_eq!(refused, Err("42501".to_owned()), "{role}");
    }
    // A member of the operators who takes a role that was revoked since.
    let mira = site.person("mira", &site.operator).await;
    let ticket = site.ticket(&mira).await;
    run(
        &site,
        format!("REVOKE \"{}\" FROM \"{mira}\"", site.operator),
    )
    .await;
    assert_eq!(site.redeem(&ticket).await.status, 401);
}

/// The console's login can do neither for a visitor: it would let one ticket make others.
#[tokio::test(flavor = "multi_thread")]
async fn the_console_issues_no_tickets() {
    let site = Site::new().await;
    for role in [&site.operator, &site.support, &site.reader, &site.console] {
        let set = format!("SELECT set_config('role', '{role}', false)");
        let query = "SELECT hookfast.console_ticket()";
        let mut connection = site.connect_as(&site.login).await;
        sqlx::query(sqlx::AssertSqlSafe(set))
            .execute(&mut connection)
            .await
            .expect("a role that it may take");
        let refused = sqlx::query(query)
            .execute(&mut connection)
            .await
            .expect_err("no ticket");
        let code = refused.into_database_error().expect("of the database");
        assert_eq!(code.code().as_deref(), Some("42501"), "{role}");
    }
    assert_eq!(
        site.text("(SELECT count(*) FROM hookfast.access)").await,
        "0"
    );
}

/// A role that the console's login was not granted.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_the_console_may_not_take_shows_nothing() {
    let site = Site::new().await;
    let name = site.text("current_database()").await;
    let custom = format!("custom_of_{name}");
    run(
        &site,
        format!(
            "CREATE ROLE {custom} NOLOGIN; GRANT \"{}\" TO {custom}",
            site.reader
        ),
    )
    .await;
    let uma = site.person("uma", &custom).await;
    let as_custom = format!("SELECT hookfast.console_ticket('{custom}')");
    let ticket = site.text_as(&uma, &as_custom).await.expect("a ticket");
    let visitor = site.log_in_with(&ticket).await;
    let answer = visitor.get("/access").await;
    assert_eq!(answer.status, 403);
    assert!(text(&answer).contains(&custom), "{}", text(&answer));
    run(&site, format!("GRANT {custom} TO \"{}\"", site.login)).await;
    assert_eq!(visitor.get("/access").await.status, 200);
    // Every request takes the role anew.
    let roles: BTreeSet<_> = [visitor.get("/access").await.status].into();
    assert_eq!(roles, BTreeSet::from([200]));
}
