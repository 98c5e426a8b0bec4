#[grpc_auth::protect]
mod service {}

fn main() {}
