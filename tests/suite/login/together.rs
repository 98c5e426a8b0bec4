//! Several processes with one login.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use tests::told;

use super::store::{Directory, log_in};
use super::{Kit, in_time};

#[tokio::test]
async fn two_that_renew_at_the_same_time_use_the_refresh_token_once() {
    let (kit, directory) = (Kit::start().await, Directory::new());
    let login = log_in(&kit, &directory).await;
    let (one, other) = (login.load().await.unwrap(), login.load().await.unwrap());
    let (one, other) = (one.unwrap().tokens(), other.unwrap().tokens());
    for number in 2..6 {
        kit.clock.advance(Duration::from_secs(601));
        let both = async { tokio::join!(one.token(), other.token()) };
        let (first, second) = in_time(both).await;
        let expected = format!("at-{number}");
        assert_eq!(first.unwrap().token().expose_secret(), expected);
        assert_eq!(second.unwrap().token().expose_secret(), expected);
        assert_eq!(kit.server.forms("/token").len(), number);
    }
}

#[tokio::test]
async fn what_another_process_renewed_is_read_instead_of_asked_for() {
    let (kit, directory) = (Kit::start().await, Directory::new());
    let login = log_in(&kit, &directory).await;
    let here = login.load().await.unwrap().unwrap().tokens();
    here.token().await.unwrap();
    kit.clock.advance(Duration::from_secs(601));
    login.load().await.unwrap().unwrap().tokens().token().await.unwrap();
    let before = kit.server.requests();
    assert_eq!(here.token().await.unwrap().token().expose_secret(), "at-2");
    assert_eq!(kit.server.requests(), before);
}

#[tokio::test]
async fn a_login_that_another_process_ended_is_over_here_too() {
    let (kit, directory) = (Kit::start().await, Directory::new());
    let login = log_in(&kit, &directory).await;
    let here = login.load().await.unwrap().unwrap().tokens();
    let _ = login.log_out().await.unwrap();
    kit.clock.advance(Duration::from_secs(601));
    let error = here.token().await.unwrap_err();
    assert!(error.is_permanent() && error.to_string().contains("logged out meanwhile"), "{error}");
    assert!(kit.server.forms("/token").iter().all(|form| form["grant_type"] != "refresh_token"));
}

/// A program that says for whom it acts does not go on with the tokens of another person.
#[tokio::test]
async fn a_login_that_somebody_else_replaced_is_not_continued_with_their_tokens() {
    let (kit, directory) = (Kit::start().await, Directory::new());
    let login = log_in(&kit, &directory).await;
    let here = login.load().await.unwrap().unwrap();
    assert_eq!(here.subject(), Some("alice"));

    let server = kit.server.clone();
    kit.server.on("/token", move |form| {
        let (status, mut answer) = server.grant(form);
        answer["id_token"] = server.id_token(&json!({ "sub": "bob" })).into();
        (status, answer)
    });
    let login = log_in(&kit, &directory).await;
    kit.clock.advance(Duration::from_secs(601));
    let error = here.tokens().token().await.unwrap_err();
    assert!(error.is_permanent() && error.to_string().contains("another person"), "{error}");
    assert!(kit.server.forms("/token").iter().all(|form| form["grant_type"] != "refresh_token"));

    let now = login.load().await.unwrap().unwrap();
    assert_eq!(now.subject(), Some("bob"));
    now.tokens().token().await.unwrap();
}

/// Where a directory keeps logins from being stored: under the temporary name, it cannot be removed
/// as a file.
fn in_the_way(directory: &Directory) -> PathBuf {
    directory.file().with_extension("new")
}

