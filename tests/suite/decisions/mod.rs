//! Who may call what: rules, permits, requirements and decision points, over real sockets.

mod authorizer;
mod authorizer_waits;
mod bypasses;
mod claims;
mod deadlines;
mod handovers;
mod late_messages;
mod matrix;
mod permits;
pub(crate) mod raw_http2;
mod require;
mod respelled_tokens;
pub(crate) mod rpc_names;
