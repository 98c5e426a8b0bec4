#![no_implicit_prelude]

use ::std::boxed::Box;
use ::std::marker::Send;
use ::std::result::Result::{self, Ok};
use ::tests::pb::kit::Word;
use ::tests::pb::kit::left_server::{Left, LeftServer};
use ::tonic::{Request, Response, Status};

struct Service;

#[::grpc_auth::protect]
#[::tonic::async_trait]
impl Left for Service {
    #[require_scopes("read:word", any("team:blue", "team:red"))]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    async fn put(
        &self,
        _: Request<Word>,
        _: ::std::option::Option<::grpc_auth::Principal>,
    ) -> Result<Response<Word>, Status> {
        Ok(Response::new(::std::default::Default::default()))
    }
}

pub(super) fn main() {
    let _: ::std::option::Option<Box<dyn Send>> = ::std::option::Option::None;
    ::tests::block_on(async {
        let kit = ::tests::Kit::start().await;
        let mut client = ::tests::pb::kit::left_client::LeftClient::new(kit.auth.protect(Service));
        let word: Word = ::std::default::Default::default();
        ::tests::assert_anonymous_denied(client.get(::std::clone::Clone::clone(&word)).await);
        ::tests::assert_scope_denied(client.get(kit.request(word, &["read:word"])).await);
    });
}
