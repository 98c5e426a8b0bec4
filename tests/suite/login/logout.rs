//! The end of a login.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use grpc_auth::login::LogoutOutcome;
use serde_json::{Value, json};

use super::store::{Directory, log_in};
use super::{CLIENT, Kit};

#[tokio::test]
async fn both_tokens_are_revoked_and_the_file_is_gone() {
    let (kit, directory) = (Kit::start().await, Directory::new());
    let login = log_in(&kit, &directory).await;
    assert!(matches!(login.log_out().await.unwrap(), LogoutOutcome::Revoked));
    let forms = kit.server.forms("/revoke");
    let revoked: Vec<_> = forms.iter().map(|form| (&*form["token"], &*form["client_id"])).collect();
    assert_eq!(revoked, [("rt-1", CLIENT), ("at-1", CLIENT)]);
    assert!(login.load().await.unwrap().is_none());
    assert!(matches!(login.log_out().await.unwrap(), LogoutOutcome::NotLoggedIn));
    assert_eq!(kit.server.forms("/revoke").len(), 2);
}

#[tokio::test]
async fn the_file_goes_also_if_nothing_is_revoked_and_that_is_said() {
    let revoking = |kit: &Kit, status: u16, error: &str| {
        let body = json!({ "error": error });
        kit.server.on("/revoke", move |_| (status, body.clone()));
    };
    for (status, error, reason) in [
        (503, "", "cannot be asked"),
        (401, "invalid_client", "`invalid_client`"),
        (400, "unsupported_token_type", "`unsupported_token_type`"),
    ] {
        let (kit, directory) = (Kit::start().await, Directory::new());
        let login = log_in(&kit, &directory).await;
        revoking(&kit, status, error);
        let LogoutOutcome::NotRevoked(error) = login.log_out().await.unwrap() else {
            panic!("{error}")
        };
        assert!(error.to_string().contains(reason), "{error}");
        assert!(login.load().await.unwrap().is_none());
    }
    let (kit, directory) = (Kit::start().await, Directory::new());
    let login = log_in(&kit, &directory).await;
    kit.server.say("revocation_endpoint", Value::Null);
    assert!(matches!(login.log_out().await.unwrap(), LogoutOutcome::NotRevocable));
    assert!(login.load().await.unwrap().is_none());
}

#[tokio::test]
async fn a_server_that_revokes_refresh_tokens_alone_has_ended_the_login() {
    let (kit, directory) = (Kit::start().await, Directory::new());
    let login = log_in(&kit, &directory).await;
    kit.server.on("/revoke", |form| match form["token"].starts_with("rt-") {
        true => (200, Value::Null),
        false => (400, json!({ "error": "unsupported_token_type" })),
    });
    assert!(matches!(login.log_out().await.unwrap(), LogoutOutcome::Revoked));
}

#[tokio::test]
async fn a_file_that_cannot_be_read_goes_too() {
    for spoil in [
        |path: &std::path::Path| fs::write(path, "{").unwrap(),
        |path: &std::path::Path| {
            fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
        },
    ] {
        let (kit, directory) = (Kit::start().await, Directory::new());
        let login = log_in(&kit, &directory).await;
        spoil(&directory.file());
        let LogoutOutcome::NotRevoked(error) = login.log_out().await.unwrap() else { panic!() };
        assert!(error.to_string().contains(".json`"), "{error}");
        assert!(login.load().await.unwrap().is_none());
        assert!(kit.server.forms("/revoke").is_empty());
    }
}
