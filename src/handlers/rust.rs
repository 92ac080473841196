//! Handlers written in Rust, for programs that embed the library.

use super::{Attempt, BoxFuture};
use crate::domain::{Delivery, Outcome, Report};
use std::future::Future;

/// A handler in Rust, run at least once per delivery. It returns the outcome of an attempt. A panic
/// or a timeout is a failed attempt, and the worker stops waiting for it.
///
/// Any `async fn(Delivery) -> Outcome` is one:
///
/// ```
/// use hookfast::{Delivery, Handler, Outcome};
///
/// async fn on_order(delivery: Delivery) -> Outcome {
///     match delivery.event.json::<serde_json::Value>() {
///         Ok(order) if order["data"].is_object() => Outcome::Delivered,
///         Ok(_) => Outcome::retry("the order is not there yet"),
///         Err(error) => Outcome::dead(format!("not an order: {error}")),
///     }
/// }
///
/// fn takes(_: impl Handler) {}
/// takes(on_order);
/// ```
pub trait Handler: Send + Sync + 'static {
    /// Handles one attempt at a delivery. The same event is passed again, with a higher attempt
    /// number, until the outcome is [`Outcome::Delivered`] or [`Outcome::Dead`] or the attempts are
    /// used up.
    fn handle(&self, delivery: &Delivery) -> impl Future<Output = Outcome> + Send;
}

impl<F, T> Handler for F
where
    F: Fn(Delivery) -> T + Send + Sync + 'static,
    T: Future<Output = Outcome> + Send,
{
    fn handle(&self, delivery: &Delivery) -> impl Future<Output = Outcome> + Send {
        // Cloning copies three reference counts, because the event is shared.
        self(delivery.clone())
    }
}

pub(crate) struct RustHandler<H>(pub(crate) H);

impl<H: Handler> Attempt for RustHandler<H> {
    fn attempt<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Report> {
        Box::pin(async move { self.0.handle(delivery).await.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{DeliveryId, Event, EventId};
    use std::{
        sync::{
            Arc,
            atomic::{AtomicI32, Ordering},
        },
        time::SystemTime,
    };

    struct Counts(Arc<AtomicI32>);

    impl Handler for Counts {
        async fn handle(&self, delivery: &Delivery) -> Outcome {
            self.0.fetch_add(delivery.attempt, Ordering::Relaxed);
            Outcome::Delivered
        }
    }

    fn delivery() -> Delivery {
        let event = Event {
            id: EventId(uuid::Uuid::now_v7()),
            source: "airalo".parse().expect("a name"),
            event_type: "airalo.order.completed".parse().expect("a type"),
            topic: None,
            idempotency_key: "order:1:completed".into(),
            conflicts_with: None,
            received_at: SystemTime::UNIX_EPOCH,
            headers: Arc::new(serde_json::json!({})),
            body: "{}".into(),
        };
        Delivery {
            id: DeliveryId(1),
            attempt: 3,
            handler: "h".parse().expect("a name"),
            event: Arc::new(event),
            replay: None,
        }
    }

    #[tokio::test]
    async fn a_type_and_a_closure_are_handlers_alike() {
        let seen = Arc::new(AtomicI32::new(0));
        let counted = seen.clone();
        let closure = move |delivery: Delivery| {
            counted.fetch_add(delivery.attempt, Ordering::Relaxed);
            async move { Outcome::dead(delivery.event.idempotency_key.clone()) }
        };
        let kept: [Box<dyn Attempt>; 2] = [
            Box::new(RustHandler(Counts(seen.clone()))),
            Box::new(RustHandler(closure)),
        ];
        let delivery = delivery();
        assert_eq!(kept[0].attempt(&delivery).await, Outcome::Delivered.into());
        assert_eq!(
            kept[1].attempt(&delivery).await,
            Outcome::dead("order:1:completed").into()
        );
        assert_eq!(seen.load(Ordering::Relaxed), 6);
    }
}
