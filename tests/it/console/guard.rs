//! Headers: of requests that are refused, and of every answer. Which requests are served is in `matrix`.

use super::Site;
use crate::support::raw_http::Client;

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
