//! `grpc-auth token`: for a program of its own.

use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use grpc_auth::testing::{Endpoint, Fault, TestAuthorizationServer};
use serde_json::json;

use crate::inspect::running_issuer;
use crate::program::{Folder, Program};

const SECRET: &str = "s3cret: %&+ ä";

async fn issuer() -> TestAuthorizationServer {
    let issuer = running_issuer().await;
    issuer.add_client("orders", SECRET, ["read:echo", "write:echo"]);
    issuer
}

fn token(issuer: &TestAuthorizationServer, folder: &Folder) -> Program {
    Program::new(["token", "--issuer", issuer.url(), "--client-id", "orders"])
        .args(["--audience", TestAuthorizationServer::AUDIENCE])
        .env("GRPC_AUTH_CLIENT_SECRET", SECRET)
        .state(folder)
}

#[tokio::test]
async fn the_token_is_printed_and_nothing_else_and_kept_for_the_next_time() {
    let (issuer, folder) = (issuer().await, Folder::new());
    let first = token(&issuer, &folder).run().await.succeeds().stdout;
    let second = token(&issuer, &folder).run().await.succeeds().stdout;
    assert_eq!(first, second);
    assert_eq!(issuer.requests(Endpoint::Token), 1);
    let only = first.strip_suffix('\n').unwrap();
    assert!(only.split('.').count() == 3 && !only.contains(char::is_whitespace), "{first}");

    let ended = token(&issuer, &folder).args(["--json"]).run().await.succeeds();
    let said = ended.json();
    assert_eq!((&said["access_token"], &said["kept"]), (&only.into(), &true.into()), "{said}");
    assert_eq!(said["source"], "client_credentials");
    assert!(said["expires_in"].as_u64().unwrap() > 3_500, "{said}");
    assert_eq!(issuer.requests(Endpoint::Token), 1);
}

#[tokio::test]
async fn what_is_asked_for_differently_is_asked_for() {
    let (issuer, folder) = (issuer().await, Folder::new());
    let variants: [&[&str]; 4] = [
        &[],
        &["--scope", "read:echo"],
        &["--scope", "read:echo write:echo"],
        &["--resource", TestAuthorizationServer::AUDIENCE],
    ];
    for (count, args) in (1..).zip(variants) {
        token(&issuer, &folder).args(args.iter().copied()).run().await.succeeds();
        assert_eq!(issuer.requests(Endpoint::Token), count, "{args:?}");
    }
    // The order of scopes, and how they are written, makes no difference.
    let args = ["--scope", "write:echo", "--scope", "read:echo"];
    token(&issuer, &folder).args(args).run().await.succeeds();
    token(&issuer, &folder).env("GRPC_AUTH_SCOPE", "write:echo  read:echo").run().await.succeeds();
    assert_eq!(issuer.requests(Endpoint::Token), 4);
}

/// With the client's id and a wrong secret no token is printed, although one is kept here.
#[tokio::test]
async fn a_token_that_is_kept_is_not_printed_without_the_right_secret() {
    let (issuer, folder) = (issuer().await, Folder::new());
    let kept = token(&issuer, &folder).run().await.succeeds().stdout;
    for wrong in ["", "s3cret", "s3cret: %&+ äx"] {
        let program = token(&issuer, &folder).env("GRPC_AUTH_CLIENT_SECRET", wrong);
        let ended = program.run().await;
        assert!(ended.code != 0 && ended.stdout.is_empty(), "{wrong:?}: {ended:?}");
        assert!(!ended.stderr.contains(kept.trim()), "{ended:?}");
    }
    let program = token(&issuer, &folder).env("GRPC_AUTH_CLIENT_SECRET", "wrong");
    program.run().await.fails(4, "invalid_client");
    // The token is still there for the right one.
    let asked = issuer.requests(Endpoint::Token);
    assert_eq!(token(&issuer, &folder).run().await.succeeds().stdout, kept);
    assert_eq!(issuer.requests(Endpoint::Token), asked);
    // How it is sent makes no difference.
    let program = token(&issuer, &folder).args(["--client-auth", "post"]);
    assert_eq!(program.run().await.succeeds().stdout, kept);
}

