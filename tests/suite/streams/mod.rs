//! Streams, which end with the token of their caller.

mod ended;
pub(crate) mod expiry;
mod load;
mod rows;
pub(crate) mod scripted;
