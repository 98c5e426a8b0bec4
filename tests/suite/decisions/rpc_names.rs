//! RPC names: what the layer finds for a path when a method's name does not tell its RPC.

use grpc_auth::ProtectedService;
use tests::logs::Logs;
use tests::pb::kit::Word;
use tests::pb::kit::kinds_client::KindsClient;
use tests::pb::kit::kinds_server::{Kinds, KindsServer};
use tests::pb::kit::names_client::NamesClient;
use tests::pb::kit::names_server::{Names, NamesServer};
use tests::{Kit, assert_anonymous_denied, assert_denied, assert_scope_denied};
use tonic::{Code, Request, Response, Status, Streaming};
use tower_layer::Layer;

/// No rule names its RPC where the Rust name does not tell it, and two name each other's.
pub(crate) struct Misnamed;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Names for Misnamed {
    #[require_scopes("read:info")]
    async fn get_http_info(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
    #[require_scopes("read:url")]
    async fn get_url(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
    #[allow_unauthenticated]
    async fn get_v2_item(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
    #[require_scopes("do", rpc = "Move")]
    async fn do_thing(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
    #[require_scopes("move", rpc = "do_thing")]
    async fn r#move(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

#[tokio::test]
async fn an_rpc_whose_name_the_methods_does_not_tell_is_matched_without_underscores_and_case() {
    let kit = Kit::start().await;
    let policy = <Misnamed as ProtectedService<NamesServer<_>>>::POLICY;
    let layer = kit.auth.layer([policy]).unwrap();
    let mut protected = NamesClient::new(kit.auth.protect(Misnamed));
    let mut layered = NamesClient::new(layer.layer(NamesServer::new(Misnamed)));
    let word = Word::default;

    assert_anonymous_denied(protected.get_url(word()).await);
    assert_scope_denied(protected.get_url(kit.request(word(), &["read:info"])).await);
    assert!(protected.get_url(kit.request(word(), &["read:url"])).await.is_ok());
    assert_scope_denied(protected.get_http_info(kit.request(word(), &["read:url"])).await);
    assert!(protected.get_http_info(kit.request(word(), &["read:info"])).await.is_ok());
    assert!(protected.get_v2_item(word()).await.is_ok());

    assert_anonymous_denied(layered.get_url(word()).await);
    assert!(layered.get_url(kit.request(word(), &["read:url"])).await.is_ok());
    assert!(layered.get_v2_item(word()).await.is_ok());
}

/// The layer checks the rule of one method, and tonic calls the other.
#[tokio::test]
async fn two_methods_with_the_names_of_each_other_are_called_by_no_caller() {
    let kit = Kit::start().await;
    let mut client = NamesClient::new(kit.auth.protect(Misnamed));
    let word = Word::default;
    assert_scope_denied(client.r#move(kit.request(word(), &["move"])).await);
    for scopes in [&["do"][..], &["do", "move"]] {
        let logs = Logs::capture();
        let answer = client.r#move(kit.request(word(), scopes)).await;
        assert_denied(answer, Code::Internal, "");
        let line = logs.line_with("method called without a permit of its own");
        assert!(line.contains("method=kit.v1.Names/do_thing"), "{line}");
        assert!(line.contains("permit_of=kit.v1.Names/Move"), "{line}");
        assert!(line.contains("the `rpc = \\\"..\\\"` of the two methods are wrong"), "{line}");
    }
}

/// A path without an entry, under a service that has a guard in every method.
#[tokio::test]
async fn a_path_without_an_entry_is_rejected_and_the_log_names_the_nearest() {
    let logs = Logs::capture();
    let kit = Kit::start().await;
    let mut client = KindsClient::new(kit.auth.protect(WithoutEntry));
    assert_anonymous_denied(client.unary(Word::default()).await);
    assert!(!logs.text().contains("the nearest"), "told to a caller without a token");
    let answer = client.unary(kit.request(Word::default(), &[])).await;
    assert_denied(answer, Code::PermissionDenied, "PERMISSION_DENIED_BY_POLICY");
    let line = logs.line_with("the nearest is `Unaryy`");
    assert!(line.contains("method=\"/kit.v1.Kinds/Unary\""), "{line}");
    assert!(line.contains("write `rpc = \\\"Unary\\\"`"), "{line}");
}

/// The name of one RPC is misspelt.
struct WithoutEntry;

#[grpc_auth::protect]
#[authenticated]
#[tonic::async_trait]
impl Kinds for WithoutEntry {
    #[allow_unauthenticated(rpc = "Unaryy")]
    async fn unary(&self, _: Request<Word>) -> Result<Response<Word>, Status> {
        panic!("reached")
    }
    type ServerStreamStream = tokio_stream::Empty<Result<Word, Status>>;
    async fn server_stream(
        &self,
        _: Request<Word>,
    ) -> Result<Response<Self::ServerStreamStream>, Status> {
        Ok(Response::new(tokio_stream::empty()))
    }
    async fn client_stream(&self, _: Request<Streaming<Word>>) -> Result<Response<Word>, Status> {
        Ok(Response::new(Word::default()))
    }
    type BidiStream = tokio_stream::Empty<Result<Word, Status>>;
    async fn bidi(
        &self,
        _: Request<Streaming<Word>>,
    ) -> Result<Response<Self::BidiStream>, Status> {
        Ok(Response::new(tokio_stream::empty()))
    }
    async fn open(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}
