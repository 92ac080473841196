//! The database roles of people.

use super::RoleName;

/// Who looks, and who operates. What is left out stays as it was set before, at first [`RoleNames::READER`] and
/// [`RoleNames::OPERATOR`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleNames {
    /// Reads the views, without what sources mark as secret.
    pub reader: Option<RoleName>,
    /// Reads everything, and calls every function.
    pub operator: Option<RoleName>,
}

impl RoleNames {
    /// The reader's name where nobody chose one.
    pub const READER: &str = "hookfast_reader";
    /// The operator's name where nobody chose one.
    pub const OPERATOR: &str = "hookfast_operator";
}
