//! Events: what was stored, newest first. The rows do not move: a page says how many are newer.

mod controls;
mod filter;
mod search;

use super::{
    conflicts::{self, ConflictFilter},
    event_row::{EventRow, complete},
    frame::Frame,
    page::written,
    problem::PageError,
    request::PageRequest,
    row::Timestamp,
    view::number,
};
use crate::store::{AsVisitor, VisitError, Work, catalog::functions};
use askama::Template;
use axum::response::Response;
use controls::{Chip, Choice, Form, Menu, chips, forms, menus, minute_note, windows};
use filter::{Edge, Filter, TIMES, Times, WINDOWS, Window, edge_text};
use search::{Found, count_newer, search};

/// Rows of a page.
const PAGE: u32 = 50;
/// Newer events are counted up to this number.
const NEWER: u32 = 100;

#[derive(Template)]
#[template(path = "events.html")]
struct EventsPage {
    frame: Frame,
    errors: Vec<String>,
    windows: Vec<Choice>,
    chips: Vec<Chip>,
    /// Filters with a fixed choice, each with its links.
    menus: Vec<Menu>,
    /// The hidden fields of the forms that add a filter, by the name of the filter.
    forms: Vec<Form>,
    events: Vec<EventRow>,
    list: List,
}

/// What is around the rows: where they begin and end, and what to do if there are none.
#[derive(Default)]
struct List {
    newer: String,
    older: String,
    text: String,
    /// `12 newer`, and the address of the newest.
    newer_count: String,
    newest: String,
    /// Why there may be more than is shown.
    stopped: Option<Stopped>,
    empty_title: String,
    empty_text: String,
    /// Where there are events.
    elsewhere: Vec<(String, String)>,
    /// What else the minute had.
    minute: String,
    /// The act on all conflicts that are listed and not acknowledged: its caption and address.
    acknowledge: Option<(String, String)>,
}

struct Stopped {
    title: String,
    text: String,
    href: String,
}

