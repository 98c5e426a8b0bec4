//! Envoy, a proxy that authorizes by path.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;

use tempfile::NamedTempFile;

use super::{Part, installed, source};

/// A running Envoy in front of a server, with its own settings for paths. It denies one path, and
/// passes all others on.
#[derive(Debug)]
pub(crate) struct Envoy {
    _part: Part,
    _configuration: NamedTempFile,
    address: SocketAddr,
}

impl Envoy {
    /// Starts on a free port.
    pub(crate) async fn start(server: SocketAddr, denied: &str) -> Self {
        // Only its administration knows a port that it chooses itself, and needs a port too.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let configuration = configuration(address, server, denied);
        // It does not notice the end of its input: the thread of the test takes it along.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(installed("python/bin/envoy"));
        command.arg("--config-path").arg(configuration.path());
        // Restarts without an interruption need shared memory, which a kill leaves behind.
        command.args(["--disable-hot-restart", "--concurrency", "1"]);
        // It keeps what it logs for ten seconds otherwise.
        command.args(["--log-path", "/dev/stdout", "--file-flush-interval-msec", "10"]);
        // It listens by then.
        let part = Part::start("envoy", command, "starting main dispatch loop").await;
        Self { _part: part, _configuration: configuration, address }
    }

    /// Where it takes calls.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

fn configuration(address: SocketAddr, server: SocketAddr, denied: &str) -> NamedTempFile {
    let text = fs::read_to_string(source("interop/servers/envoy.yaml"))
        .unwrap()
        .replace("LISTEN_PORT", &address.port().to_string())
        .replace("SERVER_PORT", &server.port().to_string())
        .replace("DENIED_PATH", denied);
    let mut file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}