#[tokio::test]
async fn a_renewed_login_that_cannot_be_stored_lives_on_and_is_stored_later() {
    let (kit, directory) = (Kit::start().await, Directory::new());
    let login = log_in(&kit, &directory).await;
    let tokens = login.load().await.unwrap().unwrap().tokens();
    let in_the_way = in_the_way(&directory);
    fs::create_dir(&in_the_way).unwrap();
    for number in 2..4 {
        kit.clock.advance(Duration::from_secs(601));
        let token = tokens.token().await.unwrap();
        assert_eq!(token.token().expose_secret(), format!("at-{number}"));
    }
    assert!(fs::read_to_string(directory.file()).unwrap().contains("rt-1"));
    fs::remove_dir(in_the_way).unwrap();
    kit.clock.advance(Duration::from_secs(601));
    tokens.token().await.unwrap();
    assert!(fs::read_to_string(directory.file()).unwrap().contains("rt-4"));
}

#[tokio::test]
async fn whoever_asks_may_go_away_and_the_rotated_token_is_kept() {
    let (kit, directory) = (Kit::start().await, Directory::new());
    let login = log_in(&kit, &directory).await;
    let tokens = login.load().await.unwrap().unwrap().tokens();
    kit.clock.advance(Duration::from_secs(601));
    let asking = tokio::spawn(async move { tokens.token().await });
    in_time(async {
        while kit.server.forms("/token").len() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    asking.abort();
    in_time(async {
        while !fs::read_to_string(directory.file()).unwrap().contains("rt-2") {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_process_that_does_not_let_go_is_not_waited_for_for_ever() {
    let (kit, directory) = (Kit::start().await, Directory::new());
    let login = log_in(&kit, &directory).await;
    let lock = fs::File::open(directory.file().with_extension("lock")).unwrap();
    fs4::FileExt::lock(&lock).unwrap();
    kit.clock.advance(Duration::from_secs(601));
    let tokens = login.load().await.unwrap().unwrap().tokens();
    let waiting = tokio::spawn(async move { tokens.token().await });
    let error = in_time(async {
        while !waiting.is_finished() {
            kit.clock.advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
        waiting.await.unwrap().unwrap_err()
    })
    .await;
    let error = told(&error);
    assert!(error.contains("another process holds"), "{error}");
    assert_eq!(kit.server.forms("/token").len(), 1);
    // Nor does a thread go on to wait: there would be one more with each attempt.
    let this = format!(":{} ", lock.metadata().unwrap().ino());
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    assert!(!locks.lines().any(|line| line.contains("->") && line.contains(&this)), "{locks}");
    drop(lock);
    kit.clock.advance(Duration::from_secs(30));
    in_time(login.load().await.unwrap().unwrap().tokens().token()).await.unwrap();
}

#[tokio::test]
async fn a_file_that_was_opened_to_others_meanwhile_is_not_renewed() {
    let (kit, directory) = (Kit::start().await, Directory::new());
    let login = log_in(&kit, &directory).await;
    let tokens = login.load().await.unwrap().unwrap().tokens();
    fs::set_permissions(directory.file(), fs::Permissions::from_mode(0o644)).unwrap();
    kit.clock.advance(Duration::from_secs(601));
    let error = told(&tokens.token().await.unwrap_err());
    assert!(error.contains("chmod 600"), "{error}");
}

/// It cannot be stored, before and after another login that could: what was used of that one is not
/// used again.
#[tokio::test]
async fn what_could_not_be_stored_twice_takes_no_refresh_token_for_another() {
    let (kit, directory) = (Kit::start().await, Directory::new());
    let login = log_in(&kit, &directory).await;
    let tokens = login.load().await.unwrap().unwrap().tokens();
    let in_the_way = in_the_way(&directory);
    let renewed = async |number: usize| {
        kit.clock.advance(Duration::from_secs(601));
        let token = tokens.token().await.unwrap();
        assert_eq!(token.token().expose_secret(), format!("at-{number}"));
    };
    fs::create_dir(&in_the_way).unwrap();
    renewed(2).await;
    fs::remove_dir(&in_the_way).unwrap();
    let _ = log_in(&kit, &directory).await;
    assert!(fs::read_to_string(directory.file()).unwrap().contains("rt-3"));
    fs::create_dir(&in_the_way).unwrap();
    renewed(4).await;
    renewed(5).await;
    fs::remove_dir(&in_the_way).unwrap();
    renewed(6).await;
    assert!(fs::read_to_string(directory.file()).unwrap().contains("rt-6"));
}
