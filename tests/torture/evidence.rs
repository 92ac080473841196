//! The evidence: the sender's log, the receiver's log, and the tables. All of it is read by plain
//! SQL, without the views and the code of Hookfast.

use crate::sender::Sent;
use sqlx::PgConnection;
use std::collections::HashMap;

/// The ledger in which every handler except `receiver` books its events, in the transaction that
/// ends the delivery. No constraint prevents a second booking of an event. Booking takes a while,
/// so that transactions are open when a fault occurs.
pub(crate) const LEDGER: &str = "
    CREATE SCHEMA torture;
    CREATE TABLE torture.ledger (position bigserial, handler text NOT NULL, event_id uuid NOT NULL);
    CREATE FUNCTION torture.book(event hookfast.event) RETURNS void LANGUAGE sql AS
        $$INSERT INTO torture.ledger (handler, event_id) VALUES ('ledger', event.event_id); SELECT pg_sleep(random() * 0.05)$$;
    CREATE FUNCTION torture.book_in_order(event hookfast.event) RETURNS void LANGUAGE sql AS
        $$INSERT INTO torture.ledger (handler, event_id) VALUES ('ordered', event.event_id); SELECT pg_sleep(random() * 0.02)$$";

const EVENTS: &str = "
    SELECT id::text, coalesce(convert_from(body, 'UTF8')::jsonb ->> 'request_id', '')
    FROM hookfast_data.events WHERE origin = 'webhook'";

const ATTEMPTS: &str = "
    SELECT h.name, a.event_id::text, count(*) FROM hookfast_data.attempts a
    JOIN hookfast_data.handlers h ON h.id = a.handler_id WHERE a.outcome = 'delivered' GROUP BY 1, 2";

const OUTCOMES: &str = "
    SELECT outcome || coalesce(': ' || error, ''), count(*) FROM hookfast_data.attempts GROUP BY 1 ORDER BY 1";

const DEAD: &str = "
    SELECT event_id::text, h.name || ': ' || reason || ' ' || coalesce(last_error, '')
    FROM hookfast_data.dead_letters JOIN hookfast_data.handlers h ON h.id = handler_id";

/// With the lease that holds the delivery, if one does.
const PENDING: &str = "
    SELECT o.event_id::text, format('%s: attempt %s, due %s, held by lease %s, which expires %s',
        h.name, o.attempt_number, coalesce(o.due_at::text, 'at once'), coalesce(o.lease_id::text, '-'),
        coalesce(l.expires_at::text, '-'))
    FROM hookfast_data.outbox o JOIN hookfast_data.handlers h ON h.id = o.handler_id
    LEFT JOIN hookfast_data.leases l ON l.id = o.lease_id";

/// One line for each attempt.
const HISTORY: &str = "
    SELECT concat_ws(' ', a.event_id, a.finished_at, h.name, 'delivery', a.delivery_id, 'attempt', a.attempt_number, 'lease',
        a.lease_id, a.outcome, a.error)
    FROM hookfast_data.attempts a JOIN hookfast_data.handlers h ON h.id = a.handler_id
    ORDER BY a.event_id, a.finished_at";

const BOOKED: &str =
    "SELECT handler, event_id::text, count(*), min(position) FROM torture.ledger GROUP BY 1, 2";

/// The handlers that every event has to reach.
pub(crate) const HANDLERS: [&str; 4] = ["receiver", "ledger", "ordered", "pulled"];

/// Those that book in the ledger.
pub(crate) const BOOKING: [&str; 3] = ["ledger", "ordered", "pulled"];

/// Those that book the orders of each customer one after the other.
pub(crate) const ORDERED: [&str; 2] = ["ordered", "pulled"];

/// The bookings of one handler for one event.
#[derive(Clone, Copy)]
pub(crate) struct Booked {
    pub(crate) times: i64,
    /// Of the first booking; later ones are higher.
    pub(crate) position: i64,
}

/// Everything that is known after a run.
pub(crate) struct Evidence {
    pub(crate) sent: Vec<Sent>,
    /// How often each event arrived at the receiver.
    pub(crate) received: HashMap<String, usize>,
    /// Each event with its request id.
    pub(crate) events: Vec<(String, String)>,
    /// How often each event was delivered to each handler, by its attempts.
    pub(crate) delivered: HashMap<(String, String), i64>,
    /// How many attempts had each outcome, with its error.
    pub(crate) outcomes: Vec<(String, i64)>,
    /// The bookings of each event by each handler.
    pub(crate) ledger: HashMap<(String, String), Booked>,
    /// Dead letters: the event and the reason.
    pub(crate) dead: Vec<(String, String)>,
    /// Deliveries that are still pending: the event and their state.
    pub(crate) pending: Vec<(String, String)>,
}

impl Evidence {
    pub(crate) async fn collect(
        database: &mut PgConnection,
        sent: &[Sent],
        received: &HashMap<String, usize>,
    ) -> sqlx::Result<Self> {
        let booked: Vec<(String, String, i64, i64)> =
            sqlx::query_as(BOOKED).fetch_all(&mut *database).await?;
        let attempts: Vec<(String, String, i64)> =
            sqlx::query_as(ATTEMPTS).fetch_all(&mut *database).await?;
        Ok(Self {
            sent: sent.to_vec(),
            received: received.clone(),
            events: sqlx::query_as(EVENTS).fetch_all(&mut *database).await?,
            delivered: attempts
                .into_iter()
                .map(|(handler, event, count)| ((handler, event), count))
                .collect(),
            outcomes: sqlx::query_as(OUTCOMES).fetch_all(&mut *database).await?,
            ledger: booked
                .into_iter()
                .map(|(handler, event, times, position)| {
                    ((handler, event), Booked { times, position })
                })
                .collect(),
            dead: sqlx::query_as(DEAD).fetch_all(&mut *database).await?,
            pending: sqlx::query_as(PENDING).fetch_all(&mut *database).await?,
        })
    }
}

/// Every attempt, to investigate a failed run.
pub(crate) async fn history(database: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(HISTORY).fetch_all(database).await
}
