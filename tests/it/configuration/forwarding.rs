//! The headers of the sender's request that an http handler forwards, so that a provider's own
//! verifier works behind it.

use super::checked;
use crate::raw_server::{RawServer, read_request};
use crate::sources::vectors::sample;
use crate::support::{
    postgres::database,
    raw_http::{Client, request},
    server::{HANDLER_SECRET, Server},
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::{io::AsyncWriteExt, sync::mpsc};

const STRIPE_SECRET: &str = "whsec_Vm8bPq2nJ0fTtQyS6uWkZr4xLc9eHd1A";

/// As <https://docs.stripe.com/webhooks#verify-manually> specifies, with the text of the whole
/// secret.
fn signed_by_stripe(time: &str, body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(STRIPE_SECRET.as_bytes()).expect("any length");
    hex::encode(
        mac.chain_update(time)
            .chain_update(".")
            .chain_update(body)
            .finalize()
            .into_bytes(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn stripes_signature_verifies_behind_an_http_handler() {
    let (sender, mut requests) = mpsc::unbounded_channel();
    let receiver = RawServer::start(move |_, mut stream| {
        let sender = sender.clone();
        async move {
            while let Some(request) = read_request(&mut stream).await {
                sender.send(request).expect("the test listens");
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(answer).await.expect("the handler reads");
            }
        }
    })
    .await;
    let handler = format!(
        "\n[handlers.shop]\nkind = 'http'\ntypes = ['stripe.*']\nurl = 'http://{}/'\nallow_private = true\n\
         secrets = ['env:HANDLER_SECRET']\nforward_headers = ['stripe-signature']\n",
        receiver.addr
    );
    let database = database().await;
    let environment = [("STRIPE_WEBHOOK_SECRET", STRIPE_SECRET)];
    let server = Server::serve_with(database.url(), &(sample("stripe") + &handler), &environment);
    server.ready().await;
    let time = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs()
        .to_string();
    let body = "{\n  \"id\": \"evt_1\",\n  \"data\": {\"object\": {\"customer\": \"cus_9\", \"name\": \"Zoë\"}},\n  \"type\": \"invoice.paid\"\n}".as_bytes();
    let signature = format!("t={time},v1={}", signed_by_stripe(&time, body));
    let mut client = Client::connect(server.ingress().await).await;
    client
        .send(request(
            "POST",
            "/webhooks/stripe",
            &[("stripe-signature", &signature), ("x-other", "1")],
            body,
        ))
        .await;
    assert_eq!(client.answer().await.status, 200);
    let delivered = requests.recv().await.expect("a request");
    let passed_on = delivered
        .header("stripe-signature")
        .expect("the sender's own");
    let (time, given) = passed_on.split_once(",v1=").expect("Stripe's form");
    let time = time.strip_prefix("t=").expect("Stripe's form");
    assert_eq!(given, signed_by_stripe(time, &delivered.body));
    assert_eq!(delivered.header("x-other"), None, "only the named headers");
    assert!(
        delivered.header("webhook-signature").is_some(),
        "with Hookfast's own headers beside them"
    );
}

#[test]
fn headers_of_the_connection_and_our_own_cannot_be_forwarded() {
    for name in [
        "host",
        "Transfer-Encoding",
        "webhook-signature",
        "hookfast-type",
        "authorization",
        "x y",
    ] {
        let config = format!(
            "[sources.airalo]\nkind = 'airalo'\nsecrets = ['env:AIRALO_CLIENT_SECRET']\n[handlers.shop]\nkind = 'http'\n\
             types = ['*']\nurl = 'https://shop.example.com/'\nsecrets = ['env:HANDLER_SECRET']\nforward_headers = ['{name}']\n"
        );
        let printed = checked(
            &config,
            &[
                ("AIRALO_CLIENT_SECRET", "0123456789abcdef"),
                ("HANDLER_SECRET", HANDLER_SECRET),
            ],
        );
        let expected =
            format!("error    configuration: handler 'shop': forward_headers: '{name}' ");
        assert!(
            printed.contains(&expected),
            "{expected} is not in:\n{printed}"
        );
    }
}
