//! A small REST API that accepts access tokens: what services of gRPC often stand beside.

use std::error::Error;

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use grpc_auth::{BearerToken, Principal, ResourceServer};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Serves `GET /stock/{article}`, and `GET` and `POST /clients` as management APIs have them;
/// tells the address, without a slash at its end.
///
/// # Errors
/// When no port of 127.0.0.1 can be listened on.
pub async fn serve(auth: ResourceServer) -> Result<String, Box<dyn Error + Send + Sync>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    let router = Router::new()
        .route("/stock/{article}", get(stock))
        .route("/clients", get(clients).post(create_client))
        .with_state(auth);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

async fn stock(
    State(auth): State<ResourceServer>,
    Path(article): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, StatusCode> {
    allow(&auth, &headers, "read:echo").await?;
    Ok(Json(json!({ "article": article, "pieces": 7 })))
}

async fn clients(
    State(auth): State<ResourceServer>,
    headers: HeaderMap,
) -> Result<Json<Value>, StatusCode> {
    allow(&auth, &headers, "read:clients").await?;
    Ok(Json(json!([{ "client_id": "orders", "name": "Orders" }])))
}

async fn create_client(
    State(auth): State<ResourceServer>,
    headers: HeaderMap,
) -> Result<Json<Value>, StatusCode> {
    allow(&auth, &headers, "create:clients").await?;
    Ok(Json(json!({ "client_id": "new" })))
}

/// The verifier of the gRPC side, and a scope.
async fn allow(
    auth: &ResourceServer,
    headers: &HeaderMap,
    scope: &str,
) -> Result<Principal, StatusCode> {
    let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = token.and_then(|value| value.strip_prefix("Bearer ")).and_then(BearerToken::parse);
    let caller = auth.verify(&token.ok_or(StatusCode::UNAUTHORIZED)?).await;
    let caller = caller.map_err(|_| StatusCode::UNAUTHORIZED)?;
    if caller.has_scope(scope) { Ok(caller) } else { Err(StatusCode::FORBIDDEN) }
}
