//! Nothing secret in arguments, output, errors, help or files with a wider mode.

use grpc_auth::testing::{Endpoint, Fault, TestAuthorizationServer};

use crate::doctor::{answering, protected_health};
use crate::inspect::running_issuer;
use crate::program::{Folder, Program};

const CANARY: &str = "canary-7f3d-secret";

#[tokio::test]
async fn a_secret_as_an_argument_is_refused_and_not_repeated() {
    let folder = Folder::new();
    let url = ["--issuer", "http://127.0.0.1:1/", "--client-id", "orders"];
    for command in ["token", "login", "logout"] {
        for args in [
            vec!["--client-secret", CANARY],
            vec![concat!("--client-secret=", "canary-7f3d-secret")],
            vec!["--client-secret"],
        ] {
            for json in [&["--json"][..], &[]] {
                let program = Program::new([command]).args(url).args(args.iter().copied());
                let ended = program.args(json.iter().copied()).state(&folder).run().await;
                let ended = ended.fails(2, "`--client-secret` is not taken");
                assert!(ended.stderr.contains("--client-secret-file"), "{ended:?}");
                assert!(!ended.stderr.contains(CANARY), "{ended:?}");
            }
        }
    }
}

#[tokio::test]
async fn what_stands_where_nothing_is_expected_is_not_repeated() {
    let token = TestAuthorizationServer::start().await.unwrap().token().sign();
    for command in ["token", "login", "logout", "serve-issuer"] {
        for (secret, json) in [(CANARY, false), (CANARY, true), (&token, false), (&token, true)] {
            let program = Program::new([command, secret]);
            let program = if json { program.args(["--json"]) } else { program };
            let ended = program.run().await.fails(2, "not repeated: it may be a secret");
            assert!(!ended.everything().contains(secret), "{ended:?}");
        }
    }
    for args in [vec![&*token], vec!["--json", &token], vec!["token", &*format!("--{token}")]] {
        let ended = Program::new(args).run().await.fails(2, "not repeated: it may be a secret");
        assert!(!ended.everything().contains(&token), "{ended:?}");
    }
    Program::new(["tokn"]).run().await.fails(2, "a similar subcommand exists: 'token'");
    Program::new(["token", "--scoop"]).run().await.fails(2, "a similar argument exists: '--scope'");
    for args in [vec!["inspect", &token], vec!["inspect", "--json", &token]] {
        let ended = Program::new(args).run().await.fails(2, "a token is not taken as an argument");
        assert!(!ended.everything().contains(&token), "{ended:?}");
    }
}

/// Everything that a client's secret takes part in, with what comes of it.
#[tokio::test]
async fn no_run_shows_a_secret_or_writes_it_to_a_file() {
    let (issuer, folder) = (running_issuer().await, Folder::new());
    issuer.add_client("orders", CANARY, ["read:echo"]);
    let secret_file = folder.write("secret", CANARY);
    let faults = [
        None,
        Some(Fault::Status(401)),
        Some(Fault::Status(503)),
        Some(Fault::Html),
        Some(Fault::Empty),
        Some(Fault::Truncated),
        Some(Fault::Refuse),
    ];
    for fault in faults {
        issuer.heal();
        if let Some(fault) = fault {
            issuer.fail(Endpoint::Token, fault);
        }
        for (args, environment, stdin) in [
            (vec!["--client-secret-file", &*secret_file], "X", ""),
            (vec!["--client-secret-file", "-"], "X", CANARY),
            (vec![], "GRPC_AUTH_CLIENT_SECRET", ""),
            (vec!["--scope", "admin:all"], "GRPC_AUTH_CLIENT_SECRET", ""),
            (vec!["--force-refresh"], "GRPC_AUTH_CLIENT_SECRET", ""),
            (vec!["--login"], "GRPC_AUTH_CLIENT_SECRET", ""),
        ] {
            let program =
                Program::new(["token", "--issuer", issuer.url(), "--client-id", "orders"])
                    .args(args)
                    .env(environment, CANARY)
                    .env("RUST_BACKTRACE", "1")
                    .env("RUST_LOG", "trace")
                    .state(&folder)
                    .stdin(stdin);
            let ended = program.run().await;
            assert!(!ended.everything().contains(CANARY), "{fault:?}: {ended:?}");
        }
    }
    // A server that repeats what it was sent.
    issuer.heal();
    let repeated = format!(r#"{{"error":"invalid_client","error_description":"no: {CANARY}"}}"#);
    issuer.set_token_response(Some((401, repeated)));
    let program = Program::new(["token", "--force-refresh", "--issuer", issuer.url()]);
    let program = program.args(["--client-id", "orders"]).env("GRPC_AUTH_CLIENT_SECRET", CANARY);
    let ended = program.state(&folder).run().await.fails(4, "`invalid_client`");
    assert!(!ended.stderr.contains(CANARY), "{ended:?}");

    for file in folder.files().iter().filter(|file| **file != folder.path("secret")) {
        let bytes = std::fs::read(file).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(CANARY), "{}", file.display());
    }
}

/// Whatever the server makes of it, and also if it repeats it.
#[tokio::test]
async fn the_doctors_token_is_shown_nowhere() {
    let (issuer, folder) = (running_issuer().await, Folder::new());
    let token = issuer.token().subject(CANARY).sign();
    let file = folder.write("token", &token);
    let repeated = format!("HTTP/1.1 401 {token}\r\nserver: {token}\r\n\r\n");
    let ports =
        [protected_health(&issuer).await, answering(Box::leak(repeated.into_boxed_str())).await, 1];
    for (scheme, port) in
        [("http", ports[0]), ("https", ports[0]), ("http", ports[1]), ("http", ports[2])]
    {
        for (json, stdin) in [(true, false), (false, true)] {
            let endpoint = format!("{scheme}://127.0.0.1:{port}");
            let from = if stdin { "-" } else { &*file };
            let program = Program::new(["doctor", &endpoint, "--token-file", from]);
            let program = program.args(if json { &["--json"][..] } else { &[] }.iter().copied());
            let program = program.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "1");
            let ended = program.stdin(if stdin { &*token } else { "" }).run().await;
            let all = ended.everything();
            assert!(all.contains("127.0.0.1"), "{ended:?}");
            for part in token.split('.').chain([&*token, CANARY]) {
                assert!(!all.contains(part), "{part} in {all}");
            }
        }
    }
}

#[tokio::test]
async fn no_help_offers_an_argument_for_a_secret_or_shows_the_environment() {
    for command in ["token", "login", "logout", "inspect", "doctor", "serve-issuer"] {
        let program = Program::new([command, "--help"])
            .env("GRPC_AUTH_CLIENT_SECRET", CANARY)
            .env("AUTH0_CLIENT_SECRET", CANARY);
        let help = program.run().await.succeeds().stdout;
        assert!(!help.contains(CANARY));
        let options = help.split_whitespace().filter(|word| word.starts_with("--"));
        for option in options {
            assert!(!matches!(option, "--client-secret" | "--token" | "--password"), "{option}");
        }
    }
}
