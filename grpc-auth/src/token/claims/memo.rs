//! One value of each type, made when it is first asked for.

use std::any::Any;

use crate::sync::OnceLock;

/// A list that only grows. What is there already is read without a lock.
#[derive(Default)]
pub(crate) struct Memo(OnceLock<Box<Node>>);

struct Node {
    value: Box<dyn Any + Send + Sync>,
    next: Memo,
}

impl Memo {
    /// The value of this type. `make` is called once for each type, however many threads ask.
    pub(crate) fn get_or_make<T: Any + Send + Sync>(&self, make: impl Fn() -> T) -> &T {
        let mut memo = self;
        loop {
            let node = memo
                .0
                .get_or_init(|| Box::new(Node { value: Box::new(make()), next: Self::default() }));
            match node.value.downcast_ref() {
                Some(value) => return value,
                None => memo = &node.next,
            }
        }
    }
}
