//! A malicious authorization server that sends the browser on to an honest one, to get its code
//! (RFC 9700 §4.4.1). Neither names itself in its answers (RFC 9207).

use std::panic::{AssertUnwindSafe, catch_unwind};

use grpc_auth::ClientAuthentication;
use grpc_auth::client::OAuthClient;
use grpc_auth::testing::{ClientRegistration, TestAuthorizationServer};
use url::Url;

use super::{CLIENT, Kit};

#[tokio::test]
async fn a_code_of_one_issuer_does_not_reach_another() {
    let malicious = Kit::start().await;
    let honest = TestAuthorizationServer::start().await.unwrap();
    let login = OAuthClient::oidc(honest.url(), ClientAuthentication::none(CLIENT)).login();
    let registered = login.redirect_uri().unwrap();
    honest.register(ClientRegistration::public(CLIENT).redirect_uri(&registered));
    let own = malicious.login().redirect_uri().unwrap();
    assert_ne!(own, registered);

    // The person logs in at the malicious server, which sends them on with what it was sent.
    let (_running, visit) = malicious.open(malicious.login()).await;
    let asked = |redirect_uri: &str| {
        let mut url = Url::parse(honest.url()).unwrap().join("authorize").unwrap();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", CLIENT)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("state", visit.state())
            .append_pair("code_challenge", visit.get("code_challenge").unwrap())
            .append_pair("code_challenge_method", "S256");
        url
    };
    // The honest server does not know the redirect URI of the malicious one's login.
    let url = asked(visit.redirect_uri().as_str());
    let sent = catch_unwind(AssertUnwindSafe(|| honest.approve_authorization(url.as_str(), "a")));
    assert!(sent.is_err(), "sent on to {sent:?}");
    // And the login does not take an answer at the redirect URI that the honest one knows.
    let mut known = Url::parse(&registered).unwrap();
    known.set_port(visit.redirect_uri().port()).unwrap();
    let sent = honest.approve_authorization(asked(known.as_str()).as_str(), "a");
    let sent = Url::parse(&sent).unwrap();
    assert!(sent.query().unwrap().contains("code="), "{sent}");
    let (target, host) = (&sent[url::Position::BeforePath..], visit.host());
    let cookie = &visit.cookie;
    let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n\r\n");
    visit.send(&request).await.says(404, "another path");
    assert!(malicious.server.forms("/token").is_empty());
}
