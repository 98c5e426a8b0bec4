#[grpc_auth::protect]
async fn get(name: &str) -> usize {
    name.len()
}

fn main() {}
