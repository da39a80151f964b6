//! Words, and questions about several of them at once.

use storage_api::{Condition, Phrase, Query, Term, Test, Value, Words};

use super::matching::{Shelf, clause, has_tag, tagged};
use crate::bench::{Bench, key};
use crate::{Harness, Verdict};

/// Phrases that some words have.
pub(super) fn phrases() -> Vec<Phrase> {
    let phrase = |text: &str, open, field| Phrase { words: Words::of(text), open, field };
    let mut phrases = Vec::new();
    for text in ["a", "b", "a b", "b a b", "ab", "á", "nothing", ""] {
        phrases.extend([phrase(text, false, None), phrase(text, true, None)]);
        phrases.extend([0, 1, 7].map(|field| phrase(text, false, Some(field))));
    }
    phrases.push(phrase(&"a".repeat(400), false, None));
    phrases
}

/// Several phrases at once, some of which must not be there: one question to an index of words.
pub(super) fn are_asked_together(harness: &dyn Harness) -> Verdict {
    let mut shelf = Shelf { bench: Bench::new(harness), live: Vec::new() };
    let texts = ["", "a", "b", "a b", "b a", "a b c", "c", "a c a"];
    for (index, first) in texts.iter().enumerate() {
        for (other, second) in texts.iter().enumerate() {
            let words = Value::Words([first, second].map(|text| Words::of(text)));
            let mut terms = vec![Term::new("words", words), tagged(["x", "y"][index % 2])];
            if other % 3 == 0 {
                let more = ["c", "b a"].map(Words::of);
                terms.extend([
                    Term::new("words", Value::Words(more.clone())),
                    Term::new("q", Value::Words(more)),
                ]);
            }
            shelf.put(&key(&format!("{index}-{other}")), terms)?;
        }
    }
    let phrase = |param: &str, text: &str, field| {
        clause(param, Test::Words(Phrase { words: Words::of(text), open: false, field }))
    };
    let words = |text| phrase("words", text, None);
    let x = || has_tag("x").conditions;
    let questions = [
        vec![Condition::any(vec![words("a")]), Condition::any(vec![words("b")])],
        vec![Condition::any(vec![words("a"), words("c")]), Condition::any(vec![words("b a"), words("a c")])],
        vec![Condition::any(vec![words("a")]), Condition::none(vec![words("b"), words("c a")])],
        vec![Condition::any(vec![words("a b"), phrase("q", "c", None)]), Condition::none(vec![words("c")])],
        vec![
            Condition::any(vec![phrase("words", "a", Some(0))]),
            Condition::any(vec![phrase("q", "b", Some(1))]),
        ],
        vec![Condition::any(vec![
            words("a"),
            phrase("q", "b", None),
            has_tag("y").conditions[0].any[0].clone(),
        ])],
        vec![Condition::any(vec![words("never")]), Condition::none(vec![words("a")])],
    ];
    for conditions in questions {
        let of = |conditions| Query { kind: "Flag".into(), conditions };
        shelf.check(&of(conditions.clone()))?;
        shelf.check(&of([conditions, x()].concat()))?;
    }
    let alone = Query { kind: "Flag".into(), conditions: vec![Condition::none(vec![words("a")])] };
    shelf.check_search(&alone, &shelf.expected(&alone)?)
}
