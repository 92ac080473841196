//! Which requests are served: by Host, Origin, Sec-Fetch-Site and cookie.

use super::{Sent, Site, asks_to_log_in};
use crate::support::raw_http::Client;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Host,
    Site,
    Served,
}

fn expected(method: &str, is_host: bool, site: Option<&str>, is_origin: bool) -> Expected {
    match (is_host, method, site) {
        (false, ..) => Expected::Host,
        (true, "GET", _) | (true, _, Some("same-origin")) => Expected::Served,
        (true, _, Some(_)) => Expected::Site,
        (true, _, None) if is_origin => Expected::Served,
        (true, _, None) => Expected::Site,
    }
}

/// Host × Origin × Sec-Fetch-Site × cookie, for GET and POST.
#[tokio::test(flavor = "multi_thread")]
async fn only_requests_of_the_console_itself_change_something() {
    let site = Site::new().await;
    let operator = site.visitor("mira", &site.operator).await;
    let port = site.address.port();
    let hosts = [
        (format!("127.0.0.1:{port}"), true),
        (format!("localhost:{port}"), true),
        ("evil.example".to_owned(), false),
        (format!("127.0.0.1.evil.example:{port}"), false),
        (String::new(), false),
    ];
    let sites = [
        None,
        Some("same-origin"),
        Some("same-site"),
        Some("cross-site"),
        Some("none"),
    ];
    let (mut served, mut all) = (0, 0);
    for (host, is_host) in &hosts {
        let origins = [
            None,
            Some(format!("http://{host}")),
            Some("http://evil.example".to_owned()),
            Some(format!("https://{host}")),
            Some("null".to_owned()),
        ];
        for (index, origin) in origins.iter().enumerate() {
            for from in sites {
                for cookie in [None, Some(&operator.cookie)] {
                    for method in ["GET", "POST"] {
                        let mut headers = vec![("host", host.clone())];
                        headers.extend(origin.clone().map(|origin| ("origin", origin)));
                        headers.extend(from.map(|from| ("sec-fetch-site", from.to_owned())));
                        headers.extend(cookie.map(|cookie| ("cookie", cookie.clone())));
                        let case = format!("{method} {headers:?}");
                        let (path, body) = match method {
                            "GET" => ("/access", ""),
                            _ => ("/act/pause_handler", "handler=shop&why=a+matrix"),
                        };
                        let answer = site
                            .send(Sent {
                                method,
                                path,
                                headers,
                                body: body.to_owned(),
                            })
                            .await;
                        all += 1;
                        match expected(method, *is_host, from, index == 1) {
                            Expected::Host => assert_eq!(answer.status, 421, "{case}"),
                            Expected::Site => assert_eq!(answer.status, 403, "{case}"),
                            Expected::Served if cookie.is_none() => {
                                assert!(asks_to_log_in(&answer), "{case}: {}", answer.head);
                            }
                            Expected::Served if method == "GET" => {
                                served += 1;
                                assert_eq!(answer.status, 200, "{case}");
                            }
                            Expected::Served => {
                                served += 1;
                                let location = answer.header("location").expect("a page");
                                assert!(location.starts_with("/done/"), "{case}: {location}");
                            }
                        }
                    }
                }
            }
        }
    }
    assert_eq!(all, 500);
    assert_eq!(served, 2 * (25 + 6));
}

/// Different programs would read a header that is given twice differently.
#[tokio::test(flavor = "multi_thread")]
async fn doubled_headers_are_refused() {
    let site = Site::new().await;
    let operator = site.visitor("mira", &site.operator).await;
    let post = |extra: &str| {
        format!(
            "POST /act/pause_handler HTTP/1.1\r\nhost: {}\r\ncookie: {}\r\n{extra}content-length: 22\r\n\r\nhandler=shop&why=twice",
            site.address, operator.cookie
        )
    };
    for (extra, status) in [
        (
            "host: evil.example\r\nsec-fetch-site: same-origin\r\n",
            [400, 421],
        ),
        (
            "sec-fetch-site: same-origin\r\nsec-fetch-site: cross-site\r\n",
            [403, 403],
        ),
        (
            "sec-fetch-site: same-origin\r\nsec-fetch-site: same-origin\r\n",
            [403, 403],
        ),
    ] {
        let mut client = Client::connect(site.address).await;
        client.send(post(extra)).await;
        let answer = client.answer().await;
        assert!(status.contains(&answer.status), "{extra}: {}", answer.head);
    }
    let paused = "(SELECT count(*) FROM hookfast_data.handlers WHERE paused_at IS NOT NULL)";
    assert_eq!(site.text(paused).await, "0");
}

/// Every answer has the policy, also those that refuse.
#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_the_headers() {
    let site = Site::new().await;
    let operator = site.visitor("mira", &site.operator).await;
    for (path, status) in [
        ("/access", 200),
        ("/act/retry_all?handler=shop", 200),
        ("/act/nothing", 404),
        ("/nowhere", 404),
    ] {
        let answer = operator.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        let policy = answer.header("content-security-policy");
        assert!(
            policy.is_some_and(
                |policy| policy.contains("trusted-types 'none'") && !policy.contains("unsafe")
            ),
            "{path}: {policy:?}"
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
    }
}
