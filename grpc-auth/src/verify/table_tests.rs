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
fn a_set_is_one_pair_of_lines_of_memory() {
    assert_eq!(align_of::<Set<Weightless>>(), 128);
    assert_eq!(size_of::<Set<Weightless>>(), 128);
}
