//! The modules of grpc-auth that several threads share, explored by loom: in every interleaving of
//! their atomic operations that has at most two preemptions, and with every value that the memory
//! orderings allow a load to return. The modules are the files of the library, not copies.

mod metrics;
mod sync;

#[path = "../../../grpc-auth/src/token/claims/memo.rs"]
mod memo;
#[path = "../../../grpc-auth/src/jwks/source/published.rs"]
mod published;
#[path = "../../../grpc-auth/src/verify/set_associative.rs"]
#[allow(dead_code, reason = "the file has more than the models use")]
mod table;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use loom::model::Builder;
use loom::thread;

use memo::Memo;
use published::Published;
use table::{Entry, Table};

fn main() {
    explore("key set: a new generation comes with its keys", key_set);
    explore("token cache: what is found is what was asked for", found);
    explore("token cache: its bytes are those of its entries", || weighed(64));
    explore("token cache: the same where there is room for one", || weighed(1));
    explore("claims: each type is made once", claims);
}

fn explore(name: &str, model: impl Fn() + Send + Sync + 'static) {
    let explored = Arc::new(AtomicUsize::new(0));
    let mut builder = Builder::new();
    builder.preemption_bound = Some(2);
    let counted = Arc::clone(&explored);
    builder.check(move || {
        counted.fetch_add(1, SeqCst);
        model();
    });
    let explored = explored.load(SeqCst);
    println!("{name}: {explored} executions");
    assert!(explored > 10, "the threads of the model do not meet");
}

/// A caller that reads a generation finds its keys or newer ones, and generations never go back.
fn key_set() {
    let keys = Arc::new(Published::new(1, 1));
    let writer = {
        let keys = Arc::clone(&keys);
        thread::spawn(move || {
            keys.replace(2, 2);
            keys.replace(3, 3);
        })
    };
    let before = keys.generation();
    let snapshot = **keys.snapshot().as_ref().unwrap();
    assert!(snapshot >= before, "generation {before} with the keys of {snapshot}");
    assert!(keys.generation() >= before);
    writer.join().unwrap();
    assert_eq!((keys.generation(), **keys.snapshot().as_ref().unwrap()), (3, 3));
}

#[derive(Debug)]
struct Token(u8, usize);

impl Entry for Token {
    fn weight(&self) -> usize {
        self.1
    }
}

/// Both in one set, with one tag: only the comparison of tokens tells them apart.
const HASH: u64 = 0x0000_0000_0000_0700;
/// In the same set, with another tag.
const OTHER: u64 = !HASH;

fn finds(table: &Table<Token>, token: u8) -> bool {
    let found = table.find(HASH, |entry| entry.0 == token);
    if let Some(found) = &found {
        assert_eq!(found.as_arc().unwrap().0, token, "another token's entry");
    }
    found.is_some()
}

fn found() {
    let table = Arc::new(Table::new("model", 8, 64));
    table.insert(HASH, Arc::new(Token(1, 1)));
    let writer = {
        let table = Arc::clone(&table);
        thread::spawn(move || table.insert(HASH, Arc::new(Token(2, 1))))
    };
    for token in [1, 2, 3] {
        assert!(!finds(&table, token) || token < 3);
    }
    writer.join().unwrap();
    assert!(finds(&table, 2), "an entry is lost");
}

fn weighed(limit: usize) {
    let table = Arc::new(Table::new("model", 8, limit));
    let writer = {
        let table = Arc::clone(&table);
        thread::spawn(move || table.insert(HASH, Arc::new(Token(1, 1))))
    };
    table.insert(HASH, Arc::new(Token(2, 1)));
    writer.join().unwrap();
    assert!(table.bytes() <= limit, "more than there is room for");
    let before = table.bytes();
    table.insert(OTHER, Arc::new(Token(3, limit + 1)));
    assert_eq!(table.bytes(), before, "an entry that is too heavy displaces others");
    // It has room alone: it replaces what is there, or the set is emptied.
    table.insert(OTHER, Arc::new(Token(3, limit)));
    let entries = table.metrics.entries();
    assert!(entries <= 1, "entries that are counted twice");
    assert_eq!(table.bytes(), entries * limit, "bytes that no entry takes");
}

/// Two types, asked for in different orders: each is made once, and both threads see the same value.
fn claims() {
    let memo = Arc::new(Memo::default());
    let made = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let ask = |memo: &Memo, made: &[AtomicUsize; 2], is_text_first: bool| {
        let text = || {
            *memo.get_or_make(|| {
                made[0].fetch_add(1, SeqCst);
                "text"
            })
        };
        let number = || {
            *memo.get_or_make(|| {
                made[1].fetch_add(1, SeqCst);
                7_u64
            })
        };
        if is_text_first {
            return (text(), number());
        }
        let number = number();
        (text(), number)
    };
    let other = {
        let (memo, made) = (Arc::clone(&memo), Arc::clone(&made));
        thread::spawn(move || ask(&memo, &made, true))
    };
    assert_eq!(ask(&memo, &made, false), ("text", 7));
    assert_eq!(other.join().unwrap(), ("text", 7));
    assert_eq!([made[0].load(SeqCst), made[1].load(SeqCst)], [1, 1], "made more than once");
}
