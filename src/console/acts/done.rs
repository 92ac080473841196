//! The page of proof: what became of an act, live.

use super::{
    arguments::{Arguments, pairs, value},
    find,
    rows::{Cell, Row},
    table::{Act, Answer, Proof, Subject},
    track::{self, State, Tracked},
};
use crate::console::{
    address::Address,
    conflicts::{self, ConflictFilter},
    frame::Frame,
    page::written,
    problem::PageError,
    request::PageRequest,
    row::Timestamp,
    view::{number, state},
};
use crate::store::{
    AsVisitor, SqlArg, ViewQuery, Work,
    catalog::{functions, views},
};
use askama::Template;
use axum::{extract::Path, response::Response};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Template)]
#[template(path = "done.html")]
struct DonePage {
    frame: Frame,
    kind: &'static str,
    headline: String,
    /// What is shown of how many.
    followed: String,
    /// The list of what became of it.
    link: String,
    links: Vec<(String, String)>,
    tallies: Vec<Tally>,
    rows: Vec<Vec<Cell>>,
    line: Option<LogLine>,
    back: String,
    is_pending: bool,
}

/// How many are in a state.
struct Tally {
    state: String,
    count: i64,
}

impl Tally {
    fn mark(&self) -> &'static str {
        state::kind(&self.state)
    }

    fn text(&self) -> String {
        number::grouped(self.count)
    }
}

/// A line of `hookfast.audit_log`.
#[derive(Deserialize)]
struct LogLine {
    at: Timestamp,
    actor: String,
    on_behalf_of: Option<String>,
    action: String,
    target: String,
    details: Option<Box<RawValue>>,
}

impl LogLine {
    fn details(&self) -> &str {
        self.details.as_ref().map_or("", |details| details.get())
    }

    fn by(&self) -> String {
        match &self.on_behalf_of {
            Some(person) => format!("{person}, through {}", self.actor),
            None => self.actor.clone(),
        }
    }
}

/// What the page shows except the line of the log.
#[derive(Default)]
struct Live {
    followed: String,
    /// The list of what became of it.
    link: String,
    /// What is next.
    links: Vec<(String, String)>,
    tallies: Vec<Tally>,
    rows: Vec<Vec<Cell>>,
    /// Something changes within seconds.
    is_moving: bool,
    is_pending: bool,
    has_dead: bool,
}

/// The page. Whoever has its address may see it, as far as the role reads the views.
pub(in crate::console) async fn done(
    request: PageRequest,
    Path(function): Path<String>,
) -> Result<Response, PageError> {
    let act = find(&function)?;
    let query = pairs(request.uri.query().unwrap_or_default().as_bytes());
    let number = |name: &str| value(&query, name).and_then(|text| text.parse::<i64>().ok());
    let changed = number("changed").unwrap_or_default();
    let mut visit = request.visit(Work::Page).await?;
    let arguments = Arguments::read(act, &query, visit.as_of);
    let line = match number("log") {
        Some(log_id) => line(&mut visit, act, log_id).await?,
        None => None,
    };
    let tracked = track::read(value(&query, "deliveries").unwrap_or_default());
    let made = value(&query, "id");
    let since = line.as_ref().map(|line| line.at);
    let live = live(&mut visit, act, &arguments, made, changed, &tracked, since).await?;
    let title = format!("{}: done", act.title);
    let frame = Frame::of(&request, &mut visit, act.page, title).await?;
    visit.finish().await?;
    let frame = match (live.is_moving, live.is_pending) {
        (true, _) => frame.refreshed(2),
        (false, true) => frame.refreshed(10),
        (false, false) => frame,
    };
    let done = match act.proof {
        Proof::Quarantine(_) if act.bulk().is_some() && !live.is_pending => "verified again",
        _ => act.done,
    };
    let (kind, headline) = headline(act, done, changed, line.is_some(), live.has_dead);
    written(&DonePage {
        frame,
        kind,
        headline,
        followed: live.followed,
        link: live.link,
        links: live.links,
        tallies: live.tallies,
        rows: live.rows,
        line,
        back: arguments.back(),
        is_pending: live.is_pending,
    })
}

/// Without a line in the log nothing was changed, since every change writes one.
fn headline(
    act: &Act,
    done: &str,
    changed: i64,
    is_logged: bool,
    has_dead: bool,
) -> (&'static str, String) {
    let kind = if has_dead { "warning" } else { "ok" };
    match act.bulk() {
        _ if !is_logged => (
            "none",
            "Nothing had to be changed: it was so already.".to_owned(),
        ),
        Some(bulk) => {
            let counted = number::counted(changed, bulk.one, bulk.many);
            (kind, format!("{counted} {done}."))
        }
        None if act.answer == Answer::Changed => {
            (kind, format!("{done}: {}.", number::grouped(changed)))
        }
        None => (kind, format!("{done}.")),
    }
}

