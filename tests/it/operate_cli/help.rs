//! `--help` of the commands for operators, and shell completions.

use super::run;

#[test]
fn operate_cli_help_reads_well() {
    let help = run("postgres://127.0.0.1:1/none", &["--help"]).ok();
    for noun in [
        "events",
        "deliveries",
        "dead-letters",
        "conflicts",
        "quarantine",
        "handlers",
        "sources",
        "replays",
    ] {
        assert!(help.out.contains(&format!("  {noun} ")), "{}", help.out);
        run("", &[noun, "--help"])
            .ok()
            .contains(&["Usage: ", "--json"]);
    }
    run("", &["dead-letters", "retry", "--help"])
        .ok()
        .contains(&[
            "--all",
            "--payload <JSONPATH>",
            "--yes",
            "--max-attempts <N>",
        ]);
}

#[test]
fn operate_cli_completions_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        run("", &["completions", shell])
            .ok()
            .contains(&["dead-letters", "quarantine", "backlog"]);
    }
    assert_eq!(run("", &["completions", "no-such-shell"]).code, 2);
}
