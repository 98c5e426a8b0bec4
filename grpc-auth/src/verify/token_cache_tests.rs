//! What is remembered, what is displaced, and what never gets in.

use std::time::UNIX_EPOCH;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::issuer::Issuer;
use crate::jwks::set::KeySet;
use crate::jwks::source::KeySource;
use crate::token::bearer::BearerToken;
use crate::token::key_set_version::Standing;
use crate::token::principal::{Facts, Grants, Validity};
use crate::verify::trusted_issuer::TrustedIssuer;

const JWKS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// Keys of generation 1.
fn issuers() -> Vec<TrustedIssuer> {
    let (keys, _) = KeySet::parse(JWKS.as_bytes()).unwrap();
    let issuer = Issuer::static_keys("https://issuer.example/", JWKS);
    vec![TrustedIssuer::new(issuer, KeySource::given("https://issuer.example/", keys), &mut vec![])]
}

/// With the keys of generation 1.
fn valid() -> Validity {
    Validity { deadline: at(100), issuer: 0, standing: Standing::of(1) }
}

fn verified(token: &str, subject: &str, validity: Validity) -> Principal {
    let facts = Facts {
        issuer: "i".into(),
        subject: Some(subject.into()),
        client_id: None,
        grants: Grants::default(),
        expires_at: 1e9,
        confirmation: None,
        claims: Box::default(),
    };
    Principal::verified(facts, Some(validity), BearerToken::parse(token))
}

