//! Tokens in the shapes that the providers document, and what their users run into. The claims are
//! ours; names, types and headers are theirs.

use grpc_auth::testing::{TestAuthorizationServer, TokenBuilder};
use grpc_auth::{
    Algorithm, BearerToken, Issuer, Principal, ResourceServer, ScopeSource, VerifyError,
};
use serde_json::{Value, json};

const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const OTHER_TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
const API: &str = "6e74172b-be56-4843-9ff4-e66a39bb12e3";

/// A provider: its configuration, with the keys of a server that can be reached.
struct Provider {
    server: TestAuthorizationServer,
    auth: ResourceServer,
}

impl Provider {
    async fn new(issuer: Issuer, audience: Option<&str>) -> Self {
        Self::with_keys(issuer, audience, |_| ()).await
    }

    async fn with_keys(
        issuer: Issuer,
        audience: Option<&str>,
        adjust: impl Fn(&mut Value),
    ) -> Self {
        let server = TestAuthorizationServer::start().await.unwrap();
        let mut jwks: Value = serde_json::from_str(&server.jwks()).unwrap();
        jwks["keys"].as_array_mut().unwrap().iter_mut().for_each(adjust);
        server.set_jwks(Some(jwks.to_string()));
        let keys = format!("{}.well-known/jwks.json", server.url());
        let mut builder = ResourceServer::builder()
            .issuer(issuer.jwks_uri(keys))
            .clock(server.clock().clone())
            .start(grpc_auth::StartupPolicy::Required);
        if let Some(audience) = audience {
            builder = builder.audience(audience);
        }
        Self { auth: builder.build().await.unwrap(), server }
    }

    /// A token with these header parameters and claims, beside `exp` and `iat`.
    fn token(&self, header: Value, claims: Value) -> TokenBuilder {
        let token = self.server.token().algorithm(Algorithm::Rs256).without_header("typ");
        let bare =
            ["iss", "aud", "sub"].iter().fold(token, |token, name| token.without_claim(name));
        let members = |value: Value| value.as_object().cloned().unwrap_or_default();
        let token = members(header).into_iter().fold(bare, |token, (n, v)| token.header(n, v));
        members(claims).into_iter().fold(token, |token, (n, v)| token.claim(n, v))
    }

    async fn verify(&self, token: TokenBuilder) -> Result<Principal, VerifyError> {
        self.auth.verify(&BearerToken::parse(&token.sign()).unwrap()).await
    }

    async fn forged(&self, token: TokenBuilder) -> String {
        let token = BearerToken::parse(&token.sign_with_wrong_key()).unwrap();
        self.auth.verify(&token).await.unwrap_err().to_string()
    }

    async fn refusal(&self, token: TokenBuilder) -> String {
        let refused = self.verify(token).await.unwrap_err();
        assert_eq!(refused.denied(), grpc_auth::DenialReason::TokenInvalid);
        refused.to_string()
    }
}

fn scopes(principal: &Principal) -> Vec<&str> {
    principal.scopes().collect()
}

#[tokio::test]
async fn auth0_says_scope_and_permissions_and_ends_its_issuer_with_a_slash() {
    let provider = Provider::new(Issuer::auth0("tenant.eu.auth0.com"), Some("https://api")).await;
    let token = |iss: &str| {
        provider.token(
            json!({"typ": "JWT"}),
            json!({
                "iss": iss,
                "sub": "auth0|65f1c2d3e4b5a69788000001",
                "aud": ["https://api", "https://tenant.eu.auth0.com/userinfo"],
                "scope": "openid read:echo",
                "azp": "Xk3vB9QmT7sWc1LrZ8pYd2NfHg5JaEuV",
                "permissions": ["read:echo", "write:echo"],
                "org_id": "org_1",
            }),
        )
    };
    let slash = "https://tenant.eu.auth0.com/";
    let caller = provider.verify(token(slash)).await.unwrap();
    assert_eq!(scopes(&caller), ["openid", "read:echo", "write:echo"]);
    assert_eq!(caller.client_id(), Some("Xk3vB9QmT7sWc1LrZ8pYd2NfHg5JaEuV"));
    // RFC 9068 profile, and an audience that is no array.
    let profile = token(slash).header("typ", "at+jwt").claim("aud", "https://api");
    provider.verify(profile).await.unwrap();

    let text = provider.refusal(token("https://tenant.eu.auth0.com")).await;
    assert!(text.contains("`iss` is not a configured issuer"), "{text}");
    let opaque = BearerToken::parse("eyJhbGciOiJkaXIifQ..iv.ciphertext.tag").unwrap();
    let text = provider.auth.verify(&opaque).await.unwrap_err().to_string();
    assert!(text.contains("when the request for the token names no `audience`"), "{text}");
}

