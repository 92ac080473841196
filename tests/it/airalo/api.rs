//! The client against the emulated API: each answer, each error, and no second purchase.

use super::{Airalo, CLIENT_ID, at_once};
use crate::support::{server, wait_until};
use hookfast::airalo::client::{ApiError, Client, NewOrder, Outcome, Simulated};
use hookfast::internals::dev::airalo_emulator::FaultPlan;
use hookfast::sources::airalo::{ClientSettings, NotificationType};
use secrecy::SecretString;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

fn order(description: &str, webhook_url: Option<&str>) -> NewOrder {
    NewOrder {
        package_id: "emulated-7days-1gb".to_owned(),
        quantity: 2,
        description: description.to_owned(),
        webhook_url: webhook_url.map(str::to_owned),
    }
}

/// A receiver that answers HEAD and POST with the given responses, and records bodies and
/// signatures.
async fn receiver(head: u16, post: u16) -> (String, Arc<Mutex<Vec<(String, Vec<u8>)>>>) {
    let got = Arc::new(Mutex::new(Vec::new()));
    let kept = got.clone();
    let answer = move |method: axum::http::Method,
                       headers: axum::http::HeaderMap,
                       body: axum::body::Bytes| {
        let kept = kept.clone();
        async move {
            let status = if method == axum::http::Method::HEAD {
                head
            } else {
                post
            };
            if method == axum::http::Method::POST {
                let signature = headers["airalo-signature"]
                    .to_str()
                    .expect("text")
                    .to_owned();
                kept.lock().expect("whole").push((signature, body.to_vec()));
            }
            axum::http::StatusCode::from_u16(status).expect("a status")
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/hook", listener.local_addr().expect("bound"));
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
    (url, got)
}

#[tokio::test]
async fn an_opt_in_needs_200_to_head_and_can_be_read_and_ended() {
    let airalo = Airalo::start(at_once()).await;
    let client = airalo.client();
    for bad in [301, 401, 404, 405, 204, 500] {
        let (url, _) = receiver(bad, 200).await;
        let refused = client
            .opt_in(NotificationType::AsyncOrders, &url)
            .await
            .expect_err("refused");
        assert!(
            matches!(&refused, ApiError::Invalid(fields) if fields.contains_key("webhook_url")),
            "{bad}: {refused}"
        );
    }
    assert_eq!(
        client
            .setting(NotificationType::AsyncOrders)
            .await
            .expect("queried"),
        None
    );
    let (url, _) = receiver(200, 200).await;
    for kind in NotificationType::ALL {
        let to = if kind.is_email() {
            "partner@example.com"
        } else {
            &url
        };
        let setting = client.opt_in(kind, to).await.expect("accepted");
        assert_eq!(
            (setting.kind.as_str(), setting.contact_point.as_str()),
            (kind.as_str(), to)
        );
        assert_eq!(client.setting(kind).await.expect("queried"), Some(setting));
    }
    client
        .opt_out(NotificationType::WebhookLowData)
        .await
        .expect("accepted");
    assert_eq!(
        client
            .setting(NotificationType::WebhookLowData)
            .await
            .expect("queried"),
        None
    );
    assert!(
        client
            .setting(NotificationType::AsyncOrders)
            .await
            .expect("queried")
            .is_some()
    );
}

#[tokio::test]
async fn wrong_credentials_are_reported_and_never_printed() {
    let airalo = Airalo::start(at_once()).await;
    let wrong = ClientSettings {
        client_secret: SecretString::from("canary-0123456789abcdef"),
        ..airalo.settings()
    };
    let client = Client::new(wrong).expect("an address");
    let error = client.check_credentials().await.expect_err("refused");
    assert_eq!(error, ApiError::Unauthorized);
    assert!(!format!("{error} {error:?} {client:?}").contains("canary"));
    let nobody = ClientSettings {
        client_id: "nobody".into(),
        ..airalo.settings()
    };
    let error = Client::new(nobody)
        .expect("an address")
        .check_credentials()
        .await
        .expect_err("refused");
    assert!(matches!(error, ApiError::Invalid(_)), "{error}");
    let away = ClientSettings {
        base_url: "http://127.0.0.1:1".into(),
        ..airalo.settings()
    };
    let error = Client::new(away)
        .expect("an address")
        .check_credentials()
        .await
        .expect_err("no server listens");
    assert!(matches!(error, ApiError::NotSent(_)), "{error}");
    assert!(
        Client::new(ClientSettings {
            base_url: "ftp://x".into(),
            ..airalo.settings()
        })
        .is_err()
    );
}

#[tokio::test]
async fn an_order_is_accepted_and_its_result_signed_and_listed() {
    let airalo = Airalo::start(at_once()).await;
    let (client, (url, got)) = (airalo.client(), receiver(200, 200).await);
    let not_opted_in = client
        .order_async(&order("a", None))
        .await
        .expect_err("no receiver is opted in");
    assert!(
        matches!(&not_opted_in, ApiError::Refused { code: None, reason, .. } if reason.contains("not opted in")),
        "{not_opted_in}"
    );
    client
        .opt_in(NotificationType::AsyncOrders, &url)
        .await
        .expect("accepted");
    let placed = client
        .order_async(&order("order 1/é", None))
        .await
        .expect("accepted");
    assert_eq!(placed.request_id.len(), 25);
    wait_until("the result", async || {
        !got.lock().expect("whole").is_empty()
    })
    .await;
    let (signature, body) = got.lock().expect("whole")[0].clone();
    let secret = hookfast::internals::signing::Secret::new("it", server::AIRALO_SECRET.into())
        .expect("a secret");
    assert_eq!(signature, hookfast::sources::airalo::sign(&secret, &body).1);
    let text = String::from_utf8(body.clone()).expect("text");
    assert!(
        text.contains(r"order 1\/\u00e9"),
        "as PHP writes it: {text}"
    );
    let hookfast::sources::airalo::Notification::OrderCompleted(webhook) =
        hookfast::sources::airalo::Notification::read(&body)
    else {
        panic!("{text}")
    };
    assert_eq!(
        (webhook.request_id.as_deref(), webhook.sims.len()),
        (Some(placed.request_id.as_str()), 2)
    );
    for listed in [
        client.orders_described("order 1/é").await.expect("listed"),
        client
            .orders_between("2020-01-01", "2999-01-01")
            .await
            .expect("listed"),
        client.newest_orders(1).await.expect("listed"),
    ] {
        assert_eq!(listed.len(), 1);
        assert_eq!(
            (Some(listed[0].id.as_str()), &listed[0].outcome),
            (webhook.id.as_deref(), &Outcome::Completed)
        );
    }
    assert!(
        client
            .orders_described("order 1")
            .await
            .expect("listed")
            .is_empty(),
        "an address that only contains it is a different one"
    );
    assert_eq!(
        client
            .order(webhook.id.as_deref().expect("an id"))
            .await
            .expect("one")
            .code,
        webhook.code
    );
    assert_eq!(
        client.order("1/../2").await.expect_err("none"),
        ApiError::NotFound
    );
}

#[tokio::test]
async fn lists_are_read_to_their_end() {
    let airalo = Airalo::start(at_once()).await;
    let (client, (url, _)) = (airalo.client(), receiver(200, 200).await);
    for _ in 0..120 {
        client
            .order_async(&order("the same", Some(&url)))
            .await
            .expect("accepted");
    }
    wait_until("all", async || airalo.emulator.is_quiet()).await;
    assert_eq!(
        client
            .orders_described("the same")
            .await
            .expect("listed")
            .len(),
        120
    );
    assert_eq!(client.newest_orders(1).await.expect("listed").len(), 50);
}

#[tokio::test]
async fn each_refusal_is_its_own_error() {
    let airalo = Airalo::start(at_once()).await;
    let (client, (url, _)) = (airalo.client(), receiver(200, 200).await);
    for (package, code) in [
        ("test-insufficient-balance-7days-1gb", 11),
        ("test-maintenance-mode-7days-1gb", 13),
        ("test-not-enough-7days-1gb", 33),
        ("test-out-of-stock-7days-1gb", 34),
    ] {
        let refused = client
            .order_async(&NewOrder {
                package_id: package.into(),
                ..order("x", Some(&url))
            })
            .await;
        let refused = refused.expect_err(package);
        assert!(
            matches!(refused, ApiError::Refused { code: Some(c), .. } if c == code),
            "{refused:?}"
        );
        assert!(!refused.is_unknown());
    }
    let refused = client
        .order_async(&NewOrder {
            quantity: 51,
            ..order("x", Some(&url))
        })
        .await
        .expect_err("too many");
    assert!(
        matches!(&refused, ApiError::Invalid(fields) if fields.contains_key("quantity")),
        "{refused}"
    );
    assert!(
        airalo.emulator.is_quiet()
            && airalo.emulator.state()["requests"]
                .as_array()
                .expect("a list")
                .is_empty()
    );
}

/// Airalo accepted the order, and the answer does not show it.
#[tokio::test]
async fn an_order_whose_answer_is_lost_is_unknown_and_was_sent_once() {
    for (faults, timeout) in [
        (
            FaultPlan {
                slow_answer: 1.0,
                slow_for: Duration::from_secs(9),
                ..at_once()
            },
            Duration::from_millis(200),
        ),
        (
            FaultPlan {
                broken_answer: 1.0,
                seed: 1,
                ..at_once()
            },
            Duration::from_secs(5),
        ),
        (
            FaultPlan {
                broken_answer: 1.0,
                seed: 2,
                ..at_once()
            },
            Duration::from_secs(5),
        ),
        (
            FaultPlan {
                broken_answer: 1.0,
                seed: 3,
                ..at_once()
            },
            Duration::from_secs(5),
        ),
    ] {
        let airalo = Airalo::start(faults).await;
        let client = Client::new(ClientSettings {
            timeout,
            ..airalo.settings()
        })
        .expect("an address");
        let (url, _) = receiver(200, 200).await;
        let error = client
            .order_async(&order("once", Some(&url)))
            .await
            .expect_err("no answer");
        assert!(error.is_unknown(), "{error:?}");
        let requests = || {
            airalo.emulator.state()["requests"]
                .as_array()
                .expect("a list")
                .len()
        };
        wait_until("the order to be completed", async || {
            requests() > 0 && airalo.emulator.is_quiet()
        })
        .await;
        assert_eq!(requests(), 1, "{error:?}");
    }
}

/// A server that reads the request, closes the connection, and counts the requests.
#[tokio::test]
async fn an_order_whose_connection_breaks_is_not_sent_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let orders = Arc::new(Mutex::new(0));
    let counted = orders.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let counted = counted.clone();
            tokio::spawn(async move {
                // The token and the order use the same connection, as a client keeps it.
                loop {
                    let mut request = vec![0; 4096];
                    let Ok(read @ 1..) = stream.read(&mut request).await else {
                        return;
                    };
                    if String::from_utf8_lossy(&request[..read])
                        .starts_with("POST /v2/orders-async")
                    {
                        *counted.lock().expect("whole") += 1;
                        return;
                    }
                    let body = r#"{"data":{"access_token":"t","expires_in":100}}"#;
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    stream.write_all(answer.as_bytes()).await.expect("written");
                }
            });
        }
    });
    let client = Client::new(ClientSettings {
        base_url: format!("http://{address}/"),
        client_id: CLIENT_ID.into(),
        client_secret: SecretString::from("s"),
        timeout: Duration::from_secs(5),
    })
    .expect("an address");
    for sent in 1..=3 {
        let error = client
            .order_async(&order("once", Some("http://x/")))
            .await
            .expect_err("it hung up");
        assert!(error.is_unknown(), "{error:?}");
        assert_eq!(*orders.lock().expect("whole"), sent);
    }
}

