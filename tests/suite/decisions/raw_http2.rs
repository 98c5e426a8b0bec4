//! What gRPC clients refuse to send: a call over bare HTTP/2.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower_layer::Layer;

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

/// Sends a call with this `:path`, byte for byte: the h2 client, like `http::Uri`, would leave out a
/// fragment. Returns once the server has answered the call or ended it.
pub(crate) async fn send_path(address: SocketAddr, path: &str, authorization: Option<&str>) {
    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;
    const SETTINGS: u8 = 4;
    const GO_AWAY: u8 = 7;

    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
    };
    // RFC 7541 §6.2.2: literals without indexing, names by their place in the static table.
    let mut block = vec![0x83, 0x86];
    for (name, value) in [
        (&[0x04][..], Some(path)),
        (&[0x01], Some("localhost")),
        (&[0x0f, 31 - 15], Some("application/grpc")),
        (&[0x0f, 23 - 15], authorization),
        (b"\x00\x02te", Some("trailers")),
    ] {
        let Some(value) = value else { continue };
        block.extend(name);
        match value.len().checked_sub(127) {
            None => block.push(u8::try_from(value.len()).unwrap()),
            Some(mut rest) => {
                block.push(127);
                while rest >= 128 {
                    block.push(u8::try_from(rest % 128 + 128).unwrap());
                    rest /= 128;
                }
                block.push(u8::try_from(rest).unwrap());
            }
        }
        block.extend(value.as_bytes());
    }
    let mut stream = TcpStream::connect(address).await.unwrap();
    let sent = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        frame(SETTINGS, 0, 0, &[]),
        frame(HEADERS, 4, 1, &block),
        frame(0, 1, 1, &[0; 5]),
    ];
    stream.write_all(&sent.concat()).await.unwrap();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let [a, b, c, kind, ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        stream.read_exact(&mut payload).await.unwrap();
        if matches!(kind, HEADERS | RST_STREAM | GO_AWAY) {
            return;
        }
    }
}

fn decode(details: &str) -> String {
    let bytes = STANDARD_NO_PAD.decode(details.trim_end_matches('=')).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(crate) async fn serve_raw<L>(router: tonic::transport::server::Router<L>) -> SocketAddr
where
    L: Layer<tonic::service::Routes> + Send + 'static,
    L::Service: tonic::codegen::Service<
            http::Request<tonic::body::Body>,
            Response = http::Response<tonic::body::Body>,
            Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
            Future: Send,
        > + Clone
        + Send
        + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    tokio::spawn(router.serve_with_incoming(incoming));
    address
}
