//! Consuming and producing from other languages: real clients that are stopped and killed.

mod ledger;
mod pulling;
mod receivers;
