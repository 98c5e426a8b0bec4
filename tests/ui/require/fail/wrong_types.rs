//! Requirements whose type is not `Fn(&Claims<T>, &Message) -> bool`.

use grpc_auth::Claims;
use tests::pb::kit::Word;
use tests::pb::kit::left_server::{Left, LeftServer};
use tonic::{Request, Response, Status};

#[derive(serde::Deserialize)]
struct Tenant {
    tenant: String,
}

struct AnotherMessage;

fn owns_name(claims: &Claims<Tenant>, name: &String) -> bool {
    claims.tenant == *name
}

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for AnotherMessage {
    #[authenticated]
    #[require(|claims: &Claims<Tenant>, name: &String| claims.tenant == *name)]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    #[require(owns_name)]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

struct Async;

async fn owns_later(claims: &Claims<Tenant>, word: &Word) -> bool {
    claims.tenant == word.text
}

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for Async {
    #[authenticated]
    #[require(async |claims: &Claims<Tenant>, word| claims.tenant == word.text)]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    #[require(owns_later)]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

struct NotABool;

fn try_owns(claims: &Claims<Tenant>, word: &Word) -> Result<(), Status> {
    let _ = claims.tenant == word.text;
    Ok(())
}

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for NotABool {
    #[authenticated]
    #[require(|claims: &Claims<Tenant>, word| claims.tenant.find(&word.text))]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    #[require(try_owns)]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

struct NotClaims;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for NotClaims {
    #[authenticated]
    #[require(|tenant: &Tenant, word: &Word| tenant.tenant == word.text)]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    #[require(|claims: grpc_auth::Claims<Tenant>, word: &Word| claims.tenant == word.text)]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

struct Parameters;

fn is_named(claims: &Claims<Tenant>) -> bool {
    !claims.tenant.is_empty()
}

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for Parameters {
    #[authenticated]
    #[require(is_named)]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    #[require(|claims, word| claims.tenant == word.text)]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

struct Silent(bool);

struct NotDeserializable;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for NotDeserializable {
    #[authenticated]
    #[require(|claims: &Claims<Silent>, _| claims.0)]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

fn main() {}