#[tokio::test]
async fn a_rejected_token_is_requested_again() {
    let airalo = Airalo::with(|settings| settings.limits = Some(Duration::from_secs(60))).await;
    let client = airalo.client();
    let asked = futures_util::future::join_all(
        (0..20).map(|_| client.setting(NotificationType::AsyncOrders)),
    )
    .await;
    assert!(
        asked.into_iter().all(|answer| answer.is_ok()),
        "one token for all requests: three a minute are allowed"
    );
    // Airalo invalidates the tokens.
    airalo.emulator.forget_tokens();
    assert_eq!(
        client
            .order_async(&order("x", Some("http://x/")))
            .await
            .expect_err("no token"),
        ApiError::Unauthorized
    );
    client
        .setting(NotificationType::AsyncOrders)
        .await
        .expect("with a new one");
    airalo.emulator.forget_tokens();
    client
        .setting(NotificationType::AsyncOrders)
        .await
        .expect("a read is repeated");
}

#[tokio::test]
async fn a_rate_limited_call_waits_as_long_as_airalo_requests() {
    let airalo = Airalo::with(|settings| settings.limits = Some(Duration::from_secs(2))).await;
    let (client, (url, got)) = (airalo.client(), receiver(200, 200).await);
    client
        .opt_in(NotificationType::WebhookLowData, &url)
        .await
        .expect("accepted");
    let begun = std::time::Instant::now();
    for _ in 0..6 {
        client
            .simulate(Simulated::LowData("data_75"), None, None)
            .await
            .expect("sent, sooner or later");
    }
    assert_eq!(got.lock().expect("whole").len(), 6);
    assert!(
        begun.elapsed() >= Duration::from_secs(1),
        "the sixth waited"
    );
}

