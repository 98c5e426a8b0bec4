//! Foreign programs as parts of a test: started on free ports of 127.0.0.1, ready when they say so,
//! ended with the test. What they print is kept under `target/interop/logs`.

mod caller;
mod chromium;
mod client_key;
mod django;
mod envoy;
mod fault;
mod oidc_provider;
mod person;
mod pki;
mod program;
mod redis;
mod sloppy;
mod words_server;

use std::path::PathBuf;
use std::process::Command;

use reqwest::{Client, RequestBuilder};
use serde_json::Value;

pub(crate) use caller::{Caller, raw};
pub(crate) use chromium::Chromium;
pub(crate) use client_key::ClientKey;
pub(crate) use django::Django;
pub(crate) use envoy::Envoy;
pub(crate) use fault::{Control, Fault};
pub(crate) use oidc_provider::{ODD_SECRET, OidcProvider, Rotation};
pub(crate) use person::Person;
pub(crate) use pki::{Identity, Pki};
pub(crate) use program::Part;
pub(crate) use redis::Redis;
pub(crate) use sloppy::Sloppy;
pub(crate) use words_server::WordsServer;

/// The audience of the services under test, at every authorization server.
pub(crate) const AUDIENCE: &str = "urn:kit:words";

/// A client's id and secret.
pub(crate) type Credentials<'a> = (&'a str, &'a str);

/// The client that gets tokens: with HTTP's `basic`.
pub(crate) const CLIENT: Credentials<'static> = ("svc", "svc-secret");

/// The resource server, which asks about tokens: with HTTP's `basic`.
pub(crate) const RESOURCE_SERVER: Credentials<'static> = ("rs", "rs-secret");

/// What `interop/run` installed.
pub(crate) fn installed(path: &str) -> PathBuf {
    let installed = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../interop").join(path);
    assert!(installed.exists(), "{} is missing: tests/interop/run", installed.display());
    installed
}

/// A file of these tests.
pub(crate) fn source(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A script beside the packages it needs, by a link to it.
fn node(script: &str) -> Command {
    let mut command = Command::new(installed("bin/node"));
    command.args(["--preserve-symlinks", "--preserve-symlinks-main"]);
    command.arg(installed("node").join(script));
    command
}

/// Sends a form as a client, and expects an answer in JSON, if any.
async fn post(http: &Client, url: &str, client: Credentials<'_>, form: &[(&str, &str)]) -> Value {
    answer_to(http.post(url).basic_auth(client.0, Some(client.1)).form(form), url).await
}

async fn answer_to(request: RequestBuilder, url: &str) -> Value {
    let answer = request.send().await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(status.is_success(), "{url}: {status} {text}");
    if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
}

fn access_token(answer: &Value) -> String {
    answer["access_token"].as_str().unwrap().into()
}
