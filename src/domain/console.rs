//! The plain settings of the console.

use super::RoleName;
use url::Url;

/// The section `[console]` of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsoleConfig {
    /// The address under which browsers reach it; `None` is a loopback address.
    pub url: Option<Url>,
    /// Roles of visitors besides those for readers, support and operators.
    pub roles: Vec<RoleName>,
}
