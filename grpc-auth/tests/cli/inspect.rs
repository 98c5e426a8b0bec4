//! `grpc-auth inspect`: what it shows, and what it says of tokens that are accepted.

use grpc_auth::Algorithm;
use grpc_auth::testing::{Endpoint, Fault, ManualClock, TestAuthorizationServer};
use serde_json::{Value, json};

use crate::program::{Folder, Program};

pub(crate) async fn running_issuer() -> TestAuthorizationServer {
    TestAuthorizationServer::start_with_clock(ManualClock::running()).await.unwrap()
}

pub(crate) fn judged_by(issuer: &TestAuthorizationServer) -> Program {
    let audience = TestAuthorizationServer::AUDIENCE;
    Program::new(["inspect", "--issuer", issuer.url(), "--audience", audience])
}

#[tokio::test]
async fn a_token_that_a_service_believes_is_believed() {
    let issuer = running_issuer().await;
    let token = issuer.token().subject("alice").scopes(["write:echo", "read:echo"]).sign();

    let ended = judged_by(&issuer).stdin(&token).run().await.succeeds();
    assert!(ended.stdout.contains("\nVerdict  accepted\n"), "{}", ended.stdout);
    for line in ["  subject   alice\n", "  grants    read:echo, write:echo\n"] {
        assert!(ended.stdout.contains(line), "{}", ended.stdout);
    }
    assert!(ended.stdout.contains(", in 59 minutes)\n"), "{}", ended.stdout);

    let ended = judged_by(&issuer).args(["--json"]).stdin(&token).run().await.succeeds();
    let verdict = &ended.json()["verdict"];
    assert_eq!(verdict["outcome"], "accepted");
    assert_eq!(verdict["subject"], "alice");
    assert_eq!(verdict["scopes"], json!(["read:echo", "write:echo"]));
}

/// RFC 9864; no `kid`; longer than a service accepts unless it is configured.
#[tokio::test]
async fn a_token_is_judged_by_the_settings_of_the_service() {
    let issuer = running_issuer().await;
    let token = || issuer.token().subject("alice");
    let fully_specified = token().algorithm(Algorithm::EdDsa).header("alg", "Ed25519").sign();
    judged_by(&issuer).stdin(fully_specified).run().await.succeeds();
    let long = token().claim("groups", "x".repeat(20_000)).sign();
    for (option, token) in [
        (&["--allow-missing-key-id"][..], token().without_key_id().sign()),
        (&["--max-token-bytes", "30000"], long),
    ] {
        assert_eq!(judged_by(&issuer).stdin(&token).run().await.code, 3, "{option:?}");
        let program = judged_by(&issuer).args(option.iter().copied());
        program.stdin(token).run().await.succeeds();
    }
    let program = judged_by(&issuer).args(["--allow-missing-key-id"]);
    let forged = token().without_key_id().sign_with_wrong_key();
    assert_eq!(program.stdin(forged).run().await.code, 3);
    let program = judged_by(&issuer).args(["--max-token-bytes", "70000"]).stdin(token().sign());
    program.run().await.fails(2, "write at least 1,024 and at most 65,536");
}

#[tokio::test]
async fn the_signature_is_never_shown() {
    let issuer = running_issuer().await;
    let token = issuer.token().sign();
    let signature = token.rsplit('.').next().unwrap();
    for args in [&["--json"][..], &[]] {
        for program in [Program::new(["inspect"]), judged_by(&issuer)] {
            let ended = program.args(args.iter().copied()).stdin(&token).run().await.succeeds();
            assert!(!ended.everything().contains(signature), "{ended:?}");
            assert!(!ended.everything().contains(&token));
        }
    }
}

#[tokio::test]
async fn without_an_issuer_nothing_is_verified_and_that_is_said() {
    let issuer = running_issuer().await;
    let token = issuer.token().subject("alice").sign_with_wrong_key();
    let ended = Program::new(["inspect"]).stdin(&token).run().await.succeeds();
    assert!(
        ended.stdout.contains("Verdict  not judged\n  Nothing was verified"),
        "{}",
        ended.stdout
    );
    let ended = Program::new(["inspect", "--json"]).stdin(&token).run().await.succeeds();
    assert_eq!(ended.json()["verdict"], json!({ "outcome": "not-judged" }));
    assert_eq!(ended.json()["claims"]["sub"], "alice");
    assert_eq!(issuer.requests(Endpoint::Jwks), 0);
}

