//! The console: pages for a browser, with the rights that Postgres gives the visitor.
//!
//! ```text
//! request → guard (host, origin) → cookie, or reverse proxy → AsVisitor (session, role) → page (rows → template)
//! ```
//!
//! A page is its address: it keeps no state in the browser. GET and HEAD change nothing. Everything
//! works without JavaScript; `assets/console.js` only refreshes pages and adds shortcuts.

mod access;
mod acts;
mod address;
mod alerts;
mod assets;
mod conflicts;
mod dead_letters;
mod design;
mod event;
mod event_row;
mod events;
mod find;
mod frame;
mod guard;
mod handler;
mod handlers;
mod login;
mod moment;
mod now;
mod orders;
mod page;
mod problem;
mod proxy;
mod request;
mod row;
mod settings;
mod shared;
mod sources;
mod summary;
mod view;

pub use settings::ConsoleSettings;

use crate::domain::ProxySettings;
use crate::http_server::{self, ConnectionLimits, Problem, WithPeer};
use crate::store::{Database, Visitors};
use axum::{
    Router,
    http::StatusCode,
    middleware,
    routing::{any, get, post},
};
use handler::HandlerRows;
use login::LoginAttempts;
use now::NowRows;
use shared::SharedByRole;
use std::{sync::Arc, time::Duration};
use summary::Summary;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The console of one database.
#[derive(Clone)]
pub struct Console {
    shared: Arc<Shared>,
    /// Set on the listener for a reverse proxy, which says who the visitors are.
    proxy: Option<Arc<ProxySettings>>,
}

struct Shared {
    visitors: Visitors,
    settings: ConsoleSettings,
    summaries: SharedByRole<Summary>,
    now: SharedByRole<NowRows>,
    handlers: SharedByRole<HandlerRows>,
    login_attempts: LoginAttempts,
    once: acts::Once,
}

impl Shared {
    /// Forgets what was read for all visitors of a role.
    fn forget(&self) {
        self.summaries.forget();
        self.now.forget();
        self.handlers.forget();
    }
}

impl Console {
    /// It connects with the first request. `database` has the login of the console.
    pub fn new(database: &Database, settings: ConsoleSettings) -> Self {
        let shared = Shared {
            visitors: Visitors::new(database, &settings.role),
            settings,
            summaries: SharedByRole::default(),
            now: SharedByRole::default(),
            handlers: SharedByRole::default(),
            login_attempts: LoginAttempts::default(),
            once: acts::Once::default(),
        };
        Self {
            shared: Arc::new(shared),
            proxy: None,
        }
    }

    /// The same console on a listener of its own, for the visitors that a reverse proxy identifies.
    pub fn behind(&self, proxy: ProxySettings) -> Self {
        Self {
            shared: self.shared.clone(),
            proxy: Some(Arc::new(proxy)),
        }
    }

    /// Serves until `shutdown` is cancelled and the requests in flight are answered.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) {
        let full = Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too-many-connections",
            "Too many connections",
            "The limit of connections to the console is reached; this one was not served. Intake and deliveries are not \
             affected. Close other tabs, or try again.",
        )
        .retry_after(Duration::from_secs(2));
        let limits = ConnectionLimits {
            connections: 256,
            ..ConnectionLimits::default()
        };
        let listener = WithPeer(listener);
        http_server::serve(listener, self.router(), limits, full, |_, _| {}, shutdown).await;
    }

    fn router(self) -> Router {
        let development = match self.shared.settings.is_development {
            true => Router::new().route("/design", get(design::design)),
            false => Router::new(),
        };
        let doors = match self.proxy {
            Some(_) => Router::new()
                .route("/login", any(proxy::no_session))
                .route("/logout", any(proxy::no_session)),
            None => Router::new()
                .route("/login", get(login::form).post(login::redeem))
                .route("/logout", post(login::log_out)),
        };
        doors
            .merge(development)
            .route("/", get(now::now))
            .route("/events", get(events::page))
            .route("/events/{id}", get(event::page))
            .route("/events/{id}/body", get(event::body))
            .route("/find", get(find::page))
            .route("/handlers", get(handlers::page))
            .route("/handlers/{name}", get(handler::page))
            .route("/dead", get(dead_letters::page))
            .route("/alerts", get(alerts::page))
            .route("/alerts/{event_id}", get(alerts::one))
            .route("/orders", get(orders::page))
            .route("/orders/{source}", get(orders::by_parameter))
            .route("/orders/{source}/{request_id}", get(orders::by_request))
            .route("/quarantine/{id}", get(sources::quarantined))
            .route("/quarantine/{id}/body", get(sources::quarantined_body))
            .route("/sources", get(sources::page))
            .route("/sources/{name}", get(sources::source))
            .route("/access", get(access::access))
            .route("/act/{function}", get(acts::show).post(acts::act))
            .route("/done/{function}", get(acts::done))
            .route("/assets/{hash}/{name}", get(assets::serve))
            .fallback(problem::unknown_page)
            .layer(middleware::from_fn_with_state(
                self.clone(),
                proxy::identify,
            ))
            .layer(middleware::from_fn_with_state(self.clone(), guard::guard))
            .with_state(self)
    }
}
