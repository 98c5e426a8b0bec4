//! A value that is read later, by itself.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Visitor};

/// Asks this module's deserializer, and no other, for the text of a value.
pub(super) const TOKEN: &str = "$grpc_auth::Raw";

/// The text of one value of a document. Where it ends is known; its depth, its names and its values
/// are checked when it is read, so that one bad key spoils no key set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raw<'de>(&'de str);

impl<'de> Raw<'de> {
    pub(crate) fn as_bytes(self) -> &'de [u8] {
        self.0.as_bytes()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Raw<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl<'de> Visitor<'de> for Text {
            type Value = Raw<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Raw<'de>, E> {
                Ok(Raw(text))
            }
        }

        deserializer.deserialize_newtype_struct(TOKEN, Text)
    }
}
