//! Claims as types: once per token and type, and what happens when they do not fit.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use grpc_auth::{BearerToken, CallerExt, Claims, Principal};
use serde::{Deserialize, Deserializer};
use tests::logs::Logs;
use tests::pb::kit::Word;
use tests::pb::kit::left_client::LeftClient;
use tests::pb::kit::left_server::{Left, LeftServer};
use tests::pb::kit::right_client::RightClient;
use tests::pb::kit::right_server::{Right, RightServer};
use tests::{Kit, assert_denied, with_token};
use tonic::{Code, Request, Response, Status};

static DESERIALIZED: AtomicUsize = AtomicUsize::new(0);

/// Claims that count how often they are read.
#[derive(Debug)]
struct Tenant {
    name: String,
}

impl<'de> Deserialize<'de> for Tenant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Wire {
            tenant: Name,
        }
        #[derive(Deserialize)]
        struct Name {
            name: String,
        }
        DESERIALIZED.fetch_add(1, Relaxed);
        Wire::deserialize(deserializer).map(|wire| Self { name: wire.tenant.name })
    }
}

struct Service;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for Service {
    #[authenticated]
    async fn get(
        &self,
        request: Request<Word>,
        injected: Claims<Tenant>,
        optional: Option<Claims<Tenant>>,
        caller: Principal,
        token: BearerToken,
    ) -> Result<Response<Word>, Status> {
        let read = request.claims::<Tenant>()?;
        assert!(std::ptr::eq::<Tenant>(&*read, &*injected));
        assert!(std::ptr::eq::<Tenant>(&*read, &*optional.unwrap()));
        assert_eq!(
            token.header_value(),
            *request.metadata().get("authorization").unwrap().as_encoded_bytes()
        );
        let text = format!("{} {}", caller.subject().unwrap_or_default(), injected.name);
        Ok(Response::new(Word { text }))
    }

    #[allow_unauthenticated]
    async fn put(
        &self,
        _: Request<Word>,
        caller: Option<Claims<Tenant>>,
        principal: Option<Principal>,
    ) -> Result<Response<Word>, Status> {
        assert_eq!(caller.is_some(), principal.is_some());
        let text = caller.map_or_else(|| "nobody".to_owned(), |tenant| tenant.name.clone());
        Ok(Response::new(Word { text }))
    }
}

#[tokio::test]
async fn claims_are_deserialized_once_per_token_and_type() {
    let kit = Kit::start().await;
    let mut client = LeftClient::new(kit.auth.protect(Service));
    let token = kit
        .issuer
        .token()
        .subject("alice")
        .claim(
            "tenant",
            [("name", "blue")].into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        )
        .sign();
    let before = DESERIALIZED.load(Relaxed);
    let answer = client.get(with_token(Word::default(), &token)).await.unwrap();
    assert_eq!(answer.into_inner().text, "alice blue");
    assert_eq!(DESERIALIZED.load(Relaxed) - before, 1);
}

#[tokio::test]
async fn a_method_open_to_anyone_knows_whom_it_can() {
    let kit = Kit::start().await;
    let mut client = LeftClient::new(kit.auth.protect(Service));
    let token = || kit.issuer.token().claim("tenant", serde_json::json!({"name": "blue"}));
    for (token, expected) in [
        (None, "nobody"),
        (Some(token().sign()), "blue"),
        (Some(token().expired().sign()), "nobody"),
        (Some(token().sign_with_wrong_key()), "nobody"),
        (Some("nonsense".into()), "nobody"),
    ] {
        let request = match &token {
            Some(token) => with_token(Word::default(), token),
            None => Request::new(Word::default()),
        };
        assert_eq!(client.put(request).await.unwrap().into_inner().text, expected, "{token:?}");
    }
}