#[tokio::test]
async fn a_kept_token_is_passed_over_when_it_is_wished_or_when_it_soon_ends() {
    let (issuer, folder) = (issuer().await, Folder::new());
    let asked = async |args: &[&str]| {
        let before = issuer.requests(Endpoint::Token);
        token(&issuer, &folder).args(args.iter().copied()).run().await.succeeds();
        issuer.requests(Endpoint::Token) - before
    };
    assert_eq!(asked(&["--no-store"]).await, 1);
    assert!(!folder.path("state").exists(), "nothing is kept");
    assert_eq!(asked(&[]).await, 1);
    assert_eq!(asked(&["--no-store"]).await, 1);
    assert_eq!(asked(&["--force-refresh"]).await, 1);
    assert_eq!(asked(&["--min-ttl", "4000"]).await, 1);
    assert_eq!(asked(&[]).await, 0);

    issuer.set_token_lifetime(Duration::from_secs(50));
    assert_eq!(asked(&["--force-refresh"]).await, 1);
    assert_eq!(asked(&[]).await, 1, "it lives for less than a minute");
    assert_eq!(asked(&["--min-ttl", "10"]).await, 0);
}

#[cfg(unix)]
#[tokio::test]
async fn tokens_are_kept_where_their_owner_alone_can_read_them() {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    let (issuer, folder) = (issuer().await, Folder::new());
    token(&issuer, &folder).run().await.succeeds();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&folder.path("state")), 0o700);
    let files = folder.files();
    assert!(!files.is_empty());
    for file in &files {
        assert_eq!(mode(file), 0o600, "{}", file.display());
        let text = fs::read_to_string(file).unwrap();
        assert!(!text.contains(SECRET), "the client's secret is not kept");
    }

    // Whoever opened it to others may have had it stolen, or changed.
    let file = files.iter().find(|file| file.extension().unwrap() == "json").unwrap();
    fs::set_permissions(file, Permissions::from_mode(0o640)).unwrap();
    let ended = token(&issuer, &folder).run().await.fails(1, "(mode 0640): run `chmod 600 ");
    assert_eq!(issuer.requests(Endpoint::Token), 1, "{ended:?}");
    fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap();
    // What cannot be read is no token, and is replaced.
    fs::write(file, "junk").unwrap();
    token(&issuer, &folder).run().await.succeeds();
    token(&issuer, &folder).run().await.succeeds();
    assert_eq!(issuer.requests(Endpoint::Token), 2);
}

#[tokio::test]
async fn a_token_that_cannot_be_kept_is_printed_all_the_same() {
    let issuer = issuer().await;
    let folder = Folder::new();
    let file = folder.write("file", "");
    let program = token(&issuer, &folder).env("GRPC_AUTH_STATE_DIR", format!("{file}/state"));
    let ended = program.run().await;
    assert_eq!(ended.code, 1, "{ended:?}");
    let program = token(&issuer, &folder).env("GRPC_AUTH_STATE_DIR", format!("{file}/state"));
    let ended = program.args(["--no-store"]).run().await.succeeds();
    assert_eq!(ended.stdout.matches('.').count(), 2);
}

#[tokio::test]
async fn a_secret_comes_from_a_file_or_standard_input_or_the_environment() {
    let (issuer, folder) = (issuer().await, Folder::new());
    let file = folder.write("secret", format!("{SECRET}\n"));
    let program = || {
        Program::new(["token", "--no-store", "--issuer", issuer.url(), "--client-id", "orders"])
            .args(["--audience", TestAuthorizationServer::AUDIENCE])
            .state(&folder)
    };
    program().args(["--client-secret-file", &file]).run().await.succeeds();
    program().args(["--client-secret-file", "-"]).stdin(SECRET).run().await.succeeds();
    program().env("GRPC_AUTH_CLIENT_SECRET_FILE", &file).run().await.succeeds();
    program()
        .args(["--client-auth", "post"])
        .env("GRPC_AUTH_CLIENT_SECRET", SECRET)
        .run()
        .await
        .succeeds();
    // The option counts.
    let program = || program().args(["--client-secret-file", &file]);
    program().env("GRPC_AUTH_CLIENT_SECRET", "wrong").run().await.succeeds();
    program().env("AUTH0_CLIENT_SECRET", "wrong").run().await.succeeds();
    let wrong = folder.write("wrong", "hunter2");
    let program = program().args([]).env("GRPC_AUTH_CLIENT_SECRET_FILE", wrong);
    program.run().await.succeeds();
}

#[tokio::test]
async fn the_secret_of_a_tenant_of_auth0_is_sent_nowhere_else() {
    let (issuer, folder) = (issuer().await, Folder::new());
    let program = Program::new(["token", "--issuer", issuer.url(), "--client-id", "orders"])
        .env("AUTH0_CLIENT_SECRET", SECRET)
        .env("AUTH0_DOMAIN", "tenant.eu.auth0.com")
        .state(&folder);
    // Without a secret it is the person's token that is meant.
    program.run().await.fails(6, "there is no login at `http://127.0.0.1:");
    assert_eq!(issuer.requests(Endpoint::Token), 0);
    let program =
        Program::new(["token", "--issuer", issuer.url()]).env("AUTH0_CLIENT_ID", "orders");
    program.state(&folder).run().await.fails(2, "no client is named");
}

