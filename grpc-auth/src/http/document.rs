//! What a document is that was fetched in the place of another.

use url::Url;

use crate::json;
use crate::json::node::Node;
use crate::sanitize_untrusted::shown;

/// How much of an HTML page is searched for its title.
const MAX_HTML_BYTES: usize = 16 * 1024;

/// Says what the document is, and what to write instead, if it is one of the documents that are
/// often taken for a key set or for metadata. It quotes the title of an HTML page and `jwks_uri`.
pub(crate) fn describe(document: &[u8]) -> Option<String> {
    if let Some(title) = html(document) {
        return Some(format!(
            "it is an HTML page{title}: the URL leads to a web site, a login or an error page, so \
             check its path"
        ));
    }
    let Ok(document) = json::read::<Node<'_>>(document) else { return None };
    if let Node::List(items) = &document {
        let are_keys = items.iter().any(|item| item.has("kty"));
        return are_keys.then(|| "it is an array of keys: write `{\"keys\": [..]}`".to_owned());
    }
    let Node::Object(members) = &document else { return None };
    if document.has("kty") {
        return Some(
            "it is a single key (JWK): a key set is `{\"keys\": [..]}`, so use the address of the \
             whole set, or write the key into one"
                .to_owned(),
        );
    }
    if document.has("issuer") && document.has("jwks_uri") {
        let address = document.text("jwks_uri").and_then(|url| Url::parse(url).ok());
        let address =
            address.map_or_else(String::new, |url| format!(", `{}`", without_query(&url)));
        return Some(format!(
            "it is a discovery document: write its `jwks_uri`{address}, or use \
             `Issuer::discover(..)` with its `issuer` and no `Issuer::jwks_uri`"
        ));
    }
    if document.has("keys") {
        return Some(
            "it is a key set, not metadata: write its address in `Issuer::jwks_uri`".to_owned(),
        );
    }
    let is_pem = |node: &Node<'_>| {
        node.as_text().is_some_and(|text| text.trim_start().starts_with("-----BEGIN "))
    };
    (!members.is_empty() && members.iter().all(|(_, value)| is_pem(value))).then(|| {
        "it is a map of X.509 certificates in PEM by key id: use the address where the issuer \
         publishes the same keys as a JWK set (for Google `https://www.googleapis.com/oauth2/v3/certs`)"
            .to_owned()
    })
}

/// The URL for a log line: a query may hold a secret.
pub(crate) fn without_query(url: &Url) -> String {
    let mut url = url.clone();
    url.set_fragment(None);
    if url.query().is_some() {
        url.set_query(Some(".."));
    }
    // Neither is accepted in an address; a document may name one all the same.
    let _ = (url.set_username(""), url.set_password(None));
    url.into()
}

/// The title of an HTML page, quoted, or an empty text; none for other documents.
fn html(document: &[u8]) -> Option<String> {
    let start = document.get(..MAX_HTML_BYTES).unwrap_or(document);
    let text = String::from_utf8_lossy(start);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if !text.starts_with('<') {
        return None;
    }
    // Of equal length, so that places in one are places in the other.
    let lower = text.to_ascii_lowercase();
    let title = lower.find("<title").and_then(|at| {
        let begin = at + lower.get(at..)?.find('>')? + 1;
        let end = begin + lower.get(begin..)?.find("</")?;
        text.get(begin..end)
    });
    Some(title.map_or_else(String::new, |title| format!(" ({:?})", shown(title.as_bytes()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_that_are_taken_for_others_are_named() {
        for (document, expected) in [
            ("<!doctype html><TITLE>Sign in</TITLE>", "it is an HTML page (\"Sign in\")"),
            ("\u{feff} <html>", "it is an HTML page: "),
            ("<html><title>a\u{1b}[2J\nb</title>", "(\"a\u{fffd}[2J\u{fffd}b\")"),
            (
                r#"{"issuer":"https://a.example","jwks_uri":"https://u:p@a.example/k?key=hunter2"}"#,
                "it is a discovery document: write its `jwks_uri`, `https://a.example/k?..`",
            ),
            (r#"{"kty":"RSA","n":"AA","e":"AQAB"}"#, "it is a single key (JWK)"),
            (r#"[{"kty":"RSA"}]"#, "it is an array of keys"),
            (r#"{"keys":[]}"#, "it is a key set, not metadata"),
            (
                r#"{"a":"-----BEGIN CERTIFICATE-----\nAA"}"#,
                "it is a map of X.509 certificates in PEM by key id",
            ),
        ] {
            let said = describe(document.as_bytes()).unwrap();
            assert!(said.contains(expected), "{document}: {said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
        for other in ["", "{}", "[]", "[1]", "7", "{\"a\":1}", "key", "{\"kty\":"] {
            assert_eq!(describe(other.as_bytes()), None, "{other}");
        }
    }
}
