//! What a fetch that ends at the wrong moment costs: nothing.

use std::time::UNIX_EPOCH;

use super::*;

const KEYS: &[u8] = br#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Keys of generation 2 that were fetched, and no task that fetches others.
fn fetched() -> KeySource {
    let settings = Arc::new(JwksSettings::default());
    let mut lifecycle = Lifecycle::new(Arc::clone(&settings), at(0));
    lifecycle.begin();
    let held = lifecycle.succeed(at(0), None, true, 0.5);
    let (keys, _) = KeySet::parse(KEYS).unwrap();
    let stale_until = Some(held.stale_until);
    let snapshot = Snapshot { keys: Arc::new(keys), generation: 2, stale_until };
    let refresh = Refresh {
        lifecycle: Mutex::new(lifecycle),
        failure: Mutex::default(),
        settings,
        wake: Notify::new(),
        finished: watch::Sender::new(1),
        settled: watch::Sender::default(),
        listener: Listener::default(),
    };
    let issuer = "https://issuer.example/".into();
    let published = Published::new(snapshot, 2);
    let shared = Shared::new(issuer, published, Clock::system(), Some(refresh));
    KeySource { shared: Arc::new(shared), task: None }
}

#[test]
fn who_looked_at_keys_that_are_no_more_looks_again_before_a_fetch_is_asked_for() {
    let keys = fetched();
    let new = Wanted::Key { kid: "new".into(), issued: None };
    // More often than the issuer may be asked for unknown keys.
    for _ in 0..10 {
        assert!(matches!(keys.need(&new, 1, at(1), None), Missing::LookAgain));
    }
    assert!(matches!(keys.need(&new, 2, at(1), None), Missing::Wait(_)));
}

#[test]
fn who_found_no_keys_looks_again_when_there_are_some() {
    let keys = fetched();
    let need = |now| keys.need(&Wanted::AnyKeys, 2, now, None);
    assert!(matches!(need(at(1)), Missing::LookAgain));
    let stale_until = keys.load(at(1)).unwrap().snapshot().unwrap().stale_until.unwrap();
    assert!(matches!(need(stale_until), Missing::Wait(_)));
}
