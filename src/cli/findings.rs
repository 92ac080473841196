//! The findings that `hookfast check` and `hookfast airalo doctor` print.

use super::process::say;
use std::process::ExitCode;

/// A result of a check, worst last.
pub(super) enum Finding {
    Ok(String),
    Note(String),
    Warning(String),
    Error(String),
}

impl Finding {
    fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }

    fn print(&self) {
        let (severity, text) = match self {
            Self::Ok(text) => ("ok", text),
            Self::Note(text) => ("note", text),
            Self::Warning(text) => ("warning", text),
            Self::Error(text) => ("error", text),
        };
        say(&format!("{severity:<9}{text}"));
    }
}

/// Prints all findings. The result is 1 if one of them is an error.
pub(super) fn print_findings(findings: &[Finding]) -> ExitCode {
    for finding in findings {
        finding.print();
    }
    if findings.iter().any(Finding::is_error) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}
