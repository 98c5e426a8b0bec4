#![no_implicit_prelude]

extern crate grpc_auth as renamed;

use ::std::boxed::Box;
use ::std::marker::Send;
use ::std::result::Result::{self, Ok};
use ::std::string::String;
use ::tests::pb::kit::Word;
use ::tests::pb::kit::left_server::{Left, LeftServer};
use ::tonic::{Request, Response, Status};
use renamed::Claims;

struct Service;

#[derive(::serde::Deserialize)]
struct Tenant {
    tenant: String,
}

#[renamed::protect(crate = renamed)]
#[authenticated]
#[::tonic::async_trait]
impl Left for Service {
    #[renamed::require(|claims: &Claims<Tenant>, word| claims.tenant == word.text)]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[require(|_: &Claims<Tenant>, _| false)]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

pub(super) fn main() {
    let _: ::std::option::Option<Box<dyn Send>> = ::std::option::Option::None;
    ::tests::block_on(async {
        let kit = ::tests::Kit::start().await;
        let mut client = ::tests::pb::kit::left_client::LeftClient::new(kit.auth.protect(Service));
        let token = kit.issuer.token().claim("tenant", "blue").sign();
        let word = || Word { text: ::std::convert::Into::into("blue") };
        ::std::assert!(client.get(::tests::with_token(word(), &token)).await.is_ok());
        ::tests::assert_denied(
            client.put(::tests::with_token(word(), &token)).await,
            ::tonic::Code::PermissionDenied,
            "PERMISSION_DENIED_BY_POLICY",
        );
    });
}
