//! `[console]` and `[console.proxy]`.

use super::Problems;
use crate::config::{ProxyConfig, secrets::SecretRefs};
use crate::domain::{ConsoleConfig, GrantedRole, IpRange, RoleName, RoleNames};
use axum::http::{HeaderName, header};
use serde::Deserialize;
use std::{collections::BTreeSet, net::SocketAddr};
use url::Url;

/// The headers that oauth2-proxy's endpoint for other proxies answers with.
const USER_HEADER: &str = "X-Auth-Request-Email";
const GROUPS_HEADER: &str = "X-Auth-Request-Groups";
const SECRET_HEADER: &str = "X-Hookfast-Proxy-Secret";

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Console {
    url: Option<String>,
    roles: Vec<String>,
    proxy: Option<Proxy>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Proxy {
    listen: String,
    addresses: Vec<String>,
    secrets: Vec<String>,
    secret_header: Option<String>,
    user_header: Option<String>,
    groups_header: Option<String>,
    groups: Vec<Group>,
}

/// A list and not a table, since the order decides.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    group: String,
    role: String,
}

impl Console {
    pub(super) fn checked(&self, problems: &mut Problems) -> ConsoleConfig {
        let url: Option<Url> = self
            .url
            .as_deref()
            .and_then(|url| problems.parsed("[console] url", url));
        let is_site = |url: &Url| {
            ["http", "https"].contains(&url.scheme()) && url.path() == "/" && url.query().is_none()
        };
        if url.as_ref().is_some_and(|url| !is_site(url)) {
            problems.0.push(
                "[console] url: it must be http:// or https:// with a host and no path, such as https://hooks.example.com"
                    .to_owned(),
            );
        }
        let roles = self.roles.iter();
        ConsoleConfig {
            url,
            roles: roles
                .filter_map(|name| problems.parsed("[console] roles", name))
                .collect(),
        }
    }

    pub(super) fn proxy(&self, names: &RoleNames, problems: &mut Problems) -> Option<ProxyConfig> {
        let proxy = self.proxy.as_ref()?;
        let listen = proxy
            .listen
            .parse::<SocketAddr>()
            .map_err(|_| format!("'{}' is not IP:PORT, such as 127.0.0.1:8083", proxy.listen));
        let listen = problems.note(&place("listen"), listen);
        let addresses = problems.all::<IpRange>(&place("addresses"), &proxy.addresses);
        if proxy.addresses.is_empty() {
            problems.0.push(format!(
                "{}: it needs at least one address or network of the proxy",
                place("addresses")
            ));
        }
        let secrets = problems.note(&place("secrets"), SecretRefs::parse(&proxy.secrets));
        let [secret_header, user_header, groups_header] = [
            ("secret_header", &proxy.secret_header, SECRET_HEADER),
            ("user_header", &proxy.user_header, USER_HEADER),
            ("groups_header", &proxy.groups_header, GROUPS_HEADER),
        ]
        .map(|(key, name, default)| {
            let name = own_header(name.as_deref().unwrap_or(default));
            problems.note(&place(key), name)
        });
        let (secret_header, user_header, groups_header) =
            (secret_header?, user_header?, groups_header?);
        let names_of_headers = BTreeSet::from([&secret_header, &user_header, &groups_header]);
        if names_of_headers.len() < 3 {
            problems.0.push(
                "[console.proxy]: secret_header, user_header and groups_header have to be three different headers"
                    .to_owned(),
            );
        }
        Some(ProxyConfig {
            groups: self.groups(&proxy.groups, names, problems)?,
            listen: listen?,
            addresses: addresses?,
            secrets: secrets?,
            secret_header,
            user_header,
            groups_header,
        })
    }

    fn groups(
        &self,
        groups: &[Group],
        names: &RoleNames,
        problems: &mut Problems,
    ) -> Option<Vec<(String, RoleName)>> {
        let place = place("groups");
        if groups.is_empty() {
            problems.0.push(format!(
                "{place}: it needs at least one group, since nobody has a role by default"
            ));
        }
        let before = problems.0.len();
        let mut known = BTreeSet::new();
        for Group { group, role } in groups {
            if group.trim() != group || group.is_empty() || group.contains(',') {
                problems.0.push(format!(
                    "{place}: '{group}' is not the name of a group: it must not be empty, or have commas or blanks around it"
                ));
            }
            if !known.insert(group) {
                problems
                    .0
                    .push(format!("{place}: '{group}' is listed twice"));
            }
            if !self.allowed(names).contains(role.as_str()) {
                let allowed = self.allowed(names).into_iter().collect::<Vec<_>>();
                problems.0.push(format!(
                    "{place}: the role '{role}' is not allowed; the allowed roles are {}. Add it to [console] roles, or choose another",
                    allowed.join(", ")
                ));
            }
        }
        if problems.0.len() > before {
            return None;
        }
        let parsed = groups.iter().filter_map(|Group { group, role }| {
            let role = problems.parsed(&place, role)?;
            Some((group.clone(), role))
        });
        Some(parsed.collect())
    }

    /// The roles that visitors may have.
    fn allowed<'a>(&'a self, names: &'a RoleNames) -> BTreeSet<&'a str> {
        let own = [
            GrantedRole::Reader,
            GrantedRole::Support,
            GrantedRole::Operator,
        ]
        .map(|role| {
            names
                .get(role)
                .map_or(role.default_name(), |name| name.as_str())
        });
        own.into_iter()
            .chain(self.roles.iter().map(String::as_str))
            .collect()
    }
}

fn place(key: &str) -> String {
    format!("[console.proxy] {key}")
}

/// A header that only the proxy sets, in lower case.
fn own_header(name: &str) -> Result<String, String> {
    let parsed = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| format!("'{name}' is not the name of a header"))?;
    let is_used = [
        header::HOST,
        header::ORIGIN,
        header::COOKIE,
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::TRANSFER_ENCODING,
        HeaderName::from_static("sec-fetch-site"),
    ]
    .contains(&parsed);
    match is_used {
        true => Err(format!(
            "'{name}' is a header that browsers send; choose one that only the proxy sets"
        )),
        false => Ok(parsed.to_string()),
    }
}
