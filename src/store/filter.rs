//! Checks payload filters.

use super::{StoreError, connect::POOLED, error::within};
use crate::domain::PayloadFilter;
use sqlx::PgPool;

/// Why a payload filter cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// The database could not be queried.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Postgres rejects the filter.
    #[error(
        "the payload filter '{filter}' is invalid ({reason}); nothing was started. Write a jsonpath predicate, such \
         as $.data.quantity > 1, and put exists(…) around a path that is not a predicate"
    )]
    Invalid {
        /// The filter as configured.
        filter: PayloadFilter,
        /// The reason that Postgres gives.
        reason: String,
    },
}

/// Checks with Postgres that a filter is a jsonpath predicate.
///
/// # Errors
/// [`FilterError`].
pub async fn check_filter(pool: &PgPool, filter: &PayloadFilter) -> Result<(), FilterError> {
    let check = sqlx::query("SELECT hookfast_data.check_filter($1)")
        .bind(filter.as_str())
        .execute(pool);
    let Err(error) = within(POOLED, "check a payload filter", check).await else {
        return Ok(());
    };
    let reason = error.answered().map(|answer| answer.message().to_owned());
    match reason {
        Some(reason) if error.is_refused() => Err(FilterError::Invalid {
            filter: filter.clone(),
            reason,
        }),
        _ => Err(error.into()),
    }
}