#[tokio::test]
async fn the_simulator_sends_each_type_to_the_given_url() {
    let airalo = Airalo::start(at_once()).await;
    let (client, (url, got)) = (airalo.client(), receiver(200, 200).await);
    let error = client
        .simulate(Simulated::LowData("data_90"), None, None)
        .await
        .expect_err("no opt-in exists");
    assert!(
        error.to_string().contains("User is not opted in"),
        "{error}"
    );
    for what in Simulated::ALL {
        client
            .simulate(what, Some("8901"), Some(&url))
            .await
            .expect("sent");
    }
    let types: Vec<_> = got
        .lock()
        .expect("whole")
        .iter()
        .map(|(_, body)| {
            use hookfast::sources::{SourceKind, airalo::Airalo};
            Airalo
                .describe(None, &axum::http::HeaderMap::new(), body)
                .event_type
                .to_string()
        })
        .collect();
    assert_eq!(
        types.join(" "),
        "airalo.low_data.75 airalo.low_data.90 airalo.low_data.3days airalo.low_data.1days airalo.credit_limit.50 \
         airalo.credit_limit.70 airalo.credit_limit.80 airalo.credit_limit.90 airalo.order.completed"
    );
    let (broken, _) = receiver(200, 500).await;
    let error = client
        .simulate(Simulated::AsyncOrder, None, Some(&broken))
        .await
        .expect_err("not accepted");
    assert!(error.to_string().contains("Could not push data"), "{error}");
}

