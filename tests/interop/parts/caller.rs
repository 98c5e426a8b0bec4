//! Foreign gRPC clients, each as its users use it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Output, Stdio};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::{installed, source};

/// A gRPC client.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Caller {
    /// grpcio, the C core from Python.
    Grpcio,
    /// `@grpc/grpc-js`, JavaScript down to HTTP/2.
    GrpcJs,
    /// grpcurl, grpc-go on the command line.
    Grpcurl,
}

/// What a client's user gets to see of one call.
#[derive(Debug, Deserialize)]
pub(crate) struct Seen {
    /// The number of the status code.
    pub(crate) code: i32,
    /// ErrorInfo's.
    pub(crate) reason: Option<String>,
    /// ErrorInfo's.
    pub(crate) domain: Option<String>,
    /// `www-authenticate`.
    pub(crate) challenge: Option<String>,
    /// The answer's.
    pub(crate) text: Option<String>,
}

impl Caller {
    /// Calls `kit.v1.Kinds/Unary` once for each list of values of `authorization`.
    pub(crate) async fn call(self, address: SocketAddr, calls: &[Vec<String>]) -> Vec<Seen> {
        self.run(address, None, calls).await
    }

    /// The same over TLS, for each token as the credentials of a call, to a server with a
    /// certificate of the authority in this file.
    pub(crate) async fn call_over_tls(
        self,
        address: SocketAddr,
        authority: &Path,
        tokens: &[String],
    ) -> Vec<Seen> {
        let calls: Vec<_> = tokens.iter().map(|token| vec![format!("Bearer {token}")]).collect();
        self.run(address, Some(authority), &calls).await
    }

    async fn run(
        self,
        address: SocketAddr,
        authority: Option<&Path>,
        calls: &[Vec<String>],
    ) -> Vec<Seen> {
        let mut command = match self {
            Self::Grpcio => {
                let mut command = python("grpcio_client.py");
                command.arg(address.to_string()).arg(source("proto")).args(authority);
                command
            }
            Self::GrpcJs => {
                let mut command = Command::from(super::node("grpc_js.mjs"));
                command.arg(address.to_string()).arg(source("proto/kit.proto"));
                command.arg(source("interop/clients/status_details.proto")).args(authority);
                command
            }
            Self::Grpcurl => {
                let mut seen = Vec::new();
                for values in calls {
                    seen.push(grpcurl(address, authority, values).await);
                }
                return seen;
            }
        };
        let pairs = |values: &Vec<String>| {
            values.iter().map(|value| ["authorization".into(), value.clone()]).collect()
        };
        let calls: Vec<Vec<[String; 2]>> = calls.iter().map(pairs).collect();
        exchange(&mut command, &serde_json::to_value(calls).unwrap()).await
    }
}

/// Sends requests of any headers, pseudo-headers included, over bare HTTP/2 with python's h2.
pub(crate) async fn raw<T: DeserializeOwned>(address: SocketAddr, requests: &Value) -> Vec<T> {
    exchange(python("raw_http2.py").arg(address.port().to_string()), requests).await
}

fn python(script: &str) -> Command {
    let mut command = Command::new(installed("python/bin/python"));
    command.arg(source("interop/clients").join(script));
    command
}

/// A program that reads one JSON document and writes one.
async fn exchange<T: DeserializeOwned>(command: &mut Command, input: &Value) -> Vec<T> {
    let output = run(command, &input.to_string()).await;
    assert!(output.status.success(), "{command:?}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

async fn run(command: &mut Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
    child.wait_with_output().await.unwrap()
}

/// It prints headers and trailers line by line; the answer and the status are JSON.
async fn grpcurl(address: SocketAddr, authority: Option<&Path>, values: &[String]) -> Seen {
    let mut command = Command::new(installed("python/bin/grpcurl"));
    match authority {
        Some(file) => command.arg("-cacert").arg(file),
        None => command.arg("-plaintext"),
    };
    command.args(["-v", "-format-error", "-max-time", "10", "-d", "@"]);
    for (folder, proto) in [("proto", "kit.proto"), ("interop/clients", "status_details.proto")] {
        command.arg("-import-path").arg(source(folder)).args(["-proto", proto]);
    }
    for value in values {
        command.arg("-H").arg(format!("authorization: {value}"));
    }
    command.arg(address.to_string()).arg("kit.v1.Kinds/Unary");
    let output = run(&mut command, r#"{"text": "word"}"#).await;
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        let (_, rest) = said.split_once("Response contents:").unwrap();
        let (contents, _) = rest.split_once("Response trailers").unwrap();
        let word: Value = serde_json::from_str(contents).unwrap();
        let text = word["text"].as_str().map(Into::into);
        return Seen { code: 0, reason: None, domain: None, challenge: None, text };
    }
    let status: Value = serde_json::from_slice(&output.stderr).unwrap();
    let info = &status["details"][0];
    Seen {
        code: i32::try_from(status["code"].as_i64().unwrap()).unwrap(),
        reason: info["reason"].as_str().map(Into::into),
        domain: info["domain"].as_str().map(Into::into),
        challenge: said
            .lines()
            .find_map(|line| line.strip_prefix("www-authenticate: "))
            .map(Into::into),
        text: None,
    }
}
