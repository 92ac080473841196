//! What `hookfast check` finds out about the console's login.

use super::{findings::Finding, process::variable};
use crate::domain::{GrantedRole, RoleName};
use crate::store::{ConsoleLogin, Database, check_schema, console_logins};

/// Judges each login that may be the console's. Before the migrations nothing is known.
pub(super) async fn console_findings(database: &Database, roles: &[RoleName]) -> Vec<Finding> {
    if check_schema(database).await.is_err() {
        return Vec::new();
    }
    let url = variable("HOOKFAST_CONSOLE_DATABASE_URL").and_then(|url| url::Url::parse(&url).ok());
    let named = url.as_ref().map(url::Url::username);
    match console_logins(database, named, roles).await {
        Ok(logins) => {
            let unknown = named.filter(|named| logins.iter().all(|login| login.name != *named));
            let unknown = unknown.map(|named| {
                Finding::Error(format!(
                    "console: {named} in HOOKFAST_CONSOLE_DATABASE_URL is not a login of this server. Create it: see docs/CONSOLE.md"
                ))
            });
            let none = (logins.is_empty() && named.is_none()).then(|| {
                let role = GrantedRole::Console;
                Finding::Note(format!(
                    "console: no login may take the role for the {role}, so it cannot be served. To serve it, create one: see docs/CONSOLE.md"
                ))
            });
            let judged = logins.iter().flat_map(judge);
            unknown.into_iter().chain(none).chain(judged).collect()
        }
        Err(error) => vec![Finding::Warning(format!(
            "console: its logins could not be checked ({error})"
        ))],
    }
}

fn judge(login: &ConsoleLogin) -> Vec<Finding> {
    let name = &login.name;
    // A superuser has every right, so nothing else says anything about it.
    if login.is_superuser || login.is_owner {
        let what = match login.is_superuser {
            true => "is a superuser",
            false => "has the rights of the schemas' owner",
        };
        return vec![Finding::Error(format!(
            "console: the login {name} {what}, so an attacker who takes over the console has these rights. Create a separate login for it: see docs/CONSOLE.md"
        ))];
    }
    let mut findings = Vec::new();
    if !login.missing.is_empty() {
        let effect = match login.is_console {
            true => "visitors with this role are refused",
            false => "nobody can log in",
        };
        let text = format!(
            "console: the login {name} may not take {}, so {effect}. Run: {}",
            login.missing.join(", "),
            login.grants()
        );
        findings.push(match login.is_console {
            true => Finding::Warning(text),
            false => Finding::Error(text),
        });
    }
    if !login.inherited.is_empty() {
        findings.push(Finding::Warning(format!(
            "console: the login {name} inherits the rights of {}, so a request would have them before it takes its visitor's role. Run: {}",
            login.inherited.join(", "),
            login.without_inheriting()
        )));
    }
    if findings.is_empty() {
        findings.push(Finding::Ok(format!(
            "console: the login {name} may take the roles that it needs, and inherits none"
        )));
    }
    findings
}
