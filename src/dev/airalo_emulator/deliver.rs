//! The emulator's webhooks: signed, sent, and retried until they are accepted.

use super::{Inner, faults::Fate, now, payloads, state::Wanted};
use crate::sources::airalo::sign;
use reqwest::{Method, Request, Url, header};
use std::{sync::Arc, time::Duration};

const REASON: &str = "The requested eSIM package is invalid or it is currently out of stock. Please try again later.";

/// The longest wait for a receiver's response.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes the order after its delay, and sends its webhook until the receiver accepts it.
pub(super) async fn fulfil(airalo: Arc<Inner>, request: usize, wanted: Wanted, fate: Fate) {
    let stop = airalo.stop.clone();
    stop.run_until_cancelled(async {
        tokio::time::sleep(fate.delay).await;
        deliver(&airalo, request, &wanted, fate).await;
    })
    .await;
    airalo.state().requests[request].done = true;
}

async fn deliver(airalo: &Inner, request: usize, wanted: &Wanted, fate: Fate) {
    let mut body = make(airalo, request, wanted, fate);
    if fate.lost {
        airalo.state().requests[request].lost = true;
        return;
    }
    let mut again = fate.new_order;
    for _ in 0..airalo.settings.max_attempts {
        let accepted = post(airalo, &wanted.webhook_url, &body).await;
        if accepted {
            airalo.state().requests[request].accepted += 1;
            if fate.duplicate && post(airalo, &wanted.webhook_url, &body).await {
                airalo.state().requests[request].accepted += 1;
            }
            if !again {
                return;
            }
        }
        tokio::time::sleep(airalo.settings.retry_every).await;
        // As observed in Airalo's sandbox: the retry makes another order.
        if again {
            body = make(airalo, request, wanted, fate);
            again = false;
        }
    }
}

/// Makes the order and returns the body of its webhook.
fn make(airalo: &Inner, request: usize, wanted: &Wanted, fate: Fate) -> String {
    let mut state = airalo.state();
    let order = state.make(request, wanted, &now(), fate.failed.then_some(REASON));
    let request_id = &state.requests[request].request_id;
    payloads::php_json(&match fate.failed {
        true => payloads::failed(REASON, request_id, fate.form),
        false => payloads::completed(&order, request_id, fate.form),
    })
}

/// Whether the receiver accepted the body. Only status 200 counts.
pub(super) async fn post(airalo: &Inner, url: &str, body: &str) -> bool {
    let Ok(url) = url.parse::<Url>() else {
        return false;
    };
    let mut request = Request::new(Method::POST, url);
    let (name, value) = sign(&airalo.secret, body.as_bytes());
    let Ok(value) = header::HeaderValue::from_str(&value) else {
        return false;
    };
    request.headers_mut().insert(name, value);
    request.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    *request.body_mut() = Some(body.to_owned().into());
    *request.timeout_mut() = Some(PATIENCE);
    airalo
        .http
        .execute(request)
        .await
        .is_ok_and(|answer| answer.status().as_u16() == 200)
}

/// Checks a URL as an opt-in does: it must respond to HEAD with 200, without a redirect.
pub(super) async fn head(airalo: &Inner, url: &str) -> Result<(), String> {
    let url: Url = url
        .parse()
        .map_err(|_| "it is not a valid URL".to_owned())?;
    let mut request = Request::new(Method::HEAD, url);
    *request.timeout_mut() = Some(PATIENCE);
    match airalo.http.execute(request).await {
        Ok(answer) if answer.status().as_u16() == 200 => Ok(()),
        Ok(answer) => Err(format!(
            "it responds to HEAD with {}",
            answer.status().as_u16()
        )),
        Err(_) => Err("it does not respond to HEAD".to_owned()),
    }
}
