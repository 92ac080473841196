//! What an application declares: sources, handlers, limits.

use super::{
    App,
    reload::{Replaceable, Seen},
};
use crate::airalo::Account;
use crate::domain::{
    HandlerName, HandlerPolicy, IngressLimits, InvalidName, InvalidPattern, PayloadFields,
    QuarantineLimits, Retention, RoleNames, SourceName, TypePattern,
};
use crate::handlers::{Handler, HttpHandler, RustHandler, TransactionalHandler};
use crate::ingress::Source;
use crate::store::{Database, InvalidUrl};
use crate::worker::{ExecutionMode, InTransaction};
use std::{sync::Arc, time::Duration};
use tokio::net::TcpListener;

/// The name, subscription and policy of a handler.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// The handler's name in the database, logs and commands.
    pub name: HandlerName,
    /// The event types of the subscription.
    pub types: Vec<TypePattern>,
    /// The sources of the subscription; `None` means all sources.
    pub sources: Option<Vec<SourceName>>,
    /// Attempts, timeouts, order and limits of the handler's deliveries.
    pub policy: HandlerPolicy,
}

/// An invalid name or pattern in a declaration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The name of a source or handler is invalid.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The pattern of an event type is invalid.
    #[error(transparent)]
    Pattern(#[from] InvalidPattern),
}

impl Subscription {
    /// Subscribes the named handler to events of these types from every source, with the default
    /// policy.
    ///
    /// # Errors
    /// If the name or a pattern is invalid.
    pub fn new(name: &str, types: &[&str]) -> Result<Self, BuildError> {
        let types = types
            .iter()
            .map(|pattern| pattern.parse())
            .collect::<Result<_, _>>()?;
        Ok(Self {
            name: name.parse()?,
            types,
            sources: None,
            policy: HandlerPolicy::default(),
        })
    }
}

#[derive(Clone)]
pub(super) struct HandlerDeclaration {
    pub(super) subscription: Subscription,
    pub(super) kind: &'static str,
    pub(super) by: Execution,
}

impl HandlerDeclaration {
    /// How many deliveries this process runs at a time; `None` if clients run them.
    pub(super) fn slots(&self) -> Option<i32> {
        let policy = &self.subscription.policy;
        let slots = match &self.by {
            Execution::Pull => return None,
            _ => policy.attempts_at_once(self.is_transactional()),
        };
        Some(i32::try_from(slots).unwrap_or(i32::MAX))
    }
}

/// How the attempts of a handler are run.
#[derive(Clone)]
pub(super) enum Execution {
    /// This process runs the given code.
    InProcess(ExecutionMode),
    /// This process calls the Postgres function of that name.
    SqlFunction(String),
    /// Clients that claim and complete through SQL.
    Pull,
}

/// Declares the parts of an application; [`build`](Builder::build) makes an [`App`] of them.
pub struct Builder {
    pub(super) database: Database,
    pub(super) sources: Vec<Source>,
    pub(super) sql_sources: Vec<(SourceName, PayloadFields)>,
    pub(super) handlers: Vec<HandlerDeclaration>,
    pub(super) ingress: Option<TcpListener>,
    pub(super) admin: Option<TcpListener>,
    pub(super) worker: bool,
    pub(super) limits: IngressLimits,
    pub(super) queue_capacity: usize,
    pub(super) quarantine: QuarantineLimits,
    pub(super) shutdown_timeout: Duration,
    pub(super) retention: Option<Retention>,
    pub(super) migrate: bool,
    pub(super) wait_for_functions: bool,
    pub(super) retire: Vec<HandlerName>,
    pub(super) config_version: i64,
    pub(super) roles: RoleNames,
    pub(super) accounts: Vec<Account>,
    /// The secrets that a reload can replace and the values that were read, if a configuration made
    /// this builder.
    pub(super) configured: Option<(Replaceable, Seen)>,
}

impl Builder {
    /// Starts a declaration for this database, with the role worker and no sources, handlers or
    /// listeners.
    ///
    /// # Errors
    /// If the URL is not a valid Postgres URL.
    pub fn new(database_url: &str) -> Result<Self, InvalidUrl> {
        Ok(Self {
            database: database_url.parse()?,
            sources: Vec::new(),
            sql_sources: Vec::new(),
            handlers: Vec::new(),
            ingress: None,
            admin: None,
            worker: true,
            limits: IngressLimits::default(),
            queue_capacity: 2000,
            quarantine: QuarantineLimits::default(),
            shutdown_timeout: Duration::from_secs(25),
            retention: None,
            migrate: true,
            wait_for_functions: false,
            retire: Vec::new(),
            config_version: 0,
            roles: RoleNames::default(),
            accounts: Vec::new(),
            configured: None,
        })
    }

    /// Adds a source whose webhooks the ingress receives.
    #[must_use]
    pub fn source(mut self, source: Source) -> Self {
        self.sources.push(source);
        self
    }

    /// Adds a handler in Rust. It runs at least once for each delivery.
    #[must_use]
    pub fn handler(self, subscription: Subscription, handler: impl Handler) -> Self {
        self.declared(
            subscription,
            "rust",
            Execution::InProcess(ExecutionMode::Plain(Arc::new(RustHandler(handler)))),
        )
    }

    /// Adds a handler in Rust whose effects commit in the transaction that settles the delivery:
    /// exactly once.
    #[must_use]
    pub fn transactional_handler(
        self,
        subscription: Subscription,
        handler: impl TransactionalHandler,
    ) -> Self {
        let runs = ExecutionMode::InTransaction(InTransaction::Rust(Arc::new(handler)));
        self.declared(subscription, "transactional", Execution::InProcess(runs))
    }

