//! An introspection endpoint that answers as fast as it can, on a thread of its own: all that can be
//! measured then is who asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

use tests::block_on;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(super) const AUDIENCE: &str = "urn:bench";
/// What tokens begin with that are active.
pub(super) const GOOD: &str = "good-";

pub(super) struct Endpoint {
    pub(super) url: String,
    asked: Arc<AtomicU64>,
}

impl Endpoint {
    /// How many questions it has answered.
    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Relaxed)
    }
}

/// Starts on a free port of 127.0.0.1, until the program ends.
pub(super) fn start() -> Endpoint {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/introspect", listener.local_addr().unwrap());
    let asked = Arc::<AtomicU64>::default();
    let count = Arc::clone(&asked);
    thread::spawn(move || {
        block_on(async {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                tokio::spawn(serve(stream, Arc::clone(&count)));
            }
        });
    });
    Endpoint { url, asked }
}

/// One question after the other, until the client leaves.
async fn serve(mut stream: TcpStream, asked: Arc<AtomicU64>) -> Option<()> {
    let (mut unread, mut read) = (Vec::new(), [0; 4096]);
    loop {
        let length = stream.read(&mut read).await.ok().filter(|length| *length > 0)?;
        unread.extend_from_slice(read.get(..length)?);
        while let Some((end, is_good)) = question(&unread) {
            unread.drain(..end);
            asked.fetch_add(1, Relaxed);
            stream.write_all(answer(is_good).as_bytes()).await.ok()?;
        }
    }
}

/// The length of the first whole request, and whether it asks about a good token.
fn question(unread: &[u8]) -> Option<(usize, bool)> {
    let text = std::str::from_utf8(unread).unwrap();
    let (head, rest) = text.split_once("\r\n\r\n")?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let form = rest.get(..length.parse().unwrap())?;
    Some((head.len() + 4 + form.len(), form.contains(GOOD)))
}

fn answer(is_good: bool) -> String {
    let said = match is_good {
        true => format!(r#"{{"active":true,"aud":"{AUDIENCE}","exp":4102444800}}"#),
        false => r#"{"active":false}"#.to_owned(),
    };
    let length = said.len();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{said}"
    )
}