#[tokio::test]
async fn okta_says_scp_and_no_type_and_the_tokens_of_its_own_server_are_explained() {
    let issuer = Issuer::okta("dev-1.okta.com", "default");
    let provider = Provider::new(issuer, Some("https://api.example.com")).await;
    let token = || {
        provider.token(
            json!({}),
            json!({
                "ver": 1,
                "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE",
                "iss": "https://dev-1.okta.com/oauth2/default",
                "aud": "https://api.example.com",
                "sub": "00ujmkLgagxeRrAg20g3",
                "cid": "nmdP1fcyvdVO11AL7ECm",
                "uid": "00ujmkLgagxeRrAg20g3",
                "scp": ["openid", "flights"],
            }),
        )
    };
    let caller = provider.verify(token()).await.unwrap();
    assert_eq!(scopes(&caller), ["flights", "openid"]);
    assert_eq!(caller.client_id(), Some("nmdP1fcyvdVO11AL7ECm"));
    provider.verify(token().header("typ", "application/at+jwt")).await.unwrap();

    // An ID token is for the client; one of the organization's own server for Okta.
    let text = provider.refusal(token().claim("aud", "nmdP1fcyvdVO11AL7ECm")).await;
    assert!(text.contains("`aud` does not contain"), "{text}");
    let text = provider.refusal(token().claim("iss", "https://dev-1.okta.com")).await;
    assert!(text.contains("ask a custom authorization server"), "{text}");
    let text = provider.refusal(token().header("typ", "logout+jwt")).await;
    assert!(text.contains("`typ` is not accepted"), "{text}");
}

fn entra(provider: &Provider, tenant: &str) -> TokenBuilder {
    provider.token(
        json!({"typ": "JWT"}),
        json!({
            "aud": API,
            "iss": format!("https://login.microsoftonline.com/{tenant}/v2.0"),
            "azp": "e9a5a8b6-8af7-4719-9821-0deef255f68e",
            "azpacr": "0",
            "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474",
            "scp": "access_as_user read",
            "roles": ["admin"],
            "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
            "tid": tenant,
            "ver": "2.0",
        }),
    )
}

/// Microsoft's keys have no `alg`.
fn without_alg(key: &mut Value) {
    key.as_object_mut().unwrap().remove("alg");
}

#[tokio::test]
async fn entra_says_scp_and_roles_of_one_tenant() {
    let provider = Provider::with_keys(Issuer::entra(TENANT), Some(API), without_alg).await;
    let caller = provider.verify(entra(&provider, TENANT)).await.unwrap();
    assert_eq!(scopes(&caller), ["access_as_user", "read", "role:admin"]);
    assert_eq!(caller.client_id(), Some("e9a5a8b6-8af7-4719-9821-0deef255f68e"));

    provider.refusal(entra(&provider, OTHER_TENANT)).await;
    let v1 = entra(&provider, TENANT).claim("iss", format!("https://sts.windows.net/{TENANT}/"));
    let text = provider.refusal(v1).await;
    assert!(text.contains("write `requestedAccessTokenVersion: 2`"), "{text}");
    // Graph's tokens are signed over another header than the one they carry.
    let text = provider.forged(entra(&provider, TENANT).header("nonce", "x")).await;
    assert!(text.contains("it is made for Microsoft Graph"), "{text}");
    let text = provider
        .refusal(
            entra(&provider, TENANT)
                .header("nonce", "x")
                .claim("aud", "00000003-0000-0000-c000-000000000000"),
        )
        .await;
    assert!(text.contains("`aud` does not contain"), "{text}");
}

#[tokio::test]
async fn entra_v1_names_its_issuer_and_client_otherwise() {
    let provider =
        Provider::with_keys(Issuer::entra_v1(TENANT), Some("api://echo"), without_alg).await;
    let v1 = entra(&provider, TENANT)
        .claim("iss", format!("https://sts.windows.net/{TENANT}/"))
        .claim("aud", "api://echo")
        .without_claim("azp")
        .claim("appid", "75dbe77f-10a3-4e59-85fd-8c127544f17c")
        .claim("ver", "1.0");
    let caller = provider.verify(v1).await.unwrap();
    assert_eq!(caller.client_id(), Some("75dbe77f-10a3-4e59-85fd-8c127544f17c"));
    let text = provider.refusal(entra(&provider, TENANT)).await;
    assert!(text.contains("it is of version 2.0: configure `Issuer::entra`"), "{text}");
}

