//! Optional members of metadata: `null`, an empty text and an empty array mean that one is absent.

use serde::de::value::MapDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error, Unexpected};

use crate::json::node::Node;

/// A text.
pub(super) fn text<'de, D: Deserializer<'de>>(source: D) -> Result<Option<String>, D::Error> {
    present(source)?.map(to_text).transpose()
}

/// A truth value.
pub(super) fn flag<'de, D: Deserializer<'de>>(source: D) -> Result<Option<bool>, D::Error> {
    match present(source)? {
        None => Ok(None),
        Some(Node::Bool(value)) => Ok(Some(value)),
        Some(other) => Err(type_error(&other, "a boolean")),
    }
}

/// An array of texts, or a text of words. An empty array says that there are no values: a server
/// without a code challenge method is not taken for one that says nothing of them.
pub(super) fn texts<'de, D: Deserializer<'de>>(source: D) -> Result<Option<Vec<String>>, D::Error> {
    match Node::deserialize(source)? {
        Node::Null => Ok(None),
        Node::Text(words) if words.is_empty() => Ok(None),
        Node::Text(words) => Ok(Some(words.split(' ').map(str::to_owned).collect())),
        Node::List(items) => items.into_iter().map(to_text).collect::<Result<_, _>>().map(Some),
        other => Err(type_error(&other, "an array of strings")),
    }
}

/// An object whose members are texts.
pub(super) fn object<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    source: D,
) -> Result<Option<T>, D::Error> {
    let members = match present(source)? {
        None => return Ok(None),
        Some(Node::Object(members)) => members,
        Some(other) => return Err(type_error(&other, "an object")),
    };
    let mut texts = Vec::new();
    for (name, value) in members {
        match value {
            Node::Text(text) => texts.push((name.into_owned(), text.into_owned())),
            value if value.is_empty() => {}
            other => return Err(type_error(&other, "an object of strings")),
        }
    }
    T::deserialize(MapDeserializer::new(texts.into_iter())).map(Some)
}

fn present<'de, D: Deserializer<'de>>(source: D) -> Result<Option<Node<'de>>, D::Error> {
    let node = Node::deserialize(source)?;
    Ok((!node.is_empty()).then_some(node))
}

fn to_text<E: Error>(node: Node<'_>) -> Result<String, E> {
    match node {
        Node::Text(text) => Ok(text.into_owned()),
        other => Err(type_error(&other, "a string")),
    }
}

fn type_error<E: Error>(found: &Node<'_>, expected: &'static str) -> E {
    let found = match found {
        Node::Null => Unexpected::Unit,
        Node::Bool(value) => Unexpected::Bool(*value),
        Node::Number(value) => Unexpected::Float(*value),
        Node::Text(_) => Unexpected::Str(""),
        Node::List(_) => Unexpected::Seq,
        Node::Object(_) => Unexpected::Map,
    };
    E::invalid_type(found, &expected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[derive(serde::Deserialize)]
    struct Aliases {
        #[serde(default, deserialize_with = "text")]
        a: Option<String>,
    }

    #[derive(serde::Deserialize)]
    struct Document {
        #[serde(default, deserialize_with = "text")]
        text: Option<String>,
        #[serde(default, deserialize_with = "flag")]
        flag: Option<bool>,
        #[serde(default, deserialize_with = "texts")]
        texts: Option<Vec<String>>,
        #[serde(default, deserialize_with = "object")]
        object: Option<Aliases>,
    }

    #[test]
    fn empty_members_are_absent_and_others_have_their_type() {
        for empty in ["null", "\"\"", "[]"] {
            let json = format!(r#"{{"text":{empty},"flag":{empty},"object":{empty}}}"#);
            let document: Document = json::read(json.as_bytes()).unwrap();
            assert!(document.text.is_none() && document.flag.is_none(), "{empty}");
            assert!(document.object.is_none() && document.texts.is_none(), "{empty}");
        }
        let json = br#"{"text":"t","flag":true,"texts":["a","b"],"object":{"a":"x","b":null}}"#;
        let document: Document = json::read(json).unwrap();
        assert_eq!((document.text.as_deref(), document.flag), (Some("t"), Some(true)));
        assert_eq!(document.texts.unwrap(), ["a", "b"]);
        assert_eq!(document.object.unwrap().a.as_deref(), Some("x"));
        for (json, words) in [(r#"{"texts":"a b"}"#, Some(2)), (r#"{"texts":[]}"#, Some(0))] {
            let document: Document = json::read(json.as_bytes()).unwrap();
            assert_eq!(document.texts.map(|words| words.len()), words, "{json}");
        }
        for (json, reason) in [
            (r#"{"text":["t"]}"#, "`text` is an array, expected a string"),
            (r#"{"text":1}"#, "`text` is a number, expected a string"),
            (r#"{"flag":"true"}"#, "`flag` is a string, expected a boolean"),
            (r#"{"texts":{}}"#, "`texts` is an object, expected an array of strings"),
            (r#"{"texts":["a",1]}"#, "`texts` is a number, expected a string"),
            (r#"{"object":{"a":1}}"#, "`object` is a number, expected an object of strings"),
            (r#"{"object":"a"}"#, "`object` is a string, expected an object"),
        ] {
            let error = json::read::<Document>(json.as_bytes()).err().unwrap();
            assert_eq!(error.to_string(), reason);
        }
    }
}
