//! What the server answers.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::server::{AuthorizationServer, Client, State, locked};
use super::token::{TokenBuilder, seconds};
use crate::jwks::{Algorithm, KeySet};
use crate::verify::Compact;

type Parameters = HashMap<String, String>;

pub(super) fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/.well-known/openid-configuration", get(metadata))
        .route("/.well-known/oauth-authorization-server", get(metadata))
        .route("/.well-known/jwks.json", get(jwks))
        .route("/oauth/token", post(token))
        .route("/introspect", post(introspect))
        .with_state(state)
}

pub(super) fn json(status: StatusCode, body: &Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// RFC 8414 §2.
async fn metadata(Shared(state): Shared<Arc<State>>) -> Response {
    let url = &state.url;
    let client_authentication =
        json!(["client_secret_basic", "client_secret_post", "private_key_jwt"]);
    json(
        StatusCode::OK,
        &json!({
            "issuer": url,
            "token_endpoint": format!("{url}oauth/token"),
            "introspection_endpoint": format!("{url}introspect"),
            "jwks_uri": format!("{url}.well-known/jwks.json"),
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [],
            "token_endpoint_auth_methods_supported": client_authentication,
            "introspection_endpoint_auth_methods_supported": client_authentication,
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "EdDSA"],
            "subject_types_supported": ["public"],
        }),
    )
}

async fn jwks(Shared(state): Shared<Arc<State>>, request: HeaderMap) -> Response {
    let document = state.published_jwks();
    let mut headers = HeaderMap::new();
    let digest = URL_SAFE_NO_PAD.encode(digest(&SHA256, document.as_bytes()));
    if let Ok(etag) = HeaderValue::try_from(format!("\"{digest}\"")) {
        headers.insert(ETAG, etag);
    }
    headers.extend(locked(&state.key_set_headers).clone());
    if is_known(&request, headers.get(ETAG)) {
        state.not_modified.fetch_add(1, Ordering::Relaxed);
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    ([(CONTENT_TYPE, "application/json")], headers, document).into_response()
}

/// Whether the client has what this tag stands for (RFC 9110 §13.1.2).
fn is_known(request: &HeaderMap, etag: Option<&HeaderValue>) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let Some(current) = etag.and_then(|etag| etag.to_str().ok()).map(opaque) else { return false };
    let mut known = request.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    known.any(|tags| tags.split(',').any(|tag| tag.trim() == "*" || opaque(tag) == current))
}

/// RFC 6749 §4.4.2, with Auth0's `audience`: without one the token is opaque.
async fn token(Shared(state): Shared<Arc<State>>, headers: HeaderMap, body: Bytes) -> Response {
    match grant(&state, &headers, &body) {
        Ok(answer) => {
            let mut response = json(StatusCode::OK, &answer);
            response.headers_mut().insert(CACHE_CONTROL, no_store());
            response
        }
        Err(error) => error.into_response(),
    }
}

