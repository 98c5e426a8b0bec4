//! What is asked of a server, and what a bad answer means.

use std::net::SocketAddr;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, TE, USER_AGENT};
use http::{Method, Request};
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::ServerName;

use super::Doctor;
use super::answer::Answer;
use super::diagnosis::{Diagnosis, Stage};
use super::handshake::{H2, HTTP1, Handshake, alert};
use super::http2::{GoAway, Http2, goaway};
use super::sanitize::{first_line, greeting};
use super::tee_stream::Seen;
use crate::sanitize_untrusted::shown;
use crate::tls::client::ClientTls;

const USER: &str = concat!("grpc-auth-doctor/", env!("CARGO_PKG_VERSION"));

/// A connection that HTTP/2 can begin on.
pub(crate) struct Ready {
    pub(crate) http2: Http2,
    /// What is sent cannot be read on the way.
    pub(crate) confidential: bool,
    pub(crate) handshake: Option<Handshake>,
}

impl Doctor {
    pub(crate) async fn answer(
        &self,
        ready: &Ready,
        request: Request<()>,
    ) -> Result<Answer, Diagnosis> {
        let answer = match ready.http2.call(request, &self.clock).await {
            Ok(answer) => answer,
            Err(error) => return Err(broken(ready, &error).await),
        };
        if answer.is_grpc() || answer.is_grpc_web() || !answer.may_want_another_content_type() {
            return Ok(answer);
        }
        // Without the token: it is another question.
        let request = self.request("application/grpc-web+proto", None);
        match ready.http2.call(request, &self.clock).await {
            Ok(web) if web.is_grpc_web() => Ok(web),
            _ => Ok(answer),
        }
    }

    pub(crate) fn request(
        &self,
        content_type: &'static str,
        token: Option<HeaderValue>,
    ) -> Request<()> {
        let Self { target, method, .. } = self;
        let uri = http::Uri::builder()
            .scheme(if target.tls { "https" } else { "http" })
            .authority(target.authority())
            .path_and_query(method.clone())
            .build();
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        // It was put together from a URL.
        *request.uri_mut() = uri.unwrap_or_default();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(USER_AGENT, HeaderValue::from_static(USER));
        if let Some(token) = token {
            headers.insert(AUTHORIZATION, token);
        }
        request
    }

    /// The server chose none of what gRPC offers: whether HTTP/1.1 is what it wants.
    pub(crate) async fn other_protocol(&self, address: SocketAddr, tls: &ClientTls) -> Diagnosis {
        let again = async {
            let tcp = TcpStream::connect(address).await.ok()?;
            self.handshake(tcp, tls, &[H2, HTTP1]).await.ok()
        };
        match again.await {
            Some(handshake) if handshake.protocol().as_deref() == Some(HTTP1) => {
                Diagnosis::AlpnHttp1Only
            }
            _ => Diagnosis::AlpnMissing,
        }
    }

    /// The server hung up on TLS: whether it speaks HTTP without it.
    pub(crate) async fn hung_up(&self, address: SocketAddr) -> Diagnosis {
        let plaintext = async {
            let tcp = TcpStream::connect(address).await.ok()?;
            match Http2::open(tcp).await {
                Ok(_) => Some(None),
                Err(seen) if seen.bytes.starts_with(b"HTTP/") => Some(greeting(&seen.bytes)),
                Err(_) => None,
            }
        };
        match plaintext.await {
            Some(begins_with) => Diagnosis::PlaintextOnTlsPort { begins_with },
            None => Diagnosis::ConnectionClosed { stage: Stage::Tls },
        }
    }

    /// The server hung up on plaintext: whether it speaks TLS. Nothing is trusted for that, and
    /// nothing is sent.
    pub(crate) async fn speaks_tls(&self, address: SocketAddr) -> bool {
        let tls = self.tls.clone().unwrap_or_else(ClientTls::webpki_roots);
        let handshake = async {
            let tcp = TcpStream::connect(address).await.ok()?;
            self.handshake(tcp, &tls, &[H2]).await.ok()
        };
        handshake.await.is_some_and(|handshake| handshake.is_tls())
    }

    pub(crate) async fn handshake(
        &self,
        tcp: TcpStream,
        tls: &ClientTls,
        protocols: &[&[u8]],
    ) -> Result<Handshake, Diagnosis> {
        let target = &self.target;
        let name = tls.expected_name().unwrap_or(target.plain_host()).to_owned();
        let failed = |problem: String| Diagnosis::TlsFailed { problem };
        let name = ServerName::try_from(name)
            .map_err(|_| failed("the host is no name that a certificate can have".into()))?;
        Handshake::with(tcp, tls, name, &self.clock, protocols)
            .await
            .map_err(|error| failed(error.to_string()))
    }
}

/// What speaks there, if it is not HTTP/2.
pub(crate) fn not_http2(seen: &Seen, handshake: Option<&Handshake>) -> Diagnosis {
    let Seen { bytes, failure, .. } = seen;
    if let (Some(handshake), Some(alert)) = (handshake, failure.as_ref().and_then(alert)) {
        return handshake.alert_diagnosis(alert);
    }
    if let Some(GoAway { reason, debug }) = goaway(bytes) {
        return Diagnosis::GoAway { reason, debug };
    }
    let is_tls_record = matches!(bytes.first_chunk(), Some([0x15 | 0x16, 0x03]));
    // nginx and Go say it in plaintext, too.
    let says_so = [&b"HTTPS port"[..], b"HTTPS server"];
    let says_so = says_so.iter().any(|text| memchr::memmem::find(bytes, text).is_some());
    if handshake.is_none() && (is_tls_record || says_so) {
        return Diagnosis::TlsOnPlaintextPort;
    }
    match bytes.as_slice() {
        [] => Diagnosis::ConnectionClosed { stage: Stage::Http2 },
        bytes if bytes.starts_with(b"HTTP/") => {
            Diagnosis::Http1Answer { status_line: first_line(bytes) }
        }
        bytes => Diagnosis::Http2Error {
            problem: format!("what answered begins with \"{}\"", first_line(bytes)),
        },
    }
}

/// Why a call on an open connection got no answer.
async fn broken(ready: &Ready, error: &h2::Error) -> Diagnosis {
    let reset = error.is_reset().then(|| error.reason()).flatten();
    if reset == Some(h2::Reason::HTTP_1_1_REQUIRED) {
        return Diagnosis::Http1Answer { status_line: "HTTP_1_1_REQUIRED".into() };
    }
    if let Some(reason) = reset {
        return Diagnosis::Http2Error { problem: format!("the call was reset ({reason:?})") };
    }
    let Seen { bytes, failure, .. } =
        if error.is_io() { ready.http2.ended().await } else { ready.http2.seen() };
    if let (Some(handshake), Some(alert)) = (&ready.handshake, failure.as_ref().and_then(alert)) {
        return handshake.alert_diagnosis(alert);
    }
    match goaway(&bytes) {
        Some(GoAway { reason, debug }) => Diagnosis::GoAway { reason, debug },
        None if error.is_io() => Diagnosis::ConnectionClosed { stage: Stage::Call },
        None => Diagnosis::Http2Error { problem: shown(error.to_string().as_bytes()) },
    }
}
