//! The database roles for people and for the console.

use super::RoleName;
use std::fmt;

/// The names of the roles. A name that is left out stays as it was set before, at first the default
/// of the [`GrantedRole`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleNames {
    /// The name of [`GrantedRole::Reader`].
    pub reader: Option<RoleName>,
    /// The name of [`GrantedRole::Support`].
    pub support: Option<RoleName>,
    /// The name of [`GrantedRole::Operator`].
    pub operator: Option<RoleName>,
    /// The name of [`GrantedRole::Console`].
    pub console: Option<RoleName>,
}

/// A role that Hookfast grants its privileges on the schema `hookfast`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantedRole {
    /// Reads the views, without secret fields.
    Reader,
    /// Reads as readers do, replays one event, looks for one order, and reveals a payload.
    Support,
    /// Reads everything and calls every function for people.
    Operator,
    /// Begins and ends sessions of the console, and reads nothing.
    Console,
}

impl GrantedRole {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Reader, Self::Support, Self::Operator, Self::Console];

    /// Its name, if no other is set.
    pub fn default_name(self) -> &'static str {
        match self {
            Self::Reader => "hookfast_reader",
            Self::Support => "hookfast_support",
            Self::Operator => "hookfast_operator",
            Self::Console => "hookfast_console",
        }
    }

    /// Its name in `hookfast_data.settings`.
    pub fn setting(self) -> &'static str {
        match self {
            Self::Reader => "reader_role",
            Self::Support => "support_role",
            Self::Operator => "operator_role",
            Self::Console => "console_role",
        }
    }
}

impl fmt::Display for GrantedRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.setting().trim_end_matches("_role"))
    }
}

impl RoleNames {
    /// The name that was chosen for a role.
    pub fn get(&self, role: GrantedRole) -> Option<&RoleName> {
        match role {
            GrantedRole::Reader => self.reader.as_ref(),
            GrantedRole::Support => self.support.as_ref(),
            GrantedRole::Operator => self.operator.as_ref(),
            GrantedRole::Console => self.console.as_ref(),
        }
    }
}
