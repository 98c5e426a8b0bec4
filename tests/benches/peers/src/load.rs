//! The client: closed loops on one thread, straight on h2, which is cheaper than the server, so
//! that the server is what is measured. Every answer must have `grpc-status: 0`.

use std::cell::Cell;
use std::error::Error;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use h2::client::SendRequest;
use http::{HeaderValue, Method, Request, StatusCode, Uri, Version};
use tokio::net::TcpStream;
use tokio::task::{LocalSet, spawn_local};

use crate::mode::Mode;
use crate::tokens;

const CONNECTIONS: usize = 4;
const STREAMS: usize = 16;
const MESSAGES: u8 = 10;
/// Fills caches, and does not count.
const WARM_UP: Duration = Duration::from_millis(300);
const REFUSED: &str = "refused:";

/// What the client says, a line each, while it calls.
pub(crate) const BEGIN: &str = "begin";
pub(crate) const END: &str = "end";

struct Load {
    mode: Mode,
    uri: Uri,
    body: Bytes,
    credentials: Vec<HeaderValue>,
    from: Instant,
    until: Instant,
    phase: Cell<Phase>,
    in_window: Cell<usize>,
    in_all: Cell<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    WarmUp,
    Window,
    After,
}

/// Calls for as long as told, and prints when that begins, when it ends, and how many calls were
/// answered within and in all; of the tokens in the folder, takes up to `tokens`.
pub(crate) async fn run(
    port: u16,
    mode: Mode,
    window: Duration,
    folder: &Path,
    tokens: usize,
) -> Result<(), Box<dyn Error>> {
    let (method, repeat, tokens) = match mode {
        Mode::OneToken => ("Unary", 0, CONNECTIONS),
        Mode::TokensInTurn => ("Unary", 0, 1024),
        Mode::Streaming => ("Stream", MESSAGES, CONNECTIONS),
        Mode::Distinct => ("Unary", 0, tokens),
    };
    let tokens = tokens::good(folder, tokens)?;
    let credentials = tokens.iter().map(|token| bearer(token)).collect::<Result<_, _>>()?;
    let from = Instant::now() + WARM_UP;
    let load = Rc::new(Load {
        mode,
        uri: uri(port, method)?,
        body: message(repeat),
        credentials,
        from,
        until: from + window,
        phase: Cell::new(Phase::WarmUp),
        in_window: Cell::default(),
        in_all: Cell::default(),
    });
    let set = LocalSet::new();
    let calling = set.run_until(async {
        let mut streams = Vec::new();
        for connection in 0..CONNECTIONS {
            let send = connect(port).await?;
            for _ in 0..STREAMS {
                streams.push(spawn_local(Rc::clone(&load).call(connection, send.clone())));
            }
        }
        for stream in streams {
            stream.await??;
        }
        Ok::<_, Box<dyn Error>>(())
    });
    calling.await?;
    println!("{} {}", load.in_window.get(), load.in_all.get());
    Ok(())
}

impl Load {
    async fn call(
        self: Rc<Self>,
        connection: usize,
        send: SendRequest<Bytes>,
    ) -> Result<(), String> {
        let messages = if self.mode == Mode::Streaming { MESSAGES.into() } else { 1 };
        while self.phase.get() != Phase::After {
            let call = self.in_all.replace(self.in_all.get() + 1);
            let turn = match self.mode {
                Mode::OneToken | Mode::Streaming => connection,
                Mode::TokensInTurn | Mode::Distinct => call % self.credentials.len(),
            };
            let request = request(&self.uri, Some(&self.credentials[turn]));
            let received = exchange(send.clone(), request, self.body.clone()).await?;
            if received != messages * self.body.len() {
                return Err(format!("{received} bytes received"));
            }
            self.enter_phase();
            if self.phase.get() == Phase::Window {
                self.in_window.set(self.in_window.get() + 1);
            }
        }
        Ok(())
    }

    fn enter_phase(&self) {
        let now = Instant::now();
        let (phase, word) = match self.phase.get() {
            Phase::WarmUp if now >= self.from => (Phase::Window, BEGIN),
            Phase::Window if now >= self.until => (Phase::After, END),
            _ => return,
        };
        self.phase.set(phase);
        println!("{word}");
    }
}

/// Tells whether a call with this token, or none, is answered.
pub(crate) async fn is_accepted(port: u16, token: Option<&str>) -> Result<bool, Box<dyn Error>> {
    let credentials = token.map(bearer).transpose()?;
    let request = request(&uri(port, "Unary")?, credentials.as_ref());
    let set = LocalSet::new();
    let send = set.run_until(connect(port)).await?;
    match set.run_until(exchange(send, request, message(0))).await {
        Ok(_) => Ok(true),
        Err(error) if error.starts_with(REFUSED) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn connect(port: u16) -> Result<SendRequest<Bytes>, Box<dyn Error>> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let (send, connection) = h2::client::Builder::new()
        .initial_window_size(1 << 20)
        .initial_connection_window_size(1 << 24)
        .handshake(stream)
        .await?;
    spawn_local(connection);
    Ok(send)
}

/// The bytes of the answer's messages, when its status is OK.
async fn exchange(
    send: SendRequest<Bytes>,
    request: Request<()>,
    body: Bytes,
) -> Result<usize, String> {
    let text = |error: h2::Error| error.to_string();
    let (response, mut stream) =
        send.ready().await.map_err(text)?.send_request(request, false).map_err(text)?;
    stream.send_data(body, true).map_err(text)?;
    let response = response.await.map_err(text)?;
    // As gRPC has it, or plain HTTP, as one column answers.
    if response.status() == StatusCode::UNAUTHORIZED {
        return Err(format!("{REFUSED} 401"));
    }
    if let Some(status) = response.headers().get("grpc-status") {
        let what = if status == "16" { REFUSED } else { "failed:" };
        return Err(format!("{what} {status:?}"));
    }
    let mut body = response.into_body();
    let mut received = 0;
    while let Some(chunk) = body.data().await {
        let chunk = chunk.map_err(text)?;
        received += chunk.len();
        body.flow_control().release_capacity(chunk.len()).map_err(text)?;
    }
    let trailers = body.trailers().await.map_err(text)?.unwrap_or_default();
    match trailers.get("grpc-status") {
        Some(status) if status == "0" => Ok(received),
        status => Err(format!("ended with {status:?}")),
    }
}

fn request(uri: &Uri, credentials: Option<&HeaderValue>) -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = uri.clone();
    let headers = request.headers_mut();
    headers.insert("te", HeaderValue::from_static("trailers"));
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    headers.insert("user-agent", HeaderValue::from_static("compare/0"));
    if let Some(credentials) = credentials {
        headers.insert("authorization", credentials.clone());
    }
    request
}

fn uri(port: u16, method: &str) -> Result<Uri, http::uri::InvalidUri> {
    format!("http://127.0.0.1:{port}/echo.Echo/{method}").parse()
}

fn bearer(token: &str) -> Result<HeaderValue, http::header::InvalidHeaderValue> {
    HeaderValue::try_from(format!("Bearer {token}"))
}

/// `Message { text, repeat }` with its gRPC prefix, by hand: the load has no use for prost.
fn message(repeat: u8) -> Bytes {
    const TEXT: [u8; 100] = [b'x'; 100];
    let mut message = vec![0x0a, 100];
    message.extend(TEXT);
    if repeat > 0 {
        message.extend([0x10, repeat]);
    }
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(message.len() as u32);
    framed.put_slice(&message);
    framed.freeze()
}