/// Different in its tail, as signatures are.
fn token(n: usize) -> String {
    let signature = digest::digest(&digest::SHA512, &n.to_be_bytes());
    format!("header.claims.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

struct Table(VerifiedTokens, Vec<TrustedIssuer>);

impl Table {
    fn new(settings: TokenCache) -> Self {
        Self(VerifiedTokens::new(settings), issuers())
    }

    /// Twice, so that it is kept.
    fn insert(&self, n: usize) {
        for _ in 0..2 {
            self.0.insert(&verified(&token(n), &n.to_string(), valid()));
        }
    }

    fn find(&self, n: usize) -> bool {
        let found = self.0.find(token(n).as_bytes(), at(0), &self.1);
        // Never another caller's.
        found.is_some_and(|found| found.subject() == Some(&*n.to_string()))
    }

    fn bytes(&self) -> usize {
        self.0.table.bytes()
    }
}

#[test]
fn a_token_is_found_by_all_its_bytes() {
    let table = Table::new(TokenCache::default());
    table.insert(7);
    assert!(table.find(7));
    // The same tail, which is all that is hashed.
    for other in ["", "x", &token(7)[1..], &token(7).replace("claims", "Claims")] {
        assert!(table.0.find(other.as_bytes(), at(0), &table.1).is_none(), "{other}");
    }
}

#[test]
fn no_other_byte_will_do() {
    let table = Table::new(TokenCache::default());
    table.insert(7);
    for place in 0..token(7).len() {
        for bit in [1, 0x20] {
            let mut other = token(7).into_bytes();
            other[place] ^= bit;
            assert!(table.0.find(&other, at(0), &table.1).is_none(), "{place}");
        }
    }
}

#[test]
fn tokens_spread_over_the_table() {
    let hash = TailHash::new();
    let mut load = vec![0; 1024];
    for n in 0..8192 {
        let hash = hash.of(token(n).as_bytes()).unwrap();
        load[usize::try_from(hash >> 32).unwrap() % 1024] += 1;
    }
    // Eight each, were it a perfect spread; chance makes more than 30 nowhere in a million tables.
    assert!(load.iter().all(|load| *load <= 30), "{:?}", load.iter().max());
}

#[test]
fn it_is_found_until_its_deadline_and_with_its_keys_only() {
    let table = Table::new(TokenCache::default());
    table.insert(7);
    let find = |now| table.0.find(token(7).as_bytes(), now, &table.1).is_some();
    assert!(find(at(99)));
    assert!(!find(at(100)));
    for (issuer, generation) in [(0, 0), (0, 2), (1, 1)] {
        for _ in 0..2 {
            let standing = Standing::of(generation);
            table.0.insert(&verified(&token(8), "8", Validity { issuer, standing, ..valid() }));
        }
        assert!(!table.find(8), "issuer {issuer}, generation {generation}");
    }
    // Verified again, it takes the place of what it was.
    let before = table.bytes();
    table.0.insert(&verified(&token(8), "8", valid()));
    assert!(table.find(8));
    assert_eq!(table.bytes(), before);
}

#[test]
fn it_is_bounded_in_entries() {
    let table = Table::new(TokenCache::default().entries(64));
    for n in 0..10_000 {
        table.insert(n);
    }
    let kept = (0..10_000).filter(|n| table.find(*n)).count();
    assert!((32..=64).contains(&kept), "{kept}");
    assert_eq!(table.bytes(), kept * (2 * token(0).len() + OVERHEAD));
}

#[test]
fn it_is_bounded_in_bytes() {
    let bytes = 64 * 1024;
    let table = Table::new(TokenCache::default().bytes(bytes));
    for n in 0..10_000 {
        table.insert(n);
        assert!(table.bytes() <= bytes, "{}", table.bytes());
    }
    let kept = (0..10_000).filter(|n| table.find(*n)).count();
    assert_eq!(table.bytes(), kept * (2 * token(0).len() + OVERHEAD));
    assert!(kept >= 40, "{kept}");
    // One that is larger than everything is not kept.
    let table = Table::new(TokenCache { bytes: 10_000, ..TokenCache::default() });
    let large = "x".repeat(8000);
    for _ in 0..2 {
        table.0.insert(&verified(&large, "large", valid()));
    }
    assert!(table.0.find(large.as_bytes(), at(0), &table.1).is_none());
    assert_eq!(table.bytes(), 0);
}

#[test]
fn what_is_in_use_outlasts_what_passes_by() {
    let table = Table::new(TokenCache::default().entries(1024));
    for n in 0..100 {
        table.insert(n);
    }
    let mut kept = 0;
    for n in 1000..20_000 {
        table.insert(n);
        // Every token in use is used once in a while.
        kept += usize::from(table.find(n % 100));
    }
    assert!(kept > 15_000, "{kept} of 19,000");
}

#[test]
fn what_comes_once_takes_no_place() {
    let table = Table::new(TokenCache::default());
    let mut kept = 0;
    for n in 0..10_000 {
        table.0.insert(&verified(&token(n), &n.to_string(), valid()));
        kept += usize::from(table.find(n));
    }
    // One in 8,192 is taken for another that came before; chance makes more than 30 of these never.
    assert!(kept <= 30, "{kept}");
    table.0.insert(&verified(&token(9_999), "9999", valid()));
    assert!(table.find(9_999));
}

#[test]
fn off_remembers_nothing() {
    let table = Table::new(TokenCache::off());
    table.insert(7);
    assert!(!table.find(7));
    assert_eq!((table.0.max_age(), table.bytes()), (None, 0));
}

#[test]
fn settings_that_cannot_hold_anything_are_named() {
    for (settings, setting) in [
        (TokenCache::default().bytes(1), "`bytes`"),
        (TokenCache::default().max_age(Duration::ZERO), "`max_age`"),
        (TokenCache::default().entries(usize::MAX), "`entries`"),
    ] {
        let error = settings.check().unwrap_err().to_string();
        assert!(error.contains(setting), "{error}");
    }
    assert!(TokenCache::off().bytes(0).check().is_ok());
}

#[test]
fn readers_and_writers_do_not_disturb_each_other() {
    let table = Table::new(TokenCache::default().entries(64));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let table = &table;
            scope.spawn(move || {
                for n in 0..5_000 {
                    table.insert((n * 7 + thread) % 500);
                    let wanted = n % 500;
                    let found = table.0.find(token(wanted).as_bytes(), at(0), &table.1);
                    if let Some(found) = found {
                        assert_eq!(found.subject(), Some(&*wanted.to_string()));
                    }
                }
            });
        }
    });
    let weight = 2 * token(0).len() + OVERHEAD;
    let found = (0..500).filter(|n| table.find(*n)).count();
    let held = table.0.table.entries();
    assert!(found <= held && held <= 64, "{found} of {held}");
    assert_eq!(table.bytes(), held * weight);
}
