//! What `hookfast check` reports about the console's login, and that the statements it prints repair it.

use super::{Site, run};
use std::process::Command;

/// The lines about the console.
fn check(site: &Site, config: &str, console_url: Option<&str>) -> String {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), config).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookfast"));
    command
        .args(["check", "--config"])
        .arg(file.path())
        .env("DATABASE_URL", site.world.url())
        .env_remove("HOOKFAST_CONSOLE_DATABASE_URL");
    if let Some(url) = console_url {
        command.env("HOOKFAST_CONSOLE_DATABASE_URL", url);
    }
    let printed = command.output().expect("it runs");
    let text = String::from_utf8(printed.stdout).expect("text");
    let lines: Vec<_> = text
        .lines()
        .filter(|line| line.contains("console:"))
        .collect();
    lines.join("\n")
}

/// The statements after `Run: `.
fn statements(line: &str) -> String {
    line.split_once("Run: ").expect(line).1.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn check_prints_the_grants_that_the_consoles_login_lacks() {
    let site = Site::new().await;
    let (login, operator, console) = (&site.login, &site.operator, &site.console);
    let fine = format!("ok       console: the login {login} may take the roles that it needs");
    let printed = check(&site, "", None);
    assert!(printed.starts_with(&fine), "{printed}");
    run(&site, format!("REVOKE \"{operator}\" FROM \"{login}\"")).await;
    let printed = check(&site, "", None);
    let lacks = format!("warning  console: the login {login} may not take {operator}, so visitors");
    assert!(printed.starts_with(&lacks), "{printed}");
    run(&site, statements(&printed)).await;
    assert!(check(&site, "", None).starts_with(&fine));
    // A role of the configuration.
    let custom = format!("payments_of_{}", site.text("current_database()").await);
    let config = format!("[console]\nroles = ['{custom}']\n");
    run(&site, format!("CREATE ROLE \"{custom}\"")).await;
    let printed = check(&site, &config, None);
    assert!(printed.contains(&custom), "{printed}");
    run(&site, statements(&printed)).await;
    assert!(check(&site, &config, None).starts_with(&fine));
    // Without the console's own role it is known by its URL only.
    run(&site, format!("REVOKE \"{console}\" FROM \"{login}\"")).await;
    let printed = check(&site, "", None);
    assert!(
        printed.starts_with("note     console: no login"),
        "{printed}"
    );
    let url = site.url_of(login);
    let printed = check(&site, "", Some(&url));
    assert!(
        printed.starts_with("error") && printed.contains("so nobody can log in"),
        "{printed}"
    );
    run(&site, statements(&printed)).await;
    assert!(check(&site, "", Some(&url)).starts_with(&fine));
    let printed = check(&site, "", Some("postgres://nobody_at_all@localhost/x"));
    assert!(
        printed.starts_with("error") && printed.contains("nobody_at_all in HOOKFAST_CONSOLE"),
        "{printed}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn check_warns_about_a_login_that_inherits_or_has_too_many_rights() {
    let site = Site::new().await;
    let (login, reader) = (&site.login, &site.reader);
    let version = site.text("current_setting('server_version_num')").await;
    let inherits = match version.parse::<u32>().expect("a number") >= 160_000 {
        true => format!("GRANT \"{reader}\" TO \"{login}\" WITH INHERIT TRUE"),
        false => format!("ALTER ROLE \"{login}\" INHERIT"),
    };
    run(&site, inherits).await;
    let printed = check(&site, "", None);
    let warned = format!("warning  console: the login {login} inherits the rights of ");
    assert!(printed.starts_with(&warned), "{printed}");
    assert!(printed.contains(reader.as_str()), "{printed}");
    run(&site, statements(&printed)).await;
    let printed = check(&site, "", None);
    assert!(printed.starts_with("ok       console: "), "{printed}");
    let owner = site
        .text("(SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'hookfast_data')")
        .await;
    run(&site, format!("GRANT {owner} TO \"{login}\"")).await;
    let printed = check(&site, "", None);
    assert!(
        printed.starts_with("error") && printed.contains("has the rights of the schemas' owner"),
        "{printed}"
    );
    run(&site, format!("REVOKE {owner} FROM \"{login}\"")).await;
    run(&site, format!("ALTER ROLE \"{login}\" SUPERUSER")).await;
    let printed = check(&site, "", Some(&site.url_of(login)));
    assert!(
        printed.starts_with("error") && printed.contains("is a superuser"),
        "{printed}"
    );
}
