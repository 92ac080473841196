//! `hookfast send --source`: a server with the same configuration accepts what it signs for a
//! source.

use crate::support::{
    postgres::{Database, database},
    server::{AIRALO_SECRET, HANDLER_SECRET, Server},
};
use std::process::{Command, Output};

/// The sections of the sample file that describe senders, unchanged, with the variable of each
/// secret.
const SOURCES: [(&str, &str); 7] = [
    ("airalo", "AIRALO_CLIENT_SECRET"),
    ("acme", "ACME_WEBHOOK_SECRET"),
    ("github", "GITHUB_WEBHOOK_SECRET"),
    ("shopify", "SHOPIFY_CLIENT_SECRET"),
    ("slack", "SLACK_SIGNING_SECRET"),
    ("stripe", "STRIPE_WEBHOOK_SECRET"),
    ("partner", "PARTNER_SECRET"),
];

fn section(name: &str) -> String {
    let text = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/docs/hookfast.sample.toml"
    ));
    let text = text.expect("the sample");
    let heading = format!("[sources.{name}]");
    let lines = text
        .lines()
        .skip_while(|line| line.trim_start_matches('#') != heading);
    let section = lines
        .take_while(|line| !line.is_empty())
        .filter(|line| !line.starts_with("# "));
    let section: Vec<_> = section.map(|line| line.trim_start_matches('#')).collect();
    assert!(section.len() > 1, "{heading} is in the sample");
    section.join("\n") + "\n\n"
}

/// A server with all of them, and the environment with its secrets.
struct Receiver {
    database: Database,
    server: Server,
    folder: tempfile::TempDir,
    environment: Vec<(&'static str, &'static str)>,
}

impl Receiver {
    async fn start() -> Self {
        let secret = |name| match name {
            "ACME_WEBHOOK_SECRET" => HANDLER_SECRET,
            _ => AIRALO_SECRET,
        };
        let environment: Vec<_> = SOURCES
            .iter()
            .map(|(_, variable)| (*variable, secret(*variable)))
            .collect();
        let config: String = SOURCES.iter().map(|(name, _)| section(name)).collect();
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("hookfast.toml"), &config).expect("written");
        std::fs::write(
            folder.path().join("body.json"),
            r#"{"type": "thing.done", "id": 7}"#,
        )
        .expect("written");
        let database = database().await;
        let server = Server::serve_with(database.url(), &config, &environment);
        server.ready().await;
        Self {
            database,
            server,
            folder,
            environment,
        }
    }

    async fn send(&self, arguments: &[&str]) -> Output {
        let source = arguments
            .iter()
            .skip_while(|word| **word != "--source")
            .nth(1)
            .unwrap_or(&"stripe");
        let url = format!("http://{}/webhooks/{source}", self.server.ingress().await);
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookfast"));
        command
            .arg("send")
            .args(arguments)
            .args(["--config", "hookfast.toml", "--url", &url]);
        command
            .envs(self.environment.iter().copied())
            .current_dir(&self.folder)
            .output()
            .expect("it runs")
    }

    async fn types(&self) -> Vec<String> {
        let query = "SELECT type FROM hookfast.events WHERE origin = 'webhook' ORDER BY event_id";
        sqlx::query_scalar(query)
            .fetch_all(&self.database.pool().await)
            .await
            .expect("types")
    }
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_signed_for_a_source_are_accepted() {
    let receiver = Receiver::start().await;
    for (source, _) in SOURCES {
        let sent = receiver.send(&["body.json", "--source", source]).await;
        assert!(
            text(&sent).starts_with("200") && text(&sent).contains("stored"),
            "{source}: {}",
            text(&sent)
        );
        let forged = receiver
            .send(&["body.json", "--source", source, "--forged"])
            .await;
        assert!(
            !forged.status.success() && text(&forged).starts_with("401"),
            "{source}: {}",
            text(&forged)
        );
    }
    let pushed = receiver
        .send(&[
            "body.json",
            "--source",
            "github",
            "--header",
            "X-GitHub-Event: push",
        ])
        .await;
    assert!(text(&pushed).contains("stored"), "{}", text(&pushed));
    let types = receiver.types().await;
    for of in [
        "acme.thing.done",
        "stripe.thing.done",
        "slack.thing.done",
        "github.push",
    ] {
        assert!(
            types.iter().any(|known| known == of),
            "{of} is not in {types:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_samples_of_known_senders_are_accepted_with_their_types() {
    let receiver = Receiver::start().await;
    let samples = [
        "github.pull_request.opened",
        "shopify.orders.create",
        "slack.event_callback.message",
        "stripe.invoice.paid",
    ];
    for sample in samples {
        let (source, _) = sample.split_once('.').expect("a sender");
        let sent = receiver.send(&[sample, "--source", source]).await;
        assert!(text(&sent).contains("stored"), "{sample}: {}", text(&sent));
    }
    assert_eq!(
        receiver.types().await,
        samples,
        "the type is the sample's name"
    );
    let unnamed = receiver.send(&["stripe.invoice.paid"]).await;
    assert!(
        text(&unnamed).contains("duplicate"),
        "the source of its sender is found by name: {}",
        text(&unnamed)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ambiguous_source_is_not_guessed() {
    let receiver = Receiver::start().await;
    for arguments in [&["body.json"][..], &["body.json", "--source", "none"]] {
        let refused = receiver.send(arguments).await;
        let printed = text(&refused);
        assert!(
            !refused.status.success()
                && printed.contains("nothing was sent")
                && printed.contains("github"),
            "{printed}"
        );
    }
    let mut alone = Command::new(env!("CARGO_BIN_EXE_hookfast"));
    alone
        .args(["send", "body.json", "--source", "stripe"])
        .current_dir(&receiver.folder)
        .env_remove("HOOKFAST_CONFIG");
    let printed = text(&alone.output().expect("it runs"));
    assert!(
        printed.contains("[sources.stripe]") && printed.contains("--config"),
        "{printed}"
    );
}
