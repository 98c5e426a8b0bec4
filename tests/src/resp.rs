//! The part of a Redis server that is needed to see what is asked of it, and to take it away.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
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
    values: HashMap<String, Vec<u8>>,
    commands: Vec<String>,
    fault: Option<&'static str>,
    /// Whether answers wait.
    held: watch::Sender<bool>,
    connections: u64,
    /// How often it was restarted.
    runs: u64,
    /// Its uptime in seconds, for `INFO`. `None`: it does not answer `INFO`.
    uptime: Option<u64>,
}

impl FakeRedis {
    /// Starts on a free port of 127.0.0.1. It says that it has run for an hour.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { uptime: Some(3600), ..State::default() };
        let mut redis = Self { address, state: Arc::new(Mutex::new(state)), tasks: JoinSet::new() };
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
        let changes =
            |command: &&String| command.starts_with("SET ") || command.starts_with("DEL ");
        self.locked().commands.iter().filter(changes).cloned().collect()
    }

    /// The commands that read a value.
    #[must_use]
    pub fn reads(&self) -> Vec<String> {
        let reads = |command: &&String| command.starts_with("GET");
        self.locked().commands.iter().filter(reads).cloned().collect()
    }

    /// How many connections it accepted.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.locked().connections
    }

    /// What it holds.
    #[must_use]
    pub fn values(&self) -> HashMap<String, Vec<u8>> {
        self.locked().values.clone()
    }

    /// Writes a value, as another program would.
    pub fn write(&self, key: &str, value: Vec<u8>) {
        self.locked().values.insert(key.to_owned(), value);
    }

    /// Answers commands with this line from now on; with an empty one, not at all.
    pub fn fail(&self, answer: Option<&'static str>) {
        self.locked().fault = answer;
    }

    /// Holds its answers back from now on, or sends those that it held.
    pub fn hold(&self, is_held: bool) {
        self.locked().held.send_replace(is_held);
    }

    /// Answers `INFO` with this uptime in seconds, or not at all.
    pub fn set_uptime(&self, seconds: Option<u64>) {
        self.locked().uptime = seconds;
    }

    /// Closes every connection, and its port.
    pub async fn kill(&mut self) {
        self.tasks.shutdown().await;
    }

    /// Listens again, as if only the network had been away.
    pub async fn restart(&mut self) {
        self.accept(TcpListener::bind(self.address).await.unwrap());
    }

    /// Loses everything, and starts as a new process.
    pub async fn restart_empty(&mut self) {
        self.kill().await;
        {
            let mut state = self.locked();
            state.values.clear();
            state.runs += 1;
            state.uptime = Some(0);
        }
        self.restart().await;
    }

    fn accept(&mut self, listener: TcpListener) {
        let state = Arc::clone(&self.state);
        self.tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                locked(&state).connections += 1;
                connections.spawn(serve(stream, Arc::clone(&state)));
            }
        });
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut stream = BufStream::new(stream);
    let mut held = locked(&state).held.subscribe();
    while let Some(command) = read(&mut stream).await {
        let answer = locked(&state).answer(&command);
        if held.wait_for(|is_held| !is_held).await.is_err()
            || stream.write_all(&answer).await.is_err()
            || stream.flush().await.is_err()
        {
            return;
        }
    }
}

/// An array of bulk strings.
async fn read(stream: &mut BufStream<TcpStream>) -> Option<Vec<Vec<u8>>> {
    let count = length(stream, '*').await?;
    let mut words = Vec::with_capacity(count);
    for _ in 0..count {
        let mut word = vec![0; length(stream, '$').await? + 2];
        stream.read_exact(&mut word).await.ok()?;
        word.truncate(word.len() - 2);
        words.push(word);
    }
    Some(words)
}

async fn length(stream: &mut BufStream<TcpStream>, kind: char) -> Option<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    line.strip_prefix(kind)?.trim_end().parse().ok()
}

impl State {
    fn answer(&mut self, command: &[Vec<u8>]) -> Vec<u8> {
        let words: Vec<_> = command.iter().map(|word| String::from_utf8_lossy(word)).collect();
        let words: Vec<_> = words.iter().map(|word| &**word).collect();
        let ok = || b"+OK\r\n".to_vec();
        if !matches!(words.first(), Some(&("SET" | "GET" | "GETRANGE" | "DEL" | "INFO"))) {
            return ok();
        }
        self.commands.push(words.join(" "));
        if let Some(line) = self.fault {
            return if line.is_empty() { Vec::new() } else { format!("{line}\r\n").into_bytes() };
        }
        match &*words {
            ["SET", key, _, options @ ..] => {
                if options.contains(&"NX") && self.values.contains_key(*key) {
                    return b"$-1\r\n".to_vec();
                }
                let value = command.get(2).cloned().unwrap_or_default();
                self.values.insert((*key).to_owned(), value);
                ok()
            }
            ["DEL", key] => {
                let removed = self.values.remove(*key).is_some();
                format!(":{}\r\n", u8::from(removed)).into_bytes()
            }
            ["GETRANGE", key, "0", last] => {
                let mut value = self.values.get(*key).cloned().unwrap_or_default();
                value.truncate(last.parse::<usize>().unwrap() + 1);
                bulk(&value)
            }
            ["INFO", "server"] => match self.uptime {
                Some(uptime) => {
                    let run = self.runs;
                    let text =
                        format!("# Server\r\nrun_id:{run:040}\r\nuptime_in_seconds:{uptime}\r\n");
                    bulk(text.as_bytes())
                }
                None => b"-NOPERM User grpc-auth has no permissions to run 'info'\r\n".to_vec(),
            },
            _ => b"-ERR unknown command\r\n".to_vec(),
        }
    }
}

fn bulk(value: &[u8]) -> Vec<u8> {
    let mut answer = format!("${}\r\n", value.len()).into_bytes();
    answer.extend_from_slice(value);
    answer.extend_from_slice(b"\r\n");
    answer
}
