//! `grpc-auth serve-issuer`, and the other commands against it.

use grpc_auth::testing::TestAuthorizationServer;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use crate::program::{Ended, Folder, Program};

/// The program, and what its first line says.
async fn started(program: Program) -> (Child, Value) {
    let mut child = program.start().await;
    let mut line = String::new();
    let stdout = child.stdout.as_mut().unwrap();
    BufReader::new(stdout).read_line(&mut line).await.unwrap();
    (child, serde_json::from_str(&line).unwrap())
}

fn serve() -> Program {
    Program::new(["serve-issuer", "--json", "--listen", "127.0.0.1:0"])
}

#[cfg(unix)]
async fn end(child: Child, signal: rustix::process::Signal) -> Ended {
    let id = i32::try_from(child.id().unwrap()).unwrap();
    let id = rustix::process::Pid::from_raw(id).unwrap();
    rustix::process::kill_process(id, signal).unwrap();
    Ended::of(child).await
}

#[cfg(unix)]
#[tokio::test]
async fn its_own_example_serves_tokens_that_inspect_believes_until_it_is_told_to_end() {
    use rustix::process::Signal;

    let folder = Folder::new();
    let example = Program::new(["serve-issuer", "--example"]).run().await.succeeds();
    let clients = folder.write("clients.json", &example.stdout);
    let (child, said) = started(serve().args(["--clients", &clients])).await;
    let issuer = said["issuer"].as_str().unwrap();
    assert_eq!(said["clients"], serde_json::json!(["orders", "orders-cli"]));

    let audience = "https://echo.example.com";
    let program = Program::new(["token", "--issuer", issuer, "--client-id", "orders"]).args([
        "--audience",
        audience,
        "--scope",
        "read:echo",
    ]);
    let program = program.env("GRPC_AUTH_CLIENT_SECRET", "orders-secret").state(&folder);
    let token = program.run().await.succeeds().stdout;
    let program = Program::new(["inspect", "--issuer", issuer, "--audience", audience, "--json"]);
    let ended = program.stdin(token).run().await.succeeds();
    assert_eq!(ended.json()["verdict"]["client_id"], "orders");
    assert_eq!(ended.json()["verdict"]["scopes"], serde_json::json!(["read:echo"]));

    let ended = end(child, Signal::INT).await;
    assert_eq!((ended.code, &*ended.stderr), (0, ""), "{ended:?}");
    let (child, _) = started(serve()).await;
    assert_eq!(end(child, Signal::TERM).await.code, 0);
}

#[cfg(unix)]
#[tokio::test]
async fn people_are_told_how_to_get_a_token() {
    let folder = Folder::new();
    let example = Program::new(["serve-issuer", "--example"]).run().await.succeeds();
    let clients = folder.write("clients.json", &example.stdout);
    let args = ["serve-issuer", "--listen", "127.0.0.1:0", "--clients", &clients];
    let mut child = Program::new(args).start().await;
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let mut text = String::new();
    while !text.contains("Ctrl-C") {
        text += &lines.next_line().await.unwrap().unwrap();
        text.push('\n');
    }
    end(child, rustix::process::Signal::TERM).await.succeeds();
    for line in [
        "Serving the issuer http://127.0.0.1:",
        "--client-id orders --client-secret-file - --audience https://echo.example.com\n",
        "  grpc-auth login --issuer http://127.0.0.1:",
        ".audience(\"https://echo.example.com\")\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    // A secret in the file is not repeated.
    assert!(!text.contains("orders-secret"), "{text}");
}

#[tokio::test]
async fn its_tokens_are_made_by_the_clock_on_the_wall_and_live_as_long_as_is_said() {
    let folder = Folder::new();
    let clients = folder.write("c.json", r#"{"clients":[{"id":"a","secret":"b"}]}"#);
    let program = serve().args(["--token-lifetime", "7", "--clients", &clients]);
    let (_child, said) = started(program).await;
    let issuer = said["issuer"].as_str().unwrap();
    let issued_at = async || {
        let program = Program::new(["token", "--no-store", "--json", "--issuer", issuer]);
        let program =
            program.args(["--client-id", "a", "--audience", TestAuthorizationServer::AUDIENCE]);
        let program = program.env("GRPC_AUTH_CLIENT_SECRET", "b");
        let said = program.run().await.succeeds().json();
        assert!(said["expires_in"].as_u64().unwrap() <= 7, "{said}");
        let token = said["access_token"].as_str().unwrap();
        let program = Program::new(["inspect", "--json"]).stdin(token);
        let claims = &program.run().await.succeeds().json()["claims"];
        claims["iat"].as_f64().unwrap()
    };
    let first = issued_at().await;
    let mut tries = 0;
    while issued_at().await <= first {
        tries += 1;
        assert!(tries < 1_000, "the clock stands still");
    }
}

#[tokio::test]
async fn a_client_that_is_not_registered_is_refused() {
    let (_child, said) = started(serve()).await;
    let folder = Folder::new();
    let issuer = said["issuer"].as_str().unwrap();
    let program = Program::new(["token", "--issuer", issuer, "--client-id", "a"]).state(&folder);
    let ended = program.env("GRPC_AUTH_CLIENT_SECRET", "b").run().await;
    ended.fails(4, "`invalid_client`");
}

#[tokio::test]
async fn it_listens_to_this_machine_alone_and_says_what_is_wrong_with_a_file() {
    let folder = Folder::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    let typo = folder.write("typo.json", r#"{"clients":[{"id":"a","secrets":"hunter2"}]}"#);
    let junk = folder.write("junk.json", "hunter2");
    for (args, code, text) in [
        (["--listen", "0.0.0.0:9400"], 2, "write a loopback address, like `127.0.0.1:9400`"),
        (["--listen", "9400"], 2, "write address and port, like `127.0.0.1:8080`"),
        (["--listen", &taken], 1, "help: `--listen 127.0.0.1:0` takes a free port"),
        (["--clients", "/nowhere"], 1, "the client file `/nowhere` cannot be read"),
        (["--clients", &typo], 2, "help: `grpc-auth serve-issuer --example` shows"),
        (["--clients", &junk], 2, "line 1"),
        (["--token-lifetime", "0"], 2, "0 is not in 1.."),
    ] {
        let ended = Program::new(["serve-issuer"]).args(args).run().await.fails(code, text);
        assert!(!ended.stderr.contains("hunter2"), "{ended:?}");
        let program = Program::new(["serve-issuer", "--json"]).args(args);
        program.run().await.fails(code, "").json_error();
    }
    drop(listener);
    let ended = Program::new(["serve-issuer", "--example", "--json"]).run().await.succeeds();
    assert!(ended.json()["clients"].is_array());
}
