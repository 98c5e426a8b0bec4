//! The member names of one object: each may occur once.

use std::borrow::Cow;
use std::collections::HashSet;

use super::error::{JsonError, Problem};

/// Names that begin so mean something to serde_json: an object with the one member
/// `$serde_json::private::RawValue` is parsed again from the text inside it, with a fresh depth
/// limit, where `serde_json::Value` is read and the feature `raw_value` is on.
const RESERVED: &str = "$serde_json::private::";

/// Names that are compared one by one.
const FEW: usize = 16;

/// The names seen so far. Small objects, which are nearly all, need neither hashing nor memory of
/// their own.
pub(super) struct Names<'de> {
    few: [Cow<'de, str>; FEW],
    count: usize,
    many: HashSet<Cow<'de, str>>,
}

impl<'de> Names<'de> {
    pub(super) fn new() -> Self {
        Self { few: [const { Cow::Borrowed("") }; FEW], count: 0, many: HashSet::new() }
    }

    /// Rejects a name that is reserved, or that the object has already.
    #[inline]
    pub(super) fn insert(&mut self, name: Cow<'de, str>) -> Result<(), JsonError> {
        if name.starts_with(RESERVED) {
            return Err(JsonError::new(Problem::Reserved));
        }
        let (seen, free) = self.few.split_at_mut_checked(self.count).unwrap_or_default();
        let is_new = !seen.contains(&name);
        match free.first_mut() {
            Some(slot) if is_new => {
                *slot = name;
                self.count += 1;
                Ok(())
            }
            None if is_new && !self.many.contains(&name) => {
                self.many.insert(name);
                Ok(())
            }
            _ => Err(JsonError::new(Problem::Duplicate).in_member(&name)),
        }
    }
}
