struct Service;

#[grpc_auth::protect]
impl Service {
    #[authenticated]
    fn get(&self) {}
}

fn main() {}
