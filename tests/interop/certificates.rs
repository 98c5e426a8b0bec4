//! Clients that show a certificate, to authorization servers and to services.

use grpc_auth::ClientAuthentication;
use grpc_auth::client::OAuthClient;
use grpc_auth::tls::{self, ClientTls};
use tests::assert_denied;
use tests::kinds::{Counting, call as call_as};
use tests::logs::Logs;
use tests::pb::kit::kinds_client::KindsClient;
use tonic::Code;
use tonic::transport::Endpoint;

use crate::clients::serve_over_tls;
use crate::grants::{call, refused};
use crate::parts::{Identity, OidcProvider, Pki};

fn showing(pki: &Pki, identity: &Identity) -> ClientTls {
    let identity = tls::Identity::from_pem(&identity.certificate, &identity.key).unwrap();
    ClientTls::ca_pem(&pki.authority).unwrap().identity(identity)
}

fn client(issuer: &OidcProvider, id: &str, tls: ClientTls) -> OAuthClient {
    issuer.client(ClientAuthentication::tls_client_auth(id)).tls(tls)
}

#[tokio::test]
async fn a_certificate_shows_who_asks_at_the_address_that_the_metadata_names_for_it() {
    let pki = Pki::new();
    let issuer = OidcProvider::with_tls(&pki).await;
    let auth = issuer.resource_server().build().await.unwrap();
    let client =
        |identity| client(&issuer, "svc-tls", showing(&pki, identity)).client_credentials();
    let tokens = client(&pki.client).scopes(["read:word"]).build().unwrap();
    call(&auth, &tokens).await.unwrap();

    // Of an untrusted authority, and of another name.
    for other in [&Pki::impostor(), &pki.server] {
        let (error, text) = refused(&client(other).build().unwrap()).await;
        assert_eq!(error, "invalid_client", "{text}");
    }
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_certificate_is_good_on_its_connections_alone() {
    let logs = Logs::capture();
    let pki = Pki::new();
    let issuer = OidcProvider::with_tls(&pki).await;
    let auth = issuer.resource_server().mutual_tls().build().await.unwrap();
    let service = Counting::default();
    let address = serve_over_tls(&pki, &auth, service.clone()).await;
    let its_own = showing(&pki, &pki.client);
    let request = client(&issuer, "svc-bound", its_own.clone()).client_credentials();
    let tokens = request.scopes(["read:word"]).build().unwrap();
    let calling = async |tls: ClientTls| {
        let endpoint = Endpoint::from_shared(format!("https://{address}")).unwrap();
        let channel = tokens.connect(tls.apply(endpoint).unwrap()).await.unwrap();
        call_as(&mut KindsClient::new(channel), "Unary", None).await
    };
    calling(its_own).await.unwrap();
    for (tls, cause) in [
        (showing(&pki, &pki.server), "bound to another client certificate than this connection's"),
        (ClientTls::ca_pem(&pki.authority).unwrap(), "the sender showed none on this connection"),
    ] {
        let logged = logs.text().len();
        assert_denied(calling(tls).await, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
        assert!(logs.text()[logged..].contains(cause), "{cause}");
    }
    assert_eq!(service.reached_in_all(), 1);
}
