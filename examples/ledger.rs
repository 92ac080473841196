//! Receives Airalo's webhooks and books each completed order exactly once, in one program.
//!
//! `DATABASE_URL=… AIRALO_CLIENT_SECRET=… cargo run --example ledger`, with a table
//! `ledger (event_id uuid, body jsonb)`.

use hookfast::policy::OnInvalidSignature;
use hookfast::sources::airalo::Airalo;
use hookfast::{
    Builder, Delivery, HandlerError, Secret, SettlingTransaction, Source, Subscription,
    TransactionalHandler,
};
use std::{env, sync::Arc};

struct Ledger;

impl TransactionalHandler for Ledger {
    async fn handle(
        &self,
        delivery: &Delivery,
        transaction: &mut SettlingTransaction,
    ) -> Result<(), HandlerError> {
        sqlx::query(
            "INSERT INTO ledger (event_id, body) VALUES ($1, convert_from($2, 'UTF8')::jsonb)",
        )
        .bind(delivery.event.id.0)
        .bind(&delivery.event.body[..])
        .execute(transaction.connection())
        .await?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let secret = Secret::new(
        "env:AIRALO_CLIENT_SECRET",
        env::var("AIRALO_CLIENT_SECRET")?.into_bytes(),
    )?;
    let source = Source::new(
        "airalo".parse()?,
        Arc::new(Airalo),
        vec![secret],
        OnInvalidSignature::Reject,
    )?;
    let listener =
        tokio::net::TcpListener::bind(env::var("LISTEN").unwrap_or("127.0.0.1:8080".into()))
            .await?;
    let ledger = Subscription::new("ledger", &["airalo.order.completed"])?;
    let stop = hookfast::CancellationToken::new();
    let hookfast = Builder::new(&env::var("DATABASE_URL")?)?
        .source(source)
        .transactional_handler(ledger, Ledger);
    let running = tokio::spawn(hookfast.ingress(listener).build().run(stop.clone()));
    tokio::signal::ctrl_c().await?;
    stop.cancel();
    Ok(running.await??)
}
