//! Compared with serde_json on random documents: the same values, and the same verdicts but for
//! duplicate members.

use super::*;

/// A simple generator of numbers, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn document(&mut self, depth: usize) -> String {
        let space = self.one(&["", "", "", " ", "\n\t"]).to_owned();
        let kinds = if depth == 0 { 4 } else { 6 };
        let value = match self.below(kinds) {
            0 => self.one(&["null", "true", "false"]).to_owned(),
            1 => self
                .one(&[
                    "0",
                    "-0",
                    "7",
                    "-1",
                    "1.5",
                    "1e3",
                    "1E-2",
                    "-2.5e+1",
                    "18446744073709551616",
                    "-9223372036854775808",
                    "-9223372036854775809",
                    "1e308",
                    "123456789012345678",
                ])
                .to_owned(),
            2 | 3 => format!(
                "\"{}\"",
                self.one(&[
                    "",
                    "a",
                    "é",
                    "\\n",
                    "\\u0041",
                    "\\ud83d\\ude00",
                    "a\\\\b",
                    "\\/",
                    "\u{7f}"
                ])
            ),
            4 => {
                let items: Vec<_> = (0..self.below(4)).map(|_| self.document(depth - 1)).collect();
                format!("[{}]", items.join(","))
            }
            _ => {
                let members: Vec<_> = (0..self.below(4))
                    .map(|n| {
                        format!(
                            "\"{}{n}\":{}",
                            self.one(&["a", "\\u0062", "é"]),
                            self.document(depth - 1)
                        )
                    })
                    .collect();
                format!("{{{}}}", members.join(","))
            }
        };
        format!("{space}{value}{space}")
    }

    fn mutate(&mut self, document: &str) -> String {
        let mut characters: Vec<char> = document.chars().collect();
        let alphabet: Vec<char> = "{}[]\":,\\/0123456789.-+eEutrfalsn \n\u{1}é".chars().collect();
        for _ in 0..=self.below(2) {
            let at = self.below(characters.len() + 1);
            let new = alphabet[self.below(alphabet.len())];
            match self.below(3) {
                0 if at < characters.len() => characters[at] = new,
                1 if at < characters.len() => drop(characters.remove(at)),
                _ => characters.insert(at, new),
            }
        }
        characters.into_iter().collect()
    }
}

fn is_same(ours: &Node<'_>, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Node::Null, Value::Null) => true,
        (Node::Bool(ours), Value::Bool(theirs)) => ours == theirs,
        // serde_json rounds the last digit otherwise, unless its feature `float_roundtrip` is on.
        (Node::Number(ours), theirs @ Value::Number(_)) => {
            theirs.as_f64().is_some_and(|theirs| (theirs - ours).abs() <= ours.abs() * 1e-15)
        }
        (Node::Text(ours), Value::String(theirs)) => ours == theirs,
        (Node::List(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| is_same(a, b))
        }
        (Node::Object(ours), Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().all(|(name, a)| theirs.get(&**name).is_some_and(|b| is_same(a, b)))
        }
        _ => false,
    }
}

/// Another reader sees the same document, and what it rejects is rejected here. Here alone
/// duplicate names are rejected.
#[test]
fn another_reader_sees_the_same_document() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut accepted, mut rejected) = (0, 0);
    for round in 0..60_000 {
        let mut json = random.document(4);
        if round % 2 == 1 {
            json = random.mutate(&json);
        }
        let theirs = serde_json::from_str::<Value>(&json);
        match (read::<Node<'_>>(json.as_bytes()), theirs) {
            (Ok(ours), Ok(theirs)) => {
                assert!(is_same(&ours, &theirs), "{json}: {ours:?} {theirs}");
                accepted += 1;
            }
            (Err(_), Err(_)) => rejected += 1,
            (Err(error), Ok(_)) => assert_eq!(error.problem(), &Problem::Duplicate, "{json}"),
            (Ok(_), Err(error)) => panic!("accepted here alone: {json}: {error}"),
        }
    }
    assert!(accepted > 30_000 && rejected > 10_000, "{accepted} {rejected}");
}
