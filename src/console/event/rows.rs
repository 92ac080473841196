//! What the page Event reads.

use crate::console::row::Timestamp;
use crate::store::catalog::{functions, views};
use crate::store::{AsVisitor, FunctionCall, SqlArg, ViewQuery, VisitError};
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

/// Attempts that a page lists.
pub(super) const ATTEMPTS: usize = 100;
/// Events in conflict that a page lists.
const CONFLICTS: u32 = 20;

/// A row of `hookfast.events`.
#[derive(Deserialize)]
pub(super) struct EventDetails {
    pub(super) event_id: String,
    pub(super) source: String,
    pub(super) r#type: String,
    pub(super) topic: Option<String>,
    pub(super) origin: String,
    pub(super) received_at: Timestamp,
    pub(super) idempotency_key: Option<String>,
    pub(super) conflicts_with: Option<String>,
    pub(super) verified_by: Option<String>,
    pub(super) headers: Option<Box<RawValue>>,
    pub(super) payload: Option<Box<RawValue>>,
    /// As `\x00ff`.
    pub(super) body: Option<String>,
    pub(super) payload_error: Option<String>,
    pub(super) erased_at: Option<Timestamp>,
    pub(super) traceparent: Option<String>,
}

/// A row of `hookfast.explain`.
#[derive(Clone, Deserialize)]
pub(super) struct Explained {
    pub(super) handler: String,
    pub(super) verdict: String,
    pub(super) delivery_id: Option<i64>,
    pub(super) message: String,
}

/// A row of `hookfast.deliveries`.
#[derive(Clone, Deserialize)]
pub(super) struct Delivery {
    pub(super) delivery_id: i64,
    pub(super) handler: String,
    pub(super) state: String,
    pub(super) attempts: i64,
    pub(super) attempts_left: Option<i64>,
    pub(super) next_attempt_at: Option<Timestamp>,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) ordering_key: Option<String>,
    pub(super) running_by: Option<String>,
}

/// A row of `hookfast.attempts`.
#[derive(Clone, Deserialize)]
pub(super) struct Attempt {
    pub(super) delivery_id: i64,
    pub(super) attempt_number: i64,
    pub(super) handler: String,
    pub(super) outcome: String,
    pub(super) finished_at: Timestamp,
    pub(super) duration_ms: Option<i64>,
    pub(super) status: Option<u16>,
    pub(super) error: Option<String>,
    pub(super) error_kind: Option<String>,
}

/// A row of `hookfast.dead_letters`.
#[derive(Clone, Deserialize)]
pub(super) struct DeadLetter {
    pub(super) delivery_id: i64,
    pub(super) reason: String,
}

/// A row of `hookfast.timeline`.
#[derive(Deserialize)]
pub(super) struct Entry {
    pub(super) at: Timestamp,
    pub(super) kind: String,
    pub(super) event_id: Option<String>,
    pub(super) source: Option<String>,
    pub(super) handler: Option<String>,
    pub(super) message: Option<String>,
}

/// A row of `hookfast.retention_holds`.
#[derive(Deserialize)]
pub(super) struct Hold {
    pub(super) why: String,
    pub(super) held_by: String,
    pub(super) held_at: Timestamp,
}

/// The row of `hookfast.audit_log` of an erasure.
#[derive(Deserialize)]
pub(super) struct Erasure {
    actor: String,
    on_behalf_of: Option<String>,
}

impl Erasure {
    pub(super) fn by(&self) -> String {
        match &self.on_behalf_of {
            Some(person) => format!("{person} ({})", self.actor),
            None => self.actor.clone(),
        }
    }
}

/// A row of `hookfast.conflicts`, without its payloads.
#[derive(Deserialize)]
pub(super) struct Acknowledgement {
    acknowledged_at: Option<Timestamp>,
    acknowledged_by: Option<String>,
}

impl Acknowledgement {
    /// Who acknowledged the conflict, and when.
    pub(super) fn given(&self) -> Option<(&str, Timestamp)> {
        Some((self.acknowledged_by.as_deref()?, self.acknowledged_at?))
    }
}

#[derive(Deserialize)]
struct IdRow {
    event_id: String,
}

impl Delivery {
    pub(super) fn is_pending(&self) -> bool {
        !["dead", "delivered", "filtered", "discarded", "retired"].contains(&self.state.as_str())
    }
}

