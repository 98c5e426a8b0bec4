//! The embedded authorization server.

mod endpoints;
mod faults;
mod oauth;