    /// Adds a handler that delivers by HTTP, at least once. It has the default circuit breaker
    /// unless its policy sets another.
    #[must_use]
    pub fn http_handler(self, mut subscription: Subscription, handler: Arc<HttpHandler>) -> Self {
        subscription.policy.breaker.get_or_insert_default();
        self.declared(
            subscription,
            "http",
            Execution::InProcess(ExecutionMode::Plain(handler)),
        )
    }

    /// Adds a handler that is a Postgres function, `function(event hookfast.event) RETURNS void`.
    /// Hookfast calls it in the settling transaction: exactly once. The name is written as in SQL,
    /// with its schema; it is resolved when the application starts.
    #[must_use]
    pub fn sql_handler(self, subscription: Subscription, function: &str) -> Self {
        self.declared(
            subscription,
            "sql",
            Execution::SqlFunction(function.to_owned()),
        )
    }

    /// Adds a handler that keeps `hookfast.airalo_orders`, `airalo_sims`, `airalo_low_data` and
    /// `airalo_credit` up to date in the settling transaction. It receives only events from sources
    /// of kind `airalo`, whatever the subscription contains.
    #[must_use]
    pub fn airalo_handler(self, subscription: Subscription) -> Self {
        self.declared(
            subscription,
            "airalo",
            Execution::SqlFunction("hookfast.airalo_project_event".to_owned()),
        )
    }

    /// Searches this account's orders for overdue results, if this process has the role worker. The
    /// account's source must be declared too.
    #[must_use]
    pub fn airalo(mut self, account: Account) -> Self {
        self.accounts.push(account);
        self
    }

    /// Registers a handler whose deliveries clients in any language claim and complete through SQL
    /// (`hookfast.claim`, `hookfast.complete`). It is exactly once if they complete a delivery in
    /// the transaction of their work.
    #[must_use]
    pub fn pull_handler(self, subscription: Subscription) -> Self {
        self.declared(subscription, "pull", Execution::Pull)
    }

    /// Adds a source that applications feed through `hookfast.enqueue`, inside their own
    /// transactions. It has no URL.
    #[must_use]
    pub fn sql_source(self, name: SourceName) -> Self {
        self.sql_source_with(name, PayloadFields::default())
    }

    /// Like [`sql_source`](Builder::sql_source), with secret fields, which readers of the database
    /// see as `***`, and search fields, which find an event.
    #[must_use]
    pub fn sql_source_with(mut self, name: SourceName, fields: PayloadFields) -> Self {
        self.sql_sources.push((name, fields));
        self
    }

    fn declared(mut self, subscription: Subscription, kind: &'static str, by: Execution) -> Self {
        self.handlers.push(HandlerDeclaration {
            subscription,
            kind,
            by,
        });
        self
    }

    /// Receives webhooks on this listener. Without a listener, this process has no role ingress.
    #[must_use]
    pub fn ingress(mut self, listener: TcpListener) -> Self {
        self.ingress = Some(listener);
        self
    }

    /// Serves health and metrics on this listener, without authentication: keep it private.
    #[must_use]
    pub fn admin(mut self, listener: TcpListener) -> Self {
        self.admin = Some(listener);
        self
    }

    /// Whether this process has the role worker. Default: yes.
    #[must_use]
    pub fn worker(mut self, worker: bool) -> Self {
        self.worker = worker;
        self
    }

    /// Limits the resources that senders may use.
    #[must_use]
    pub fn limits(mut self, limits: IngressLimits) -> Self {
        self.limits = limits;
        self
    }

    /// How many requests may wait for the database; further requests are answered 503. Default:
    /// 2,000.
    #[must_use]
    pub fn queue_capacity(mut self, capacity: usize) -> Self {
        self.queue_capacity = capacity.max(1);
        self
    }

    /// Limits the size and rate of the quarantine.
    #[must_use]
    pub fn quarantine(mut self, limits: QuarantineLimits) -> Self {
        self.quarantine = limits;
        self
    }

    /// How long attempts and requests in flight may take to finish after a stop. Default: 25 s.
    #[must_use]
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
        self
    }

    /// How long each class of data is kept. If it is not set, the settings in the database are
    /// unchanged; their initial value is 90 days for payloads.
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = Some(retention);
        self
    }

    /// Whether pending migrations are applied at startup. Default: yes.
    #[must_use]
    pub fn migrate(mut self, migrate: bool) -> Self {
        self.migrate = migrate;
        self
    }

    /// Whether a handler waits if its Postgres function is missing or may not be executed. Its
    /// events are stored, and its deliveries run once the function can be called. Default: no,
    /// which makes it an error at startup.
    #[must_use]
    pub fn wait_for_functions(mut self, wait: bool) -> Self {
        self.wait_for_functions = wait;
        self
    }

    /// The handlers that an earlier start declared. Those that are no longer declared are retired,
    /// unless a live process has them.
    pub(crate) fn declared_before(mut self, handlers: Vec<HandlerName>) -> Self {
        self.retire = handlers;
        self.retire.retain(|former| {
            self.handlers
                .iter()
                .all(|declared| declared.subscription.name != *former)
        });
        self
    }

    pub(crate) fn handler_names(&self) -> Vec<HandlerName> {
        self.handlers
            .iter()
            .map(|declared| declared.subscription.name.clone())
            .collect()
    }

    /// The version of this declaration. An older one does not undo the subscriptions of a newer
    /// one. Default: 0.
    #[must_use]
    pub fn config_version(mut self, version: i64) -> Self {
        self.config_version = version;
        self
    }

    /// The database roles for people. They are created and granted at startup if migrations are
    /// applied.
    #[must_use]
    pub fn roles(mut self, roles: RoleNames) -> Self {
        self.roles = roles;
        self
    }

    /// Completes the declaration. Nothing connects before [`App::run`].
    pub fn build(self) -> App {
        App::new(self)
    }
}
