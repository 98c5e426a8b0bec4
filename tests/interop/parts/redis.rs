//! redis-server.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::{Part, installed};

/// A running redis-server, which keeps nothing when it ends.
#[derive(Debug)]
pub(crate) struct Redis {
    part: Part,
    port: u16,
}

impl Redis {
    /// Starts on a free port.
    pub(crate) async fn start() -> Self {
        // It cannot choose one by itself.
        let port =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        Self { part: serve(port).await, port }
    }

    /// Its address, as clients take it.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its address for the user that the documentation of `grpc_auth::Redis` asks for.
    pub(crate) async fn url_of_own_user(&self) -> String {
        let rules = "~grpc-auth:* -@all +set +getrange +del +info +select";
        let made = self.command(&format!("ACL SETUSER grpc-auth on >password {rules}")).await;
        assert_eq!(made.unwrap().as_deref(), Some("OK"));
        format!("redis://grpc-auth:password@127.0.0.1:{}", self.port)
    }

    /// The id of its process.
    pub(crate) fn id(&self) -> u32 {
        self.part.id()
    }

    /// Ends it at once, as a crash does.
    pub(crate) fn kill(&mut self) {
        self.part.kill();
    }

    /// Starts it again at the same port, empty; kills it first if it runs.
    pub(crate) async fn restart(&mut self) {
        self.kill();
        self.part = serve(self.port).await;
    }

    /// Sends one command, like `CLIENT PAUSE 1000`, and gives the answer as text, without the
    /// marks of the protocol: none for nil.
    pub(crate) async fn command(&self, command: &str) -> std::io::Result<Option<String>> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
        stream.write_all(format!("{command}\r\n").as_bytes()).await?;
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let line = line.trim_end();
        let Some(length) = line.strip_prefix('$') else {
            return Ok(Some(line.trim_start_matches(['+', ':', '-']).to_owned()));
        };
        // A length of -1 is no value.
        let Ok(length) = length.parse::<usize>() else { return Ok(None) };
        let mut value = vec![0; length];
        stream.read_exact(&mut value).await?;
        Ok(Some(String::from_utf8_lossy(&value).into_owned()))
    }
}

async fn serve(port: u16) -> Part {
    let mut command = Command::new(installed("bin/redis-server"));
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
    command.args(["--save", "", "--appendonly", "no"]);
    Part::start("redis", command, "Ready to accept connections").await
}