#[tokio::test]
async fn claims_that_do_not_fit_are_denied_and_the_log_has_the_path_alone() {
    let logs = Logs::capture();
    let kit = Kit::start().await;
    let mut client = LeftClient::new(kit.auth.protect(Service));
    for (claims, path) in [
        (serde_json::json!({"name": ["canary"]}), "at `tenant.name`"),
        (serde_json::json!({"canary": "canary"}), "at `tenant.name`"),
        (serde_json::json!("canary"), "at `tenant`"),
    ] {
        let logged = logs.text().len();
        let token = kit.issuer.token().claim("tenant", claims).sign();
        let answer = client.get(with_token(Word::default(), &token)).await;
        assert_denied(answer, Code::PermissionDenied, "PERMISSION_DENIED_BY_POLICY");
        let text = logs.text();
        let line = text[logged..].lines().find(|line| line.contains("verdict=\"deny\"")).unwrap();
        assert!(line.contains(path) && line.contains("Tenant"), "{line}");
        // An optional claim is no way around.
        let answer = client.put(with_token(Word::default(), &token)).await;
        assert_denied(answer, Code::PermissionDenied, "PERMISSION_DENIED_BY_POLICY");
    }
    assert!(!logs.text().contains("canary"));
}

/// Not annotated, reads the typed extension that the layer put there.
struct Extension;

#[tonic::async_trait]
impl Right for Extension {
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        let claims = request.extensions().get::<Claims<Tenant>>();
        let text = claims.map_or_else(|| "nobody".to_owned(), |tenant| tenant.name.clone());
        Ok(Response::new(Word { text }))
    }
}

#[tokio::test]
async fn a_typed_extension_of_an_outer_layer_is_gone_within_an_inner_one() {
    use grpc_auth::policy::{AccessRule, MethodPolicy, ServicePolicy};
    use tower_layer::Layer;
    const OPEN: ServicePolicy = ServicePolicy::new(
        "kit.v1.Right",
        &[MethodPolicy::new("Get", AccessRule::AllowUnauthenticated)],
    );
    let outside = Kit::start().await;
    let inside = Kit::start().await;
    let outer = outside.issuer.resource_server().insert_claims::<Tenant>().build().await.unwrap();
    let service = inside.auth.protect_with(RightServer::new(Extension), OPEN).unwrap();
    let mut client = RightClient::new(outer.layer([OPEN]).unwrap().layer(service));
    let tenant = serde_json::json!({"name": "blue"});
    let token = outside.issuer.token().claim("tenant", tenant).sign();
    let answer = client.get(with_token(Word::default(), &token)).await.unwrap();
    assert_eq!(answer.into_inner().text, "nobody");
}

#[test]
fn claims_without_a_layer_are_the_operators_mistake_and_said_to_be() {
    let logs = Logs::capture();
    let answer = Request::new(()).claims::<Tenant>();
    assert_denied(answer, Code::Internal, "");
    assert!(logs.line_with("claims were asked for").contains("auth.protect(service)"));
}

#[tokio::test]
async fn claims_are_a_typed_extension_where_that_is_configured() {
    use grpc_auth::policy::{AccessRule, MethodPolicy, ServicePolicy};
    const RIGHT: ServicePolicy =
        ServicePolicy::new("kit.v1.Right", &[MethodPolicy::new("Get", AccessRule::Authenticated)]);
    let kit = Kit::start().await;
    let auth = kit.issuer.resource_server().insert_claims::<Tenant>().build().await.unwrap();
    let mut client =
        RightClient::new(auth.protect_with(RightServer::new(Extension), RIGHT).unwrap());
    let token = kit.issuer.token().claim("tenant", serde_json::json!({"name": "blue"})).sign();
    let answer = client.get(with_token(Word::default(), &token)).await.unwrap();
    assert_eq!(answer.into_inner().text, "blue");
    let misfit = client.get(with_token(Word::default(), &kit.issuer.token().sign())).await;
    assert_denied(misfit, Code::PermissionDenied, "PERMISSION_DENIED_BY_POLICY");
}
