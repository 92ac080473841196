//! A program that embeds the library: everything it needs has a public name.

use axum::http::{HeaderMap, HeaderName};
use hookfast::policy::{HandlerPolicy, OnInvalidSignature, Retention, RetryPolicy, RoleNames};
use hookfast::sources::{
    Description, EventType, Fingerprint, IdempotencyKey, Identity, Rejection, SourceKind,
};
use hookfast::{
    Builder, Delivery, DeliveryId, ErrorKind, Event, EventId, Handler, HandlerName, Outcome,
    Secret, Source, SourceName, Subscription,
};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

/// A sender that puts its secret into a header.
struct Token;

impl SourceKind for Token {
    fn name(&self) -> &'static str {
        "token"
    }

    fn signature_headers(&self) -> Vec<HeaderName> {
        vec![HeaderName::from_static("x-token")]
    }

    fn verify<'s>(
        &self,
        headers: &HeaderMap,
        _body: &[u8],
        secrets: &'s [Secret],
        _now: SystemTime,
    ) -> Result<&'s Secret, Rejection> {
        if !headers.contains_key("x-token") {
            return Err(Rejection::MissingSignature);
        }
        secrets.first().ok_or(Rejection::WrongSignature)
    }

    fn describe(&self, _topic: Option<&str>, _headers: &HeaderMap, body: &[u8]) -> Description {
        let event_type: EventType = "token.received".parse().expect("a type");
        Description {
            event_type,
            identity: Identity {
                key: IdempotencyKey::new("one"),
                alias: None,
                window: Some(Duration::from_secs(60)),
                fingerprint: Some(Fingerprint::new(&String::from_utf8_lossy(body))),
            },
        }
    }
}

async fn refuse_all(delivery: Delivery) -> Outcome {
    if delivery.event.body.is_empty() {
        return Outcome::dead("the body is empty");
    }
    Outcome::Retry {
        error: "closed".to_owned(),
        after: Some(Duration::from_secs(60)),
        unavailable: true,
        kind: ErrorKind::Handler,
    }
}

fn delivery(body: &'static [u8]) -> Delivery {
    let source: SourceName = "shop".parse().expect("a name");
    let handler: HandlerName = "books".parse().expect("a name");
    Delivery {
        id: DeliveryId(1),
        attempt: 1,
        handler,
        event: Arc::new(Event {
            id: EventId(uuid::Uuid::nil()),
            source,
            event_type: "token.received".parse().expect("a type"),
            topic: None,
            idempotency_key: "one".to_owned(),
            conflicts_with: None,
            received_at: SystemTime::UNIX_EPOCH,
            headers: Arc::new(serde_json::json!({})),
            body: body.into(),
        }),
        replay: None,
    }
}

#[tokio::test]
async fn a_handler_is_tested_by_calling_it() {
    assert_eq!(
        refuse_all(delivery(b"")).await,
        Outcome::dead("the body is empty")
    );
    assert!(matches!(
        Handler::handle(&refuse_all, &delivery(b"{}")).await,
        Outcome::Retry {
            unavailable: true,
            ..
        }
    ));
}

#[test]
fn a_source_a_handler_and_the_settings_have_public_names() {
    let secret = Secret::new("env:TOKEN", b"0123456789abcdef".to_vec()).expect("a secret");
    let description = Token.describe(None, &HeaderMap::new(), b"{}");
    assert_eq!(description.identity.key.as_str(), "one");
    let source = Source::new(
        "shop".parse().expect("a name"),
        Arc::new(Token),
        vec![secret],
        OnInvalidSignature::Reject,
    );
    let mut subscription = Subscription::new("books", &["token.*"]).expect("a subscription");
    subscription.policy = HandlerPolicy {
        retry: RetryPolicy::default(),
        timeout: Duration::from_secs(5),
        ..HandlerPolicy::default()
    };
    let app = Builder::new("postgres://hookfast@127.0.0.1:1/shop")
        .expect("a URL")
        .source(source.expect("a source"))
        .handler(subscription, refuse_all)
        .retention(Retention::default())
        .roles(RoleNames::default())
        .build();
    drop(app);
}
