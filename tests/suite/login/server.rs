//! An authorization server that says what the test wants.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::UNIX_EPOCH;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grpc_auth::testing::ManualClock;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::form_urlencoded;

use super::CLIENT;

pub(super) type Form = HashMap<String, String>;
type Script = Arc<dyn Fn(&Form) -> (u16, Value) + Send + Sync>;

#[derive(Clone)]
pub(super) struct Server {
    url: String,
    clock: ManualClock,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    metadata: Value,
    scripts: HashMap<String, Script>,
    requests: Vec<(String, Form)>,
    nonce: String,
    /// How many tokens were granted so far.
    granted: u32,
}

impl Server {
    pub(super) async fn start(clock: ManualClock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let metadata = json!({
            "issuer": url,
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "device_authorization_endpoint": format!("{url}/device"),
            "revocation_endpoint": format!("{url}/revoke"),
            "code_challenge_methods_supported": ["plain", "S256"],
            "scopes_supported": ["openid", "offline_access", "read:orders"],
        });
        let shared = Arc::new(Mutex::new(Shared { metadata, ..Shared::default() }));
        let server = Self { url, clock, shared };
        let granting = server.clone();
        server.on("/token", move |form| granting.grant(form));
        server.on("/revoke", |_| (200, Value::Null));
        let accepting = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(accepting.clone().serve(stream));
            }
        });
        server
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Answers forms at this path so.
    pub(super) fn on(
        &self,
        path: &str,
        script: impl Fn(&Form) -> (u16, Value) + Send + Sync + 'static,
    ) {
        self.lock().scripts.insert(path.into(), Arc::new(script));
    }

    /// Says this in its metadata; null leaves it out.
    pub(super) fn say(&self, member: &str, value: impl Into<Value>) {
        let value = value.into();
        let mut shared = self.lock();
        let metadata = shared.metadata.as_object_mut().unwrap();
        if value.is_null() {
            metadata.remove(member)
        } else {
            metadata.insert(member.into(), value)
        };
    }

    pub(super) fn expect_nonce(&self, nonce: &str) {
        self.lock().nonce = nonce.into();
    }

    /// The forms that came to this path.
    pub(super) fn forms(&self, path: &str) -> Vec<Form> {
        let shared = self.lock();
        let found = shared.requests.iter().filter(|(found, _)| found == path);
        found.map(|(_, form)| form.clone()).collect()
    }

    /// How many requests of any kind came.
    pub(super) fn requests(&self) -> usize {
        self.lock().requests.len()
    }

    /// Grants a token, whatever is shown for it: `at-1` and `rt-1`, then `at-2` and `rt-2`, .. A
    /// refresh token is good once.
    pub(super) fn grant(&self, form: &Form) -> (u16, Value) {
        let used = format!("rt-{}", self.lock().granted);
        if form["grant_type"] == "refresh_token" && form["refresh_token"] != used {
            return (400, json!({ "error": "invalid_grant" }));
        }
        let number = {
            let mut shared = self.lock();
            shared.granted += 1;
            shared.granted
        };
        let tokens = json!({
            "access_token": format!("at-{number}"),
            "refresh_token": format!("rt-{number}"),
            "token_type": "Bearer",
            "expires_in": 600,
            "id_token": self.id_token(&json!({})),
        });
        (200, tokens)
    }

    /// The identity token of the login, with these claims instead of its own.
    pub(super) fn id_token(&self, changed: &Value) -> String {
        let now = self.clock.now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut claims = json!({
            "iss": self.url, "sub": "alice", "aud": CLIENT, "exp": now + 60, "iat": now,
            "nonce": self.lock().nonce, "name": "Alice A.",
        });
        for (name, value) in changed.as_object().unwrap() {
            claims[name] = value.clone();
        }
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(self, mut stream: TcpStream) {
        let Some((path, form)) = read(&mut stream).await else { return };
        let script = {
            let mut shared = self.lock();
            shared.requests.push((path.clone(), form.clone()));
            shared.scripts.get(&path).cloned()
        };
        let (status, body) = match script {
            Some(script) => script(&form),
            None if path.ends_with("/openid-configuration") => (200, self.lock().metadata.clone()),
            None => (404, Value::Null),
        };
        // A script that answers 0 hangs up.
        if status == 0 {
            return;
        }
        let body = body.to_string();
        let answer = format!(
            "HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
             connection: close\r\n\r\n{body}",
            body.len()
        );
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}

async fn read(stream: &mut TcpStream) -> Option<(String, Form)> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok()
        });
        if body.len() < length.unwrap_or_default() {
            continue;
        }
        let path = head.split(' ').nth(1)?.to_owned();
        return Some((path, form_urlencoded::parse(body.as_bytes()).into_owned().collect()));
    }
}