/// A server that answers each path with a configured response, and counts the tokens.
async fn answers(
    responses: &'static [(&'static str, &'static str)],
) -> (Client, Arc<Mutex<usize>>) {
    let tokens = Arc::new(Mutex::new(0));
    let counted = tokens.clone();
    let answer = move |uri: axum::http::Uri| {
        let counted = counted.clone();
        async move {
            if uri.path() == "/v2/token" {
                *counted.lock().expect("whole") += 1;
            }
            responses
                .iter()
                .find(|(path, _)| *path == uri.path())
                .map_or("{}", |(_, body)| body)
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let settings = ClientSettings {
        base_url: format!("http://{}", listener.local_addr().expect("bound")),
        client_id: CLIENT_ID.into(),
        client_secret: SecretString::from("s"),
        timeout: Duration::from_secs(5),
    };
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
    (Client::new(settings).expect("an address"), tokens)
}

/// If the documentation contradicts itself (contract, section 10), both readings work.
#[tokio::test]
async fn nr_4_and_11_levels_may_be_there_and_a_token_may_hold_a_year_or_a_minute() {
    const YEAR: &str =
        r#"{"data":{"token_type":"Bearer","expires_in":31622400,"access_token":"t"}}"#;
    const MINUTE: &str = r#"{"data":{"expires_in":60,"access_token":"t"}}"#;
    const WITH: &str = r#"{"data":{"notification":{"type":"webhook_credit_limit","contact_point":"u","levels":[50,"80"]}}}"#;
    const WITHOUT: &str =
        r#"{"data":{"notification":{"type":"webhook_credit_limit","contact_point":"u"}}}"#;
    const NONE: &str = r#"{"data":{"notification":null},"meta":{"message":"success"}}"#;
    let kind = NotificationType::WebhookCreditLimit;
    for (responses, requested, levels) in [
        (
            &[("/v2/token", YEAR), ("/v2/notifications/opt-in", WITH)],
            1,
            Some(2),
        ),
        (
            &[("/v2/token", YEAR), ("/v2/notifications/opt-in", WITHOUT)],
            1,
            None,
        ),
        // A token is not used in its last minute, so each request fetches a new one.
        (
            &[("/v2/token", MINUTE), ("/v2/notifications/opt-in", WITHOUT)],
            3,
            None,
        ),
    ] {
        let (client, tokens) = answers(responses).await;
        for _ in 0..3 {
            let setting = client
                .setting(kind)
                .await
                .expect("an answer")
                .expect("a setting");
            assert_eq!(setting.levels.map(|levels| levels.len()), levels);
        }
        assert_eq!(*tokens.lock().expect("whole"), requested);
        // An answer about another type does not answer the question about this one.
        assert_eq!(
            client
                .setting(NotificationType::AsyncOrders)
                .await
                .expect("an answer"),
            None
        );
    }
    let (client, _) = answers(&[("/v2/token", YEAR), ("/v2/notifications/opt-in", NONE)]).await;
    assert_eq!(client.setting(kind).await.expect("an answer"), None);
}
