//! How values look: texts, marks, the intake strip, the path of an event.
//!
//! Pure functions of their arguments, which know neither HTTP nor the database, so that every rule
//! about what people see has a unit test. Types that derive `askama::Template` implement
//! `HtmlSafe`: their output is escaped already, and `{{ strip }}` needs no filter that turns
//! escaping off.

pub(crate) mod difference;
pub(crate) mod json_text;
pub(crate) mod marks;
pub(crate) mod number;
pub(crate) mod path;
pub(crate) mod payload;
pub(crate) mod runbook;
pub(crate) mod shell;
pub(crate) mod short;
pub(crate) mod sql_literal;
pub(crate) mod state;
pub(crate) mod strip;
pub(crate) mod time;
pub(crate) mod visible;
