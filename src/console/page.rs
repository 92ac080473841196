//! Writes a page.

use super::problem::PageError;
use askama::Template;
use axum::response::{Html, IntoResponse, Response};

/// Writes the template of a page, after the transaction has ended.
pub(super) fn written(page: &impl Template) -> Result<Response, PageError> {
    Ok(Html(page.render()?).into_response())
}
