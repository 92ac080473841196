//! The HTTP API of the emulator.

use super::{
    Inner, deliver,
    faults::{Answered, request_id},
    now, payloads,
    state::{OptIn, Request, Wanted},
};
use crate::airalo::client::Simulated;
use crate::sources::airalo::NotificationType;
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

type Airalo = State<Arc<Inner>>;

/// How long a token is valid.
const TOKEN: Duration = Duration::from_secs(24 * 3600);

pub(super) fn router(airalo: Arc<Inner>) -> Router {
    Router::new()
        .route("/v2/token", post(token))
        .route("/v2/notifications/opt-in", post(opt_in).get(details))
        .route("/v2/notifications/opt-out", post(opt_out))
        .route("/v2/simulator/webhook", post(simulate))
        .route("/v2/orders-async", post(order))
        .route("/v2/orders", get(orders))
        .route("/v2/orders/{id}", get(one_order))
        .route("/emulator/state", get(state))
        .with_state(airalo)
}

/// A JSON response as PHP writes it.
fn php(status: StatusCode, value: &Value) -> Response {
    (
        status,
        [(header::CONTENT_TYPE, "application/json")],
        payloads::php_json(value),
    )
        .into_response()
}

fn success(data: &Value) -> Response {
    php(
        StatusCode::OK,
        &json!({"data": data, "meta": {"message": "success"}}),
    )
}

fn invalid(fields: &Value) -> Response {
    php(
        StatusCode::UNPROCESSABLE_ENTITY,
        &json!({"data": fields, "meta": {"message": "the parameter is invalid"}}),
    )
}

fn too_many(wait: Duration) -> Response {
    let mut answer = php(
        StatusCode::TOO_MANY_REQUESTS,
        &json!({"code": 429, "reason": "Too Many Attempts."}),
    );
    answer
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
    answer
}

impl Inner {
    /// Counts a call. Returns the time to wait if the limit of calls is reached.
    fn limited(&self, call: &'static str, most: usize) -> Option<Duration> {
        let within = self.settings.limits?;
        let mut state = self.state();
        let calls = state.calls.entry(call).or_default();
        while calls.front().is_some_and(|first| first.elapsed() > within) {
            calls.pop_front();
        }
        if calls.len() >= most {
            return calls
                .front()
                .map(|first| within.saturating_sub(first.elapsed()));
        }
        calls.push_back(Instant::now());
        None
    }

    fn knows(&self, headers: &HeaderMap) -> Result<(), Box<Response>> {
        let token = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let known = token.is_some_and(|token| {
            self.state()
                .tokens
                .get(token)
                .is_some_and(|until| *until > Instant::now())
        });
        let message = json!({"data": [], "meta": {"message": "This access token is not valid"}});
        if known {
            Ok(())
        } else {
            Err(Box::new(php(StatusCode::UNAUTHORIZED, &message)))
        }
    }
}

