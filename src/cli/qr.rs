//! A QR code for the terminal.

use anyhow::Context;
use qrcode::{EcLevel, QrCode, render::unicode::Dense1x2};

/// The code of a text in half blocks. Light parts are drawn, since most terminals are dark; on a
/// terminal the colors are set, so that it is right on a light one, too.
pub(super) fn code(text: &str, is_terminal: bool) -> anyhow::Result<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L)
        .context("the link is too long for a QR code; print it without --qr")?;
    let drawn = code
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .build();
    let line = |line: &str| match is_terminal {
        true => format!("\x1b[97;40m{line}\x1b[0m"),
        false => line.to_owned(),
    };
    Ok(drawn.lines().map(line).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The modules of a drawn code, true where it is dark.
    fn modules(drawn: &str) -> Vec<Vec<bool>> {
        let rows = drawn.lines().flat_map(|line| {
            let halves = |c| match c {
                '█' => (false, false),
                '▀' => (false, true),
                '▄' => (true, false),
                ' ' => (true, true),
                other => panic!("{other}"),
            };
            let (upper, lower): (Vec<_>, Vec<_>) = line.chars().map(halves).unzip();
            [upper, lower]
        });
        rows.collect()
    }

    #[test]
    fn a_drawn_code_has_the_modules_of_the_text() {
        let text = "http://127.0.0.1:8082/login?ticket=gh5WlEoiQDovUF86SDTA9llxb4mX7T_ldTK_YlBD89w";
        let expected = QrCode::with_error_correction_level(text, EcLevel::L).expect("short");
        let drawn = modules(&code(text, false).expect("short"));
        let (width, quiet) = (expected.width(), 4);
        assert_eq!(drawn[0].len(), width + 2 * quiet);
        assert!(drawn[0].len() <= 80, "it fits a terminal");
        for (y, row) in drawn.iter().take(width + 2 * quiet).enumerate() {
            for (x, dark) in row.iter().enumerate() {
                let inside = |n: usize| n.checked_sub(quiet).filter(|n| *n < width);
                let is_dark = match (inside(x), inside(y)) {
                    (Some(x), Some(y)) => expected[(x, y)] == qrcode::Color::Dark,
                    _ => false,
                };
                assert_eq!(*dark, is_dark, "{x} {y}");
            }
        }
        let colored = code(text, true).expect("short");
        assert!(
            colored
                .lines()
                .all(|line| line.starts_with("\x1b[97;40m") && line.ends_with("\x1b[0m"))
        );
        assert!(code(&"x".repeat(3_000), false).is_err());
    }
}
