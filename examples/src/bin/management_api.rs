//! A client of a management API: a typed function for each thing, a token behind all of them, and
//! nothing to remember.
//!
//! Auth0's is at `https://DOMAIN/api/v2/`, which is the audience of its tokens as well. With
//! `AUTH0_DOMAIN`, `AUTH0_CLIENT_ID` and `AUTH0_CLIENT_SECRET` this lists the clients of your tenant
//! (the application must be authorized for `read:clients`); without them, those of a stand-in.

use std::error::Error;
use std::process::ExitCode;

use examples::steps::Steps;
use examples::stock;
use grpc_auth::ClientAuthentication;
use grpc_auth::client::{ClientCredentials, OAuthClient, TokenSource};
use grpc_auth::testing::{Endpoint, TestAuthorizationServer};
use reqwest::{RequestBuilder, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

type BoxError = Box<dyn Error + Send + Sync>;

/// The API at its base address.
#[derive(Debug)]
struct Management {
    http: reqwest::Client,
    base: String,
    tokens: TokenSource,
}

/// An application of the tenant.
#[derive(Debug, Deserialize)]
struct Application {
    client_id: String,
    name: String,
}

impl Management {
    fn new(base: impl Into<String>, tokens: TokenSource) -> Self {
        Self { http: reqwest::Client::new(), base: base.into(), tokens }
    }

    /// From the environment, as all of Auth0's tools read it.
    fn of_auth0() -> Result<Option<Self>, BoxError> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let (Some(domain), Some(id), Some(secret)) = (
            variable("AUTH0_DOMAIN"),
            variable("AUTH0_CLIENT_ID"),
            variable("AUTH0_CLIENT_SECRET"),
        ) else {
            return Ok(None);
        };
        let base = format!("https://{domain}/api/v2");
        let tokens = ClientCredentials::auth0(domain, id, secret).audience(format!("{base}/"));
        Ok(Some(Self::new(base, tokens.build()?)))
    }

    async fn applications(&self) -> Result<Vec<Application>, BoxError> {
        self.ask(self.http.get(format!("{}/clients", self.base))).await
    }

    async fn create_application(&self, name: &str) -> Result<Application, BoxError> {
        let body = serde_json::json!({ "name": name }).to_string();
        let request = self.http.post(format!("{}/clients", self.base)).body(body);
        self.ask(request.header("content-type", "application/json")).await
    }

    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, BoxError> {
        let answer = self.tokens.send(request).await?.error_for_status()?;
        Ok(serde_json::from_slice(&answer.bytes().await?)?)
    }
}

#[tokio::main]
async fn main() -> Result<ExitCode, BoxError> {
    if let Some(tenant) = Management::of_auth0()? {
        for Application { client_id, name } in tenant.applications().await? {
            println!("{client_id}  {name}");
        }
        return Ok(ExitCode::SUCCESS);
    }

    let issuer = TestAuthorizationServer::start().await?;
    issuer.add_client("admin-tool", "s3cret", ["read:clients"]);
    let base = stock::serve(issuer.resource_server().build().await?).await?;
    let client = ClientAuthentication::client_secret_post("admin-tool", "s3cret");
    let client = OAuthClient::oidc(issuer.url(), client).clock(issuer.clock().clone());
    let tokens = client.client_credentials().audience(TestAuthorizationServer::AUDIENCE).build()?;
    let tenant = Management::new(base, tokens);

    let mut steps = Steps::default();
    println!("A stand-in for a management API (set AUTH0_DOMAIN, .. for a real one):");
    let names: Vec<_> = tenant.applications().await?.into_iter().map(|found| found.name).collect();
    steps.show("applications", names.join(", "), "Orders".to_owned());
    let again = tenant.applications().await?.len();
    steps.show("and once more", again, 1);
    let status =
        tenant.create_application("Invoices").await.err().and_then(|error| {
            error.downcast_ref::<reqwest::Error>().and_then(reqwest::Error::status)
        });
    let status = status.map_or_else(String::new, |status| status.to_string());
    steps.show(
        "creating one needs a scope that it lacks",
        status,
        StatusCode::FORBIDDEN.to_string(),
    );
    steps.show("token requests for all that", issuer.requests(Endpoint::Token), 1);
    Ok(steps.end())
}