impl Rows {
    /// Who acknowledged the conflict, and when.
    pub(super) fn acknowledged(&self) -> Option<(&str, Timestamp)> {
        self.acknowledgement.as_ref()?.given()
    }

    /// Whether it conflicts with an earlier event, and nobody has acknowledged that.
    pub(super) fn is_undecided(&self) -> bool {
        self.event.conflicts_with.is_some() && self.acknowledged().is_none()
    }
}

/// Everything about one event.
pub(super) struct Rows {
    pub(super) event: EventDetails,
    pub(super) explained: Vec<Explained>,
    pub(super) deliveries: Vec<Delivery>,
    /// Newest first.
    pub(super) attempts: Vec<Attempt>,
    pub(super) has_more_attempts: bool,
    pub(super) dead_letters: Vec<DeadLetter>,
    pub(super) timeline: Vec<Entry>,
    pub(super) hold: Option<Hold>,
    pub(super) erasure: Option<Erasure>,
    /// Of an event that conflicts with an earlier one.
    pub(super) acknowledgement: Option<Acknowledgement>,
    /// Later events with the same key and other content.
    pub(super) conflicting: Vec<String>,
}

pub(super) async fn event(
    visit: &mut AsVisitor,
    id: Uuid,
) -> Result<Option<EventDetails>, VisitError> {
    let query = ViewQuery::of(&views::EVENTS).is("event_id", Some(SqlArg::id(id)));
    Ok(visit.rows(query).await?.pop())
}

/// `None` if there is no such event.
pub(super) async fn read(visit: &mut AsVisitor, id: Uuid) -> Result<Option<Rows>, VisitError> {
    let Some(event) = event(visit, id).await? else {
        return Ok(None);
    };
    let of_event = || Some(SqlArg::id(id));
    let explain = FunctionCall::of(&functions::EXPLAIN).with("event_id", of_event());
    let explained = visit.call(explain).await?;
    let deliveries: Vec<Delivery> = visit
        .rows(ViewQuery::of(&views::DELIVERIES).is("event_id", of_event()))
        .await?;
    let attempts = ViewQuery::of(&views::ATTEMPTS)
        .is("event_id", of_event())
        .order("finished_at DESC, delivery_id DESC, attempt_number DESC")
        .limit(ATTEMPTS as u32 + 1);
    let mut attempts: Vec<Attempt> = visit.rows(attempts).await?;
    let has_more_attempts = attempts.len() > ATTEMPTS;
    attempts.truncate(ATTEMPTS);
    let dead_letters = match deliveries.iter().any(|delivery| delivery.state == "dead") {
        true => {
            let ours = ViewQuery::of(&views::DEAD_LETTERS)
                .columns(&["delivery_id", "reason"])
                .is("event_id", of_event());
            visit.rows(ours).await?
        }
        false => Vec::new(),
    };
    let timeline = FunctionCall::of(&functions::TIMELINE).with("term", Some(SqlArg::text(id)));
    let timeline = visit.call(timeline).await?;
    let holds = ViewQuery::of(&views::RETENTION_HOLDS).is("event_id", of_event());
    let hold = visit.rows(holds).await?.pop();
    let erasure = match event.erased_at {
        Some(_) => visit.rows(erasures(id)).await?.pop(),
        None => None,
    };
    let acknowledgement = match event.conflicts_with {
        Some(_) => {
            let conflict = ViewQuery::of(&views::CONFLICTS)
                .columns(&["acknowledged_at", "acknowledged_by"])
                .is("event_id", of_event());
            visit.rows(conflict).await?.pop()
        }
        None => None,
    };
    let conflicting = ViewQuery::of(&views::EVENTS)
        .columns(&["event_id"])
        .is("conflicts_with", of_event())
        .limit(CONFLICTS);
    let conflicting: Vec<IdRow> = visit.rows(conflicting).await?;
    Ok(Some(Rows {
        event,
        explained,
        deliveries,
        attempts,
        has_more_attempts,
        dead_letters,
        timeline,
        hold,
        erasure,
        acknowledgement,
        conflicting: conflicting.into_iter().map(|row| row.event_id).collect(),
    }))
}

/// `erase_all` writes one row for many events, which names none of them.
fn erasures(id: Uuid) -> ViewQuery {
    ViewQuery::of(&views::AUDIT_LOG)
        .columns(&["actor", "on_behalf_of"])
        .is("target", Some(SqlArg::text(id)))
        .is("action", Some(SqlArg::text("event.erased")))
        .limit(1)
}
