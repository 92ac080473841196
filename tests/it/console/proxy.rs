//! The listener for a reverse proxy: which requests it trusts, and with which role.

use super::{Sent, Site, form, run, text};
use crate::support::raw_http::Answer;
use hookfast::CancellationToken;
use hookfast::internals::{
    console::Console, console::ConsoleSettings, domain::ProxySettings, signing::Secret,
};
use tokio::net::TcpListener;

pub(crate) const SECRET: &str = "the secret of the proxy";

/// What every site's listener for the proxy has: operators before readers before support, to show
/// that the order is that of the list.
pub(crate) fn settings(site: &Site) -> ProxySettings {
    let group = |group: &str, role: &str| (group.to_owned(), role.parse().expect("a role"));
    let secret = Secret::new("env:X", SECRET.as_bytes().to_vec());
    ProxySettings {
        addresses: vec!["127.0.0.1".parse().expect("a range")],
        secrets: vec![secret.expect("long enough")],
        secret_header: "x-hookfast-proxy-secret".to_owned(),
        user_header: "x-auth-request-email".to_owned(),
        groups_header: "x-auth-request-groups".to_owned(),
        groups: vec![
            group("ops", &site.operator),
            group("all", &site.reader),
            group("desk", &site.support),
            group("owners", &owner(site)),
            group("missing", "a_role_that_nobody_made"),
            group("machines", &site.console),
        ],
    }
}

/// The owner of the schemas in the tests.
fn owner(site: &Site) -> String {
    let url = url::Url::parse(site.world.url()).expect("a URL");
    url.username().to_owned()
}

pub(crate) fn headers(user: &str, groups: &str) -> Vec<(&'static str, String)> {
    vec![
        ("x-hookfast-proxy-secret", SECRET.to_owned()),
        ("x-auth-request-email", user.to_owned()),
        ("x-auth-request-groups", groups.to_owned()),
    ]
}

async fn get(site: &Site, path: &str, headers: Vec<(&str, String)>) -> Answer {
    let sent = Sent {
        method: "GET",
        path,
        headers,
        body: String::new(),
    };
    site.send_to(site.proxied, sent).await
}

async fn post(
    site: &Site,
    path: &str,
    mut headers: Vec<(&str, String)>,
    fields: &[(&str, &str)],
) -> Answer {
    headers.push(("sec-fetch-site", "same-origin".to_owned()));
    let sent = Sent {
        method: "POST",
        path,
        headers,
        body: form(fields),
    };
    site.send_to(site.proxied, sent).await
}

const PAUSE: [(&str, &str); 2] = [("handler", "shop"), ("why", "by the proxy")];

#[tokio::test(flavor = "multi_thread")]
async fn only_the_proxy_is_trusted() {
    let site = Site::new().await;
    let right = || headers("mira@example.com", "ops");
    let shown = get(&site, "/access", right()).await;
    assert_eq!(shown.status, 200, "{}", shown.head);
    assert_eq!(shown.header("set-cookie"), None);
    let without = |name: &str| {
        let mut all = right();
        all.retain(|(header, _)| *header != name);
        all
    };
    let with = |name: &'static str, value: &str| {
        let mut all = right();
        all.push((name, value.to_owned()));
        all
    };
    let instead = |name: &'static str, value: &str| {
        let mut all = without(name);
        all.push((name, value.to_owned()));
        all
    };
    let before = site.fingerprint().await;
    for (sent, title) in [
        (without("x-hookfast-proxy-secret"), "Not the reverse proxy"),
        (
            instead("x-hookfast-proxy-secret", "another secret of it"),
            "Not the reverse proxy",
        ),
        (
            instead("x-hookfast-proxy-secret", ""),
            "Not the reverse proxy",
        ),
        (with("x-hookfast-proxy-secret", SECRET), "twice"),
        (with("x-auth-request-email", "root@example.com"), "twice"),
        (with("x-auth-request-groups", "desk"), "twice"),
        (without("x-auth-request-email"), "named nobody"),
        (
            instead("x-auth-request-email", "mira, root"),
            "named nobody",
        ),
        (without("x-auth-request-groups"), "no role here"),
        (instead("x-auth-request-groups", ""), "no role here"),
        (
            instead("x-auth-request-groups", "elsewhere,op"),
            "no role here",
        ),
        (
            instead("x-auth-request-groups", "missing"),
            "role cannot be used here",
        ),
        (
            instead("x-auth-request-groups", "owners"),
            "role cannot be used here",
        ),
        (
            instead("x-auth-request-groups", "machines"),
            "role cannot be used here",
        ),
    ] {
        for path in ["/access", "/", "/act/pause_handler?handler=shop"] {
            let refused = get(&site, path, sent.clone()).await;
            assert_eq!(refused.status, 403, "{path} {sent:?}");
            assert!(
                text(&refused).contains(title),
                "{sent:?}: {}",
                text(&refused)
            );
            assert_eq!(refused.header("cache-control"), Some("no-store"));
            assert!(refused.header("content-security-policy").is_some());
        }
        let refused = post(&site, "/act/pause_handler", sent.clone(), &PAUSE).await;
        assert_eq!(refused.status, 403, "{sent:?}");
    }
    assert_eq!(site.fingerprint().await, before);
}