pub(super) async fn page(request: PageRequest) -> Result<Response, PageError> {
    let mut filter = Filter::of(&request);
    let mut visit = request.visit(Work::Page).await?;
    let mut found = Found {
        events: Vec::new(),
        has_more: false,
        stopped_at: None,
    };
    let mut list = List::default();
    if filter.errors.is_empty() {
        match read(&mut visit, &filter).await {
            Ok(read) => (found, list) = read,
            // A predicate is checked by Postgres, and a transaction with an error is over.
            Err(VisitError::Rejected { message, .. }) if filter.payload.is_some() => {
                filter.errors.push(format!("payload: {message}"));
                visit = request.visit(Work::Page).await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    let frame = Frame::of(&request, &mut visit, "/events", "Events").await?;
    visit.finish().await?;
    if let Times::Minute(start) = filter.times {
        list.minute = minute_note(&frame, start);
    }
    written(&EventsPage {
        windows: windows(&filter),
        chips: chips(&filter),
        menus: menus(&filter, &frame),
        forms: forms(&filter),
        errors: filter.errors,
        events: found.events,
        list,
        frame,
    })
}

/// Reads the rows, and what is around them.
async fn read(visit: &mut AsVisitor, filter: &Filter) -> Result<(Found, List), VisitError> {
    let mut found = search(visit, filter, &filter.edge, PAGE).await?;
    complete(visit, &mut found.events).await?;
    let now = Timestamp(visit.as_of);
    let mut list = List::default();
    let top = found.events.first().map(id_of);
    if filter.edge != Edge::Newest
        && let Some(top) = top
    {
        let newer = count_newer(visit, filter, &Edge::NewerThan(top), NEWER).await?;
        if newer > 0 {
            list.newer_count = format!("{} newer", number::capped(newer, NEWER.into()));
            list.newest = filter.here.clone().without(&["cursor"]).href();
            list.newer = at(filter, &Edge::NewerThan(top));
        }
    }
    let is_upward = matches!(filter.edge, Edge::NewerThan(_));
    if let Some(bottom) = found.events.last().map(id_of)
        && (found.has_more || is_upward)
    {
        list.older = at(filter, &Edge::OlderThan(bottom));
    }
    if let Some(last) = &found.stopped_at
        && let Ok(id) = last.event_id.parse()
    {
        let edge = match is_upward {
            true => Edge::NewerThan(id),
            false => Edge::OlderThan(id),
        };
        list.stopped = Some(Stopped {
            title: format!("The search stopped at {}", last.received_at.near(now)),
            text: format!(
                "It read {} events, as many as a page may. Further events may match.",
                number::grouped(filter.scan().into())
            ),
            href: at(filter, &edge),
        });
    }
    list.text = match (found.events.len(), list.older.is_empty()) {
        (0, _) => String::new(),
        (some, true) if list.stopped.is_none() => {
            let counted = number::counted(some as i64, "event", "events");
            format!(
                "{counted}, newest first; no older ones in {}",
                filter.words()
            )
        }
        (some, _) => format!(
            "{}, newest first",
            number::counted(some as i64, "event", "events")
        ),
    };
    list.acknowledge = acknowledge(visit, filter).await?;
    if found.events.is_empty() {
        describe_empty(visit, filter, now, &mut list).await?;
    }
    Ok((found, list))
}

/// The act on the conflicts of the filter, if there are any that nobody has acknowledged.
async fn acknowledge(
    visit: &mut AsVisitor,
    filter: &Filter,
) -> Result<Option<(String, String)>, VisitError> {
    let Some(address) = filter.acknowledge() else {
        return Ok(None);
    };
    if !visit.visitor.may(&functions::ACKNOWLEDGE_CONFLICTS) {
        return Ok(None);
    }
    let (after, before) = filter.bounds();
    let of_list = ConflictFilter {
        source: filter.source.clone(),
        r#type: filter.r#type.clone(),
        after,
        before,
        except: None,
    };
    let left = conflicts::unacknowledged(visit, of_list).await?;
    let caption = format!("Acknowledge {}", left.counted());
    Ok((left.count > 0).then(|| (caption, address.href())))
}

/// Says what would be here, and where there is something.
async fn describe_empty(
    visit: &mut AsVisitor,
    filter: &Filter,
    now: Timestamp,
    list: &mut List,
) -> Result<(), VisitError> {
    if let Some(stopped) = list.stopped.take() {
        list.empty_title = format!("No match yet. {}", stopped.title);
        list.empty_text = stopped.text;
        let link = ("Search on from there".to_owned(), stopped.href);
        list.elsewhere.push(link);
        return Ok(());
    }
    list.empty_title = match filter.is_narrow() {
        true => format!("No event matches in {}", filter.words()),
        false => format!("No events in {}", filter.words()),
    };
    list.empty_text = "A webhook is listed here as soon as it is stored.".to_owned();
    if filter.edge != Edge::Newest {
        let newest = filter.here.clone().without(&["cursor"]).href();
        list.elsewhere.push(("Show the newest".to_owned(), newest));
        return Ok(());
    }
    let Some(before) = filter.before_its_time(now.0) else {
        return Ok(());
    };
    let older = search(visit, &before, &Edge::Newest, 1).await?;
    let Some(event) = older.events.first() else {
        if let Some(last) = older.stopped_at {
            list.empty_text = format!(
                "None matches back to {} either.",
                last.received_at.near(now)
            );
        }
        return Ok(());
    };
    let passed = now.0.saturating_sub(event.received_at.0);
    let times = filter.here.clone().without(&TIMES);
    list.empty_text = format!(
        "The newest one before was stored {}.",
        event.received_at.age(now)
    );
    let window = wide_enough(passed);
    list.elsewhere.push((
        format!("Show the {}", window.words),
        times.with("window", window.value).href(),
    ));
    Ok(())
}

/// The shortest window that shows an event of this age.
fn wide_enough(age: i64) -> &'static Window {
    let found = WINDOWS.iter().find(|window| window.micros > age);
    found.unwrap_or(&WINDOWS[WINDOWS.len() - 1])
}

fn id_of(event: &EventRow) -> uuid::Uuid {
    event.event_id.parse().unwrap_or_default()
}

fn at(filter: &Filter, edge: &Edge) -> String {
    let here = filter.here.clone();
    here.with("cursor", edge_text(edge)).href()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_window_shows_the_event() {
        let hour = 3_600_000_000;
        for (age, value) in [
            (hour - 1, "1h"),
            (hour, "24h"),
            (25 * hour, "7d"),
            (29 * 24 * hour, "30d"),
            (400 * 24 * hour, "all"),
        ] {
            assert_eq!(wide_enough(age).value, value);
        }
    }
}
