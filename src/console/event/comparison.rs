//! The payload of another event beside that of the page's event: what differs between two that conflict.

use super::{
    body::{self, Visible},
    rows::{self, EventDetails},
};
use crate::console::{address::Address, request::PageRequest, view::difference::Difference};
use crate::store::{AsVisitor, VisitError};
use uuid::Uuid;

/// The parameter of the page with the id of the other event.
const PARAMETER: &str = "with";

/// The other event, as the page's address names it.
pub(super) enum Other {
    /// Its id, and what the visitor may see of its body.
    Read(String, Visible),
    /// What the address has instead.
    Missing(String),
}

/// What the page shows of the comparison.
pub(super) enum Comparison<'a> {
    Of {
        event_id: &'a str,
        /// Whether the other event is the older one.
        is_older: bool,
        /// Whether what differs may be behind a mask.
        is_masked: bool,
        /// `None` if one of the bodies was erased or is hidden.
        difference: Option<Difference<'a>>,
    },
    Missing(&'a str),
}

/// The page with the comparison.
pub(super) fn address(event_id: &str, other: &str) -> String {
    let event = Address::event(event_id).with(PARAMETER, other);
    event.at("difference").href()
}

/// Reads the other event: the one that the address names, else the first of a conflict. `None` if
/// there is neither.
pub(super) async fn read(
    request: &PageRequest,
    visit: &mut AsVisitor,
    first: Option<&str>,
) -> Result<Option<Other>, VisitError> {
    let named = request.parameter(PARAMETER);
    let Some(id) = named.or_else(|| first.map(str::to_owned)) else {
        return Ok(None);
    };
    let event = match Uuid::parse_str(&id) {
        Ok(id) => rows::event(visit, id).await?,
        Err(_) => None,
    };
    Ok(Some(match event {
        Some(event) => {
            let visible = body::visible(&event);
            Other::Read(event.event_id, visible)
        }
        None => Other::Missing(id),
    }))
}

/// Ids of events are in the order of their times.
pub(super) fn compare<'a>(
    event: &EventDetails,
    visible: &'a Visible,
    other: &'a Other,
) -> Comparison<'a> {
    let (event_id, of_other) = match other {
        Other::Read(event_id, visible) => (event_id, visible),
        Other::Missing(id) => return Comparison::Missing(id),
    };
    let is_older = *event_id < event.event_id;
    let bodies = of_other.comparable().zip(visible.comparable());
    Comparison::Of {
        event_id,
        is_older,
        is_masked: of_other.is_masked() || visible.is_masked(),
        difference: bodies.map(|(other, own)| match is_older {
            true => Difference::new(other, own),
            false => Difference::new(own, other),
        }),
    }
}