fn grant(state: &State, headers: &HeaderMap, body: &[u8]) -> Result<Value, OAuthError> {
    let parameters = parameters(headers, body)?;
    let parameter = |name: &str| parameters.get(name).map(String::as_str).unwrap_or_default();
    let (id, client) = authenticate(state, headers, &parameters)?;
    match parameter("grant_type") {
        "client_credentials" => {}
        "" => return Err(OAuthError::bad("invalid_request", "`grant_type` is missing")),
        _ => return Err(OAuthError::bad("unsupported_grant_type", "use `client_credentials`")),
    }
    let mut scopes: Vec<&str> = parameter("scope").split_ascii_whitespace().collect();
    if scopes.is_empty() {
        scopes = client.scopes.iter().map(String::as_str).collect();
    }
    if scopes.iter().any(|scope| !client.scopes.iter().any(|granted| granted == scope)) {
        return Err(OAuthError::bad("invalid_scope", "the client may not be granted this scope"));
    }

    let now = state.clock.now();
    let audience = parameter("audience");
    let builder = {
        let ring = locked(&state.keys);
        let keys: Vec<_> = ring.signing_key(Algorithm::Rs256).into_iter().collect();
        let key = keys.first().cloned().ok_or_else(OAuthError::server)?;
        let opaque_tokens = Arc::clone(&state.opaque_tokens);
        TokenBuilder::new(keys, key, now, &state.url, audience, opaque_tokens)
    };
    let access_token = if audience.is_empty() {
        let token = state.opaque_tokens.add(json!({
            "iss": state.url,
            "sub": id,
            "client_id": id,
            "scope": scopes.join(" "),
            "iat": seconds(now),
            "exp": seconds(now + AuthorizationServer::TOKEN_LIFETIME),
        }));
        token.map_err(|_| OAuthError::server())?
    } else {
        builder
            .subject(&id)
            .claim("client_id", &id)
            .scopes(scopes.iter().copied())
            .expires_in(AuthorizationServer::TOKEN_LIFETIME)
            .sign()
    };
    Ok(json!({
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": AuthorizationServer::TOKEN_LIFETIME.as_secs(),
        "scope": scopes.join(" "),
    }))
}

/// RFC 7662 §2.
async fn introspect(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answer = parameters(&headers, &body).and_then(|parameters| {
        authenticate(&state, &headers, &parameters)?;
        let token = parameters.get("token").map(String::as_str).unwrap_or_default();
        Ok(active(&state, token).unwrap_or_else(|| json!({ "active": false })))
    });
    let other = locked(&state.other_introspection).clone();
    match answer {
        Ok(_) if other.is_some() => {
            ([(CONTENT_TYPE, "application/json")], other.unwrap_or_default()).into_response()
        }
        Ok(answer) => json(StatusCode::OK, &answer),
        Err(error) => error.into_response(),
    }
}

fn active(state: &State, token: &str) -> Option<Value> {
    if state.opaque_tokens.is_revoked(token) {
        return None;
    }
    let mut claims = match state.opaque_tokens.claims(token) {
        Some(claims) => claims,
        None => own_jwt(state, token)?,
    };
    let exp = claims.get("exp").and_then(Value::as_f64);
    if exp.is_some_and(|exp| exp <= seconds(state.clock.now()) as f64) {
        return None;
    }
    let members: &mut Map<_, _> = claims.as_object_mut()?;
    members.insert("active".into(), true.into());
    members.entry("token_type").or_insert_with(|| "Bearer".into());
    Some(claims)
}

/// The claims of a token that this server signed with a key it still publishes.
fn own_jwt(state: &State, token: &str) -> Option<Value> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    let jwks = locked(&state.keys).jwks().to_string();
    let (set, _) = crate::jwks::KeySet::parse(jwks.as_bytes()).ok()?;
    let algorithm = Algorithm::from_name(header.get("alg")?.as_str()?)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    set.with_kid(header.get("kid")?.as_str()?, algorithm)
        .any(|key| key.verifies(algorithm, signed.as_bytes(), &signature))
        .then_some(())?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
}

/// Form parameters, or the JSON that Auth0 takes as well. None may stand twice (RFC 6749 §3.2).
fn parameters(headers: &HeaderMap, body: &[u8]) -> Result<Parameters, OAuthError> {
    let is_json = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("application/json"));
    if is_json {
        return serde_json::from_slice(body)
            .map_err(|_| OAuthError::bad("invalid_request", "the body is no object of strings"));
    }
    let mut parameters = Parameters::new();
    for (name, value) in form_urlencoded::parse(body) {
        if parameters.insert(name.into_owned(), value.into_owned()).is_some() {
            return Err(OAuthError::bad("invalid_request", "a parameter stands twice"));
        }
    }
    Ok(parameters)
}

