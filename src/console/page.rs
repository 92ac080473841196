//! Writes a page.

use super::{problem::PageError, view::visible::visible};
use askama::Template;
use axum::response::{Html, IntoResponse, Response};

/// Writes the template of a page, after the transaction has ended.
pub(super) fn written(page: &impl Template) -> Result<Response, PageError> {
    Ok(html(page)?.into_response())
}

/// The only way from a template to the browser: without characters that deceive.
pub(super) fn html(page: &impl Template) -> Result<Html<String>, askama::Error> {
    page.render().map(|page| Html(visible(page)))
}
