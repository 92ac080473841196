//! Consuming and producing from other languages: real clients, really stopped and killed.

mod ledger;
mod pulling;
mod receivers;
