//! What roles see that may only read. What roles can block that may only connect is tested in
//! `app::strangers`.

mod catalog;
mod reader;