#[tokio::test]
async fn any_tenant_of_entra_is_the_tenant_that_its_key_and_its_claims_say() {
    let template = |key: &mut Value| {
        without_alg(key);
        key["issuer"] = json!("https://login.microsoftonline.com/{tenantid}/v2.0");
    };
    let provider = Provider::with_keys(Issuer::entra_any_tenant(), Some(API), template).await;
    for tenant in [TENANT, OTHER_TENANT] {
        let caller = provider.verify(entra(&provider, tenant)).await.unwrap();
        assert_eq!(caller.issuer(), format!("https://login.microsoftonline.com/{tenant}/v2.0"));
    }
    for posing in [
        entra(&provider, TENANT).claim("tid", OTHER_TENANT),
        entra(&provider, TENANT).without_claim("tid"),
        entra(&provider, "common"),
        entra(&provider, "{tenantid}"),
        entra(&provider, ""),
    ] {
        let text = provider.refusal(posing).await;
        assert!(text.contains("`iss` is not a configured issuer"), "{text}");
    }

    // A key of one tenant signs for that tenant alone.
    let of_one = |key: &mut Value| {
        key["issuer"] = json!(format!("https://login.microsoftonline.com/{TENANT}/v2.0"));
    };
    let provider = Provider::with_keys(Issuer::entra_any_tenant(), Some(API), of_one).await;
    provider.verify(entra(&provider, TENANT)).await.unwrap();
    let text = provider.refusal(entra(&provider, OTHER_TENANT)).await;
    assert!(text.contains("the signature is not the issuer's"), "{text}");
}

#[tokio::test]
async fn groups_that_entra_left_out_are_missed_aloud() {
    let logs = tests::logs::Logs::capture();
    let issuer = Issuer::entra(TENANT).scopes_from([
        ScopeSource::words("/scp"),
        ScopeSource::array("/groups").prefixed("group:"),
    ]);
    let provider = Provider::new(issuer, Some(API)).await;
    let few = entra(&provider, TENANT).claim("groups", ["a"]);
    assert_eq!(scopes(&provider.verify(few).await.unwrap()), ["access_as_user", "group:a", "read"]);
    assert!(!logs.text().contains("leaves out its caller's groups"));
    let many = entra(&provider, TENANT)
        .claim("_claim_names", json!({"groups": "src1"}))
        .claim("_claim_sources", json!({"src1": {"endpoint": "https://graph.microsoft.com/"}}));
    assert_eq!(scopes(&provider.verify(many).await.unwrap()), ["access_as_user", "read"]);
    let _ = logs.line_with("leaves out its caller's groups");
}

#[tokio::test]
async fn keycloak_grants_roles_of_the_realm_and_of_our_client_only() {
    let issuer = Issuer::keycloak("https://sso.example.com", "main", "echo");
    let provider = Provider::new(issuer, Some("echo")).await;
    let token = || {
        provider.token(
            json!({"typ": "JWT"}),
            json!({
                "jti": "onrtac:2b3a",
                "iss": "https://sso.example.com/realms/main",
                "aud": ["echo", "account"],
                "sub": "f:1:alice",
                "typ": "Bearer",
                "azp": "frontend",
                "sid": "8f0c",
                "realm_access": {"roles": ["offline_access"]},
                "resource_access": {
                    "echo": {"roles": ["reader"]},
                    "other": {"roles": ["admin"]},
                    "account": {"roles": ["manage-account"]},
                },
                "scope": "openid profile",
            }),
        )
    };
    let caller = provider.verify(token()).await.unwrap();
    assert_eq!(scopes(&caller), ["openid", "profile", "role:offline_access", "role:reader"]);
    assert!(!caller.has_scope("role:admin"));

    for (name, value) in [("typ", "ID"), ("typ", "Refresh"), ("typ", "Offline")] {
        let text = provider.refusal(token().claim(name, value)).await;
        assert!(text.contains("`typ` is not `Bearer`"), "{text}");
    }
    let text = provider.refusal(token().claim("aud", "account")).await;
    assert!(text.contains("`aud` does not contain a configured audience"), "{text}");
    let text = provider.refusal(token().without_claim("aud")).await;
    assert!(text.contains("a lightweight access token"), "{text}");

    // A token that is bound to a key has a type of its own, and names the key.
    let bound = || token().claim("typ", "DPoP");
    let text = provider.refusal(bound().bound_to_key(&provider.server.dpop_key())).await;
    assert!(text.contains("which only a call can prove to hold"), "{text}");
    for unbound in [bound(), bound().bound_to_certificate(b"DER")] {
        let text = provider.refusal(unbound).await;
        assert!(text.contains("`cnf`"), "{text}");
    }

    let realm = Issuer::keycloak("https://sso.example.com", "main", "echo");
    let everyone = ResourceServer::builder().issuer(realm).audience("account").build().await;
    assert!(everyone.unwrap_err().to_string().contains("nearly every token of a Keycloak realm"));
}

