//! Names of RPCs and the Rust names that tonic makes of them.
//!
//! `get_url` serves `GetURL`: the Rust name has more `_` and other case, and differs in nothing
//! else. So two names are compared without both.

/// Compares two names without `_` and case.
pub(super) const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let (mut one, mut other) = (one, other);
    loop {
        match (next(one), next(other)) {
            (None, None) => return true,
            (Some((byte, rest)), Some((other_byte, other_rest))) if byte == other_byte => {
                (one, other) = (rest, other_rest);
            }
            _ => return false,
        }
    }
}

/// How many bytes two names share at their beginning and at their end, without `_` and case.
pub(super) const fn likeness(one: &[u8], other: &[u8]) -> usize {
    let mut shared = 0;
    let (mut rest, mut other_rest) = (one, other);
    while let (Some((byte, tail)), Some((other_byte, other_tail))) = (next(rest), next(other_rest))
        && byte == other_byte
    {
        shared += 1;
        (rest, other_rest) = (tail, other_tail);
    }
    while let (Some((byte, head)), Some((other_byte, other_head))) = (last(rest), last(other_rest))
        && byte == other_byte
    {
        shared += 1;
        (rest, other_rest) = (head, other_head);
    }
    shared
}

/// The first byte that counts, in lower case, and what follows it.
const fn next(name: &[u8]) -> Option<(u8, &[u8])> {
    let mut rest = name;
    while let [byte, tail @ ..] = rest {
        if *byte != b'_' {
            return Some((byte.to_ascii_lowercase(), tail));
        }
        rest = tail;
    }
    None
}

/// The last byte that counts, in lower case, and what comes before it.
const fn last(name: &[u8]) -> Option<(u8, &[u8])> {
    let mut rest = name;
    while let [head @ .., byte] = rest {
        if *byte != b'_' {
            return Some((byte.to_ascii_lowercase(), head));
        }
        rest = head;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_without_underscores_and_case() {
        for (one, other) in [("get_url", "GetURL"), ("r2_d2_", "R2D2"), ("_x", "X"), ("", "_")] {
            assert!(is_same(one.as_bytes(), other.as_bytes()), "{one} {other}");
        }
        for (one, other) in [("get_url", "GetURLs"), ("get_url", "PutURL"), ("a", ""), ("a", "ab")]
        {
            assert!(!is_same(one.as_bytes(), other.as_bytes()), "{one} {other}");
        }
    }

    #[test]
    fn no_byte_is_shared_twice() {
        for (one, other, shared) in
            [("aa", "aaa", 2), ("get_url", "GetTheURL", 6), ("abc", "xyz", 0), ("", "a", 0)]
        {
            assert_eq!(likeness(one.as_bytes(), other.as_bytes()), shared, "{one} {other}");
        }
    }
}
