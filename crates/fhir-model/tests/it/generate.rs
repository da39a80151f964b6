//! Strategies: JSON trees as text, and bytes that are nearly JSON.

use proptest::prelude::*;

/// A JSON document as text, with white space and with escapes of every sort.
pub(crate) fn document() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        number(),
        string(),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            (space(), prop::collection::vec(inner.clone(), 0..6)).prop_map(|(space, items)| {
                format!("[{space}{}{space}]", items.join(&format!("{space},{space}")))
            }),
            (space(), prop::collection::vec((string(), inner), 0..18)).prop_map(|(space, members)| {
                let members: Vec<String> = members
                    .iter()
                    .enumerate()
                    // A number in front keeps the names distinct.
                    .map(|(index, (name, value))| {
                        format!("\"{index}_{}{space}:{space}{value}", name.strip_prefix('"').unwrap_or(name))
                    })
                    .collect();
                format!("{{{space}{}{space}}}", members.join(&format!("{space},{space}")))
            }),
        ]
    })
}

fn space() -> impl Strategy<Value = String> {
    prop_oneof![3 => Just(String::new()), 1 => "[ \t\r\n]{1,12}", 1 => Just("\n          ".to_owned())]
}

fn number() -> impl Strategy<Value = String> {
    "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,12})?([eE][+-]?[0-9]{1,2})?"
}

fn string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[ -!#-\\[\\]-~]{0,30}",
        1 => "[\u{e9}\u{20ac}\u{1F600}\u{7f}\u{2028}]{1,3}",
        1 => prop::sample::select(vec![
            "\\\"", "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t", "\\u0000", "\\u001f", "\\u001F", "\\u000a",
            "\\u00e9", "\\u20AC", "\\ud83d\\ude00", "\\u003c",
        ]).prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

/// Tokens of JSON in any order, now and then with a byte of something else: nearly JSON.
pub(crate) fn token_soup() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        12 => prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\"b\"", "\"a\":", "\"b\":1", "1", "-", "0", ".5", "e9",
            "true", "nul", "null", " ", "\n", "\\", "\\u", "\\ud800", "\\udc00", "00e9", "\u{FEFF}", "\u{e9}",
        ]).prop_map(|token| token.as_bytes().to_vec()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    prop::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat())
}

/// A document with one byte removed, replaced or put in.
pub(crate) fn damaged() -> impl Strategy<Value = Vec<u8>> {
    (document(), any::<prop::sample::Index>(), any::<u8>(), 0..3_u8).prop_map(|(text, index, byte, how)| {
        let mut bytes = text.into_bytes();
        let at = index.index(bytes.len());
        match how {
            0 => drop(bytes.remove(at)),
            1 => bytes[at] = byte,
            _ => bytes.insert(at, byte),
        }
        bytes
    })
}
