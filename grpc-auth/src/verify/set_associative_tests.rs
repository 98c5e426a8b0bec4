//! How entries spread.

use std::hash::{BuildHasher, RandomState};

use super::*;

struct Weightless;

impl Entry for Weightless {
    fn weight(&self) -> usize {
        0
    }
}

#[test]
fn entries_spread_over_the_table() {
    let table = Table::<Weightless>::new("weightless", 8192, 0);
    let random = RandomState::new();
    let mut load = vec![0; table.sets.len()];
    for n in 0..8192 {
        let set: *const Set<_> = table.place(random.hash_one(n)).unwrap().0;
        let position = table.sets.iter().position(|other| std::ptr::eq(other, set)).unwrap();
        load[position] += 1;
    }
    // Eight each, were it a perfect spread; chance makes more than 30 nowhere in a million tables.
    assert!(load.iter().all(|load| *load <= 30), "{:?}", load.iter().max());
}

#[test]
fn what_is_removed_is_gone_and_nothing_else_is() {
    struct Number(u64);
    impl Entry for Number {
        fn weight(&self) -> usize {
            10
        }
    }
    let table = Table::new("numbers", 64, 1000);
    // Of one set.
    let hashes = [1 << 8, 2 << 8];
    for hash in hashes {
        table.insert(hash, Number(hash).into());
    }
    let is_there = |hash: u64| table.find(hash, |entry| entry.0 == hash).is_some();
    table.remove(hashes[0], |entry| entry.0 == 7);
    assert!(hashes.into_iter().all(is_there));
    table.remove(hashes[0], |entry| entry.0 == hashes[0]);
    assert_eq!(hashes.map(is_there), [false, true]);
    assert_eq!(table.bytes(), 10);
    table.insert(hashes[0], Number(hashes[0]).into());
    assert!(hashes.into_iter().all(is_there));
}

/// A token of 64 KiB in the smallest cache.
#[test]
fn what_is_heavier_than_the_table_displaces_nothing() {
    struct Heavy(usize);
    impl Entry for Heavy {
        fn weight(&self) -> usize {
            self.0
        }
    }
    let table = Table::new("heavy", 64, 1000);
    table.insert(1 << 8, Heavy(900).into());
    table.insert(2 << 8, Heavy(1001).into());
    assert!(table.find(1 << 8, |_| true).is_some());
    assert!(table.find(2 << 8, |_| true).is_none());
    assert_eq!(table.bytes(), 900);
}

#[test]
fn a_set_is_one_pair_of_lines_of_memory() {
    assert_eq!(align_of::<Set<Weightless>>(), 128);
    assert_eq!(size_of::<Set<Weightless>>(), 128);
}