#[tokio::test]
async fn a_key_takes_the_place_of_a_secret() {
    let (issuer, folder) = (running_issuer().await, Folder::new());
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref()).unwrap();
    let point = pair.public_key().as_ref();
    let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
    let jwk = json!({ "kty": "EC", "crv": "P-256", "kid": "k1", "x": x, "y": y });
    issuer.add_client_with_keys("billing", json!({ "keys": [jwk] }).to_string(), ["read:echo"]);
    let pem = STANDARD.encode(document.as_ref());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{pem}\n-----END PRIVATE KEY-----\n");
    let file = folder.write("key.pem", &pem);

    let program = Program::new(["token", "--issuer", issuer.url(), "--client-id", "billing"]);
    let program = program.args(["--client-key-file", &file, "--client-key-id", "k1"]);
    program.state(&folder).run().await.succeeds();

    let junk = folder.write("junk.pem", "hunter2");
    let program = Program::new(["token", "--issuer", issuer.url(), "--client-id", "billing"]);
    let ended = program.args(["--client-key-file", &junk]).state(&folder).run().await;
    assert!(!ended.fails(2, "the client's private key cannot be used").stderr.contains("hunter2"));
}

#[tokio::test]
async fn each_refusal_says_whose_fault_it_is_and_what_to_do() {
    let (issuer, folder) = (issuer().await, Folder::new());
    let wrong = token(&issuer, &folder).env("GRPC_AUTH_CLIENT_SECRET", "hunter2");
    wrong.run().await.fails(4, "`invalid_client`");
    let more = token(&issuer, &folder).args(["--scope", "admin:all"]);
    more.run().await.fails(4, "the client may not be granted one of the scopes");
    let ended = token(&issuer, &folder).args(["--scope", "admin:all", "--json"]).run().await;
    let error = ended.fails(4, "").json_error();
    assert!(error["error"].as_str().unwrap().contains("`invalid_scope`"), "{error}");

    issuer.fail(Endpoint::Token, Fault::Status(503));
    token(&issuer, &folder).run().await.fails(5, "because ");
    issuer.heal();
    let endpoint = issuer.token_endpoint();
    let gone = issuer.url().to_owned();
    let program = Program::new(["token", "--token-endpoint", &endpoint, "--client-id", "orders"]);
    program.env("GRPC_AUTH_CLIENT_SECRET", SECRET).state(&folder).run().await.succeeds();
    drop(issuer);
    let program = Program::new(["token", "--issuer", &gone, "--client-id", "orders"]);
    let program = program.env("GRPC_AUTH_CLIENT_SECRET", SECRET).state(&folder);
    program.run().await.fails(5, "the authorization server cannot be asked");
}

#[tokio::test]
async fn a_command_line_that_cannot_work_is_refused_with_what_to_write() {
    let folder = Folder::new();
    let fails = async |args: &[&str], code, text| {
        let program = || Program::new(["token"]).args(args.iter().copied()).state(&folder);
        program().args(["--json"]).run().await.fails(code, "").json_error();
        program().run().await.fails(code, text)
    };
    let url = "https://issuer.example.com/";
    fails(&[], 2, "help: write `--issuer https://issuer.example.com/` (GRPC_AUTH_ISSUER)").await;
    fails(&["--issuer", url], 2, "help: write `--client-id` (GRPC_AUTH_CLIENT_ID)").await;
    fails(&["--issuer", url, "--auth0-domain", "a"], 2, "cannot be used with").await;
    fails(&["--issuer", url, "--token-endpoint", url], 2, "cannot be used with").await;
    let client = ["--client-id", "orders"];
    let with = |more: &[&'static str]| [&["--issuer", url], &client[..], more].concat();
    fails(&with(&["--client-secret-file", "/nowhere"]), 1, "the client secret cannot be read")
        .await;
    fails(&with(&["--client-secret-file", "-"]), 2, "there is no client secret in standard input")
        .await;
    fails(&with(&["--client-key-id", "k"]), 2, "--client-key-file").await;
    fails(&with(&["--min-ttl", "soon"]), 2, "invalid value 'soon'").await;
    fails(&with(&[]), 6, "help: run `grpc-auth login` with the same options").await;
    fails(&["--auth0-domain", "https://a/", "--client-id", "a"], 2, "is not a host name").await;
    fails(&["--issuer", "http://a.example/", "--client-id", "a"], 2, "is not https").await;
}
