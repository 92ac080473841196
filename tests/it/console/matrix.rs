//! Which requests are served: Host × Origin × Sec-Fetch-Site × credential × request. The expected
//! verdict is computed from a table of its own.

use super::{Sent, Site, asks_to_log_in, form, proxy, text};
use crate::support::raw_http::Answer;

/// The credential of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Nothing,
    /// The cookie of an operator's session.
    Cookie,
    /// The headers of the reverse proxy, for somebody in the group of operators.
    Proxy,
    /// Both.
    Both,
    /// The key of an operator's session, as an API would take it.
    Bearer,
}

/// The credential that a listener accepts. It ignores the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Tickets,
    Proxy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Page,
    Act,
    LogIn,
    LogOut,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// 421: the Host header names another machine.
    Host,
    /// 403: a page of another site sent it.
    Site,
    /// 403: it is not the proxy's.
    NotTheProxy,
    /// To the page for tickets.
    LogIn,
    /// 404: the listener has neither tickets nor sessions.
    NoSessions,
    /// 401: the ticket is unknown.
    UnknownTicket,
    /// To the page for tickets, without the cookie.
    LoggedOut,
    /// 200.
    Page,
    /// To the page of proof.
    Done,
}

/// In the order in which a request is judged.
fn expected(door: Door, asked: Asked, is_host: bool, is_ours: bool, shown: Shown) -> Verdict {
    let is_known = match door {
        Door::Tickets => [Shown::Cookie, Shown::Both].contains(&shown),
        Door::Proxy => [Shown::Proxy, Shown::Both].contains(&shown),
    };
    match (door, asked) {
        _ if !is_host => Verdict::Host,
        (_, Asked::Act | Asked::LogIn | Asked::LogOut) if !is_ours => Verdict::Site,
        (Door::Proxy, _) if !is_known => Verdict::NotTheProxy,
        (Door::Proxy, Asked::LogIn | Asked::LogOut) => Verdict::NoSessions,
        (_, Asked::LogIn) => Verdict::UnknownTicket,
        (_, Asked::LogOut) => Verdict::LoggedOut,
        _ if !is_known => Verdict::LogIn,
        (_, Asked::Page) => Verdict::Page,
        (_, Asked::Act) => Verdict::Done,
    }
}

fn verdict(answer: &Answer) -> Verdict {
    let (page, location) = (text(answer), answer.header("location"));
    let clears_cookie = answer
        .header("set-cookie")
        .is_some_and(|cookie| cookie.contains("Max-Age=0"));
    match (answer.status, location) {
        (421, _) => Verdict::Host,
        (403, _) if page.contains("Request of another site") => Verdict::Site,
        (403, _) if page.contains("Not the reverse proxy") => Verdict::NotTheProxy,
        (303, _) if asks_to_log_in(answer) => Verdict::LogIn,
        (404, _) if page.contains("No tickets and no sessions") => Verdict::NoSessions,
        (401, _) if page.contains("Nobody was logged in") => Verdict::UnknownTicket,
        (303, Some("/login")) if clears_cookie => Verdict::LoggedOut,
        (200, _) => Verdict::Page,
        (303, Some(page)) if page.starts_with("/done/") => Verdict::Done,
        _ => panic!("{}", answer.head),
    }
}

fn request(asked: Asked) -> (&'static str, &'static str, String) {
    match asked {
        Asked::Page => ("GET", "/access", String::new()),
        Asked::Act => {
            let fields = [("handler", "shop"), ("why", "a matrix")];
            ("POST", "/act/pause_handler", form(&fields))
        }
        Asked::LogIn => (
            "POST",
            "/login",
            form(&[("ticket", "x"), ("next", "/access")]),
        ),
        Asked::LogOut => ("POST", "/logout", String::new()),
    }
}

const SITES: [Option<&str>; 5] = [
    None,
    Some("same-origin"),
    Some("same-site"),
    Some("cross-site"),
    Some("none"),
];

async fn judge(door: Door) {
    let site = Site::new().await;
    let address = match door {
        Door::Tickets => site.address,
        Door::Proxy => site.proxied,
    };
    let port = address.port();
    let person = site.person("mira", &site.operator).await;
    let hosts = [
        (format!("127.0.0.1:{port}"), true),
        (format!("localhost:{port}"), true),
        ("evil.example".to_owned(), false),
        (format!("127.0.0.1.evil.example:{port}"), false),
        (String::new(), false),
    ];
    let (mut judged, mut done, mut unknown) = (0, 0, 0);
    let mut cookie = site.log_in(&person).await.cookie;
    for (host, is_host) in &hosts {
        let origins = [
            (None, false),
            (Some(format!("http://{host}")), true),
            (Some("http://evil.example".to_owned()), false),
            (Some(format!("https://{host}")), false),
            (Some("null".to_owned()), false),
        ];
        for (origin, is_origin) in &origins {
            for from in SITES {
                for shown in [
                    Shown::Nothing,
                    Shown::Cookie,
                    Shown::Proxy,
                    Shown::Both,
                    Shown::Bearer,
                ] {
                    for asked in [Asked::Page, Asked::Act, Asked::LogIn, Asked::LogOut] {
                        // What the browser says of the site counts; only without it does the Origin.
                        let is_ours = from.map_or(*is_origin, |from| from == "same-origin");
                        let expected = expected(door, asked, *is_host, is_ours, shown);
                        unknown += i32::from(expected == Verdict::UnknownTicket);
                        if unknown > 50 && expected == Verdict::UnknownTicket {
                            // More unknown tickets in a minute are not tried.
                            continue;
                        }
                        let mut headers = vec![("host", host.clone())];
                        headers.extend(origin.clone().map(|origin| ("origin", origin)));
                        headers.extend(from.map(|from| ("sec-fetch-site", from.to_owned())));
                        if [Shown::Cookie, Shown::Both].contains(&shown) {
                            headers.push(("cookie", cookie.clone()));
                        }
                        if [Shown::Proxy, Shown::Both].contains(&shown) {
                            headers.extend(proxy::headers("mira@example.com", "ops"));
                        }
                        if shown == Shown::Bearer {
                            let key = cookie.split_once('=').expect("a pair").1;
                            headers.push(("authorization", format!("Bearer {key}")));
                        }
                        let case = format!("{door:?} {asked:?} {headers:?}");
                        let (method, path, body) = request(asked);
                        let sent = Sent {
                            method,
                            path,
                            headers,
                            body,
                        };
                        let answer = site.send_to(address, sent).await;
                        assert_eq!(verdict(&answer), expected, "{case}");
                        judged += 1;
                        done += i32::from(expected == Verdict::Done);
                        if expected == Verdict::LoggedOut {
                            cookie = site.log_in(&person).await.cookie;
                        }
                    }
                }
            }
        }
    }
    // Two hosts, six pairs of origin and site, and two credentials.
    assert_eq!(done, 2 * (5 + 1) * 2, "{door:?}");
    assert!(judged > 2_400, "{judged}");
    let logged = "(SELECT count(*) FROM hookfast.audit_log WHERE details->>'why' = 'a matrix')";
    assert_eq!(site.text(logged).await, "1", "the others found it paused");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_listener_for_tickets_judges_every_request_by_the_table() {
    judge(Door::Tickets).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_listener_for_the_proxy_judges_every_request_by_the_table() {
    judge(Door::Proxy).await;
}
