//! What gRPC clients refuse to send: a call over bare HTTP/2.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method};
use tokio::net::TcpStream;

/// A call without the manners of a gRPC client.
pub(crate) struct Raw {
    method: Method,
    path: String,
    content_type: &'static str,
    authorization: Vec<String>,
    trailer: Option<String>,
    deadline: Option<&'static str>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) http: u16,
    pub(crate) status: Option<String>,
    pub(crate) details: String,
}

impl Raw {
    pub(crate) fn to(path: &str) -> Self {
        Self {
            method: Method::POST,
            path: path.into(),
            content_type: "application/grpc",
            authorization: Vec::new(),
            trailer: None,
            deadline: None,
        }
    }

    pub(crate) fn header(mut self, value: &str) -> Self {
        self.authorization.push(value.into());
        self
    }

    pub(crate) fn trailer(mut self, value: &str) -> Self {
        self.trailer = Some(value.into());
        self
    }

    /// Clients of gRPC that say so give up themselves then.
    pub(crate) fn deadline(mut self, value: &'static str) -> Self {
        self.deadline = Some(value);
        self
    }

    pub(crate) fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    pub(crate) fn content_type(mut self, content_type: &'static str) -> Self {
        self.content_type = content_type;
        self
    }

    pub(crate) async fn send(self, address: SocketAddr) -> Answer {
        let stream = TcpStream::connect(address).await.unwrap();
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let mut request = http::Request::builder()
            .method(self.method)
            .uri(format!("http://{address}{}", self.path))
            .header(CONTENT_TYPE, self.content_type)
            .header("te", "trailers");
        for value in &self.authorization {
            request = request.header(AUTHORIZATION, value);
        }
        if let Some(value) = self.deadline {
            request = request.header("grpc-timeout", value);
        }
        let mut client = client.ready().await.unwrap();
        let (response, mut body) = client.send_request(request.body(()).unwrap(), false).unwrap();
        // The server may have answered already, and want no more.
        let _ = body.send_data(bytes::Bytes::from_static(&[0; 5]), self.trailer.is_none());
        if let Some(value) = self.trailer {
            let trailers = HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())]);
            let _ = body.send_trailers(trailers);
        }
        let (parts, mut body) = response.await.unwrap().into_parts();
        while let Some(data) = body.data().await {
            data.unwrap();
        }
        let trailers = body.trailers().await.unwrap().unwrap_or_default();
        let field = |name: &str| {
            let value = parts.headers.get(name).or_else(|| trailers.get(name));
            value.map(|value| value.to_str().unwrap().to_owned())
        };
        Answer {
            http: parts.status.as_u16(),
            status: field("grpc-status"),
            details: decode(&field("grpc-status-details-bin").unwrap_or_default()),
        }
    }
}

fn decode(details: &str) -> String {
    let bytes = STANDARD_NO_PAD.decode(details.trim_end_matches('=')).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}
