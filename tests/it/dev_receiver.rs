//! The receiver of `hookfast listen`, with the http handler as its sender.

use crate::raw_server::{PATIENCE, delivery, error, secret, settings};
use axum::http::StatusCode;
use hookfast::internals::dev::receiver::{Mode, ModeSwitch, Notice, Received, Receiver};
use hookfast::internals::domain::{Delivery, DeliveryId, EventId, Outcome};
use hookfast::internals::handlers::HttpHandler;
use hookfast::internals::signing::Secret;
use hookfast::internals::signing::standard_webhooks::Unverified;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

struct Running {
    addr: SocketAddr,
    mode: ModeSwitch,
    notices: mpsc::UnboundedReceiver<Notice>,
    stop: CancellationToken,
    serving: JoinHandle<io::Result<()>>,
}

impl Running {
    async fn start(secrets: Vec<Secret>) -> Self {
        let (sender, notices) = mpsc::unbounded_channel();
        let receiver = Receiver::new(secrets, move |notice| {
            let _ = sender.send(notice);
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (addr, mode, stop) = (
            listener.local_addr().expect("an address"),
            receiver.mode(),
            CancellationToken::new(),
        );
        let serving = tokio::spawn(receiver.serve(listener, stop.clone()));
        Self {
            addr,
            mode,
            notices,
            stop,
            serving,
        }
    }

    fn handler(&self) -> HttpHandler {
        HttpHandler::new(settings(format!("http://{}/any/path", self.addr))).expect("a handler")
    }

    async fn notice(&mut self) -> Notice {
        timeout(PATIENCE, self.notices.recv())
            .await
            .expect("a notice in time")
            .expect("it runs")
    }

    async fn received(&mut self) -> Received {
        match self.notice().await {
            Notice::Received(received) => received,
            Notice::Refused(why) => panic!("rejected: {why}"),
        }
    }
}

fn attempt(delivery: &Delivery, attempt: i32) -> Delivery {
    Delivery {
        attempt,
        ..delivery.clone()
    }
}

#[tokio::test]
async fn it_prints_deliveries_and_recognizes_repeats() {
    let mut running = Running::start(vec![secret(9), secret(1)]).await;
    let (handler, delivery) = (running.handler(), delivery(b"\0 body \xff"));
    running.mode.set(Mode::Fail(StatusCode::IM_A_TEAPOT));
    let report = handler.deliver(&attempt(&delivery, 1)).await;
    assert_eq!(
        (report.status, error(&report)),
        (Some(418), "status 418: this receiver is set to fail")
    );
    let first = running.received().await;
    assert_eq!(
        (first.attempt, first.repeat, first.mode),
        (1, false, Mode::Fail(StatusCode::IM_A_TEAPOT))
    );

    running.mode.set(Mode::Ok);
    assert_eq!(
        handler.deliver(&attempt(&delivery, 2)).await.outcome,
        Outcome::Delivered
    );
    let second = running.received().await;
    assert!(
        !second.repeat,
        "a retry after a failure runs for the first time"
    );
    assert_eq!(second.id, delivery.event.id.to_string());
    assert_eq!((second.delivery.as_str(), second.attempt), ("42", 2));
    assert_eq!(
        (second.source.as_str(), second.event_type.as_str()),
        ("airalo-eu", "airalo.order.completed")
    );
    assert_eq!(second.body.as_ref(), b"\0 body \xff");

    assert_eq!(
        handler
            .deliver(&Delivery {
                id: DeliveryId(43),
                ..attempt(&delivery, 1)
            })
            .await
            .outcome,
        Outcome::Delivered
    );
    assert!(
        running.received().await.repeat,
        "another delivery of the same event"
    );

    let mut other = delivery.clone();
    Arc::make_mut(&mut other.event).id = EventId(uuid::Uuid::now_v7());
    assert_eq!(handler.deliver(&other).await.outcome, Outcome::Delivered);
    assert!(!running.received().await.repeat);
}

#[tokio::test]
async fn without_a_valid_signature_it_answers_401() {
    let mut running = Running::start(vec![secret(2)]).await;
    let report = running.handler().deliver(&delivery("{}")).await;
    assert_eq!(report.status, Some(401));
    assert!(matches!(
        running.notice().await,
        Notice::Refused(Unverified::Wrong)
    ));

    let client = reqwest::Client::builder();
    // No TLS is used, but the client requires its settings.
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .expect("versions")
    .with_root_certificates(rustls::RootCertStore::empty())
    .with_no_client_auth();
    let client = client
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .build()
        .expect("a client");
    let url = format!("http://{}/", running.addr);
    let unsigned = client
        .post(&url)
        .body("{}")
        .send()
        .await
        .expect("an answer");
    assert_eq!(unsigned.status().as_u16(), 401);
    assert!(matches!(
        running.notice().await,
        Notice::Refused(Unverified::Missing)
    ));
    assert_eq!(
        client
            .get(&url)
            .send()
            .await
            .expect("an answer")
            .status()
            .as_u16(),
        405
    );
}

#[tokio::test]
async fn it_hangs_until_it_is_switched_and_stops_cleanly_meanwhile() {
    let mut running = Running::start(vec![secret(1)]).await;
    assert_eq!(running.mode.toggle(Mode::Hang), Mode::Hang);
    let (handler, sent) = (Arc::new(running.handler()), delivery("{}"));
    let attempt = || {
        let (handler, sent) = (handler.clone(), sent.clone());
        tokio::spawn(async move { handler.deliver(&sent).await })
    };
    let hanging = attempt();
    assert_eq!(running.received().await.mode, Mode::Hang);
    assert!(!hanging.is_finished());
    assert_eq!(running.mode.toggle(Mode::Hang), Mode::Ok);
    assert_eq!(
        timeout(PATIENCE, hanging)
            .await
            .expect("in time")
            .expect("no panic")
            .status,
        Some(503)
    );

    running.mode.set(Mode::Hang);
    let hanging = attempt();
    running.received().await;
    let stopped_at = Instant::now();
    running.stop.cancel();
    assert_eq!(
        timeout(PATIENCE, hanging)
            .await
            .expect("in time")
            .expect("no panic")
            .status,
        Some(503)
    );
    timeout(PATIENCE, running.serving)
        .await
        .expect("in time")
        .expect("no panic")
        .expect("no error");
    assert!(stopped_at.elapsed() < Duration::from_secs(5));
}
