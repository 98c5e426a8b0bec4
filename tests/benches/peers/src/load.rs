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
use crate::process::{Address, cpu};
use crate::report::Sample;
use crate::tokens;

const CONNECTIONS: usize = 4;
const STREAMS: usize = 16;
const MESSAGES: u8 = 10;
/// For so long a server is called before the next one has its turn: shorter than what comes and
/// goes on a machine, so that neighbours meet the same; a thousand calls, so that the first and
/// the last ones, which have the server to themselves, say little.
const SLICE: Duration = Duration::from_millis(40);
/// Before each turn, and not counted: processor caches hold what another server left there.
const LEAD: Duration = Duration::from_millis(20);
const REFUSED: &str = "refused:";

/// Calls all servers in turns, a slice of time each and another one first in each turn, until each
/// was called for as long as told; turns of the warm-up fill caches and do not count. Of the
/// tokens in the folder, takes up to `tokens`. Returns samples for each server, one a turn.
pub(crate) async fn run(
    servers: &[Address],
    mode: Mode,
    [warm_up, window]: [Duration; 2],
    folder: &Path,
    tokens: usize,
) -> Result<Vec<Vec<Sample>>, Box<dyn Error>> {
    let tokens = match mode {
        Mode::OneToken | Mode::Streaming => CONNECTIONS,
        Mode::TokensInTurn => 1024,
        Mode::Distinct => tokens,
    };
    let tokens = tokens::good(folder, tokens)?;
    let credentials = tokens.iter().map(|token| bearer(token)).collect::<Result<Rc<[_]>, _>>()?;
    let mut loads = Vec::new();
    for &server in servers {
        loads.push(Rc::new(Load::connect(server, mode, Rc::clone(&credentials)).await?));
    }
    let turns = |time: Duration| time.div_duration_f64(SLICE).ceil() as usize;
    let mut samples = vec![Vec::new(); loads.len()];
    for turn in 0..turns(warm_up) + turns(window) {
        for place in 0..loads.len() {
            let index = (turn + place) % loads.len();
            Rc::clone(&loads[index]).slice(LEAD).await?;
            let sample = Rc::clone(&loads[index]).slice(SLICE).await?;
            if turn >= turns(warm_up) {
                samples[index].push(sample);
            }
        }
    }
    Ok(samples)
}

/// What one server is called with.
struct Load {
    server: Address,
    mode: Mode,
    uri: Uri,
    body: Bytes,
    credentials: Rc<[HeaderValue]>,
    connections: Vec<SendRequest<Bytes>>,
    /// So far, in all slices.
    calls: Cell<usize>,
}

impl Load {
    async fn connect(
        server: Address,
        mode: Mode,
        credentials: Rc<[HeaderValue]>,
    ) -> Result<Self, Box<dyn Error>> {
        let (method, repeat) =
            if mode == Mode::Streaming { ("Stream", MESSAGES) } else { ("Unary", 0) };
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(connect(server.port).await?);
        }
        Ok(Self {
            server,
            mode,
            uri: uri(server.port, method)?,
            body: message(repeat),
            credentials,
            connections,
            calls: Cell::default(),
        })
    }

    /// Nothing is under way when it begins, nor when it ends: what the server did between is for
    /// these calls.
    async fn slice(self: Rc<Self>, slice: Duration) -> Result<Sample, Box<dyn Error>> {
        let (calls_before, cpu_before) = (self.calls.get(), cpu(self.server.process)?);
        let begin = Instant::now();
        let mut loops = Vec::new();
        for connection in 0..CONNECTIONS {
            for _ in 0..STREAMS {
                loops.push(spawn_local(Rc::clone(&self).call(connection, begin + slice)));
            }
        }
        for each in loops {
            each.await??;
        }
        Ok(Sample {
            calls: self.calls.get() - calls_before,
            seconds: begin.elapsed().as_secs_f64(),
            cpu_seconds: (cpu(self.server.process)? - cpu_before).as_secs_f64(),
        })
    }

    async fn call(self: Rc<Self>, connection: usize, until: Instant) -> Result<(), String> {
        let messages = if self.mode == Mode::Streaming { MESSAGES.into() } else { 1 };
        while Instant::now() < until {
            let call = self.calls.replace(self.calls.get() + 1);
            let token = match self.mode {
                Mode::OneToken | Mode::Streaming => connection,
                Mode::TokensInTurn => call % self.credentials.len(),
                Mode::Distinct if self.server.column.authenticates() => call,
                Mode::Distinct => call % self.credentials.len(),
            };
            let token = self.credentials.get(token).ok_or("out of tokens; --tokens more")?;
            let request = request(&self.uri, Some(token));
            let send = self.connections[connection].clone();
            let received = exchange(send, request, self.body.clone()).await?;
            if received != messages * self.body.len() {
                return Err(format!("{received} bytes received"));
            }
        }
        Ok(())
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
