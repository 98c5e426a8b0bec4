use tests::pb::kit::Word;
use tests::pb::stubs::shared_server::{Shared, SharedServer};
use tonic::{Request, Response, Status};

// `Put` is left to the default stub: with the descriptor that is seen.
mod pb {
    pub const DESCRIPTOR: &[u8] = b"\x0a\x2b\x12\x05stubs\x32\x22\x0a\x06Shared\x12\x0b\x0a\x03Get\x12\x01a\x1a\x01a\x12\x0b\x0a\x03Put\x12\x01a\x1a\x01a";
}

struct Service;

#[grpc_auth::protect(descriptor = pb::DESCRIPTOR)]
#[tonic::async_trait]
impl Shared for Service {
    #[authenticated]
    async fn get(
        self: std::sync::Arc<Self>,
        request: Request<tests::pb::stubs::Word>,
    ) -> Result<Response<tests::pb::stubs::Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

fn main() {
    let _ = Word::default();
}
