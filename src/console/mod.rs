//! The console: what people see of Hookfast in a browser, and what they do there.

#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the pages that show these parts follow")
)]
mod view;
