//! The database roles for people.

use super::RoleName;

/// The names of the reader and operator roles. A name that is left out stays as it was set before,
/// at first [`RoleNames::READER`] and [`RoleNames::OPERATOR`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleNames {
    /// Reads the views, without secret fields.
    pub reader: Option<RoleName>,
    /// Reads everything and calls every function.
    pub operator: Option<RoleName>,
}

impl RoleNames {
    /// The default name of the reader role.
    pub const READER: &str = "hookfast_reader";
    /// The default name of the operator role.
    pub const OPERATOR: &str = "hookfast_operator";
}