/// The fields of a JSON body or of a form.
fn fields(headers: &HeaderMap, body: &Bytes) -> Value {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if kind.starts_with("application/json") {
        return serde_json::from_slice(body).unwrap_or_default();
    }
    url::form_urlencoded::parse(body)
        .map(|(name, value)| (name.into_owned(), Value::from(value)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn text<'f>(fields: &'f Value, name: &str) -> &'f str {
    fields[name].as_str().unwrap_or_default()
}

/// A number, or a string that holds one.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

async fn token(State(airalo): Airalo, headers: HeaderMap, body: Bytes) -> Response {
    if let Some(wait) = airalo.limited("token", 3) {
        return too_many(wait);
    }
    let given = fields(&headers, &body);
    if text(&given, "client_id") != airalo.settings.client_id {
        return invalid(&json!({"client_id": "The selected client id is invalid."}));
    }
    if text(&given, "client_secret") != airalo.settings.client_secret.expose_secret() {
        let failed = json!({"data": [], "meta": {"message": "Client authentication failed"}});
        return php(StatusCode::UNAUTHORIZED, &failed);
    }
    let token = hex::encode(rand::random::<[u8; 32]>());
    airalo
        .state()
        .tokens
        .insert(token.clone(), Instant::now() + TOKEN);
    success(&json!({"token_type": "Bearer", "expires_in": 31_622_400, "access_token": token}))
}

async fn opt_in(State(airalo): Airalo, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(refused) = airalo.knows(&headers) {
        return *refused;
    }
    let given = fields(&headers, &body);
    let Ok(kind) = text(&given, "type").parse::<NotificationType>() else {
        return invalid(&json!({"type": "The selected type is invalid."}));
    };
    let name = if kind.is_email() {
        "email"
    } else {
        "webhook_url"
    };
    let contact_point = text(&given, name).to_owned();
    if contact_point.is_empty() {
        return invalid(&json!({name: format!("The {name} field is required.")}));
    }
    if !kind.is_email()
        && let Err(why) = deliver::head(&airalo, &contact_point).await
    {
        return invalid(
            &json!({"webhook_url": format!("The webhook url could not be verified: {why}.")}),
        );
    }
    let levels = given
        .get("levels")
        .cloned()
        .filter(|levels| !levels.is_null());
    let mut shown = json!({"type": kind.as_str(), "contact_point": contact_point});
    if let Some(levels) = &levels {
        shown["levels"] = levels.clone();
    }
    airalo.state().opt_ins.insert(
        kind.as_str().to_owned(),
        OptIn {
            contact_point,
            levels,
        },
    );
    success(&json!({"notification": shown}))
}

async fn details(
    State(airalo): Airalo,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    if let Err(refused) = airalo.knows(&headers) {
        return *refused;
    }
    let state = airalo.state();
    let found = match query.get("type") {
        Some(kind) => state.opt_ins.get_key_value(kind),
        None => state.opt_ins.first_key_value(),
    };
    let shown = found.map(|(kind, opt_in)| {
        let mut shown = json!({"type": kind, "contact_point": opt_in.contact_point});
        if let Some(levels) = &opt_in.levels {
            shown["levels"] = levels.clone();
        }
        shown
    });
    success(&json!({"notification": shown}))
}

async fn opt_out(State(airalo): Airalo, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(refused) = airalo.knows(&headers) {
        return *refused;
    }
    let given = fields(&headers, &body);
    if text(&given, "type").parse::<NotificationType>().is_err() {
        return invalid(&json!({"type": "The selected type is invalid."}));
    }
    airalo.state().opt_ins.remove(text(&given, "type"));
    StatusCode::NO_CONTENT.into_response()
}

async fn simulate(State(airalo): Airalo, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(refused) = airalo.knows(&headers) {
        return *refused;
    }
    if let Some(wait) = airalo.limited("simulator", 5) {
        return too_many(wait);
    }
    let given = fields(&headers, &body);
    let iccid = given["iccid"]
        .as_str()
        .unwrap_or("8900000999999999999")
        .to_owned();
    let (kind, value) = match text(&given, "event") {
        "low_data_notification" => (
            NotificationType::WebhookLowData,
            payloads::low_data(text(&given, "type"), &iccid),
        ),
        "credit_limit_notification" => (
            NotificationType::WebhookCreditLimit,
            number(&given["level"]).and_then(payloads::credit_limit),
        ),
        // The body of this notification is not public.
        "async_order_notification" => {
            (NotificationType::AsyncOrders, Some(simulated_order(&iccid)))
        }
        _ => {
            return invalid(&json!({"event":
                "Event must be one of: low_data_notification, credit_limit_notification, async_order_notification"}));
        }
    };
    let Some(value) = value else {
        let known = Simulated::ALL.map(|what| what.to_string()).join(", ");
        return invalid(&json!({"type": format!("It must be one of: {known}")}));
    };
    let url = given["webhook_url"].as_str().map(str::to_owned);
    let url = url.or_else(|| {
        airalo
            .state()
            .opt_ins
            .get(kind.as_str())
            .map(|opt_in| opt_in.contact_point.clone())
    });
    let Some(url) = url else {
        return php(
            StatusCode::BAD_REQUEST,
            &json!({"error": "User is not opted in"}),
        );
    };
    match deliver::post(&airalo, &url, &payloads::php_json(&value)).await {
        true => php(StatusCode::OK, &json!({"success": "Notification sent"})),
        false => php(
            StatusCode::BAD_REQUEST,
            &json!({"error": format!("Could not push data to {url}")}),
        ),
    }
}

fn simulated_order(iccid: &str) -> Value {
    let order = super::Order {
        id: super::first_number(),
        code: "simulated".to_owned(),
        package_id: "emulated-7days-1gb".to_owned(),
        quantity: 1,
        description: "simulated".to_owned(),
        created_at: now(),
        iccids: vec![iccid.to_owned()],
        reason: None,
    };
    payloads::completed(&order, &request_id(), 0)
}

/// Packages that Airalo's sandbox rejects.
fn refusal(package_id: &str) -> Option<Value> {
    let code = |code: i64, reason: &str| Some(json!({"code": code, "reason": reason}));
    match package_id {
        "test-insufficient-balance-7days-1gb" => code(
            11,
            "Insufficient Airalo credit, please add credit to your account",
        ),
        "test-maintenance-mode-7days-1gb" => code(
            13,
            "The requested operator is currently undergoing maintenance.",
        ),
        "test-not-enough-7days-1gb" => code(33, "Insufficient stock of eSIMs remaining."),
        "test-out-of-stock-7days-1gb" => code(
            34,
            "The requested eSIM package is invalid or it is currently out of stock. Please try again later.",
        ),
        _ => None,
    }
}

async fn order(State(airalo): Airalo, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(refused) = airalo.knows(&headers) {
        return *refused;
    }
    let given = fields(&headers, &body);
    let package_id = text(&given, "package_id").to_owned();
    let quantity = number(&given["quantity"])
        .and_then(|quantity| u8::try_from(quantity).ok())
        .filter(|q| *q > 0);
    let mut wrong = serde_json::Map::new();
    if package_id.is_empty() {
        wrong.insert(
            "package_id".into(),
            "The package id field is required.".into(),
        );
    }
    match quantity {
        Some(1..=50) => {}
        Some(_) => drop(wrong.insert(
            "quantity".into(),
            "The quantity may not be greater than 50.".into(),
        )),
        None => drop(wrong.insert("quantity".into(), "The quantity must be at least 1.".into())),
    }
    if !wrong.is_empty() {
        return invalid(&wrong.into());
    }
    if let Some(refused) = refusal(&package_id) {
        return php(StatusCode::UNPROCESSABLE_ENTITY, &refused);
    }
    let opted_in = airalo
        .state()
        .opt_ins
        .get("async_orders")
        .map(|opt_in| opt_in.contact_point.clone());
    let Some(webhook_url) = given["webhook_url"]
        .as_str()
        .map(str::to_owned)
        .or(opted_in)
    else {
        let refused = json!({"reason": "User is not opted in and no webhook URL provided."});
        return php(StatusCode::UNPROCESSABLE_ENTITY, &refused);
    };
    let description = given["description"].as_str().map(str::to_owned);
    let description = description.unwrap_or_else(|| format!("1 x sim - {package_id}"));
    let wanted = Wanted {
        package_id,
        quantity: quantity.unwrap_or(1),
        description: description.clone(),
        webhook_url,
    };
    let fate = airalo
        .fault_injector
        .fate(&airalo.settings.faults, &wanted.package_id);
    let request_id = request_id();
    let request = {
        let mut state = airalo.state();
        state.requests.push(Request {
            request_id: request_id.clone(),
            description,
            orders: Vec::new(),
            lost: false,
            accepted: 0,
            done: false,
        });
        state.requests.len() - 1
    };
    tokio::spawn(deliver::fulfil(airalo.clone(), request, wanted, fate));
    accepted(&airalo, fate.answer, &request_id).await
}

/// The response to an accepted order, or the fault that was drawn for it.
async fn accepted(airalo: &Inner, answered: Answered, request_id: &str) -> Response {
    let accepted = json!({"data": {"request_id": request_id, "accepted_at": now()}, "meta": {"message": "success"}});
    match answered {
        Answered::Well => php(StatusCode::ACCEPTED, &accepted),
        Answered::Slowly => {
            tokio::time::sleep(airalo.settings.faults.slow_for).await;
            php(StatusCode::ACCEPTED, &accepted)
        }
        Answered::Badly => (StatusCode::BAD_GATEWAY, "<html>Bad Gateway</html>").into_response(),
        Answered::CutOff => {
            let whole = payloads::php_json(&accepted);
            (
                StatusCode::ACCEPTED,
                Body::from(whole[..whole.len() / 3].to_owned()),
            )
                .into_response()
        }
    }
}

fn listed(order: &super::Order) -> Value {
    let mut shown = payloads::order(order);
    let status = if order.reason.is_some() {
        "failed"
    } else {
        "completed"
    };
    shown["status"] = json!({"name": status, "slug": status});
    shown
}

async fn orders(
    State(airalo): Airalo,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    if let Err(refused) = airalo.knows(&headers) {
        return *refused;
    }
    let filter = |name: &str| query.get(name).filter(|value| !value.is_empty());
    let number = |name: &str, default: usize| {
        filter(name)
            .and_then(|n| n.parse().ok())
            .filter(|n| *n > 0)
            .unwrap_or(default)
    };
    let (limit, page) = (number("limit", 25).min(100), number("page", 1));
    let state = airalo.state();
    let found = state.orders.iter().rev().filter(|order| {
        filter("filter[description]").is_none_or(|text| order.description.contains(text.as_str()))
            && filter("filter[code]").is_none_or(|code| order.code == *code)
            && filter("filter[iccid]").is_none_or(|iccid| order.iccids.contains(iccid))
            && filter("filter[created_at]").is_none_or(|days| match days.split_once(" - ") {
                Some((from, to)) => (from..=to).contains(&&order.created_at[..10]),
                None => true,
            })
    });
    let found: Vec<_> = found.collect();
    let shown: Vec<_> = found
        .iter()
        .skip((page - 1) * limit)
        .take(limit)
        .map(|order| listed(order))
        .collect();
    let meta = json!({"message": "success", "current_page": page, "last_page": found.len().div_ceil(limit).max(1), "total": found.len()});
    php(
        StatusCode::OK,
        &json!({"data": shown, "links": {}, "meta": meta}),
    )
}

async fn one_order(State(airalo): Airalo, headers: HeaderMap, Path(id): Path<String>) -> Response {
    if let Err(refused) = airalo.knows(&headers) {
        return *refused;
    }
    let state = airalo.state();
    match state.orders.iter().find(|order| order.id.to_string() == id) {
        Some(order) => success(&listed(order)),
        None => php(
            StatusCode::NOT_FOUND,
            &json!({"data": [], "meta": {"message": "Not found"}}),
        ),
    }
}

async fn state(State(airalo): Airalo) -> Response {
    let state = serde_json::to_value(&*airalo.state()).unwrap_or_default();
    php(StatusCode::OK, &state)
}
