//! Connections: silent, slow, too many, cut.

use super::fakes::{GOOD, Server};
use crate::support::raw_http::{Client, in_time, request, until};
use hookfast::ingress::Limits;
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(300);

fn short_heads() -> Limits {
    Limits { header_time: SHORT, ..Limits::default() }
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed_in_time() {
    let server = Server::start(short_heads()).await;
    let (mut client, start) = (server.connect().await, Instant::now());
    assert_eq!(client.closed().await, b"");
    assert!(start.elapsed() >= SHORT / 2, "not before its time");
}

#[tokio::test]
async fn half_a_head_is_closed_in_time_and_bytes_now_and_then_do_not_prolong_it() {
    let server = Server::start(short_heads()).await;
    for half in ["P", "POST /webhooks/fixed HT", "POST /webhooks/fixed HTTP/1.1\r\nx: y\r\n"] {
        let mut client = server.connect().await;
        client.send(half).await;
        assert_eq!(client.closed().await, b"", "{half}");
    }
    let (mut client, start) = (server.connect().await, Instant::now());
    client.send("POST /webhooks/fixed HTTP/1.1\r\n").await;
    while client.try_send("x: y\r\n").await.is_ok() {
        assert!(start.elapsed() < Duration::from_secs(10), "kept open by trickling");
        client.stays_open(Duration::from_millis(20)).await;
    }
    server.is_well().await;
}

#[tokio::test]
async fn between_requests_the_longer_time_holds_but_a_begun_head_has_the_short_one() {
    let server = Server::start(short_heads()).await;
    let mut client = server.connect().await;
    for _ in 0..2 {
        client.send(request("HEAD", "/webhooks/fixed", &[], b"")).await;
        assert_eq!(client.answer_to_head().await.status, 200);
        assert!(client.stays_open(3 * SHORT).await, "idle is allowed");
    }
    let start = Instant::now();
    client.send("POST /webho").await;
    assert_eq!(client.closed().await, b"");
    assert!(start.elapsed() < Duration::from_secs(10), "not the 75 s of an idle connection");
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_time() {
    let server = Server::start(Limits { idle_time: SHORT, ..Limits::default() }).await;
    let mut client = server.connect().await;
    client.send(request("HEAD", "/webhooks/fixed", &[], b"")).await;
    assert_eq!(client.answer_to_head().await.status, 200);
    assert_eq!(client.closed().await, b"");
}

#[tokio::test]
async fn a_connection_is_reused_and_http_1_0_is_closed() {
    let server = Server::start(Limits::default()).await;
    let mut client = server.connect().await;
    for n in 0..200 {
        client.send(request("POST", "/webhooks/fixed", &[GOOD], format!("{n}").as_bytes())).await;
        assert_eq!(client.answer().await.status, 200);
    }
    client.send("POST /webhooks/fixed HTTP/1.0\r\nx-signature: good\r\ncontent-length: 1\r\n\r\nx").await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(client.closed().await, b"");
}

#[tokio::test]
async fn a_sender_that_closes_its_side_still_gets_its_answer() {
    let server = Server::start(Limits::default()).await;
    server.intake.close_gate();
    let mut client = server.connect().await;
    client.send(request("POST", "/webhooks/fixed", &[GOOD], b"x")).await;
    client.finish().await;
    server.intake.waiting(1).await;
    server.intake.open_gate();
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn resets_at_any_point_harm_nobody() {
    let server = Server::start(Limits::default()).await;
    let whole = request("POST", "/webhooks/fixed", &[GOOD], &[1; 2000]);
    for n in 0..200 {
        let mut client = server.connect().await;
        client.send(&whole[..n * whole.len() / 200]).await;
        client.reset();
    }
    assert!(server.intake.stored().is_empty(), "none was whole");

    server.intake.close_gate();
    for n in 1..=20 {
        let mut client = server.connect().await;
        client.send(&whole).await;
        server.intake.waiting(n).await;
        client.reset();
    }
    server.intake.open_gate();
    server.is_well().await;
}

#[tokio::test]
async fn past_the_limit_connections_get_a_503_and_the_others_go_on() {
    let server = Server::start(Limits { connections: 2, ..Limits::default() }).await;
    let mut open = vec![];
    for _ in 0..2 {
        let mut client = server.connect().await;
        client.send(request("HEAD", "/webhooks/fixed", &[], b"")).await;
        assert_eq!(client.answer_to_head().await.status, 200);
        open.push(client);
    }
    let mut third = server.connect().await;
    third.send(request("POST", "/webhooks/fixed", &[GOOD], &[1; 5000])).await;
    let answer = third.answer().await;
    answer.problem(503, "too-many-connections");
    assert_eq!(answer.header("connection"), Some("close"));
    third.is_let_finish(tokio::time::Instant::now()).await;
    let mut silent = server.connect().await;
    silent.answer().await.problem(503, "too-many-connections");
    assert_eq!(*server.seen.turned_away.lock().expect("not poisoned"), 2);

    for client in &mut open {
        client.send(request("POST", "/webhooks/fixed", &[GOOD], b"x")).await;
        assert_eq!(client.answer().await.status, 200, "those that are open go on");
    }
    drop(open);
    in_time("a free connection", async {
        loop {
            let mut client = server.connect().await;
            client.send(request("HEAD", "/webhooks/fixed", &[], b"")).await;
            if client.answer_to_head().await.status == 200 {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_flood_of_connections_is_turned_away_and_forgotten() {
    let server = Server::start(Limits { connections: 8, ..short_heads() }).await;
    let mut flood = vec![];
    for _ in 0..400 {
        flood.push(Client::connect(server.address).await);
    }
    for mut client in flood {
        let said = client.closed().await;
        assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 503 "), "{}", String::from_utf8_lossy(&said));
    }
    until("all others were turned away", || *server.seen.turned_away.lock().expect("not poisoned") >= 392 - 8).await;
    server.is_well().await;
}