/// RFC 7523 §3: signed by the client about itself, for this server, and not for long.
fn authenticate_by_assertion(
    state: &State,
    parameters: &Parameters,
) -> Result<(String, Client), OAuthError> {
    let verified = || {
        let parameter = |name: &str| parameters.get(name).map(String::as_str);
        if parameter("client_assertion_type")? != ASSERTION_TYPE {
            return None;
        }
        let compact = Compact::parse(parameter("client_assertion")?.as_bytes()).ok()?;
        let header: Value = serde_json::from_slice(&compact.header).ok()?;
        let claims: Value = serde_json::from_slice(&compact.claims).ok()?;
        let id = claims.get("sub")?.as_str()?;
        let client = locked(&state.clients).get(id).cloned()?;
        let (keys, _) = KeySet::parse(client.jwks.as_deref()?.as_bytes()).ok()?;
        let algorithm = Algorithm::from_name(header.get("alg")?.as_str()?)?;
        let is_genuine = keys
            .without_kid(algorithm)
            .any(|key| key.verifies(algorithm, compact.signed, &compact.signature));
        let audience = claims.get("aud")?.as_str()?;
        let is_for_us =
            audience == state.url || audience.strip_prefix(&state.url)? == "oauth/token";
        let is_fresh = claims.get("exp")?.as_f64()? > seconds(state.clock.now()) as f64;
        let is_own = claims.get("iss")?.as_str()? == id
            && parameter("client_id").is_none_or(|named| named == id)
            && claims.get("jti")?.is_string();
        (is_genuine && is_for_us && is_fresh && is_own).then(|| (id.to_owned(), client))
    };
    verified().ok_or_else(OAuthError::client)
}

/// RFC 7523 §2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// `client_secret_basic` or `client_secret_post` (RFC 6749 §2.3.1), or `private_key_jwt`.
fn authenticate(
    state: &State,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<(String, Client), OAuthError> {
    if parameters.contains_key("client_assertion") {
        return authenticate_by_assertion(state, parameters);
    }
    let (id, secret) = match headers.get(AUTHORIZATION) {
        Some(value) => value
            .to_str()
            .ok()
            .and_then(|value| value.strip_prefix("Basic "))
            .and_then(|value| STANDARD.decode(value).ok())
            .and_then(|pair| String::from_utf8(pair).ok())
            .and_then(|pair| {
                let (id, secret) = pair.split_once(':')?;
                Some((form_decoded(id), form_decoded(secret)))
            })
            .ok_or_else(OAuthError::client)?,
        None => {
            let parameter = |name: &str| parameters.get(name).cloned().unwrap_or_default();
            (parameter("client_id"), parameter("client_secret"))
        }
    };
    let client = locked(&state.clients).get(&id).cloned().ok_or_else(OAuthError::client)?;
    if client.jwks.is_some() {
        return Err(OAuthError::client());
    }
    verify_slices_are_equal(client.secret.as_bytes(), secret.as_bytes())
        .map_err(|_| OAuthError::client())?;
    Ok((id, client))
}

/// Both halves of basic credentials are form-encoded first (RFC 6749 §2.3.1).
fn form_decoded(text: &str) -> String {
    // As the name of a pair; `=` and `&` are encoded in what a client sends.
    let encoded = text.replace('=', "%3D").replace('&', "%26");
    form_urlencoded::parse(encoded.as_bytes()).map(|(name, _)| name.into_owned()).collect()
}

/// RFC 6749 §5.2.
struct OAuthError {
    status: StatusCode,
    error: &'static str,
    description: &'static str,
}

impl OAuthError {
    fn bad(error: &'static str, description: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error, description }
    }

    fn client() -> Self {
        let status = StatusCode::UNAUTHORIZED;
        Self { status, error: "invalid_client", description: "unknown client or wrong secret" }
    }

    fn server() -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self { status, error: "server_error", description: "keys cannot be used" }
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.error, "error_description": self.description });
        let mut response = json(self.status, &body);
        response.headers_mut().insert(CACHE_CONTROL, no_store());
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"clients\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// Tokens are not for caches (RFC 6749 §5.1).
fn no_store() -> HeaderValue {
    HeaderValue::from_static("no-store")
}
