//! Hookfast embedded in another program, with a handler that does nothing. It measures the engine
//! alone.

use crate::orders::SECRET;
use anyhow::Context;
use hookfast::internals::app::{Builder, Subscription};
use hookfast::internals::domain::{
    Connections, Delivery, HttpHandlerSettings, OnInvalidSignature, Outcome,
};
use hookfast::internals::handlers::{HandlerError, HttpHandler, TransactionalHandler};
use hookfast::internals::ingress::Source;
use hookfast::internals::signing::Secret;
use hookfast::internals::store::SettlingTransaction;
use hookfast::sources::airalo::Airalo;
use std::{env, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

#[derive(clap::Args)]
pub(crate) struct Serve {
    /// Attempts that run at the same time.
    #[arg(long, default_value_t = 256)]
    concurrency: usize,
    /// The kind of the handler.
    #[arg(long, value_enum, default_value_t)]
    kind: Kind,
    /// The address to which a handler of kind http pushes.
    #[arg(long)]
    receiver: Option<SocketAddr>,
}

/// The kinds of handlers, none of which does any work.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
pub(crate) enum Kind {
    /// In Rust, at least once.
    #[default]
    Rust,
    /// In Rust, inside the settling transaction.
    Transactional,
    /// The function `bench.nothing`.
    Sql,
    /// Clients through SQL.
    Pull,
    /// An HTTP endpoint.
    Http,
}

struct Nothing;

impl TransactionalHandler for Nothing {
    async fn handle(&self, _: &Delivery, _: &mut SettlingTransaction) -> Result<(), HandlerError> {
        Ok(())
    }
}

async fn nothing(_: Delivery) -> Outcome {
    Outcome::Delivered
}

impl Serve {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_writer(std::io::stderr)
            .init();
        tokio::runtime::Runtime::new()?.block_on(self.serve())
    }

    async fn serve(self) -> anyhow::Result<()> {
        let variable = |name: &str| env::var(name).with_context(|| format!("{name} is not set"));
        let secret = Secret::new("bench", SECRET.as_bytes().to_vec())?;
        let source = Source::new(
            "airalo".parse()?,
            Arc::new(Airalo),
            vec![secret],
            OnInvalidSignature::Reject,
        )?;
        let mut subscription = Subscription::new("nothing", &["*"])?;
        subscription.policy.concurrency = self.concurrency;
        if matches!(self.kind, Kind::Transactional | Kind::Sql) {
            subscription.policy.connections = Connections::new(self.concurrency)?;
        }
        let builder = Builder::new(&variable("DATABASE_URL")?)?.source(source);
        let builder = match self.kind {
            Kind::Rust => builder.handler(subscription, nothing),
            Kind::Transactional => builder.transactional_handler(subscription, Nothing),
            Kind::Sql => builder.sql_handler(subscription, "bench.nothing"),
            Kind::Pull => builder.pull_handler(subscription),
            Kind::Http => builder.http_handler(subscription, Arc::new(self.http()?)),
        };
        let app = builder
            .ingress(TcpListener::bind(variable("HOOKFAST_LISTEN")?).await?)
            .admin(TcpListener::bind(variable("HOOKFAST_ADMIN_LISTEN")?).await?)
            .build();
        let (stop, mut terminate) = (CancellationToken::new(), signal(SignalKind::terminate())?);
        let running = tokio::spawn(app.run(stop.clone()));
        terminate.recv().await;
        stop.cancel();
        Ok(running.await??)
    }

    fn http(&self) -> anyhow::Result<HttpHandler> {
        let receiver = self.receiver.context("--receiver is missing")?;
        Ok(HttpHandler::new(HttpHandlerSettings {
            url: format!("http://{receiver}/"),
            secrets: vec![Secret::new(
                "bench",
                b"32 bytes that sign what is sent.".to_vec(),
            )?],
            timeout: Duration::from_secs(30),
            allow_private: true,
            headers: Vec::new(),
            forward_headers: Vec::new(),
            dead_on: Vec::new(),
        })?)
    }
}
