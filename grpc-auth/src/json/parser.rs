//! The grammar of JSON (RFC 8259) over a text, token by token.

mod skip;

use std::borrow::Cow;

use super::MAX_DEPTH;
use super::error::{JsonError, Problem};
use super::names::Names;

/// How many bytes come before the next quotation mark, backslash or control character. Eight at a
/// time: most bytes of a token's claims are in strings.
#[inline]
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH_BITS: u64 = ONES << 7;
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // In each, the lowest high bit that is set belongs to the first such byte; those above it may
        // be set for other bytes, by a borrow.
        let below = |limit: u8, word: u64| word.wrapping_sub(ONES * u64::from(limit)) & !word;
        let is = |byte: u8| below(1, word ^ (ONES * u64::from(byte)));
        let found = (below(b' ', word) | is(b'"') | is(b'\\')) & HIGH_BITS;
        if found != 0 {
            return index * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let is_end = |byte: &u8| matches!(byte, b'"' | b'\\' | ..=0x1f);
    bytes.len() - rest.len() + rest.iter().position(is_end).unwrap_or(rest.len())
}

/// A number, as serde knows them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
}

/// Reads a text from its beginning.
pub(super) struct Parser<'de> {
    text: &'de str,
    at: usize,
    depth: usize,
}

impl<'de> Parser<'de> {
    pub(super) fn new(text: &'de str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    /// Adds the place where reading stopped.
    #[cold]
    pub(super) fn locate(&self, error: JsonError) -> JsonError {
        error.at(self.text, self.at)
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    fn skip_white_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.byte() {
            self.at += 1;
        }
    }

    /// The first byte of the next token.
    #[inline]
    pub(super) fn peek(&mut self) -> Result<u8, JsonError> {
        self.skip_white_space();
        self.byte().ok_or_else(|| JsonError::syntax("it ends early"))
    }

    /// Takes the byte that was looked at.
    #[inline]
    pub(super) fn advance(&mut self) {
        self.at += 1;
    }

    /// Only white space may follow the document.
    pub(super) fn end(&mut self) -> Result<(), JsonError> {
        self.skip_white_space();
        match self.byte() {
            None => Ok(()),
            Some(_) => Err(JsonError::syntax("something follows the document")),
        }
    }

    /// Begins an array or an object.
    #[inline]
    pub(super) fn enter(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(JsonError::new(Problem::TooDeep)) } else { Ok(()) }
    }

    /// Moves to the next item of an array or an object that was entered; false at its end.
    #[inline]
    pub(super) fn next(&mut self, is_first: bool, end: u8) -> Result<bool, JsonError> {
        let has_next = self.has_next(is_first, end)?;
        self.depth -= usize::from(!has_next);
        Ok(has_next)
    }

    #[inline]
    fn has_next(&mut self, is_first: bool, end: u8) -> Result<bool, JsonError> {
        match self.peek()? {
            byte if byte == end => {
                self.advance();
                return Ok(false);
            }
            _ if is_first => return Ok(true),
            b',' => self.advance(),
            _ => return Err(JsonError::syntax("a comma or the end is missing")),
        }
        match self.peek()? {
            byte if byte == end => Err(JsonError::syntax("a comma has nothing after it")),
            _ => Ok(true),
        }
    }

    /// Reads the name of a member, which must be new and not reserved, and the colon.
    #[inline]
    pub(super) fn name(&mut self, names: &mut Names<'de>) -> Result<Cow<'de, str>, JsonError> {
        if self.peek()? != b'"' {
            return Err(JsonError::syntax("a member has no name"));
        }
        let name = self.string()?;
        self.colon()?;
        names.insert(name.clone())?;
        Ok(name)
    }

    #[inline]
    fn colon(&mut self) -> Result<(), JsonError> {
        if self.peek()? != b':' {
            return Err(JsonError::syntax("a colon is missing"));
        }
        self.advance();
        Ok(())
    }

    /// Reads a string; it is borrowed unless it has escapes.
    #[inline]
    pub(super) fn string(&mut self) -> Result<Cow<'de, str>, JsonError> {
        self.at += 1;
        let start = self.at;
        match self.plain_end()? {
            b'"' => {
                let plain = self.text.get(start..self.at).unwrap_or_default();
                self.at += 1;
                Ok(Cow::Borrowed(plain))
            }
            _ => self.escaped(start).map(Cow::Owned),
        }
    }