#[tokio::test]
async fn a_token_comes_from_a_file_or_a_header_too() {
    let issuer = running_issuer().await;
    let folder = Folder::new();
    let token = issuer.token().sign();
    let file = folder.write("token.txt", format!("{token}\n"));
    judged_by(&issuer).arg(&file).run().await.succeeds();
    for text in [format!("Bearer {token}"), format!(" authorization: bearer {token}\r\n")] {
        judged_by(&issuer).arg("-").stdin(text).run().await.succeeds();
    }
    let missing = folder.path("missing.txt");
    judged_by(&issuer).arg(missing).run().await.fails(1, "because No such file");
    judged_by(&issuer).stdin(" \n").run().await.fails(2, "there is no token in standard input");
}

#[tokio::test]
async fn keys_may_come_from_a_file_and_nobody_is_asked() {
    let issuer = running_issuer().await;
    let folder = Folder::new();
    let keys = folder.write("jwks.json", issuer.jwks());
    let token = issuer.token().sign();
    let offline = || judged_by(&issuer).args(["--jwks", &keys]);
    offline().stdin(&token).run().await.succeeds();
    assert_eq!(issuer.requests(Endpoint::Jwks), 0);
    let forged = offline().stdin(issuer.token().sign_with_wrong_key()).run().await;
    assert_eq!(forged.code, 3, "{forged:?}");

    let broken = folder.write("broken.json", "{}");
    let program = judged_by(&issuer).args(["--jwks", &broken]).stdin(&token);
    program.run().await.fails(2, "the key set given for the issuer");
    let program = judged_by(&issuer).args(["--jwks", "/nowhere"]).stdin(&token);
    program.run().await.fails(1, "the key set cannot be read from the file `/nowhere`");
}

#[tokio::test]
async fn an_issuer_that_cannot_be_asked_is_no_verdict_on_the_token() {
    let issuer = running_issuer().await;
    issuer.fail(Endpoint::Jwks, Fault::Status(503));
    let token = issuer.token().sign();
    let ended = judged_by(&issuer).stdin(&token).run().await;
    assert_eq!((ended.code, &*ended.stderr), (5, ""), "{ended:?}");
    assert!(ended.stdout.contains("Verdict  unknown (keys-unavailable)"), "{}", ended.stdout);
    assert!(ended.stdout.contains("The key set could not be fetched: "), "{}", ended.stdout);
    assert!(ended.stdout.contains("503"), "{}", ended.stdout);
    let ended = judged_by(&issuer).args(["--json"]).stdin(&token).run().await;
    assert_eq!(ended.json()["verdict"]["outcome"], "unknown");
}

#[tokio::test]
async fn settings_come_from_the_environment_where_no_option_says_otherwise() {
    let issuer = running_issuer().await;
    let token = issuer.token().sign();
    let program = || {
        Program::new(["inspect"])
            .env("GRPC_AUTH_ISSUER", issuer.url())
            .env("GRPC_AUTH_AUDIENCE", TestAuthorizationServer::AUDIENCE)
            .stdin(&token)
    };
    program().run().await.succeeds();
    let ended = program().args(["--audience", "https://other.example.com"]).run().await;
    assert_eq!(ended.code, 3, "{ended:?}");

    // What belongs to a tenant of Auth0 does not count for another issuer.
    let program = Program::new(["inspect", "--issuer", issuer.url()])
        .env("AUTH0_AUDIENCE", TestAuthorizationServer::AUDIENCE)
        .stdin(&token);
    program.run().await.fails(2, "no audience is named");
}

#[tokio::test]
async fn a_command_line_that_says_nothing_is_refused_with_what_is_missing() {
    let inspect = |args: &'static [&str]| Program::new(["inspect"]).args(args.iter().copied());
    let fails = async |args, text| inspect(args).stdin("a.b.c").run().await.fails(2, text);
    fails(&["--audience", "a"], "`--audience` says nothing without an issuer").await;
    fails(&["--jwks", "a"], "`--jwks` says nothing without an issuer").await;
    fails(&["--issuer", "https://a/"], "help: write `--audience`").await;
    fails(&["--issuer", "a", "--audience", "b"], "its metadata cannot be discovered").await;
    fails(&["--issuer", "http://a.example/", "--audience", "b"], "is not https").await;
    fails(&["--issuer", "a", "--auth0-domain", "b"], "cannot be used with").await;
    fails(
        &["--issuer", "https://a/", "--audience", "b", "--provider", "okta"],
        "write it like `https",
    )
    .await;
    fails(&["--issuer", "https://a/", "--audience", "b", "--leeway", "301"], "more than 300 s")
        .await;
    let ended = fails(&["--issuer", "https://a/", "--json"], "").await;
    assert_eq!(
        ended.json_error()["error"],
        "no audience is named: tokens for other services would pass"
    );
}

