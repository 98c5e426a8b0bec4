use tests::kinds::{Counting, METHODS, call};
use tests::pb::kit::kinds_client::KindsClient;
use tests::{Kit, assert_anonymous_denied, block_on};

mod below {
    use tests::pb::kit::Word;
    use tests::pb::kit::kinds_server::{Kinds, KindsServer};
    use tokio_stream::{Iter, StreamExt};
    use tonic::{Request, Response, Status, Streaming};

    pub(super) struct Service;

    type Words = Iter<std::vec::IntoIter<Result<Word, Status>>>;

    /// As `tests::kinds`, the other way round.
    #[tonic::async_trait]
    #[grpc_auth::protect(descriptor = tests::pb::FILE_DESCRIPTOR_SET)]
    #[authenticated]
    impl Kinds for Service {
        async fn unary(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
            Ok(Response::new(request.into_inner()))
        }
        type ServerStreamStream = Words;
        async fn server_stream(&self, request: Request<Word>) -> Result<Response<Words>, Status> {
            Ok(Response::new(tokio_stream::iter(vec![Ok(request.into_inner())])))
        }
        async fn client_stream(
            &self,
            request: Request<Streaming<Word>>,
        ) -> Result<Response<Word>, Status> {
            let words: Vec<_> = request.into_inner().collect::<Result<_, _>>().await?;
            Ok(Response::new(words.into_iter().next().unwrap_or_default()))
        }
        type BidiStream = Streaming<Word>;
        async fn bidi(
            &self,
            request: Request<Streaming<Word>>,
        ) -> Result<Response<Streaming<Word>>, Status> {
            Ok(Response::new(request.into_inner()))
        }
        #[allow_unauthenticated]
        async fn open(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
            Ok(Response::new(request.into_inner()))
        }
    }
}

pub(super) fn main() {
    block_on(async {
        let kit = Kit::start().await;
        let token = kit.issuer.token().scopes(["read:word", "write:word", "team:blue"]).sign();
        let mut above = KindsClient::new(kit.auth.protect(Counting::default()));
        let mut below = KindsClient::new(kit.auth.protect(below::Service));
        for method in METHODS {
            assert!(call(&mut above, method, Some(&token)).await.is_ok());
            assert!(call(&mut below, method, Some(&token)).await.is_ok());
            if method != "Open" {
                assert_anonymous_denied(call(&mut above, method, None).await);
                assert_anonymous_denied(call(&mut below, method, None).await);
            }
        }
    });
}