/// The pages that refuse somebody have their stylesheet.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_for_a_visitor_without_a_role_has_its_stylesheet() {
    let site = Site::new().await;
    let nobody = || headers("mira@example.com", "elsewhere");
    let page = text(&get(&site, "/", nobody()).await);
    assert!(page.contains("logged in as mira@example.com"), "{page}");
    let (_, rest) = page.split_once("href=\"/assets/").expect("a stylesheet");
    let asset = format!("/assets/{}", rest.split_once('"').expect("its end").0);
    assert_eq!(get(&site, &asset, nobody()).await.status, 200);
    let stranger = vec![("x-auth-request-email", "mira@example.com".to_owned())];
    assert_eq!(get(&site, &asset, stranger).await.status, 403);
}

/// The peer is 127.0.0.1 at a listener whose proxy is elsewhere, or that sees its peers as IPv6.
#[tokio::test(flavor = "multi_thread")]
async fn the_address_is_that_of_the_connection() {
    let site = Site::new().await;
    for (listen, addresses, status) in [
        ("127.0.0.1:0", "127.0.0.2", 403),
        ("127.0.0.1:0", "127.0.0.2/31", 403),
        ("127.0.0.1:0", "::1", 403),
        ("127.0.0.1:0", "127.0.0.0/8", 200),
        ("127.0.0.1:0", "::ffff:127.0.0.1", 200),
        ("[::]:0", "127.0.0.1", 200),
        ("[::]:0", "::1", 403),
    ] {
        let listener = TcpListener::bind(listen).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let database = site.url_of(&site.login).parse().expect("a URL");
        let console = ConsoleSettings {
            role: site.console.clone(),
            url: None,
            is_development: false,
        };
        let proxy = ProxySettings {
            addresses: vec![addresses.parse().expect("a range")],
            ..settings(&site)
        };
        let stop = CancellationToken::new();
        let served = Console::new(&database, console).behind(proxy);
        tokio::spawn(served.serve(listener, stop.clone()));
        let mut sent = headers("mira@example.com", "ops");
        // A header that claims another address changes nothing.
        sent.push(("x-forwarded-for", "127.0.0.2".to_owned()));
        let sent = Sent {
            method: "GET",
            path: "/access",
            headers: sent,
            body: String::new(),
        };
        let address = format!("127.0.0.1:{port}").parse().expect("an address");
        let answer = site.send_to(address, sent).await;
        assert_eq!(answer.status, status, "{listen} {addresses}");
        stop.cancel();
    }
}

/// A visitor in several groups has the role of the first in the configuration.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_group_of_the_configuration_gives_the_role() {
    let site = Site::new().await;
    for (groups, role) in [
        ("desk, all, ops", &site.operator),
        ("desk,all", &site.reader),
        ("desk", &site.support),
    ] {
        let page = text(&get(&site, "/access", headers("mira@example.com", groups)).await);
        let who = format!("proxy:mira@example.com as <b>{role}</b>");
        assert!(page.contains(&who), "{groups}");
        assert!(!page.contains("action=\"/logout\"") && page.contains("You have none"));
    }
    let reader = headers("mira@example.com", "all");
    let refused = post(&site, "/act/pause_handler", reader, &PAUSE).await;
    assert_eq!(refused.status, 403);
    assert!(text(&refused).contains("permission denied for function"));
}

