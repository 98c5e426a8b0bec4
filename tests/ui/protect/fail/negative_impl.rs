//! `#[protect]` on a negative impl.

struct Service;

#[grpc_auth::protect]
impl !Send for Service {}

fn main() {}
