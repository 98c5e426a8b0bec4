//! Any bytes at any door: no panic, no verdict but refusal. What has to hold stands in
//! `grpc_auth::testing::fuzz`; the fuzzer in `tests/fuzz` asks the same.

use std::path::Path;

use grpc_auth::testing::fuzz;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

type Door = fn(&[u8]);

const DOORS: [(&str, Door); 5] = [
    ("token", fuzz::token),
    ("authorization", fuzz::authorization),
    ("key_set", fuzz::key_set),
    ("metadata", fuzz::metadata),
    ("cache_control", fuzz::cache_control),
];

fn seeds(door: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(door);
    let mut paths: Vec<_> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// A seed with a piece of it replaced by other bytes.
fn near(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop_oneof![vec(any::<u8>(), 0..8), vec(0x20..0x7f_u8, 0..8)];
    let place = (any::<prop::sample::Index>(), 0..8_usize);
    (prop::sample::select(seeds), place, pieces).prop_map(|(mut bytes, (start, length), piece)| {
        let start = start.index(bytes.len() + 1);
        let end = (start + length).min(bytes.len());
        bytes.splice(start..end, piece);
        bytes
    })
}

#[test]
fn whatever_comes_in_is_refused_without_a_panic() {
    for (name, door) in DOORS {
        let seeds = seeds(name);
        assert!(seeds.len() >= 3, "{name} has no seeds");
        seeds.iter().for_each(|seed| door(seed));
        let bytes = prop_oneof![
            vec(any::<u8>(), 0..300),
            "\\PC{0,200}".prop_map(String::into_bytes),
            "[A-Za-z0-9_.=, \n-]{0,300}".prop_map(String::into_bytes),
            near(seeds),
        ];
        let config = Config { cases: 2000, failure_persistence: None, ..Config::default() };
        let outcome = TestRunner::new(config).run(&bytes, |bytes| {
            door(&bytes);
            Ok::<_, TestCaseError>(())
        });
        if let Err(error) = outcome {
            panic!("{name}: {error}");
        }
    }
}
