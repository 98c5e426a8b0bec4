//! Requirements that are neither a closure of claims and message nor the path of a function.

use tests::pb::kit::Word;
use tests::pb::kit::left_server::{Left, LeftServer};
use tonic::{Request, Response, Status};

#[derive(serde::Deserialize)]
struct Tenant {
    tenant: String,
}

struct Nothing;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for Nothing {
    #[authenticated]
    #[require]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    #[require()]
    #[require = owns]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

struct Scopes;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for Scopes {
    #[authenticated]
    #[require("read:word")]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    #[require(any("read:word"))]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

struct HalfAClosure;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for HalfAClosure {
    #[authenticated]
    #[require(|claims: &grpc_auth::Claims<Tenant>, word| claims.tenant ==)]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    #[require(|claims: &grpc_auth::Claims<Tenant>, word|)]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

struct TooFewParameters;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for TooFewParameters {
    #[authenticated]
    #[require(|| true)]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    #[require(|claims: &grpc_auth::Claims<Tenant>| claims.tenant.is_empty())]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

struct UsesSelf;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for UsesSelf {
    #[authenticated]
    #[require(|claims: &grpc_auth::Claims<Tenant>, word| self.tenant == claims.tenant)]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    #[require(self.owns)]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

struct TwoFunctions;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for TwoFunctions {
    #[authenticated]
    #[require(owns, is_named)]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

fn main() {}
