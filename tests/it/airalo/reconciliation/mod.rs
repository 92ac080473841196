//! Expected orders and missing webhooks: Hookfast looks for an overdue order, and finds it or
//! reports it.

mod descriptions;
mod expected;
mod overdue;
mod unknown;

use super::Airalo;
use crate::support::{server::AIRALO_SECRET, wait_until, world::World};
use hookfast::airalo::client::{Client, NewOrder};
use hookfast::airalo::{Account, PlaceError, Reconciler, place_order, place_order_again};
use hookfast::internals::app::{Builder, Subscription};
use hookfast::internals::dev::airalo_emulator::FaultPlan;
use hookfast::internals::domain::OnInvalidSignature;
use hookfast::internals::ingress::Source;
use hookfast::internals::signing::Secret;
use hookfast::internals::store::{DatabaseClock, source_ids};
use hookfast::sources::airalo::{self, ClientSettings};
use std::{net::SocketAddr, ops::Deref, sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// A shop's Hookfast, with the projection, against a local Airalo.
pub(super) struct Shop {
    pub(super) airalo: Airalo,
    pub(super) client: Arc<Client>,
    pub(super) webhook_url: String,
    stop: CancellationToken,
    task: JoinHandle<()>,
    world: World,
}

impl Deref for Shop {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl Shop {
    pub(super) async fn start(faults: FaultPlan, every: Duration) -> Self {
        Self::with(faults, every, |builder| builder).await
    }

    pub(super) async fn with(
        faults: FaultPlan,
        every: Duration,
        declare: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let airalo = Airalo::start(faults).await;
        let settings = ClientSettings {
            timeout: Duration::from_millis(1500),
            ..airalo.settings()
        };
        let client = Arc::new(Client::new(settings).expect("an address"));
        let world = World::builder().build().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let webhook_url = format!(
            "http://{}/webhooks/airalo",
            listener.local_addr().expect("bound")
        );
        let secret =
            Secret::new("env:AIRALO_CLIENT_SECRET", AIRALO_SECRET.into()).expect("long enough");
        let name: hookfast::internals::domain::SourceName = "airalo".parse().expect("a name");
        let source = Source::new(
            name.clone(),
            Arc::new(airalo::Airalo),
            vec![secret],
            OnInvalidSignature::Reject,
        );
        let builder = Builder::new(world.url())
            .expect("a URL")
            .ingress(listener)
            .shutdown_timeout(Duration::from_secs(5))
            .source(source.expect("a secret"))
            .airalo_handler(Subscription::new("projection", &["airalo.*"]).expect("a name"))
            .airalo(Account {
                source: name,
                client: client.clone(),
                every,
            });
        let (app, stop) = (declare(builder).build(), CancellationToken::new());
        let stopping = stop.clone();
        let task = tokio::spawn(async move { app.run(stopping).await.expect("it runs") });
        let shop = Self {
            airalo,
            client,
            webhook_url,
            stop,
            task,
            world,
        };
        let ready = br#"{"level":"90%","iccid":"start","package_name":"p"}"#;
        wait_until("the ingress", async || {
            crate::support::airalo::post(shop.ingress(), ready).await.0 == 200
        })
        .await;
        shop
    }

    pub(super) fn ingress(&self) -> SocketAddr {
        let address = self
            .webhook_url
            .strip_prefix("http://")
            .and_then(|rest| rest.split('/').next());
        address
            .and_then(|address| address.parse().ok())
            .expect("an address")
    }

    pub(super) fn order(&self, description: &str) -> NewOrder {
        NewOrder {
            package_id: "emulated-7days-1gb".into(),
            quantity: 1,
            description: description.to_owned(),
            webhook_url: Some(self.webhook_url.clone()),
        }
    }

    pub(super) async fn place(
        &self,
        description: &str,
        within: Duration,
    ) -> Result<String, PlaceError> {
        let placed = place_order(
            &self.pool,
            &self.client,
            "airalo",
            &self.order(description),
            within,
        )
        .await;
        placed.map(|placed| placed.request_id)
    }

    /// The same for a description that was used before.
    pub(super) async fn place_again(
        &self,
        description: &str,
        within: Duration,
    ) -> Result<String, PlaceError> {
        let placed = place_order_again(
            &self.pool,
            &self.client,
            "airalo",
            &self.order(description),
            within,
        )
        .await;
        placed.map(|placed| placed.request_id)
    }

    pub(super) async fn until(&self, query: &str, expected: &str) {
        wait_until(&format!("{query} = {expected}"), async || {
            self.text(query).await == expected
        })
        .await;
    }

    pub(super) async fn end(self) {
        self.stop.cancel();
        self.task.await.expect("it ends normally");
    }
}

pub(super) const NEVER: Duration = Duration::from_secs(3600);

pub(super) const STATE: &str = "SELECT string_agg(description || ' ' || state, ', ' ORDER BY description) FROM hookfast.airalo_orders";

/// Checks now, as the command does.
pub(super) async fn reconcile(shop: &Shop) -> Vec<hookfast::airalo::Finding> {
    let ids = source_ids(&shop.pool).await.expect("the sources");
    let account = Account {
        source: "airalo".parse().expect("a name"),
        client: shop.client.clone(),
        every: NEVER,
    };
    let database = shop.url().parse().expect("a URL");
    let reconciler = Reconciler::new(
        shop.pool.clone(),
        database,
        DatabaseClock::default(),
        &ids,
        vec![account],
        |_| {},
    );
    reconciler.reconcile_now("airalo").await.expect("searched")
}
