//! The guard comes after the decision point, and says no more and no less than it would alone.

use super::*;

/// The names of an open method and a closed one exchanged, and two that the methods' do not tell.
struct Misnamed;

#[grpc_auth::protect]
#[authenticated]
#[tonic::async_trait]
impl Names for Misnamed {
    async fn get_http_info(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
    async fn get_url(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
    #[allow_unauthenticated]
    async fn get_v2_item(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
    #[authenticated(rpc = "Move")]
    async fn do_thing(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
    #[allow_unauthenticated(rpc = "do_thing")]
    async fn r#move(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

#[tokio::test]
async fn a_misnamed_method_is_no_way_around_it() {
    let logs = Logs::capture();
    let world = World::start().await;
    let [alice, mallory] = ["alice", "mallory"].map(|subject| world.token(subject));
    let auth = world.builder.build().await.unwrap();
    let mut client = NamesClient::new(auth.protect(Misnamed));
    let call = |token: &str| with_token(Word::default(), token);

    // A name that the method's does not tell.
    assert!(client.get_url(call(&alice)).await.is_ok());
    assert_eq!(world.asked.lock().unwrap().pop().unwrap().entry().rpc(), "GetUrl");
    assert_denied(client.get_url(call(&mallory)).await, Code::PermissionDenied, POLICY);
    assert_eq!(paths(&world.asked), ["/kit.v1.Names/GetURL"]);
    // It is not asked for a method open to anyone.
    assert!(client.get_v2_item(Word::default()).await.is_ok());
    assert!(client.get_v2_item(call(&mallory)).await.is_ok());
    assert_eq!(paths(&world.asked), [""; 0]);

    // The layer takes it for an open one, and does not ask. No permit of that one is good here.
    assert_denied(client.do_thing(call(&mallory)).await, Code::Internal, "");
    assert_eq!(paths(&world.asked), [""; 0]);
    let line = logs.line_with("method called without a permit of its own");
    assert!(line.contains("method=kit.v1.Names/Move"), "{line}");
    // The other way round it is asked, and the open method is not reached either.
    assert_denied(client.r#move(call(&mallory)).await, Code::PermissionDenied, POLICY);
    assert_denied(client.r#move(call(&alice)).await, Code::Internal, "");
    assert_eq!(paths(&world.asked), ["/kit.v1.Names/Move"; 2]);
}

/// Requires of a caller whom the authorizer let in.
struct Requiring;

#[grpc_auth::protect]
#[authenticated]
#[tonic::async_trait]
impl Left for Requiring {
    #[require(|_: &grpc_auth::Claims<serde_json::Value>, word| word.text != "forbidden")]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

#[tokio::test]
async fn what_it_allows_is_still_required() {
    let logs = Logs::capture();
    let world = World::start().await;
    let [alice, mallory] = ["alice", "mallory"].map(|subject| world.token(subject));
    let auth = world.builder.build().await.unwrap();
    let mut client = LeftClient::new(auth.protect(Requiring));
    let call = |token: &str| with_token(Word { text: "forbidden".into() }, token);
    assert_denied(client.get(call(&alice)).await, Code::PermissionDenied, POLICY);
    assert!(
        logs.line_with("call denied").contains("word.text != \\\"forbidden\\\"` does not hold")
    );
    assert_denied(client.get(call(&mallory)).await, Code::PermissionDenied, POLICY);
    assert!(logs.line_with("the authorizer denies it").contains("call denied"));
    let entry = world.asked.lock().unwrap().pop().unwrap().entry();
    assert_eq!(entry.requirements().len(), 1);
}
