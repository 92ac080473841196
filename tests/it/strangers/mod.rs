//! What roles get to see that may only read. What those can hold up that may only connect is in `app::strangers`.

mod catalog;
mod reader;
