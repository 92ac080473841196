//! The `hookfast` command.

fn main() {}
