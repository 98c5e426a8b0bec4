//! JSON as tokens need it: no duplicate names at any depth, so that no two readers of one token
//! see two tokens (RFC 7519 §4, RFC 8725 §2.4).

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

const DUPLICATE: &str = "duplicate name";
const SYNTAX: &str = "it does not parse";

/// What is read from an object, member by member.
pub(crate) trait Members<'de> {
    /// Takes the value of a member that is of interest, and tells whether it did.
    fn take<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error>;
}

/// Whether a name stands twice in an object that parses otherwise.
pub(crate) fn is_ambiguous(json: &[u8]) -> bool {
    read_object(json, &mut Nothing).is_err()
}

/// Reads one object from the whole of `json`; what `members` does not take is checked all the
/// same. serde_json adds: UTF-8, no trailing data, at most 128 levels, numbers in range.
pub(crate) fn read_object<'de>(
    json: &'de [u8],
    members: &mut impl Members<'de>,
) -> Result<(), &'static str> {
    // At once for all: from a slice, each string would be looked through by itself.
    let json = str::from_utf8(json).map_err(|_| SYNTAX)?;
    let mut deserializer = serde_json::Deserializer::from_str(json);
    deserializer
        .deserialize_map(Object(members, PhantomData))
        .and_then(|()| deserializer.end())
        .map_err(|error| describe(&error))
}

/// serde_json's own text may quote the token.
fn describe(error: &serde_json::Error) -> &'static str {
    use serde_json::error::Category;
    match error.classify() {
        Category::Eof | Category::Syntax | Category::Io => SYNTAX,
        Category::Data if error.to_string().starts_with(DUPLICATE) => "a name stands in it twice",
        Category::Data => "a member has another type",
    }
}

struct Object<'a, 'de, M>(&'a mut M, PhantomData<&'de ()>);

impl<'de, M: Members<'de>> Visitor<'de> for Object<'_, 'de, M> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut names = Names::new();
        while let Some(name) = map.next_key_seed(Text)? {
            if !self.0.take(&name, &mut map)? {
                map.next_value_seed(Strict)?;
            }
            names.insert(name)?;
        }
        Ok(())
    }
}

/// Names that are compared one by one.
const FEW: usize = 16;

/// The names seen so far; small objects, which is nearly all of them, need neither hashing nor
/// memory of their own.
struct Names<'de> {
    few: [Cow<'de, str>; FEW],
    count: usize,
    many: HashSet<Cow<'de, str>>,
}

impl<'de> Names<'de> {
    fn new() -> Self {
        let none = [const { Cow::Borrowed("") }; FEW];
        Self { few: none, count: 0, many: HashSet::new() }
    }

    fn insert<E: de::Error>(&mut self, name: Cow<'de, str>) -> Result<(), E> {
        let (seen, free) = self.few.split_at_mut_checked(self.count).unwrap_or_default();
        let is_new = !seen.contains(&name);
        match free.first_mut() {
            Some(slot) if is_new => {
                *slot = name;
                self.count += 1;
                Ok(())
            }
            None if is_new && self.many.insert(name) => Ok(()),
            _ => Err(E::custom(DUPLICATE)),
        }
    }
}

/// A string, borrowed unless it holds escapes.
pub(crate) struct Text;

impl<'de> DeserializeSeed<'de> for Text {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Text {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// A string or an array of strings: `aud` of RFC 7519 §4.1.3.
pub(crate) struct Texts;

impl<'de> DeserializeSeed<'de> for Texts {
    type Value = Vec<Cow<'de, str>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Texts {
    type Value = Vec<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an array of strings")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(vec![Cow::Borrowed(text)])
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(vec![Cow::Owned(text.to_owned())])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = seq.next_element_seed(Text)? {
            texts.push(text);
        }
        Ok(texts)
    }
}

/// A value that is kept, as far as anyone asks: texts, and what holds texts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node<'de> {
    Text(Cow<'de, str>),
    List(Vec<Node<'de>>),
    Object(Vec<(Cow<'de, str>, Node<'de>)>),
    /// A number, a truth value, or null.
    Other,
}

impl<'de> Node<'de> {
    /// The value below these names (a JSON pointer, RFC 6901, taken apart).
    pub(crate) fn at(&self, names: &[String]) -> Option<&Self> {
        names.iter().try_fold(self, |node, name| match node {
            Self::Object(members) => {
                members.iter().find(|(found, _)| found == name).map(|(_, node)| node)
            }
            Self::List(items) => items.get(name.parse::<usize>().ok()?),
            Self::Text(_) | Self::Other => None,
        })
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::List(_) | Self::Object(_) | Self::Other => None,
        }
    }
}

/// Keeps a value, with the strictness of [`Strict`].
pub(crate) struct Keep;

impl<'de> DeserializeSeed<'de> for Keep {
    type Value = Node<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Keep {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node<'de>, E> {
        Ok(Node::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node<'de>, E> {
        Ok(Node::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node<'de>, E> {
        Ok(Node::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node<'de>, E> {
        Ok(Node::Other)
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Other)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Self)? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node<'de>, A::Error> {
        let mut members: Vec<(Cow<'de, str>, Node<'de>)> = Vec::new();
        let mut names = HashSet::new();
        while let Some(name) = map.next_key_seed(Text)? {
            if !names.insert(name.clone()) {
                return Err(de::Error::custom(DUPLICATE));
            }
            members.push((name, map.next_value_seed(Self)?));
        }
        Ok(Node::Object(members))
    }
}

/// Any value, looked through for duplicate names and otherwise ignored.
pub(crate) struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        Object(&mut Nothing, PhantomData).visit_map(map)
    }
}

/// Takes no member.
struct Nothing;

impl<'de> Members<'de> for Nothing {
    fn take<A: MapAccess<'de>>(&mut self, _: &str, _: &mut A) -> Result<bool, A::Error> {
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(json: &str) -> Option<&'static str> {
        read_object(json.as_bytes(), &mut Nothing).err()
    }

    #[test]
    fn strict_objects_are_read() {
        let many: Vec<_> = (0..100).map(|n| format!("\"{n}\":{n}")).collect();
        for json in [
            "{}",
            r#"{"a":{"b":[1,-1,1.5,"x",null,true]},"b":{}}"#,
            &format!("{{{}}}", many.join(",")),
        ] {
            assert_eq!(problem(json), None, "{json}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let twice = Some("a name stands in it twice");
        let syntax = Some("it does not parse");
        let many: Vec<_> = (0..100).map(|n| format!("\"{n}\":{n}")).collect();
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
        for (json, expected) in [
            (r#"{"a":1,"a":2}"#, twice),
            (r#"{"a":1,"\u0061":2}"#, twice),
            (r#"{"x":[{"a":1,"a":2}]}"#, twice),
            (&format!("{{{},\"50\":0}}", many.join(",")), twice),
            (&format!("{{{},\"5\":0}}", many.join(",")), twice),
            ("{} {}", syntax),
            ("{}x", syntax),
            ("\u{feff}{}", syntax),
            ("", syntax),
            ("{\"a\":NaN}", syntax),
            ("{\"a\":1e999}", syntax),
            ("{\"a\":01}", syntax),
            ("{'a':1}", syntax),
            ("{\"a\":\"\\ud800\"}", syntax),
            (&deep, syntax),
            ("[]", Some("a member has another type")),
        ] {
            assert_eq!(problem(json), expected, "{json}");
        }
        assert!(read_object(b"{\"a\":\"\xff\"}", &mut Nothing).is_err());
    }
}
