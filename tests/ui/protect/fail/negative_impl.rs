struct Service;

#[grpc_auth::protect]
impl !Send for Service {}

fn main() {}
