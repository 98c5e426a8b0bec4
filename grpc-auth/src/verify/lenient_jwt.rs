//! What other servers on the way of a token may read as a JWT, although RFC 7519 says otherwise.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::json;
use crate::json::node::Node;

/// Whether a lenient server may read this as a JWT that is not encrypted: at least three parts, of
/// which the first begins a JSON object. An encrypted token (RFC 7516) is for the server that has its
/// key.
///
/// Lenient decoders skip bytes outside of the alphabet anywhere, take both alphabets, padding and
/// non-zero trailing bits. Lenient readers skip empty parts, and do not mind what follows on the third.
pub(super) fn looks_like_a_jwt(token: &[u8]) -> bool {
    let mut parts =
        token.split(|byte| *byte == b'.').map(decode_leniently).skip_while(Vec::is_empty);
    let header = parts.next().unwrap_or_default();
    begins_an_object(&header) && parts.count() >= 2 && !is_encrypted(token)
}

/// What the letters of either base64 alphabet mean; all other bytes are skipped.
fn decode_leniently(part: &[u8]) -> Vec<u8> {
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for letter in part {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => continue,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.extend((bits >> held).to_le_bytes().first());
        }
    }
    bytes
}

/// Whether this is the beginning of an object in JSON, after white space or a byte order mark, in
/// UTF-8, UTF-16 or UTF-32.
fn begins_an_object(json: &[u8]) -> bool {
    const SKIPPED: &[u8] = b" \t\r\n\0\xef\xbb\xbf\xfe\xff";
    json.iter().find(|byte| !SKIPPED.contains(byte)) == Some(&b'{')
}

/// Whether this is an encrypted token in the strict sense (RFC 7516 §7.1): five parts, and a header
/// that says how it is encrypted. A lenient decoder may stop where another one goes on: what only one
/// of them takes for encrypted is not.
fn is_encrypted(token: &[u8]) -> bool {
    let mut parts = token.split(|byte| *byte == b'.');
    let header = parts.next().and_then(|header| URL_SAFE_NO_PAD.decode(header).ok());
    let header = header.unwrap_or_default();
    let says_how = json::read::<Node<'_>>(&header).is_ok_and(|header| header.has("enc"));
    says_how && parts.count() == 4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(bytes: impl AsRef<[u8]>) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    const JSON: &str = r#"{"alg":"ES256"}"#;

    #[test]
    fn what_a_lenient_server_may_read_as_a_jwt_looks_like_one() {
        let header = encode(JSON);
        let encrypted = encode(r#"{"alg":"dir","enc":"A256GCM"}"#);
        let inside = |inserted: &str| {
            (0..=header.len())
                .map(|place| {
                    let (before, after) = header.split_at(place);
                    format!("{before}{inserted}{after}.e30.AA")
                })
                .collect::<Vec<_>>()
        };
        // Bytes outside of the alphabet: of token68, and all others.
        for skipped in ["~", "=", "==", "~=~", " ", "\t", "\r\n", "%", "*", "\u{e4}", "\0"] {
            for token in inside(skipped) {
                assert!(looks_like_a_jwt(token.as_bytes()), "{token:?}");
            }
        }
        for json in [
            "{}",
            " {}",
            "\t\r\n {\"alg\":\"none\"}",
            "{\t\"a\":1}",
            "{\n\"a\":1}",
            "{\r\"a\":1}",
            "{ \"a\":1}",
            "{\u{e4}",
            "{",
            "\u{feff}{}",
            "\0{\0}",
            "{\0}\0",
        ] {
            let token = format!("{}.e30.AA", encode(json));
            assert!(looks_like_a_jwt(token.as_bytes()), "{json:?}");
        }
        let utf_16 = [0xff, 0xfe, b'{', 0, b'}', 0];
        // In this place, the standard alphabet has another letter.
        let standard = encode("{\"a\":\"\u{3ff}\u{fff}?\"}").replace('-', "+").replace('_', "/");
        assert!(standard.contains(['+', '/']));
        for (what, token) in [
            ("UTF-16", format!("{}.e30.AA", encode(utf_16))),
            ("the standard alphabet", format!("{standard}.e30.AA")),
            ("trailing bits", format!("{}.e30.AA", encode("{}1").replace('x', "z"))),
            ("no signature", format!("{header}.e30.")),
            ("empty parts after it", format!("{header}.e30.AA...")),
            ("what follows on it", format!("{header}.e30.AA.rest")),
            ("empty parts before it", format!("..{header}.e30.AA")),
            ("skipped parts before it", format!("~.{header}.e30.AA")),
            // What one decoder stops before, and another reads as part of the header.
            ("`enc` behind a skipped byte", format!("{header}~AAImVuYyI.e30.AA")),
            ("the same in five parts", format!("{header}~AAImVuYyI.e30.AA.AA.AA")),
            ("encrypted, and respelt", format!("~{encrypted}=.AA.AA.AA.AA")),
            ("`enc` in three parts", format!("{}.e30.AA", encode(r#"{"enc":"A256GCM"}"#))),
        ] {
            assert!(looks_like_a_jwt(token.as_bytes()), "{what}: {token}");
        }
    }

    #[test]
    fn opaque_tokens_and_encrypted_ones_do_not() {
        let header = encode(JSON);
        let encrypted = encode(r#"{"alg":"dir","enc":"A256GCM"}"#);
        for (what, token) in [
            ("nothing", String::new()),
            ("one part", header.clone()),
            ("two parts", format!("{header}.e30")),
            ("opaque", "dGhlIHRva2Vu".into()),
            ("opaque, with dots", "ya29.a0AfH6.SMBx.1".into()),
            ("an array", format!("{}.e30.AA", encode("[{}]"))),
            ("text", format!("{}.e30.AA", encode("\"{}\""))),
            ("encrypted", format!("{encrypted}..AA.AA.AA")),
            ("dots", "....".into()),
        ] {
            assert!(!looks_like_a_jwt(token.as_bytes()), "{what}: {token}");
        }
    }

    #[test]
    fn the_lenient_decoder_reads_what_is_strict_as_the_strict_one_does() {
        for length in 0..70 {
            let bytes: Vec<u8> = (0..length).map(|n: u8| n.wrapping_mul(37) ^ length).collect();
            assert_eq!(decode_leniently(encode(&bytes).as_bytes()), bytes);
        }
    }
}
