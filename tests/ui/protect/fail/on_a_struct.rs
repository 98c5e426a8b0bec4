#[grpc_auth::protect]
pub struct Service {
    pub name: String,
}

fn main() {
    let _ = Service { name: String::new() };
}
