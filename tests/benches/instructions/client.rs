//! Calls of a client with a token: of a source that holds it, or put there by the caller.

use std::sync::mpsc;
use std::thread;

use grpc_auth::ClientAuthentication;
use grpc_auth::client::{OAuthClient, TokenSource};
use tests::pb::kit::Word;
use tests::pb::kit::right_client::RightClient;
use tests::{block_on, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::Request;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tower_layer::Layer;

use crate::service;

/// Serves every caller, on a thread of its own, for as long as the program runs; returns the port.
pub(crate) fn serve() -> u16 {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap().port()).unwrap();
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            let router = Server::builder().add_service(service::plain());
            router.serve_with_incoming(incoming).await.unwrap();
        });
    });
    told.recv().unwrap()
}

/// Calls so many times, over one connection.
pub(crate) async fn call(port: u16, of_a_source: bool, token: &str, times: usize) {
    let channel = connect(([127, 0, 0, 1], port).into()).await;
    let tokens = source(token).await;
    // A client with a ready-made token: its header is made once, and is sensitive as well.
    let own = tokens.token().await.unwrap().header_value().clone();
    let own = AsciiMetadataValue::try_from(own.as_bytes()).map(|mut value| {
        value.set_sensitive(true);
        value
    });
    let own = own.unwrap();
    let word = || Request::new(Word { text: "x".repeat(100) });
    if of_a_source {
        let mut client = RightClient::new(tokens.layer().layer(channel));
        for _ in 0..times {
            client.get(word()).await.unwrap();
        }
    } else {
        let mut client = RightClient::new(channel);
        for _ in 0..times {
            let mut request = word();
            request.metadata_mut().insert("authorization", own.clone());
            client.get(request).await.unwrap();
        }
    }
}

/// A source of this token, which is asked for once.
async fn source(token: &str) -> TokenSource {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/token", listener.local_addr().unwrap());
    let body = format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":86400}}"#);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 16 * 1024];
        let mut length = 0;
        while !request[..length].windows(11).any(|window| window == b"grant_type=") {
            length += stream.read(&mut request[length..]).await.unwrap();
        }
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    let client = ClientAuthentication::client_secret_basic("bench", "s3cret");
    OAuthClient::token_endpoint(endpoint, client).client_credentials().build().unwrap()
}
