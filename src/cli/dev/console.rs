//! The console of `hookfast dev`: a login of its own in the private cluster, and a link.

use crate::cli::{
    address::reachable,
    console::link,
    process::{chain, say},
};
use crate::console::{Console, ConsoleSettings};
use crate::domain::GrantedRole;
use crate::store::{self, Database, make_console_login};
use crate::throttle::throttled;
use anyhow::Context;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::RngExt as _;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

/// The console's login in the private cluster.
const LOGIN: &str = "hookfast_dev_console";

/// How long to wait between two looks whether the database has its schema and roles.
const AGAIN: Duration = Duration::from_millis(100);

/// Serves the console once the database has its roles. Without the console everything else works.
pub(super) async fn run(url: String, listener: TcpListener, stop: CancellationToken) {
    let served = stop
        .run_until_cancelled(serve(&url, listener, stop.clone()))
        .await;
    if let Some(Err(error)) = served {
        tracing::warn!("no console: {}", chain(&error));
    }
}

async fn serve(url: &str, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
    let password = URL_SAFE_NO_PAD.encode(rand::rng().random::<[u8; 24]>());
    let owner: Database = url.parse()?;
    loop {
        match make_console_login(&owner, LOGIN, &password).await {
            Ok(true) => break,
            // The schema may not exist yet.
            Err(error) => throttled!(warn, %error, "the console waits for the database's roles"),
            Ok(false) => {}
        }
        tokio::time::sleep(AGAIN).await;
    }
    let mut of_console: Url = url.parse()?;
    of_console
        .set_username(LOGIN)
        .ok()
        .context("DATABASE_URL has no host")?;
    of_console
        .set_password(Some(&password))
        .ok()
        .context("DATABASE_URL has no host")?;
    let address: Url = format!("http://{}/", reachable(listener.local_addr()?)).parse()?;
    let mut operator = store::OperatorConnection::open(&owner).await?;
    let link = link(&mut operator, &address, None).await?;
    operator.close().await;
    say(&format!("console: {link}"));
    let settings = ConsoleSettings {
        role: GrantedRole::Console.default_name().to_owned(),
        url: None,
        is_development: true,
    };
    Console::new(&of_console.as_str().parse()?, settings)
        .serve(listener, stop)
        .await;
    Ok(())
}
