//! What a program declares: sources, handlers, limits.

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

/// A handler's name, what it subscribes to, and how it is run.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// The handler's name.
    pub name: HandlerName,
    /// The types it subscribes to.
    pub types: Vec<TypePattern>,
    /// From which sources; `None` is all.
    pub sources: Option<Vec<SourceName>>,
    /// How it is run.
    pub policy: HandlerPolicy,
}

/// A name or a pattern that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The name.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// A pattern.
    #[error(transparent)]
    Pattern(#[from] InvalidPattern),
}

impl Subscription {
    /// A handler of that name for events of these types, from every source, with the default policy.
    ///
    /// # Errors
    /// A name or a pattern that is none.
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

/// Who runs the attempts.
#[derive(Clone)]
pub(super) enum Execution {
    /// This process, with what is here.
    InProcess(ExecutionMode),
    /// This process, by calling that Postgres function.
    SqlFunction(String),
    /// Clients that claim and complete through SQL.
    Pull,
}

/// Declares a Hookfast, then [runs](Builder::build) it.
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
    /// Where a configuration made it: what of it can be replaced, and what it was made of.
    pub(super) configured: Option<(Replaceable, Seen)>,
}

impl Builder {
    /// A Hookfast on this database, with the role worker, and none of its parts yet.
    ///
    /// # Errors
    /// A URL that is not one of Postgres.
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

    /// Takes webhooks of this source.
    #[must_use]
    pub fn source(mut self, source: Source) -> Self {
        self.sources.push(source);
        self
    }

    /// Serves a handler in Rust: at least once.
    #[must_use]
    pub fn handler(self, subscription: Subscription, handler: impl Handler) -> Self {
        self.declared(
            subscription,
            "rust",
            Execution::InProcess(ExecutionMode::Plain(Arc::new(RustHandler(handler)))),
        )
    }

    /// Serves a handler in Rust whose effects commit together with the end of the delivery: exactly once.
    #[must_use]
    pub fn transactional_handler(
        self,
        subscription: Subscription,
        handler: impl TransactionalHandler,
    ) -> Self {
        let runs = ExecutionMode::InTransaction(InTransaction::Rust(Arc::new(handler)));
        self.declared(subscription, "transactional", Execution::InProcess(runs))
    }

    /// Serves a handler that is pushed to by HTTP: at least once. Unless its policy says otherwise it has the default
    /// circuit breaker.
    #[must_use]
    pub fn http_handler(self, mut subscription: Subscription, handler: Arc<HttpHandler>) -> Self {
        subscription.policy.breaker.get_or_insert_default();
        self.declared(
            subscription,
            "http",
            Execution::InProcess(ExecutionMode::Plain(handler)),
        )
    }

    /// Serves a handler that is a Postgres function, `function(event hookfast.event) RETURNS void`, called in the settling
    /// transaction: exactly once. Its name is written as in SQL, with its schema; it is looked up when this runs.
    #[must_use]
    pub fn sql_handler(self, subscription: Subscription, function: &str) -> Self {
        self.declared(
            subscription,
            "sql",
            Execution::SqlFunction(function.to_owned()),
        )
    }

    /// Keeps `hookfast.airalo_orders`, `airalo_sims`, `airalo_low_data` and `airalo_credit`, in the settling transaction.
    /// It only gets events of sources of kind `airalo`, whatever the subscription says.
    #[must_use]
    pub fn airalo_handler(self, subscription: Subscription) -> Self {
        self.declared(
            subscription,
            "airalo",
            Execution::SqlFunction("hookfast.airalo_project_event".to_owned()),
        )
    }

    /// Looks in this account's list of orders for results that are expected and do not come, where this process is a
    /// worker. Its source has to be declared too.
    #[must_use]
    pub fn airalo(mut self, account: Account) -> Self {
        self.accounts.push(account);
        self
    }

    /// Registers a handler whose deliveries clients in any language claim and complete through SQL
    /// (`hookfast.claim`, `hookfast.complete`): exactly once, where they complete inside the transaction of their work.
    #[must_use]
    pub fn pull_handler(self, subscription: Subscription) -> Self {
        self.declared(subscription, "pull", Execution::Pull)
    }

    /// A source that applications feed by `hookfast.enqueue`, inside their own transactions. It has no address.
    #[must_use]
    pub fn sql_source(self, name: SourceName) -> Self {
        self.sql_source_with(name, PayloadFields::default())
    }

    /// The same, with members of its payloads that readers of the database must not see, and those that find an event.
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

    /// Takes webhooks on this listener; without one this process has no ingress.
    #[must_use]
    pub fn ingress(mut self, listener: TcpListener) -> Self {
        self.ingress = Some(listener);
        self
    }

    /// Tells about itself on this listener, without authentication: keep it private.
    #[must_use]
    pub fn admin(mut self, listener: TcpListener) -> Self {
        self.admin = Some(listener);
        self
    }

    /// Whether this process handles deliveries. Default yes.
    #[must_use]
    pub fn worker(mut self, worker: bool) -> Self {
        self.worker = worker;
        self
    }

    /// What the ingress takes at most.
    #[must_use]
    pub fn limits(mut self, limits: IngressLimits) -> Self {
        self.limits = limits;
        self
    }

    /// How many requests may wait for the database; past them 503. Default 2,000.
    #[must_use]
    pub fn queue_capacity(mut self, capacity: usize) -> Self {
        self.queue_capacity = capacity.max(1);
        self
    }

    /// What the quarantine takes at most.
    #[must_use]
    pub fn quarantine(mut self, limits: QuarantineLimits) -> Self {
        self.quarantine = limits;
        self
    }

    /// How long what is in flight may take to finish at the end. Default 25 s.
    #[must_use]
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
        self
    }

    /// How long what is kept. Without it the database's settings stay as they are: at first, 90 days for payloads.
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = Some(retention);
        self
    }

    /// Whether pending migrations are applied at the start. Default yes.
    #[must_use]
    pub fn migrate(mut self, migrate: bool) -> Self {
        self.migrate = migrate;
        self
    }

    /// Whether a handler whose Postgres function is missing, or may not be executed, is waited for: its webhooks are stored
    /// and its deliveries are due, and they run once the function can be called. Default no: it is an error at the start.
    #[must_use]
    pub fn wait_for_functions(mut self, wait: bool) -> Self {
        self.wait_for_functions = wait;
        self
    }

    /// The handlers that an earlier start declared: those that are not declared any more are retired, unless a live
    /// process has them.
    pub(crate) fn declared_before(mut self, handlers: Vec<HandlerName>) -> Self {
        self.retire = handlers;
        self.retire.retain(|former| {
            self.handlers
                .iter()
                .all(|declared| declared.subscription.name != *former)
        });
        self
    }

    /// The handlers that are declared.
    pub(crate) fn handler_names(&self) -> Vec<HandlerName> {
        self.handlers
            .iter()
            .map(|declared| declared.subscription.name.clone())
            .collect()
    }

    /// The version of this declaration: an older one does not undo the subscriptions of a newer one. Default 0.
    #[must_use]
    pub fn config_version(mut self, version: i64) -> Self {
        self.config_version = version;
        self
    }

    /// The database roles of people, made and granted at the start where migrations are applied.
    #[must_use]
    pub fn roles(mut self, roles: RoleNames) -> Self {
        self.roles = roles;
        self
    }

    /// Ready to run.
    pub fn build(self) -> App {
        App::new(self)
    }
}
