//! Messages of compile errors.

/// A string put together while compiling: a few hundred names fit.
pub(super) struct Text {
    bytes: [u8; Self::CAPACITY],
    length: usize,
}

impl Text {
    const CAPACITY: usize = 65_536;

    pub(super) const fn new() -> Self {
        Self { bytes: [0; Self::CAPACITY], length: 0 }
    }

    pub(super) const fn add(mut self, text: &str) -> Self {
        let mut rest = text.as_bytes();
        while let [byte, tail @ ..] = rest {
            let Some((_, [slot, ..])) = self.bytes.split_at_mut_checked(self.length) else {
                return self;
            };
            *slot = *byte;
            self.length += 1;
            rest = tail;
        }
        self
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub(super) const fn as_str(&self) -> &str {
        match std::str::from_utf8(self.bytes.split_at(self.length).0) {
            Ok(text) => text,
            Err(_) => "the descriptor and the table differ",
        }
    }
}
