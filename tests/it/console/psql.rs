//! Runs what pages show in psql, as people do.

use super::Site;
use std::{collections::BTreeMap, env, path::PathBuf, process::Stdio, time::Duration};
use tokio::{io::AsyncWriteExt as _, process::Command, time::timeout};

/// One row: values by column. NULL is the empty text.
pub(super) type Row = BTreeMap<String, String>;

const FIELD: char = '\x1f';
const RECORD: char = '\x1e';
const END: &str = "end of the statement";

/// A person in psql, with the role of a session.
#[derive(Clone, Copy)]
pub(super) struct Psql<'a> {
    pub(super) site: &'a Site,
    pub(super) person: &'a str,
    pub(super) role: &'a str,
    /// Settings of that person's server sessions, such as `-c timezone=Asia/Kolkata`.
    pub(super) settings: &'a str,
}

impl Psql<'_> {
    /// The rows of each statement, or the error of the first that does not run.
    pub(super) async fn rows(&self, statements: &[String]) -> Result<Vec<Vec<Row>>, String> {
        let input: String = statements
            .iter()
            .map(|statement| format!("{statement}\n\\echo {END}\n"))
            .collect();
        let output = self.run(&input).await?;
        let mut parts: Vec<_> = output.split(&format!("{END}\n")).collect();
        assert_eq!(parts.pop(), Some(""), "{input}");
        assert_eq!(parts.len(), statements.len(), "{input}");
        Ok(parts.into_iter().map(rows).collect())
    }

    /// What psql prints, or its error.
    pub(super) async fn run(&self, input: &str) -> Result<String, String> {
        // Not every distribution of the server has psql beside it.
        let beside =
            env::var_os("HOOKFAST_PG_BIN").map(|folder| PathBuf::from(folder).join("psql"));
        let program = beside.filter(|psql| psql.exists());
        let program = program.unwrap_or_else(|| "psql".into());
        let (field, record) = (FIELD.to_string(), RECORD.to_string());
        let mut psql = Command::new(program)
            .args(["-X", "-q", "-A", "-F", &field, "-R", &record])
            .args(["-P", "footer=off", "-v", "ON_ERROR_STOP=1", "-d"])
            .arg(self.site.url_of(self.person))
            .env(
                "PGOPTIONS",
                format!("-c jit=off -c role={} {}", self.role, self.settings),
            )
            .env("PGCLIENTENCODING", "UTF8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("psql");
        let mut stdin = psql.stdin.take().expect("a pipe");
        let (_, output) = tokio::join!(
            async {
                // It fails if psql stops at an error.
                stdin.write_all(input.as_bytes()).await.ok();
                drop(stdin);
            },
            timeout(Duration::from_secs(60), psql.wait_with_output())
        );
        let output = output.expect("in time").expect("an output");
        match output.status.success() {
            true => Ok(String::from_utf8(output.stdout).expect("text")),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }
}

fn rows(printed: &str) -> Vec<Row> {
    let printed = printed.strip_suffix('\n').unwrap_or(printed);
    let mut records = printed.split(RECORD);
    let columns: Vec<_> = records.next().unwrap_or_default().split(FIELD).collect();
    let row = |record: &str| {
        let values: Vec<_> = record.split(FIELD).collect();
        assert_eq!(values.len(), columns.len(), "{record}");
        let pairs = columns.iter().zip(values);
        pairs
            .map(|(column, value)| ((*column).to_owned(), value.to_owned()))
            .collect()
    };
    records.map(row).collect()
}

/// The text of a part of a page.
pub(super) fn unescaped(html: &str) -> String {
    [
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#38;", "&"),
    ]
    .iter()
    .fold(html.to_owned(), |text, (escape, character)| {
        text.replace(escape, character)
    })
}

/// The statements or commands that a part of a page shows. Each is copied as it is shown.
pub(super) fn statements(page: &str, start: &str) -> Vec<String> {
    let (_, part) = page.split_once(start).unwrap_or_default();
    let part = part.split("</details>").next().unwrap_or_default();
    let shown = part.split("<div class=\"statement\"><pre>").skip(1);
    shown
        .map(|rest| {
            let (shown, rest) = rest.split_once("</pre>").expect("an end");
            let (_, copied) = rest.split_once("data-copy=\"").expect("a copy");
            assert_eq!(copied.split('"').next(), Some(shown));
            unescaped(shown)
        })
        .collect()
}
