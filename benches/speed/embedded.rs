//! Hookfast inside another program, with a handler in Rust that does nothing: what the engine alone can do.

use crate::orders::SECRET;
use anyhow::Context;
use hookfast::{
    app::{Builder, Subscription},
    domain::{Delivery, Outcome},
    ingress::{OnInvalidSignature, Source},
    signing::Secret,
    sources::airalo::Airalo,
};
use std::{env, sync::Arc};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

#[derive(clap::Args)]
pub(crate) struct Serve {
    /// Attempts that run at once.
    #[arg(long, default_value_t = 256)]
    concurrency: usize,
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
        let source = Source::new("airalo".parse()?, Arc::new(Airalo), vec![secret], OnInvalidSignature::Reject)?;
        let mut subscription = Subscription::new("nothing", &["*"])?;
        subscription.policy.concurrency = self.concurrency;
        let app = Builder::new(&variable("DATABASE_URL")?)?
            .source(source)
            .handler(subscription, nothing)
            .ingress(TcpListener::bind(variable("HOOKFAST_LISTEN")?).await?)
            .admin(TcpListener::bind(variable("HOOKFAST_ADMIN_LISTEN")?).await?)
            .build();
        let (stop, mut terminate) = (CancellationToken::new(), signal(SignalKind::terminate())?);
        let running = tokio::spawn(app.run(stop.clone()));
        terminate.recv().await;
        stop.cancel();
        Ok(running.await??)
    }
}
