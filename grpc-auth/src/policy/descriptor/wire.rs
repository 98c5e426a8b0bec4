//! The protobuf encoding, as far as descriptors need it.

/// The first length-delimited field of this number. A string given twice counts with its last
/// value in protobuf; compilers write it once.
#[track_caller]
pub(super) const fn find_field(message: &[u8], wanted: u64) -> Option<&[u8]> {
    let mut rest = message;
    while let Some((number, field, tail)) = next_field(rest) {
        if number == wanted {
            return Some(field);
        }
        rest = tail;
    }
    None
}

/// The next field: its number, its bytes if it is length-delimited, and what follows.
#[track_caller]
pub(super) const fn next_field(message: &[u8]) -> Option<(u64, &[u8], &[u8])> {
    if message.is_empty() {
        return None;
    }
    let (key, rest) = varint(message);
    let (length, rest) = match key & 7 {
        0 => return Some((key >> 3, &[], varint(rest).1)),
        1 => (8, rest),
        2 => varint(rest),
        5 => (4, rest),
        _ => panic!("`descriptor` is no file descriptor set"),
    };
    match rest.split_at_checked(length as usize) {
        Some((field, tail)) => Some((key >> 3, field, tail)),
        None => panic!("`descriptor` is no file descriptor set: it ends early"),
    }
}

#[track_caller]
const fn varint(bytes: &[u8]) -> (u64, &[u8]) {
    let mut rest = bytes;
    let mut value = 0;
    let mut shift = 0;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        value |= ((*byte & 0x7f) as u64) << shift;
        shift += 7;
        if *byte & 0x80 == 0 {
            return (value, rest);
        }
        assert!(shift < 64, "`descriptor` is no file descriptor set: a number is too long");
    }
    panic!("`descriptor` is no file descriptor set: it ends early")
}