/// The id of a SAML-like client is a URL.
#[tokio::test]
async fn a_client_of_keycloak_may_have_slashes_in_its_id() {
    let issuer = Issuer::keycloak("https://sso.example.com", "main", "https://echo.example/~a");
    let provider = Provider::new(issuer, Some("echo")).await;
    let token = provider.token(
        json!({"typ": "JWT"}),
        json!({
            "iss": "https://sso.example.com/realms/main", "aud": "echo", "typ": "Bearer",
            "resource_access": {"https://echo.example/~a": {"roles": ["reader"]}, "https:": {"": {"echo.example": {"~a": {"roles": ["admin"]}}}}},
        }),
    );
    assert_eq!(scopes(&provider.verify(token).await.unwrap()), ["role:reader"]);
}

#[tokio::test]
async fn cognito_names_a_client_and_a_use_instead_of_an_audience() {
    let issuer = Issuer::cognito("us-east-1", "us-east-1_Example", ["app", "cli"]);
    let provider = Provider::new(issuer, None).await;
    let token = || {
        provider.token(
            json!({}),
            json!({
                "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
                "cognito:groups": ["admin"],
                "iss": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Example",
                "version": 2,
                "client_id": "app",
                "token_use": "access",
                "scope": "phone openid",
                "username": "alice",
            }),
        )
    };
    let caller = provider.verify(token()).await.unwrap();
    assert_eq!(scopes(&caller), ["group:admin", "openid", "phone"]);
    provider.verify(token().claim("client_id", "cli")).await.unwrap();

    let text = provider.refusal(token().claim("client_id", "other")).await;
    assert!(text.contains("`client_id` is not a listed client"), "{text}");
    let id_token = token().claim("token_use", "id").claim("aud", "app").without_claim("client_id");
    let text = provider.refusal(id_token).await;
    assert!(text.contains("`token_use` is not `access`"), "{text}");
    let text = provider.refusal(token().without_claim("token_use")).await;
    assert!(text.contains("`token_use` is not `access`"), "{text}");

    let nobody = Issuer::cognito("us-east-1", "us-east-1_Example", [""; 0]);
    let nobody = ResourceServer::builder().issuer(nobody).build().await;
    assert!(nobody.unwrap_err().to_string().contains("no client of the issuer"));
}

#[tokio::test]
async fn rfc_9068_is_what_a_generic_issuer_follows() {
    let provider = Provider::new(Issuer::discover("https://issuer.example"), Some("api")).await;
    let token = |typ: &str| {
        provider.token(
            json!({"typ": typ}),
            json!({
                "iss": "https://issuer.example", "aud": "api", "sub": "5ba552d67",
                "client_id": "s6BhdRkqt3", "scope": "openid profile reademail",
            }),
        )
    };
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt"] {
        provider.verify(token(typ)).await.unwrap();
    }
    for typ in ["JWT", "", "id+jwt", "dpop+jwt", "logout+jwt", "secevent+jwt", "at+jwt "] {
        let text = provider.refusal(token(typ)).await;
        assert!(text.contains("configure `Issuer::accept_token_type`"), "{typ}: {text}");
    }
    provider.refusal(token("at+jwt").without_header("typ")).await;
}

#[tokio::test]
async fn an_issuer_can_be_held_to_some_algorithms() {
    let issuer = Issuer::discover("https://issuer.example").algorithms([Algorithm::Es256]);
    let provider = Provider::new(issuer, Some("api")).await;
    let token = || {
        let claims = json!({"iss": "https://issuer.example", "aud": "api"});
        provider.token(json!({"typ": "at+jwt"}), claims)
    };
    provider.verify(token().algorithm(Algorithm::Es256)).await.unwrap();
    let text = provider.refusal(token()).await;
    assert!(text.contains("`alg` is not among those configured"), "{text}");
}

#[test]
fn each_preset_has_a_test_here() {
    let tests = include_str!("presets.rs");
    for preset in Issuer::PRESETS {
        let name = preset.name.replace("oidc", "discover").replace('-', "_");
        let constructor = format!("Issuer::{name}(");
        assert!(tests.contains(&constructor), "no test here uses `{constructor}..)`");
    }
}
