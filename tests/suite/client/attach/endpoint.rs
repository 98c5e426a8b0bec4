//! A token endpoint that answers on cue.

use std::sync::{Arc, Mutex};

use grpc_auth::ClientAuthentication;
use grpc_auth::client::{OAuthClient, TokenSourceBuilder};
use grpc_auth::testing::ManualClock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// What it was asked, and what it will say.
#[derive(Clone)]
pub(crate) struct TokenEndpoint {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<String>>>,
    answers: mpsc::UnboundedSender<String>,
}

impl TokenEndpoint {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap());
        let (answers, mut next) = mpsc::unbounded_channel::<String>();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let request = read(&mut stream).await;
                log.lock().unwrap().push(request);
                let Some(answer) = next.recv().await else { return };
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { url, asked, answers }
    }

    /// Answers a request that waits, or the next one.
    pub(crate) fn answer(&self, status: u16, headers: &str, body: &str) {
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
             connection: close\r\n{headers}\r\n{body}"
        );
        self.answers.send(answer).unwrap();
    }

    /// Answers with a token of this type.
    pub(crate) fn grant(&self, token: &str, token_type: &str) {
        let body = format!(
            r#"{{"access_token":"{token}","token_type":"{token_type}","expires_in":3600}}"#
        );
        self.answer(200, "", &body);
    }

    /// The requests so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// A header of each of them.
    pub(crate) fn headers(&self, name: &str) -> Vec<String> {
        let prefix = format!("{name}: ");
        let header = |request: &String| {
            let line = request.lines().find_map(|line| line.strip_prefix(&prefix));
            line.unwrap_or_default().to_owned()
        };
        self.asked().iter().map(header).collect()
    }

    /// Tokens from here.
    pub(crate) fn tokens(&self, clock: &ManualClock) -> TokenSourceBuilder {
        let client = ClientAuthentication::client_secret_basic("caller", "s3cret");
        OAuthClient::token_endpoint(&*self.url, client).clock(clock.clone()).client_credentials()
    }
}

/// Head and body.
async fn read(stream: &mut TcpStream) -> String {
    let mut request = String::new();
    let mut buffer = [0; 4096];
    loop {
        let length = stream.read(&mut buffer).await.unwrap_or_default();
        request.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
        let (head, body) = request.split_once("\r\n\r\n").unwrap_or((&request, ""));
        let announced = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if length == 0 || announced.is_some_and(|bytes| bytes.parse() == Ok(body.len())) {
            return request;
        }
    }
}