    /// Moves to the next quotation mark or backslash of a string.
    #[inline]
    fn plain_end(&mut self) -> Result<u8, JsonError> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        self.at += plain_length(rest);
        match self.byte() {
            Some(byte @ (b'"' | b'\\')) => Ok(byte),
            Some(_) => Err(JsonError::syntax("a string has a control character")),
            None => Err(JsonError::syntax("a string has no end")),
        }
    }

    #[cold]
    fn escaped(&mut self, start: usize) -> Result<String, JsonError> {
        let mut decoded = self.text.get(start..self.at).unwrap_or_default().to_owned();
        loop {
            // At a backslash.
            self.at += 1;
            decoded.push(self.escape()?);
            let start = self.at;
            let end = self.plain_end()?;
            decoded.push_str(self.text.get(start..self.at).unwrap_or_default());
            if end == b'"' {
                self.at += 1;
                return Ok(decoded);
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let byte = self.byte().ok_or_else(|| JsonError::syntax("a string has no end"))?;
        self.at += 1;
        Ok(match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return Err(JsonError::syntax("a string has an unknown escape")),
        })
    }

    /// `\uXXXX`, or two of them for a character beyond the basic plane.
    fn unicode(&mut self) -> Result<char, JsonError> {
        let lone = || JsonError::no_value("a string has half of a surrogate pair");
        let first = self.hex()?;
        let code = match first {
            0xd800..=0xdbff => {
                if self.text.get(self.at..self.at + 2) != Some("\\u") {
                    return Err(lone());
                }
                self.at += 2;
                let second = self.hex()?;
                if !(0xdc00..=0xdfff).contains(&second) {
                    return Err(lone());
                }
                0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            code => code,
        };
        char::from_u32(code).ok_or_else(lone)
    }

    fn hex(&mut self) -> Result<u32, JsonError> {
        let digits = self.text.get(self.at..self.at + 4);
        let digits = digits.filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let code = digits.and_then(|text| u32::from_str_radix(text, 16).ok());
        self.at += 4;
        code.ok_or_else(|| JsonError::syntax("a string has an incomplete escape"))
    }

    /// Reads `null`, `true` or `false`.
    pub(super) fn literal(&mut self, literal: &'static str) -> Result<(), JsonError> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if !rest.starts_with(literal.as_bytes()) {
            return Err(JsonError::syntax("a value is missing"));
        }
        self.at += literal.len();
        Ok(())
    }

    /// Reads a number, which must be finite.
    pub(super) fn number(&mut self) -> Result<Number, JsonError> {
        let malformed = || JsonError::syntax("a number is malformed");
        let start = self.at;
        let is_negative = self.byte() == Some(b'-');
        self.at += usize::from(is_negative);
        let first = self.byte();
        match (first, self.digits()) {
            (_, 0) => return Err(malformed()),
            (Some(b'0'), 2..) => return Err(malformed()),
            _ => {}
        }
        let mut is_integer = true;
        if self.byte() == Some(b'.') {
            is_integer = false;
            self.at += 1;
            if self.digits() == 0 {
                return Err(malformed());
            }
        }
        if let Some(b'e' | b'E') = self.byte() {
            is_integer = false;
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            if self.digits() == 0 {
                return Err(malformed());
            }
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        // `-0` is a float: there is no such integer.
        if is_integer && !(is_negative && first == Some(b'0')) {
            let integer = if is_negative {
                text.parse().ok().map(Number::Signed)
            } else {
                text.parse().ok().map(Number::Unsigned)
            };
            if let Some(integer) = integer {
                return Ok(integer);
            }
        }
        let float = text.parse().ok().filter(|float: &f64| float.is_finite());
        float.map(Number::Float).ok_or_else(|| JsonError::no_value("a number is out of range"))
    }

    /// Moves behind the digits, and counts them.
    #[inline]
    fn digits(&mut self) -> usize {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.byte() {
            self.at += 1;
        }
        self.at - start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_ends_at_the_first_byte_that_is_not_plain() {
        let is_end = |byte: u8| matches!(byte, b'"' | b'\\' | ..=0x1f);
        for length in [0, 1, 7, 8, 9, 16, 23] {
            for plain in [b' ', b'!', b'#', b'[', b']', 0x7f, 0x80, 0xa2, 0xdc, 0xff] {
                let bytes = vec![plain; length];
                assert_eq!(plain_length(&bytes), length);
                for place in 0..length {
                    for byte in 0..=u8::MAX {
                        let mut bytes = bytes.clone();
                        bytes[place] = byte;
                        let expected = if is_end(byte) { place } else { length };
                        assert_eq!(plain_length(&bytes), expected, "{byte} at {place} of {length}");
                    }
                }
            }
        }
        // The first of two counts.
        assert_eq!(plain_length(b"abc\x01\"\\gh"), 3);
        assert_eq!(plain_length(b"ab\"\x01\x02\\gh"), 2);
    }
}
