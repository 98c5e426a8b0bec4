//! serde's side of the reader: a `Deserializer` over the parser.

use std::borrow::Cow;

use serde::de::value::MapAccessDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    Visitor,
};
use serde::forward_to_deserialize_any;

use super::error::JsonError;
use super::names::Names;
use super::parser::{Number, Parser};
use super::raw;

impl Number {
    fn visit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        match self {
            Self::Unsigned(number) => visitor.visit_u64(number),
            Self::Signed(number) => visitor.visit_i64(number),
            Self::Float(number) => visitor.visit_f64(number),
        }
    }
}

fn visit_text<'de, V: Visitor<'de>>(
    text: Cow<'de, str>,
    visitor: V,
) -> Result<V::Value, JsonError> {
    match text {
        Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
        Cow::Owned(text) => visitor.visit_string(text),
    }
}

impl<'de> Parser<'de> {
    /// Reads all of an object.
    fn object<T>(
        &mut self,
        read: impl FnOnce(&mut Object<'_, 'de>) -> Result<T, JsonError>,
        expected: &'static str,
    ) -> Result<T, JsonError> {
        self.enter()?;
        let mut object = Object { parser: self, names: Names::new(), name: None, has_ended: false };
        let value = read(&mut object)?;
        if object.has_ended || object.next_key::<de::IgnoredAny>()?.is_none() {
            return Ok(value);
        }
        Err(de::Error::invalid_value(Unexpected::Map, &expected))
    }

    fn visit_object<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, JsonError> {
        self.object(|object| visitor.visit_map(object), "an object with fewer members")
    }

    fn visit_array<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, JsonError> {
        self.enter()?;
        let mut array = Array { parser: self, index: 0, has_ended: false };
        let value = visitor.visit_seq(&mut array)?;
        if array.has_ended || array.next_element::<de::IgnoredAny>()?.is_none() {
            return Ok(value);
        }
        Err(de::Error::invalid_length(0, &"fewer items"))
    }
}

/// Rejects the value that begins with this byte, by its kind.
#[cold]
fn misfit(first: u8, expected: &'static str) -> JsonError {
    let found = match first {
        b'"' => Unexpected::Str(""),
        b'{' => Unexpected::Map,
        b'[' => Unexpected::Seq,
        b't' | b'f' => Unexpected::Bool(true),
        b'n' => Unexpected::Unit,
        b'-' | b'0'..=b'9' => Unexpected::Unsigned(0),
        _ => return JsonError::syntax("a value is missing"),
    };
    de::Error::invalid_type(found, &expected)
}

impl<'de> Deserializer<'de> for &mut Parser<'de> {
    type Error = JsonError;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        match self.peek()? {
            b'"' => visit_text(self.string()?, visitor),
            b'{' => self.visit_object(visitor),
            b'[' => self.visit_array(visitor),
            b'-' | b'0'..=b'9' => self.number()?.visit(visitor),
            b't' => self.literal("true").and_then(|()| visitor.visit_bool(true)),
            b'f' => self.literal("false").and_then(|()| visitor.visit_bool(false)),
            b'n' => self.literal("null").and_then(|()| visitor.visit_unit()),
            _ => Err(JsonError::syntax("a value is missing")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        if self.peek()? == b'n' {
            self.literal("null")?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        // The name comes from the program, never from the document.
        if name == raw::TOKEN {
            return visitor.visit_borrowed_str(self.raw()?);
        }
        visitor.visit_newtype_struct(self)
    }

    /// serde's own structs would take an array of the values as well.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        match self.peek()? {
            b'{' => self.visit_object(visitor),
            first => Err(misfit(first, "an object")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        const ONE_MEMBER: &str = "an object with one member";
        match self.peek()? {
            b'"' => visitor.visit_enum(self.string()?.into_deserializer()),
            b'{' => self.object(
                |object| {
                    if object.parser.peek()? == b'}' {
                        let found = Unexpected::Other("an empty object");
                        return Err(de::Error::invalid_value(found, &ONE_MEMBER));
                    }
                    visitor.visit_enum(MapAccessDeserializer::new(object))
                },
                ONE_MEMBER,
            ),
            first => Err(misfit(first, "a string, or an object with one member")),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct identifier ignored_any
    }
}

/// The members of an object, one by one.
struct Object<'a, 'de> {
    parser: &'a mut Parser<'de>,
    names: Names<'de>,
    /// The name whose value is next, for the text of an error; none before the first member.
    name: Option<Cow<'de, str>>,
    has_ended: bool,
}

impl<'de> MapAccess<'de> for Object<'_, 'de> {
    type Error = JsonError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, JsonError> {
        if self.has_ended || !self.parser.next(self.name.is_none(), b'}')? {
            self.has_ended = true;
            return Ok(None);
        }
        let name = self.parser.name(&mut self.names)?;
        self.name = Some(name.clone());
        seed.deserialize(Name(name)).map(Some).map_err(|error| match &self.name {
            Some(name) => error.of_name(name),
            None => error,
        })
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, JsonError> {
        seed.deserialize(&mut *self.parser).map_err(|error| match &self.name {
            Some(name) => error.in_member(name),
            None => error,
        })
    }
}

/// The items of an array, one by one.
struct Array<'a, 'de> {
    parser: &'a mut Parser<'de>,
    index: usize,
    has_ended: bool,
}

impl<'de> SeqAccess<'de> for Array<'_, 'de> {
    type Error = JsonError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, JsonError> {
        if self.has_ended || !self.parser.next(self.index == 0, b']')? {
            self.has_ended = true;
            return Ok(None);
        }
        let index = self.index;
        self.index += 1;
        seed.deserialize(&mut *self.parser).map(Some).map_err(|error| error.in_item(index))
    }
}

/// A member's name. JSON has no other names than strings: a type whose names are numbers or booleans
/// reads them from the text.
struct Name<'de>(Cow<'de, str>);

macro_rules! parsed_names {
    ($($method:ident => $visit:ident($type:ty),)*) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
                // In one spelling, so that two names are never one.
                match self.0.parse::<$type>() {
                    Ok(parsed) if parsed.to_string() == *self.0 => visitor.$visit(parsed),
                    _ => visit_text(self.0, visitor),
                }
            }
        )*
    };
}

impl<'de> Deserializer<'de> for Name<'de> {
    type Error = JsonError;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        visit_text(self.0, visitor)
    }

    parsed_names! {
        deserialize_bool => visit_bool(bool),
        deserialize_i8 => visit_i8(i8),
        deserialize_i16 => visit_i16(i16),
        deserialize_i32 => visit_i32(i32),
        deserialize_i64 => visit_i64(i64),
        deserialize_u8 => visit_u8(u8),
        deserialize_u16 => visit_u16(u16),
        deserialize_u32 => visit_u32(u32),
        deserialize_u64 => visit_u64(u64),
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        visitor.visit_enum(self.0.into_deserializer())
    }

    forward_to_deserialize_any! {
        i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct
        map struct identifier ignored_any
    }
}
