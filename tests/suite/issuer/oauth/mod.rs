//! What people and programs get from the embedded authorization server, over plain HTTP.

mod assertions;
mod authorization_code;
mod bound_tokens;
mod device_code;
mod forms;
mod issuer_pages;
mod redirects;
mod refresh_tokens;
mod revocation;
mod settings;
mod token_exchange;

use grpc_auth::testing::{ClientRegistration, TestAuthorizationServer};
use reqwest::header::{LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use serde_json::{Value, json};

const AUDIENCE: &str = TestAuthorizationServer::AUDIENCE;
const CALLBACK: &str = "http://127.0.0.1:49152/callback";
/// Of RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

type Form<'f> = Vec<(&'f str, &'f str)>;

/// An authorization server with a public client, two confidential ones, and a user.
struct Oauth {
    issuer: TestAuthorizationServer,
    http: Client,
}

/// A page as a person gets it, or where the browser is sent to.
struct Page {
    status: u16,
    location: Option<String>,
    html: String,
}

/// The token endpoint's answer.
#[derive(Debug)]
struct Answer {
    status: u16,
    json: Value,
}

impl Oauth {
    async fn start() -> Self {
        let issuer = TestAuthorizationServer::start().await.unwrap();
        let registered = "http://127.0.0.1/callback";
        issuer.register(
            ClientRegistration::public("cli")
                .name("Echo program")
                .redirect_uri(registered)
                .scopes(["read:echo", "write:echo"]),
        );
        for id in ["web", "other"] {
            let registration = ClientRegistration::confidential(id, format!("{id}'s secret"));
            issuer.register(registration.redirect_uri(registered).scopes(["read:echo"]));
        }
        issuer.add_user_with_claims("alice", "wonderland", json!({"tenant": "blue"}));
        let http = Client::builder().redirect(Policy::none()).no_proxy().build().unwrap();
        Self { issuer, http }
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.issuer.url())
    }

    /// The address of a right authorization request, with these parameters changed or added; an
    /// empty one is left out.
    fn address(&self, changes: &[(&str, &str)]) -> String {
        let mut parameters: Form<'_> = vec![
            ("response_type", "code"),
            ("client_id", "cli"),
            ("redirect_uri", CALLBACK),
            ("scope", "read:echo offline_access"),
            ("state", "a state & more"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("audience", AUDIENCE),
        ];
        parameters.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        parameters.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
        Url::parse_with_params(&self.at("authorize"), parameters).unwrap().into()
    }

    async fn get(&self, address: &str) -> Page {
        Page::of(self.http.get(address).send().await.unwrap()).await
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Page {
        Page::of(self.http.post(self.at(path)).form(form).send().await.unwrap()).await
    }

    /// Sends a form of a page with its hidden field.
    async fn submit(&self, page: &Page, path: &str, form: &[(&str, &str)]) -> Page {
        assert!(page.html.contains(&format!("action=\"/{path}\"")), "{}", page.html);
        let ticket = page.ticket();
        self.post(path, &[&[("ticket", ticket)][..], form].concat()).await
    }

    /// Signs in as alice.
    async fn sign_in(&self, page: &Page) -> Page {
        self.submit(page, "sign-in", &[("username", "alice"), ("password", "wonderland")]).await
    }

    /// A code for a request with these changes, without a browser.
    fn code(&self, changes: &[(&str, &str)]) -> String {
        let address = self.issuer.approve_authorization(&self.address(changes), "alice");
        query(&address)["code"].as_str().unwrap().to_owned()
    }

    async fn token(&self, form: &[(&str, &str)]) -> Answer {
        self.answer("oauth/token", form).await
    }

    /// Posts to an endpoint for programs.
    async fn answer(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        Answer::of(self.http.post(self.at(path)).form(form).send().await.unwrap()).await
    }

    /// Redeems a code as the public client does.
    async fn redeem(&self, code: &str) -> Answer {
        self.token(&redeeming(code)).await
    }

    /// Tokens of a request with these changes.
    async fn tokens(&self, changes: &[(&str, &str)]) -> Value {
        self.redeem(&self.code(changes)).await.granted()
    }

    async fn refresh(&self, refresh_token: &Value, more: &[(&str, &str)]) -> Answer {
        let own = [
            ("grant_type", "refresh_token"),
            ("client_id", "cli"),
            ("refresh_token", refresh_token.as_str().unwrap()),
        ];
        self.token(&[&own[..], more].concat()).await
    }

    async fn introspect(&self, token: &Value) -> Value {
        let form = [
            ("token", token.as_str().unwrap()),
            ("client_id", "web"),
            ("client_secret", "web's secret"),
        ];
        self.answer("introspect", &form).await.json
    }

    async fn is_active(&self, token: &Value) -> bool {
        self.introspect(token).await["active"].as_bool().unwrap()
    }
}

fn redeeming(code: &str) -> Form<'_> {
    vec![
        ("grant_type", "authorization_code"),
        ("client_id", "cli"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ]
}

/// A form with these parameters changed or added; an empty one is left out.
fn changed<'f>(mut form: Form<'f>, changes: &[(&'f str, &'f str)]) -> Form<'f> {
    form.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    form.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    form
}

/// The parameters of an address, each once.
fn query(address: &str) -> Value {
    let mut parameters = serde_json::Map::new();
    for (name, value) in Url::parse(address).unwrap().query_pairs() {
        let before = parameters.insert(name.clone().into_owned(), value.into_owned().into());
        assert!(before.is_none(), "`{name}` stands twice in {address}");
    }
    parameters.into()
}

/// The payload of a JWT.
fn claims(token: &Value) -> Value {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let token = token.as_str().unwrap();
    let payload = token.split('.').nth(1).unwrap_or_else(|| panic!("no JWT: {token}"));
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

impl Page {
    async fn of(response: Response) -> Self {
        assert!(response.headers().get(RETRY_AFTER).is_none());
        let location = response.headers().get(LOCATION);
        let location = location.map(|location| location.to_str().unwrap().to_owned());
        Self { status: response.status().as_u16(), location, html: response.text().await.unwrap() }
    }

    fn ticket(&self) -> &str {
        let (_, rest) = self.html.split_once("name=\"ticket\" value=\"").unwrap();
        rest.split_once('"').unwrap().0
    }

    /// A parameter of the address that the browser is sent to.
    fn sent(&self) -> Value {
        assert_eq!(self.status, 303, "{}", self.html);
        query(self.location.as_deref().unwrap())
    }

    /// Asserts that the person sees this text, and is sent nowhere.
    #[track_caller]
    fn assert_told(&self, status: u16, text: &str) {
        assert_eq!((self.status, &self.location), (status, &None), "{}", self.html);
        assert!(self.html.contains(text), "{}", self.html);
        assert!(self.html.starts_with("<!DOCTYPE html>"));
    }
}

impl Answer {
    async fn of(response: Response) -> Self {
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        Self { status, json: serde_json::from_str(&text).unwrap_or_default() }
    }

    #[track_caller]
    fn granted(self) -> Value {
        assert_eq!(self.status, 200, "{:?}", self.json);
        self.json
    }

    #[track_caller]
    fn assert_refused(&self, status: u16, error: &str) {
        let found = self.json["error"].as_str().unwrap_or_default();
        assert_eq!((self.status, found), (status, error), "{:?}", self.json);
        assert!(self.json.get("access_token").is_none());
    }

    /// The same, for this reason.
    #[track_caller]
    fn assert_refused_because(&self, error: &str, reason: &str) {
        self.assert_refused(400, error);
        let found = self.json["error_description"].as_str().unwrap();
        assert!(found.contains(reason), "{found}");
    }
}
