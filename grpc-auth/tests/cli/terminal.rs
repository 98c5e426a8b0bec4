//! On a terminal there are colours, signs of life and a prompt that hides what is typed; elsewhere
//! there are none. What is written to nobody ends quietly.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use crate::inspect::running_issuer;
use crate::program::{BINARY, Folder};

/// A terminal of a test's own, and the program that has it.
struct Terminal {
    keyboard: File,
    shown: Receiver<Vec<u8>>,
    screen: Vec<u8>,
    child: Child,
}

impl Terminal {
    fn run(mut command: Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY;
        let slave = File::from(rustix::fs::open(&*name, flags, Mode::empty()).unwrap());
        command.stdin(slave.try_clone().unwrap());
        command.stdout(slave.try_clone().unwrap()).stderr(slave);
        let child = command.spawn().unwrap();
        // The program's ends of the terminal are its alone: when it ends, reading does (EIO).
        drop(command);
        let mut screen = File::from(master.try_clone().unwrap());
        let (sender, shown) = mpsc::channel();
        thread::spawn(move || {
            let mut bytes = [0; 1024];
            while let Ok(read @ 1..) = screen.read(&mut bytes) {
                if sender.send(bytes[..read].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { keyboard: File::from(master), shown, screen: Vec::new(), child }
    }

    /// Waits until the screen shows this.
    fn wait_for(&mut self, text: &str) {
        while !String::from_utf8_lossy(&self.screen).contains(text) {
            let more = self.shown.recv();
            self.screen.extend(more.unwrap_or_else(|_| panic!("{text}: {:?}", self.so_far())));
        }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.screen).into_owned()
    }

    fn type_in(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
    }

    /// All that is shown until the program ends.
    fn run_out(mut self) -> String {
        while let Ok(more) = self.shown.recv() {
            self.screen.extend(more);
        }
        self.child.wait().unwrap();
        self.so_far()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program(args: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(args).env_clear().env("TERM", "xterm").envs(environment.iter().copied());
    command
}

#[test]
fn there_are_colours_on_a_terminal_unless_somebody_minds() {
    let folder = Folder::new();
    let token = folder.write("token", "e30.e30.c2ln");
    let inspect = |environment: &[(&str, &str)]| {
        Terminal::run(program(&["inspect", &token], environment)).run_out()
    };
    assert!(inspect(&[]).contains("\u{1b}[1m\u{1b}[33mnot judged\u{1b}[0m"), "{:?}", inspect(&[]));
    for no in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let screen = inspect(&[no]);
        assert!(screen.contains("not judged") && !screen.contains('\u{1b}'), "{no:?}: {screen}");
    }
    let error = |environment: &[(&str, &str)]| {
        Terminal::run(program(&["inspect", "/nowhere"], environment)).run_out()
    };
    assert!(error(&[]).contains("\u{1b}["));
    assert!(!error(&[("NO_COLOR", "1")]).contains('\u{1b}'));
    // Where only the result is piped, it has none, whatever the rest is.
    let mut piped = program(&["inspect", &token], &[]);
    let output = piped.stdin(Stdio::null()).output().unwrap();
    assert!(!output.stdout.contains(&0x1b));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_of_life_is_shown_while_a_person_is_waited_for() {
    let issuer = running_issuer().await;
    let folder = Folder::new();
    let state = folder.path("state");
    let environment = [("GRPC_AUTH_STATE_DIR", state.to_str().unwrap())];
    let args = [
        "login",
        "--no-browser",
        "--issuer",
        issuer.url(),
        "--client-id",
        "cli",
        "--timeout",
        "60",
    ];
    let login = program(&args, &environment);
    let screen = tokio::task::spawn_blocking(move || {
        let mut terminal = Terminal::run(login);
        terminal.wait_for("\r- waiting for the login in the browser");
        terminal.wait_for("\r\\ waiting for the login in the browser");
        terminal.wait_for("Open this address in a browser on this machine:\r\n");
        terminal.so_far()
    });
    assert!(screen.await.unwrap().contains("\r\u{1b}[K"), "the line is cleared for what is said");
}

#[test]
fn a_secret_that_is_typed_is_not_shown() {
    let folder = Folder::new();
    let state = folder.path("state");
    // The program asks on its controlling terminal.
    let mut command = Command::new("setsid");
    command.args(["--ctty", "--wait", BINARY, "token", "--client-secret-file", "-"]);
    command.args(["--issuer", "http://127.0.0.1:1/", "--client-id", "orders"]);
    command.env_remove("GRPC_AUTH_CLIENT_SECRET").env("GRPC_AUTH_STATE_DIR", state);
    let mut terminal = Terminal::run(command);
    terminal.wait_for("Client secret: ");
    while tcgetattr(&terminal.keyboard).unwrap().local_modes.contains(LocalModes::ECHO) {
        thread::yield_now();
    }
    terminal.type_in("hunter2\n");
    let screen = terminal.run_out();
    assert!(screen.contains("the authorization server cannot be asked"), "{screen:?}");
    assert!(!screen.contains("hunter2"), "{screen:?}");
}

#[test]
fn who_stops_reading_is_no_failure() {
    for args in [
        &["inspect"][..],
        &["inspect", "--json"],
        &["completions", "bash"],
        &["token", "--help"],
        &["serve-issuer", "--example"],
    ] {
        let mut command = program(args, &[]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Where input is read, nothing is written before it ends.
        drop(child.stdout.take());
        let mut stdin = child.stdin.take().unwrap();
        let _ = stdin.write_all(b"e30.e30.c2ln");
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{args:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    for args in [&["serve-issuer", "--example"][..], &["serve-issuer", "--example", "--json"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut command = program(args, &[]);
        let output = command.stdin(Stdio::null()).stdout(full).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains("the result cannot be written"), "{stderr}");
    }
}