#[tokio::test]
async fn tokens_of_auth0_are_judged_as_auth0_makes_them() {
    let issuer = running_issuer().await;
    let folder = Folder::new();
    let keys = folder.write("jwks.json", issuer.jwks());
    let token = issuer
        .token()
        .header("typ", "JWT")
        .claim("iss", "https://tenant.eu.auth0.com/")
        .claim("permissions", ["read:echo"])
        .sign();
    let program = || {
        Program::new(["inspect", "--jwks", &keys])
            .env("AUTH0_DOMAIN", "tenant.eu.auth0.com")
            .env("AUTH0_AUDIENCE", TestAuthorizationServer::AUDIENCE)
    };
    let ended = program().stdin(&token).run().await.succeeds();
    assert!(ended.stdout.contains("  grants    read:echo\n"), "{}", ended.stdout);
    // And opaque ones are explained as Auth0 makes those.
    let ended = program().stdin("opaque").run().await;
    assert!(
        ended.stdout.contains("when the request for the token names no `audience`"),
        "{ended:?}"
    );

    let audience = TestAuthorizationServer::AUDIENCE;
    let program = Program::new(["inspect", "--jwks", &keys, "--audience", audience]);
    let ended =
        program.args(["--issuer", "https://tenant.eu.auth0.com/"]).stdin(&token).run().await;
    assert_eq!(ended.code, 3);
    assert!(ended.stdout.contains("Here: `--accept-type`, or `--provider`"), "{}", ended.stdout);
}

#[tokio::test]
async fn what_a_stranger_wrote_does_nothing_to_the_terminal() {
    let issuer = running_issuer().await;
    let evil = "\u{1b}]0;pwned\u{7}\u{1b}[2J\u{9b}31m\u{202e}\r\n";
    let of = |header: bool| {
        let token = issuer.token().subject(evil).claim(evil, [evil]).claim("iss", evil);
        if header { token.header("kid", evil).header(evil, evil) } else { token }
    };
    let harmless = |text: &str| {
        let is_harmless = |c: char| c == '\n' || !c.is_control() && c != '\u{202e}';
        assert!(text.chars().all(is_harmless), "{text:?}");
    };
    for token in [of(true).sign(), of(false).sign(), format!("\u{1b}[2J{evil}.{evil}.{evil}")] {
        for args in [&["--json"][..], &[]] {
            let program = judged_by(&issuer).args(args.iter().copied());
            let ended = program.stdin(&token).run().await;
            assert_eq!(ended.code, 3, "{ended:?}");
            harmless(&ended.everything());
            let ended =
                Program::new(["inspect"]).args(args.iter().copied()).stdin(&token).run().await;
            harmless(&ended.succeeds().everything());
        }
    }
    // It is still there to be read.
    let ended = Program::new(["inspect", "--json"]).stdin(of(true).sign()).run().await;
    let shown: Value = ended.json();
    assert_eq!(shown["claims"]["sub"], evil);
    assert_eq!(shown["header"]["kid"], evil);
    // File names and texts of errors are strangers' too.
    harmless(&Program::new(["inspect"]).arg(evil).run().await.fails(1, "cannot be read").stderr);
}

#[tokio::test]
async fn what_is_no_jwt_is_shown_as_far_as_it_can_be_read() {
    let inspect = async |token: &str| {
        let ended = Program::new(["inspect"]).stdin(token).run().await.succeeds();
        Program::new(["inspect", "--json"]).stdin(token).run().await.succeeds().json();
        ended.stdout
    };
    assert!(inspect("opaque").await.contains("It is opaque: nothing can be read in it"));
    assert!(inspect("e30.e30").await.contains("Signature  none"));
    assert!(inspect("e30.e30.").await.contains("Signature  empty"));
    assert!(inspect("e30.!.c2ln").await.contains("(unreadable: it is not base64url)"));
    assert!(inspect("e30.W10.c2ln").await.contains("(unreadable: it is not a JSON object)"));
    assert!(inspect("e30.e3.c2ln").await.contains("(unreadable: it is not valid JSON"));
    assert!(inspect("e30.a.b.c.d").await.contains("(unreadable: it is encrypted (JWE))"));
    let far = "e30.eyJleHAiOjFlMzAwfQ.c2ln";
    assert!(inspect(far).await.contains("  exp  1e+300\n"));
    Program::new(["inspect"]).stdin("a".repeat(70_000)).run().await.fails(2, "it is over 64 KiB");
}
