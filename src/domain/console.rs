//! The plain settings of the console.

use super::{IpRange, RoleName};
use crate::signing::Secret;
use std::net::IpAddr;
use url::Url;

/// The section `[console]` of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsoleConfig {
    /// The address under which browsers reach it; `None` is a loopback address.
    pub url: Option<Url>,
    /// Roles of visitors besides those for readers, support and operators.
    pub roles: Vec<RoleName>,
}

/// How the console trusts a reverse proxy to identify its visitors. Header names are in lower case.
#[derive(Clone, Debug)]
pub struct ProxySettings {
    /// Where the proxy's connections come from.
    pub addresses: Vec<IpRange>,
    /// What the proxy sends to be recognised. Several, so that one can be replaced without a gap.
    pub secrets: Vec<Secret>,
    /// The header that has the secret.
    pub secret_header: String,
    /// The header that names the visitor.
    pub user_header: String,
    /// The header that lists the visitor's groups, separated by commas.
    pub groups_header: String,
    /// The role of each group. A visitor in several has the role of the first.
    pub groups: Vec<(String, RoleName)>,
}

impl ProxySettings {
    /// Whether a connection is one of the proxy's.
    pub fn is_proxy(&self, peer: IpAddr) -> bool {
        self.addresses.iter().any(|range| range.contains(peer))
    }

    /// The role of a visitor in these groups. There is no default role.
    pub fn role(&self, groups: &str) -> Option<&RoleName> {
        let is_in = |name: &str| groups.split(',').any(|group| group.trim() == name);
        let found = self.groups.iter().find(|(group, _)| is_in(group));
        found.map(|(_, role)| role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_group_of_the_configuration_decides() {
        let settings = ProxySettings {
            addresses: vec!["127.0.0.1".parse().expect("a range")],
            secrets: Vec::new(),
            secret_header: "x-secret".to_owned(),
            user_header: "x-user".to_owned(),
            groups_header: "x-groups".to_owned(),
            groups: [("ops", "operator"), ("desk", "support"), ("all", "reader")]
                .map(|(group, role)| (group.to_owned(), role.parse().expect("a role")))
                .into(),
        };
        let role = |groups: &str| settings.role(groups).map(ToString::to_string);
        assert_eq!(role("all,desk").as_deref(), Some("support"));
        assert_eq!(role("all, ops ,desk").as_deref(), Some("operator"));
        assert_eq!(role("all").as_deref(), Some("reader"));
        for none in ["", ",", "op", "opss", "OPS", "ops desk", "ops;all", "*"] {
            assert_eq!(role(none), None, "{none}");
        }
        assert!(settings.is_proxy("::ffff:127.0.0.1".parse().expect("an address")));
        assert!(!settings.is_proxy("127.0.0.2".parse().expect("an address")));
    }
}