async fn line(visit: &mut AsVisitor, act: &Act, log_id: i64) -> Result<Option<LogLine>, PageError> {
    let query = ViewQuery::of(&views::AUDIT_LOG)
        .is("log_id", Some(SqlArg::number(log_id)))
        .is("action", Some(SqlArg::text(act.action)))
        .limit(1);
    Ok(visit.rows(query).await?.pop())
}

async fn live(
    visit: &mut AsVisitor,
    act: &'static Act,
    arguments: &Arguments,
    made: Option<&str>,
    changed: i64,
    tracked: &[Tracked],
    since: Option<Timestamp>,
) -> Result<Live, PageError> {
    let sees_all = visit.visitor.may(&functions::DISCARD);
    match act.proof {
        Proof::Deliveries => {
            let states = track::states(visit, tracked).await?;
            Ok(of_deliveries(&states, tracked, changed))
        }
        Proof::Row(subject) => {
            let Some(key) = made.or_else(|| arguments.get(subject.key)) else {
                return Ok(Live::default());
            };
            let rows: Vec<Row> = visit.rows(subject.row(key)).await?;
            Ok(of_rows(&rows, &subject, sees_all))
        }
        Proof::Conflicts(subject) => acknowledged(visit, subject, arguments, sees_all).await,
        Proof::Quarantine(subject) => {
            quarantined(visit, &subject, arguments, sees_all, since).await
        }
        Proof::Handlers => {
            #[derive(Deserialize)]
            struct Handler {
                state: String,
            }
            let query = ViewQuery::of(&views::HANDLER_HEALTH).columns(&["state"]);
            let rows: Vec<Handler> = visit.rows(query).await?;
            Ok(Live {
                followed: "States of all handlers:".to_owned(),
                tallies: tallies(rows.iter().map(|row| row.state.as_str())),
                ..Live::default()
            })
        }
        Proof::Log => Ok(Live::default()),
    }
}

fn of_deliveries(states: &[State], tracked: &[Tracked], changed: i64) -> Live {
    if tracked.is_empty() {
        return Live {
            followed: match changed {
                0 => String::new(),
                _ => "These deliveries are not followed one by one, because no view has this filter. The list shows their states."
                    .to_owned(),
            },
            ..Live::default()
        };
    }
    let has = |names: &[&str]| states.iter().any(|row| names.contains(&row.state.as_str()));
    Live {
        followed: match i64::try_from(tracked.len()).unwrap_or_default() {
            1 if changed <= 1 => "State of the delivery:".to_owned(),
            all if all >= changed => {
                format!(
                    "States of the {}:",
                    number::counted(all, "delivery", "deliveries")
                )
            }
            some => format!(
                "States of the first {some} of {}:",
                number::counted(changed, "delivery", "deliveries")
            ),
        },
        tallies: tallies(states.iter().map(|row| row.state.as_str())),
        is_moving: has(&["ready", "running"]),
        is_pending: has(&[
            "ready",
            "running",
            "retrying",
            "scheduled",
            "waiting",
            "paused",
        ]),
        has_dead: has(&["dead"]),
        ..Live::default()
    }
}

fn of_rows(rows: &[Row], subject: &Subject, sees_all: bool) -> Live {
    let is_running = rows
        .iter()
        .filter_map(|row| row.text("state"))
        .any(|state| ["running", "waiting"].contains(&state.as_str()));
    Live {
        rows: rows
            .iter()
            .map(|row| row.cells(subject, sees_all))
            .collect(),
        is_moving: is_running,
        is_pending: is_running,
        ..Live::default()
    }
}

/// The conflict that was acknowledged, and those that are left of its source.
async fn acknowledged(
    visit: &mut AsVisitor,
    subject: Option<Subject>,
    arguments: &Arguments,
    sees_all: bool,
) -> Result<Live, PageError> {
    let mut source = arguments.get("source").map(str::to_owned);
    let mut live = Live::default();
    if let Some(subject) = subject
        && let Some(key) = arguments.get(subject.key)
    {
        let rows: Vec<Row> = visit.rows(subject.row(key)).await?;
        source = rows.first().and_then(|row| row.text("source"));
        live = of_rows(&rows, &subject, sees_all);
    }
    let filter = ConflictFilter {
        source: source.clone(),
        ..ConflictFilter::default()
    };
    let left = conflicts::unacknowledged(visit, filter).await?;
    let may = visit.visitor.may(&functions::ACKNOWLEDGE_CONFLICTS);
    live.followed = left.sentence(source.as_deref());
    live.links = left.links(source.as_deref(), may);
    Ok(live)
}

