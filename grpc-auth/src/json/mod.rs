//! The one reader of JSON that others wrote: tokens, key sets, metadata, answers, files.
//!
//! It is strict where two readers could see two documents (RFC 7519 §4, RFC 8725 §2.4): no name
//! occurs twice in an object, escapes included; nothing follows the document; numbers are finite.
//! It is bounded: `MAX_BYTES` long, `MAX_DEPTH` deep in total. And it rejects the member names
//! that serde_json gives a meaning of its own, so that a type that holds a `serde_json::Value` can
//! be read from it safely.
//!
//! It does not use serde_json: any crate of a program can switch on that crate's features
//! (`raw_value`, `arbitrary_precision`, `unbounded_depth`), and what is accepted here must not depend
//! on them.

mod deserializer;
pub(crate) mod error;
mod names;
pub(crate) mod node;
mod parser;
pub(crate) mod raw;
pub(crate) mod text;

use std::fmt;
use std::marker::PhantomData;

pub(crate) use serde::de::IgnoredAny;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

pub(crate) use error::{JsonError, Problem};
pub(crate) use text::Text;

use parser::Parser;

/// No document is longer. Most have a smaller limit where they are received.
pub(crate) const MAX_BYTES: usize = 1024 * 1024;

/// Arrays and objects inside each other, in total. A document of this depth needs less than half of
/// a 2 MiB stack, in debug builds too.
pub(crate) const MAX_DEPTH: usize = 127;

/// Reads a document as a `T`.
///
/// # Errors
/// When it is not JSON, is not strict as the module says, or does not fit `T`.
pub(crate) fn read<'de, T: Deserialize<'de>>(json: &'de [u8]) -> Result<T, JsonError> {
    whole(json, |parser| T::deserialize(parser))
}

/// What is read from an object, member by member.
pub(crate) trait Members<'de> {
    /// Takes the value of a member that is of interest, and tells whether it did.
    fn take<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error>;
}

/// Reads an object; the members that `members` does not take are checked all the same.
///
/// # Errors
/// As those of [`read`].
pub(crate) fn read_object<'de>(
    json: &'de [u8],
    members: &mut impl Members<'de>,
) -> Result<(), JsonError> {
    whole(json, |parser| parser.deserialize_struct("", &[], Object(members, PhantomData)))
}

fn whole<'de, T>(
    json: &'de [u8],
    read: impl FnOnce(&mut Parser<'de>) -> Result<T, JsonError>,
) -> Result<T, JsonError> {
    if json.len() > MAX_BYTES {
        return Err(JsonError::new(Problem::TooLong));
    }
    let text = str::from_utf8(json).map_err(|_| JsonError::syntax("it is not UTF-8"))?;
    let mut parser = Parser::new(text);
    let value = read(&mut parser).and_then(|value| parser.end().map(|()| value));
    value.map_err(|error| parser.locate(error))
}

struct Object<'a, 'de, M>(&'a mut M, PhantomData<&'de ()>);

impl<'de, M: Members<'de>> Visitor<'de> for Object<'_, 'de, M> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(name)) = map.next_key()? {
            if !self.0.take(&name, &mut map)? {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
