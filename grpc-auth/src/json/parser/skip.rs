//! Values that are kept as text, to be read later.

use super::Parser;
use crate::json::error::{JsonError, Problem};

impl<'de> Parser<'de> {
    /// Moves behind a string. Half of a surrogate pair has no value, and is an escape all the same.
    fn skip_raw_string(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        while self.plain_end()? == b'\\' {
            self.at += 1;
            match self.escape() {
                Err(error) if matches!(error.problem(), Problem::NoValue(_)) => {}
                escape => drop(escape?),
            }
        }
        self.at += 1;
        Ok(())
    }

    fn skip_raw_scalar(&mut self, first: u8) -> Result<(), JsonError> {
        match first {
            b'"' => self.skip_raw_string(),
            // It is behind the number by then.
            b'-' | b'0'..=b'9' => match self.number() {
                Err(error) if matches!(error.problem(), Problem::NoValue(_)) => Ok(()),
                number => number.map(drop),
            },
            b'n' => self.literal("null"),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            _ => Err(JsonError::syntax("a value is missing")),
        }
    }

    fn skip_raw_name(&mut self) -> Result<(), JsonError> {
        if self.peek()? != b'"' {
            return Err(JsonError::syntax("a member has no name"));
        }
        self.skip_raw_string()?;
        self.colon()
    }

    /// The text of any value, however deep: it takes no stack. Depth, names and values are checked
    /// when the text is read itself.
    pub(in crate::json) fn raw(&mut self) -> Result<&'de str, JsonError> {
        self.skip_white_space();
        let start = self.at;
        // How the arrays and objects that are open end.
        let mut ends: Vec<u8> = Vec::new();
        loop {
            let mut is_first = true;
            match self.peek()? {
                b'{' => {
                    self.advance();
                    ends.push(b'}');
                }
                b'[' => {
                    self.advance();
                    ends.push(b']');
                }
                first => {
                    self.skip_raw_scalar(first)?;
                    is_first = false;
                }
            }
            // Moves to the next value, out of what ends before it.
            loop {
                let Some(&end) = ends.last() else {
                    return Ok(self.text.get(start..self.at).unwrap_or_default());
                };
                if self.has_next(is_first, end)? {
                    if end == b'}' {
                        self.skip_raw_name()?;
                    }
                    break;
                }
                ends.pop();
                is_first = false;
            }
        }
    }
}