/// What became of quarantined requests. One that became an event is not in quarantine any more.
async fn quarantined(
    visit: &mut AsVisitor,
    subject: &Subject,
    arguments: &Arguments,
    sees_all: bool,
    since: Option<Timestamp>,
) -> Result<Live, PageError> {
    let accepted = accepted(visit, arguments, since).await?;
    let query = match arguments.get("quarantine_id") {
        Some(id) => subject.row(id),
        None => subject
            .rows()
            .is("source", arguments.get("source").map(SqlArg::text))
            .limit(1_000),
    };
    let rows: Vec<Row> = visit.rows(query).await?;
    let words: Vec<_> = rows
        .iter()
        .map(
            |row| match (row.text("requested_action"), row.text("last_result")) {
                (Some(_), _) => "pending".to_owned(),
                (None, Some(why)) => why,
                (None, None) => "not verified again".to_owned(),
            },
        )
        .collect();
    let is_pending = words.iter().any(|word| word == "pending");
    let followed = match (rows.len(), arguments.get("quarantine_id")) {
        (0, Some(_)) => "The request is not in quarantine any more: it became an event.".to_owned(),
        (0, None) => format!(
            "{} since, and no request of this source is in quarantine any more.",
            number::counted(
                accepted,
                "request became an event",
                "requests became events"
            )
        ),
        (_, Some(_)) => "The request is in quarantine:".to_owned(),
        (_, None) => format!(
            "{} since. In quarantine are:",
            number::counted(
                accepted,
                "request became an event",
                "requests became events"
            )
        ),
    };
    Ok(Live {
        followed,
        link: match accepted {
            0 => String::new(),
            _ => events_of_quarantine(arguments, since),
        },
        tallies: tallies(words.iter().map(String::as_str)),
        rows: match rows.as_slice() {
            [one] => vec![one.cells(subject, sees_all)],
            _ => Vec::new(),
        },
        links: Vec::new(),
        is_moving: is_pending,
        is_pending,
        has_dead: false,
    })
}

/// How many requests of the source have left its quarantine as events, up to a thousand.
async fn accepted(
    visit: &mut AsVisitor,
    arguments: &Arguments,
    since: Option<Timestamp>,
) -> Result<i64, PageError> {
    #[derive(Deserialize)]
    struct Event {}
    let (Some(source), Some(since)) = (arguments.get("source"), since) else {
        return Ok(0);
    };
    let query = ViewQuery::of(&views::EVENTS)
        .columns(&["event_id"])
        .ids_from("event_id", Some(SqlArg::time(since.iso())))
        .among(20_000)
        .is("source", Some(SqlArg::text(source)))
        .is("origin", Some(SqlArg::text("quarantine")))
        .limit(1_000);
    let events: Vec<Event> = visit.rows(query).await?;
    Ok(i64::try_from(events.len()).unwrap_or_default())
}

fn events_of_quarantine(arguments: &Arguments, since: Option<Timestamp>) -> String {
    Address::to("/events")
        .with("source", arguments.get("source").unwrap_or_default())
        .with("origin", "quarantine")
        .with("after", since.map(Timestamp::iso).unwrap_or_default())
        .href()
}

/// How many are in each state, in the order in which the states appear.
fn tallies<'a>(states: impl Iterator<Item = &'a str>) -> Vec<Tally> {
    let mut tallies: Vec<Tally> = Vec::new();
    for state in states {
        match tallies.iter_mut().find(|tally| tally.state == state) {
            Some(tally) => tally.count += 1,
            None => tallies.push(Tally {
                state: state.to_owned(),
                count: 1,
            }),
        }
    }
    tallies
}

#[cfg(test)]
mod tests {
    use super::super::table;
    use super::*;
    use uuid::Uuid;

    fn tracked(count: usize) -> Vec<Tracked> {
        (0..count)
            .map(|n| Tracked {
                delivery_id: n as i64,
                event_id: Uuid::nil(),
            })
            .collect()
    }

    fn states(words: &[&str]) -> Vec<State> {
        let state = |word: &&str| State {
            delivery_id: 1,
            state: (*word).to_owned(),
        };
        words.iter().map(state).collect()
    }

    #[test]
    fn deliveries_are_counted_by_state() {
        let live = of_deliveries(
            &states(&["delivered", "ready", "delivered", "dead"]),
            &tracked(4),
            4,
        );
        let counted: Vec<_> = live
            .tallies
            .iter()
            .map(|tally| (tally.state.as_str(), tally.count))
            .collect();
        assert_eq!(counted, [("delivered", 2), ("ready", 1), ("dead", 1)]);
        assert!(live.is_moving && live.is_pending && live.has_dead);
        assert_eq!(live.followed, "States of the 4 deliveries:");
        let live = of_deliveries(&states(&["delivered"; 60]), &tracked(60), 4_312);
        assert_eq!(live.followed, "States of the first 60 of 4,312 deliveries:");
        assert!(!live.is_moving && !live.is_pending);
        let live = of_deliveries(&states(&["retrying"]), &tracked(1), 1);
        assert!(!live.is_moving && live.is_pending);
    }

    #[test]
    fn the_headline_says_what_changed() {
        let act = |name| table::of(name).expect("an act");
        assert_eq!(
            headline(act("retry_all"), act("retry_all").done, 1_400, true, false),
            ("ok", "1,400 dead letters retried.".to_owned())
        );
        assert_eq!(
            headline(act("retry"), act("retry").done, 1, true, true).0,
            "warning"
        );
        assert_eq!(
            headline(
                act("resume_handler"),
                act("resume_handler").done,
                1,
                false,
                false
            )
            .0,
            "none"
        );
    }
}
