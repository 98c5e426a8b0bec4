//! The part of a Redis server that is needed to see what is asked of it, and to take it away.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Keeps keys, which never expire, through restarts.
#[derive(Debug)]
pub struct FakeRedis {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    tasks: JoinSet<()>,
}

#[derive(Debug, Default)]
struct State {
    values: HashMap<String, String>,
    commands: Vec<String>,
    fault: Option<&'static str>,
}

impl FakeRedis {
    /// Starts on a free port of 127.0.0.1.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut redis = Self { address, state: Arc::default(), tasks: JoinSet::new() };
        redis.accept(listener);
        redis
    }

    /// Its address as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}/", self.address)
    }

    /// The commands that changed something, or tried to.
    #[must_use]
    pub fn commands(&self) -> Vec<String> {
        self.locked().commands.clone()
    }

    /// Answers commands with this line from now on; with an empty one, not at all.
    pub fn fail(&self, answer: Option<&'static str>) {
        self.locked().fault = answer;
    }

    /// Closes every connection, and its port.
    pub async fn kill(&mut self) {
        self.tasks.shutdown().await;
    }

    /// Listens again.
    pub async fn restart(&mut self) {
        self.accept(TcpListener::bind(self.address).await.unwrap());
    }

    fn accept(&mut self, listener: TcpListener) {
        let state = Arc::clone(&self.state);
        self.tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&state)));
            }
        });
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut stream = BufStream::new(stream);
    while let Some(command) = read(&mut stream).await {
        let answer = state.lock().unwrap_or_else(PoisonError::into_inner).answer(&command);
        if stream.write_all(answer.as_bytes()).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

/// An array of bulk strings.
async fn read(stream: &mut BufStream<TcpStream>) -> Option<Vec<String>> {
    let count = length(stream, '*').await?;
    let mut words = Vec::with_capacity(count);
    for _ in 0..count {
        let mut word = vec![0; length(stream, '$').await? + 2];
        stream.read_exact(&mut word).await.ok()?;
        word.truncate(word.len() - 2);
        words.push(String::from_utf8(word).ok()?);
    }
    Some(words)
}

async fn length(stream: &mut BufStream<TcpStream>, kind: char) -> Option<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    line.strip_prefix(kind)?.trim_end().parse().ok()
}

impl State {
    fn answer(&mut self, command: &[String]) -> String {
        let words: Vec<_> = command.iter().map(String::as_str).collect();
        let [name, key, value, options @ ..] = &*words else { return "+OK\r\n".into() };
        if *name != "SET" {
            return "+OK\r\n".into();
        }
        self.commands.push(words.join(" "));
        match self.fault {
            Some("") => String::new(),
            Some(line) => format!("{line}\r\n"),
            None if options.contains(&"NX") && self.values.contains_key(*key) => "$-1\r\n".into(),
            None => {
                self.values.insert((*key).to_owned(), (*value).to_owned());
                "+OK\r\n".into()
            }
        }
    }
}