/// Without a ticket or a session, and with the name that the proxy gave in the log.
#[tokio::test(flavor = "multi_thread")]
async fn an_act_is_logged_on_behalf_of_a_user_of_the_proxy() {
    let site = Site::new().await;
    let mira = || headers("mira@example.com", "ops");
    let form = text(&get(&site, "/act/pause_handler?handler=shop", mira()).await);
    assert!(form.contains("name=\"why\"") && !form.contains("fresh ticket"));
    let done = post(&site, "/act/pause_handler", mira(), &PAUSE).await;
    assert_eq!(done.status, 303, "{}", text(&done));
    let proof = get(&site, done.header("location").expect("a page"), mira()).await;
    assert!(text(&proof).contains("proxy:mira@example.com"));
    let line = "(SELECT string_agg(concat_ws(' ', actor, on_behalf_of), ',') FROM hookfast.audit_log \
        WHERE action = 'handler.paused')";
    let expected = format!("{} proxy:mira@example.com", site.login);
    assert_eq!(site.text(line).await, expected);
    assert_eq!(
        site.text("(SELECT count(*) FROM hookfast.access)").await,
        "0"
    );
    // The page of another site makes the same browser send the same headers.
    for other in ["cross-site", "same-site", "none"] {
        let mut sent = mira();
        sent.push(("sec-fetch-site", other.to_owned()));
        let sent = Sent {
            method: "POST",
            path: "/act/resume_handler",
            headers: sent,
            body: super::form(&PAUSE),
        };
        let refused = site.send_to(site.proxied, sent).await;
        assert_eq!(refused.status, 403, "{other}");
        assert!(text(&refused).contains("Request of another site"));
    }
    let paused = "(SELECT count(*) FROM hookfast_data.handlers WHERE paused_at IS NOT NULL)";
    assert_eq!(site.text(paused).await, "1");
}

/// A database role of that name is another person.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_the_proxy_is_not_the_database_role_of_that_name() {
    let site = Site::new().await;
    let rita = site.person("rita", &site.reader).await;
    site.ticket(&rita).await;
    let id = site
        .text("(SELECT max(access_id) FROM hookfast.access)")
        .await;
    let claimed = || headers(&rita, "all");
    let page = text(&get(&site, "/access", claimed()).await);
    assert!(!page.contains("id=\"access-"), "{page}");
    let fields = [("access_id", id.as_str()), ("why", "it is not mine")];
    let refused = post(&site, "/act/revoke_access", claimed(), &fields).await;
    assert_eq!(refused.status, 404);
    let state = "(SELECT state FROM hookfast.access)";
    assert_eq!(site.text(state).await, "ticket");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_listener_of_the_proxy_takes_neither_tickets_nor_cookies() {
    let site = Site::new().await;
    let mira = site.person("mira", &site.operator).await;
    let ticket = site.ticket(&mira).await;
    let reader = || headers("rita@example.com", "all");
    let fields = [("ticket", ticket.as_str()), ("next", "/access")];
    for path in ["/login", "/logout"] {
        assert_eq!(post(&site, path, reader(), &fields).await.status, 404);
        assert_eq!(get(&site, path, reader()).await.status, 404);
    }
    let state = "(SELECT state FROM hookfast.access)";
    assert_eq!(site.text(state).await, "ticket", "the ticket is still good");
    // The cookie of an operator gives a reader nothing.
    let visitor = site.log_in_with(&ticket).await;
    let mut both = reader();
    both.push(("cookie", visitor.cookie.clone()));
    let refused = post(&site, "/act/pause_handler", both, &PAUSE).await;
    assert_eq!(refused.status, 403);
    // The other listener ignores the proxy's headers.
    let mut sent = headers("mira@example.com", "ops");
    let ask = |headers| Sent {
        method: "GET",
        path: "/access",
        headers,
        body: String::new(),
    };
    assert!(super::asks_to_log_in(&site.send(ask(sent.clone())).await));
    sent.push(("cookie", visitor.cookie.clone()));
    let page = text(&site.send(ask(sent)).await);
    assert!(page.contains(&mira) && !page.contains("proxy:"));
}

/// The database decides at every request, as it does for sessions.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_revoked_from_the_console_ends_at_once() {
    let site = Site::new().await;
    let mira = || headers("mira@example.com", "ops");
    assert_eq!(get(&site, "/access", mira()).await.status, 200);
    let (operator, login) = (&site.operator, &site.login);
    run(&site, format!("REVOKE \"{operator}\" FROM \"{login}\"")).await;
    let refused = get(&site, "/access", mira()).await;
    assert_eq!(refused.status, 403);
    assert!(text(&refused).contains(operator.as_str()));
    run(&site, format!("GRANT \"{operator}\" TO \"{login}\"")).await;
    assert_eq!(get(&site, "/access", mira()).await.status, 200);
    run(&site, format!("ALTER ROLE \"{operator}\" SUPERUSER")).await;
    assert_eq!(get(&site, "/access", mira()).await.status, 403);
    run(&site, format!("ALTER ROLE \"{operator}\" NOSUPERUSER")).await;
}
