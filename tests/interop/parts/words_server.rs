//! grpcio as a server, which asks an authorization server about the tokens it gets.

use std::process::Command;

use tonic::transport::Endpoint;

use super::{OidcProvider, Part, RESOURCE_SERVER, installed, source};

/// A running `kit.v1.Kinds` by grpcio. It answers with the word it got, and which of its calls this
/// is; a token that is not active is UNAUTHENTICATED.
#[derive(Debug)]
pub(crate) struct WordsServer(Part);

impl WordsServer {
    /// Starts on a free port.
    pub(crate) async fn start(issuer: &OidcProvider) -> Self {
        let mut command = Command::new(installed("python/bin/python"));
        command.arg(source("interop/servers/words_server.py")).arg(source("proto"));
        command.arg(issuer.introspection()).args([RESOURCE_SERVER.0, RESOURCE_SERVER.1]);
        Self(Part::start("words-server", command, "READY").await)
    }

    /// Where it is.
    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::from_shared(format!("http://127.0.0.1:{}", self.0.said())).unwrap()
    }
}
