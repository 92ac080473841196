//! The ingress over real sockets, with raw bytes and without a database.

mod answers;
mod attack;
mod connections;
mod fakes;
mod hostile;
mod limits;
mod shutdown;
