//! What cannot work is said when the server is built.

use super::*;

#[tokio::test]
async fn settings_that_cannot_work_are_named() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let asked = || Introspection::new(client());
    let build = |issuers: Vec<Issuer>| {
        let builder = issuers.into_iter().fold(ResourceServer::builder(), |b, i| b.issuer(i));
        builder.audience("api").build()
    };
    let one = |asked: Introspection| vec![Issuer::discover(issuer.url()).introspection(asked)];
    let secret =
        |id, secret| Introspection::new(ClientAuthentication::client_secret_post(id, secret));
    for (issuers, text) in [
        (one(asked().timeout(Duration::ZERO)), "`timeout`"),
        (one(asked().timeout(31 * SECOND)), "`timeout`"),
        (one(asked().connect_timeout(6 * SECOND)), "`connect_timeout`"),
        (one(asked().max_in_flight(0)), "`max_in_flight`"),
        (
            one(asked().shared_cache(&Redis::new("redis://127.0.0.1/").unwrap(), [1; 31])),
            "32 random",
        ),
        (
            one(asked()
                .shared_cache(&Redis::new("redis://127.0.0.1/").unwrap(), [1; 32])
                .cache(IntrospectionCache::off())),
            "`shared_cache` cannot work: the cache is off",
        ),
        (one(asked().cache(IntrospectionCache::default().active(Duration::ZERO))), "`cache`"),
        (one(asked().cache(IntrospectionCache::default().active(3601 * SECOND))), "`cache`"),
        (one(asked().endpoint("http://as.example/introspect")), "introspection endpoint"),
        (one(secret("", "x")), "`client_id` cannot work: it is empty"),
        (one(secret("x", "")), "`client_secret` cannot work: it is empty"),
        (
            vec![
                Issuer::introspected("https://a.example", asked()),
                Issuer::introspected("https://b.example", asked()),
            ],
            "both have `.introspection(..)`",
        ),
        (
            vec![Issuer::entra_any_tenant().introspection(asked().also_for_jwts())],
            "introspection would never be used for their tokens: leave it out",
        ),
        (
            vec![Issuer::entra_any_tenant().introspection(asked().endpoint("https://a.example"))],
            "write `Issuer::entra(..)` with the id of the tenant",
        ),
        (vec![Issuer::introspected("https://a.example/{tenantid}", asked())], "is a template"),
    ] {
        let error = build(issuers).await.unwrap_err().to_string();
        assert!(error.contains(text), "{text}: {error}");
    }
    let refused = ClientAuthentication::private_key_jwt("x", "-----BEGIN PRIVATE KEY-----\nAA==");
    assert!(refused.unwrap_err().to_string().contains("private key cannot be used"));
}
