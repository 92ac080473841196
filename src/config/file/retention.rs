//! `[retention]`: how long each class of data is kept.

use super::{super::units, Problems};
use crate::domain::Retention;
use serde::Deserialize;
use std::time::Duration;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Keep {
    events: Option<String>,
    dead_letters: Option<String>,
    conflicts: Option<String>,
    rollups: Option<String>,
    keys: Option<String>,
}

/// Retention deletes whole days, so one day is the least.
const LEAST: Duration = Duration::from_secs(86_400);

pub(super) fn retention(keep: &Keep, problems: &mut Problems) -> Retention {
    let default = Retention::default();
    let mut class =
        |key: &str, text: &Option<String>, default: Option<Duration>, least: Duration| {
            let place = format!("[retention] {key}");
            match text.as_deref() {
                None => default,
                Some("forever") => None,
                Some(text) => {
                    let kept = problems.note(&place, units::duration(text));
                    if kept.is_some_and(|kept| kept < least) {
                        problems.0.push(format!(
                            "{place}: '{text}' is too short; give at least one day, or \"forever\""
                        ));
                    }
                    kept.or(default)
                }
            }
        };
    Retention {
        events: class("events", &keep.events, default.events, LEAST),
        dead_letters: class(
            "dead_letters",
            &keep.dead_letters,
            default.dead_letters,
            LEAST,
        ),
        conflicts: class("conflicts", &keep.conflicts, default.conflicts, LEAST),
        rollups: class("rollups", &keep.rollups, default.rollups, LEAST),
        keys: class("keys", &keep.keys, default.keys, Duration::ZERO),
    }
}
