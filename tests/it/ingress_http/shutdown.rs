//! Shutdown: requests in flight are answered, and no new ones are accepted.

use super::fakes::{GOOD, Server};
use crate::support::raw_http::{in_time, request};
use hookfast::internals::domain::IngressLimits;
use std::time::Duration;
use tokio::net::TcpStream;

/// Waits until nothing listens there any more.
async fn nothing_listens(server: &Server) {
    in_time("the listener closes", async {
        while TcpStream::connect(server.address).await.is_ok() {}
    })
    .await;
}

#[tokio::test]
async fn requests_in_flight_are_answered_and_new_ones_rejected() {
    let mut server = Server::start(IngressLimits::default()).await;
    server.intake.close_gate();
    let mut client = server.connect().await;
    client
        .send(request("POST", "/webhooks/fixed", &[GOOD], b"x"))
        .await;
    server.intake.waiting(1).await;
    let mut half = server.connect().await;
    half.send(
        "POST /webhooks/fixed HTTP/1.1\r\nx-signature: good\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n",
    )
    .await;
    assert!(
        half.interim().await.starts_with("HTTP/1.1 100 "),
        "its body is being read"
    );
    half.send("ha").await;

    server.shutdown.cancel();
    nothing_listens(&server).await;
    half.send("lf").await;
    server.intake.waiting(2).await;
    assert!(
        !server.task.is_finished(),
        "the shutdown waits for requests in flight"
    );

    server.intake.open_gate();
    for client in [&mut client, &mut half] {
        let answer = client.answer().await;
        assert_eq!(
            (answer.status, answer.header("connection")),
            (200, Some("close"))
        );
        assert_eq!(client.closed().await, b"");
    }
    in_time("serve returns", &mut server.task)
        .await
        .expect("without a panic");
    assert_eq!(server.intake.stored().len(), 2);
}

#[tokio::test]
async fn connections_without_a_request_do_not_delay_it() {
    let limits = IngressLimits {
        header_time: Duration::from_millis(300),
        ..IngressLimits::default()
    };
    let mut server = Server::start(limits).await;
    let (mut idle, mut half, mut silent) = (
        server.connect().await,
        server.connect().await,
        server.connect().await,
    );
    idle.send(request("HEAD", "/webhooks/fixed", &[], b""))
        .await;
    assert_eq!(idle.answer_to_head().await.status, 200);
    half.send("POST /webhooks/fi").await;

    server.shutdown.cancel();
    in_time("serve returns", &mut server.task)
        .await
        .expect("without a panic");
    for client in [&mut idle, &mut half, &mut silent] {
        assert_eq!(client.closed().await, b"");
    }
}

#[tokio::test]
async fn dropping_it_ends_every_connection_at_once() {
    let server = Server::start(IngressLimits::default()).await;
    server.intake.close_gate();
    let mut client = server.connect().await;
    client
        .send(request("POST", "/webhooks/fixed", &[GOOD], b"x"))
        .await;
    server.intake.waiting(1).await;
    server.task.abort();
    assert_eq!(client.closed().await, b"");
    nothing_listens(&server).await;
}
