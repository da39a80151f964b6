//! What somebody looks for in texts: words and phrases with `and`, `or`, `not` and parentheses.
//!
//! FHIR leaves the form to the server (search, `_text` and `_content`) and shows `(bone OR liver) and metastases`.

use storage_api::{Clause, Condition, Words};

use super::error::Problem;
use crate::normal::words_of;

/// Bytes of one expression at most.
const BYTES_MAX: usize = 1024;
/// Words and phrases of one expression at most.
const PHRASES_MAX: usize = 32;
/// Parentheses and `not` within each other.
const DEPTH_MAX: usize = 16;
/// Conditions that alternatives may be multiplied out to.
const CONDITIONS_MAX: usize = 16;
/// A beginning of words has so many letters: shorter ones begin too many.
const BEGINNING_MIN: usize = 3;

const EXPECTED: &str =
    "words and \"phrases\", with and, or, not and parentheses; a word may end in * behind three letters";
const MALFORMED: Problem = Problem::Malformed { expected: EXPECTED };

/// Words that follow each other.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Looked {
    pub(super) words: Words,
    /// Whether the last word may go on.
    pub(super) open: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Expression {
    Phrase(Looked),
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Not(Box<Expression>),
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    Phrase(Looked),
}

/// What an expression asks for: all of these. `clauses` says what it means that something has a phrase: any of them.
pub(super) fn words(text: &str, clauses: &dyn Fn(&Looked) -> Vec<Clause>) -> Result<Vec<Condition>, Problem> {
    if text.len() > BYTES_MAX {
        return Err(Problem::TooLong { max: BYTES_MAX });
    }
    let tokens = tokens(text)?;
    if tokens.iter().filter(|token| matches!(token, Token::Phrase(_))).count() > PHRASES_MAX {
        return Err(Problem::TooMany { max: PHRASES_MAX });
    }
    let mut parser = Parser { tokens: &tokens };
    let expression = parser.any(0)?;
    if !parser.tokens.is_empty() {
        return Err(MALFORMED);
    }
    Ok(conditions(&expression, false, clauses))
}

/// A comma is an `or`, as in every other parameter. What has neither letters nor digits says nothing.
fn tokens(text: &str) -> Result<Vec<Token>, Problem> {
    let mut tokens = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            _ if letter.is_whitespace() => {}
            '(' => tokens.push(Token::Open),
            ')' => tokens.push(Token::Close),
            ',' => tokens.push(Token::Or),
            '"' => {
                let mut quoted = String::new();
                loop {
                    match letters.next().ok_or(MALFORMED)? {
                        '"' => break,
                        '\\' => quoted.push(letters.next().ok_or(MALFORMED)?),
                        other => quoted.push(other),
                    }
                }
                let open = letters.next_if_eq(&'*').is_some();
                tokens.extend(phrase(&quoted, open)?.map(Token::Phrase));
            }
            first => {
                let mut bare = String::new();
                let mut next = Some(first);
                while let Some(letter) = next {
                    bare.push(if letter == '\\' { letters.next().unwrap_or(letter) } else { letter });
                    next = letters.next_if(|next| !next.is_whitespace() && !"(),\"".contains(*next));
                }
                tokens.extend(token(&bare)?);
            }
        }
    }
    Ok(tokens)
}

fn token(bare: &str) -> Result<Option<Token>, Problem> {
    for (word, token) in [("and", Token::And), ("or", Token::Or), ("not", Token::Not)] {
        if bare.eq_ignore_ascii_case(word) {
            return Ok(Some(token));
        }
    }
    let (word, open) = bare.strip_suffix('*').map_or((bare, false), |word| (word, true));
    Ok(phrase(word, open)?.map(Token::Phrase))
}

fn phrase(text: &str, open: bool) -> Result<Option<Looked>, Problem> {
    let words = words_of(text);
    let last = words.as_str().rsplit(' ').next().unwrap_or_default();
    // Of `bo*ne` the first part would have to be a word.
    if text.contains('*') || (open && last.chars().count() < BEGINNING_MIN) {
        return Err(MALFORMED);
    }
    Ok((!words.is_empty()).then_some(Looked { words, open }))
}

struct Parser<'a> {
    tokens: &'a [Token],
}

impl Parser<'_> {
    fn takes(&mut self, token: &Token) -> bool {
        match self.tokens.split_first() {
            Some((first, rest)) if first == token => {
                self.tokens = rest;
                true
            }
            _ => false,
        }
    }

    fn any(&mut self, depth: usize) -> Result<Expression, Problem> {
        let mut parts = vec![self.all(depth)?];
        while self.takes(&Token::Or) {
            parts.push(self.all(depth)?);
        }
        Ok(Expression::Any(parts))
    }

    /// Words beside each other are all wanted.
    fn all(&mut self, depth: usize) -> Result<Expression, Problem> {
        let mut parts = vec![self.one(depth)?];
        while self.takes(&Token::And)
            || matches!(self.tokens.first(), Some(Token::Open | Token::Not | Token::Phrase(_)))
        {
            parts.push(self.one(depth)?);
        }
        Ok(Expression::All(parts))
    }

    fn one(&mut self, depth: usize) -> Result<Expression, Problem> {
        if depth == DEPTH_MAX {
            return Err(MALFORMED);
        }
        let (first, rest) = self.tokens.split_first().ok_or(MALFORMED)?;
        self.tokens = rest;
        match first {
            Token::Phrase(phrase) => Ok(Expression::Phrase(phrase.clone())),
            Token::Not => Ok(Expression::Not(Box::new(self.one(depth + 1)?))),
            Token::Open => {
                let inside = self.any(depth + 1)?;
                if self.takes(&Token::Close) { Ok(inside) } else { Err(MALFORMED) }
            }
            Token::Close | Token::And | Token::Or => Err(MALFORMED),
        }
    }
}

/// An expression, or its opposite, as conditions that must all hold: an index answers those best.
fn conditions(
    expression: &Expression,
    negated: bool,
    clauses: &dyn Fn(&Looked) -> Vec<Clause>,
) -> Vec<Condition> {
    match (expression, negated) {
        (Expression::Phrase(phrase), negated) => vec![Condition { any: clauses(phrase), negated }],
        (Expression::Not(inside), negated) => conditions(inside, !negated, clauses),
        (Expression::All(parts), false) | (Expression::Any(parts), true) => {
            parts.iter().flat_map(|part| conditions(part, negated, clauses)).collect()
        }
        (Expression::Any(parts), false) | (Expression::All(parts), true) => {
            let parts = parts.iter().map(|part| conditions(part, negated, clauses)).collect();
            alternatives(parts)
        }
    }
}

/// One of these, each of which is several conditions: every choice of one condition of each, (a and b) or c is (a or c)
/// and (b or c). Where those are too many they stay as they are.
fn alternatives(mut parts: Vec<Vec<Condition>>) -> Vec<Condition> {
    if let [only] = parts.as_mut_slice() {
        return std::mem::take(only);
    }
    let choices = parts.iter().try_fold(1_usize, |choices, part| choices.checked_mul(part.len()));
    if choices.is_none_or(|choices| choices > CONDITIONS_MAX) {
        return vec![Condition::any(parts.into_iter().map(Clause::All).collect())];
    }
    let mut chosen: Vec<Vec<Condition>> = vec![Vec::new()];
    for part in parts {
        let with = |choice: &Vec<Condition>, one: &Condition| {
            choice.iter().chain([one]).cloned().collect::<Vec<_>>()
        };
        chosen = chosen.iter().flat_map(|choice| part.iter().map(|one| with(choice, one))).collect();
    }
    chosen.into_iter().map(either).collect()
}

/// One of these conditions.
fn either(mut conditions: Vec<Condition>) -> Condition {
    if let [only] = conditions.as_mut_slice() {
        return std::mem::replace(only, Condition::any(Vec::new()));
    }
    let clauses = conditions.into_iter().flat_map(|condition| {
        if condition.negated { vec![Clause::All(vec![condition])] } else { condition.any }
    });
    Condition::any(clauses.collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use storage_api::{Alone, Candidate, Key, Phrase, Term, Test, Timestamp, Value};

    use super::*;

    fn clause(looked: &Looked) -> Vec<Clause> {
        let Looked { words, open } = looked.clone();
        vec![Clause::term("words", Test::Words(Phrase { words, open, field: None }))]
    }

    fn finds(query: &str, text: &str) -> Result<bool, Problem> {
        let terms = [Term::new("words", Value::Words([words_of(text), Words::default()]))];
        let key = Key::new("K", "1");
        let candidate = Candidate { key: &key, at: Timestamp(0), terms: &terms };
        let conditions = words(query, &clause)?;
        Ok(conditions.iter().all(|condition| condition.holds(&candidate, &Alone)))
    }

    #[test]
    fn words_and_what_stands_between_them() {
        const TEXT: &str = "Metastases of the left bone, and/or \"marrow\" of Müller's 5.40 mm";
        for (query, expected) in [
            ("bone", true),
            ("BONE", true),
            ("bon", false),
            ("bon*", true),
            ("metastas*", true),
            ("muller", true),
            ("Müller's", true),
            ("bone left", true),
            ("\"bone left\"", false),
            ("\"left bone\"", true),
            ("\"left bo\"", false),
            ("\"the left bon\"*", true),
            ("left AND bone", true),
            ("left and liver", false),
            ("liver OR bone", true),
            ("liver,bone", true),
            ("liver,lung", false),
            ("(bone OR liver) and metastases", true),
            ("(lung OR liver) and metastases", false),
            ("lung and liver or bone", true),
            ("bone or lung and liver", true),
            ("NOT liver", true),
            ("NOT bone", false),
            ("left NOT liver", true),
            ("left and not bone", false),
            ("not (liver or lung)", true),
            ("not (liver and bone)", true),
            ("not (not bone)", true),
            ("liver or not lung", true),
            ("liver or not bone", false),
            ("\"and or\"", true),
            ("\"or not\"", false),
            ("5.40", true),
            ("5.4", false),
            ("mm[Hg]", false),
            ("bone & left", true),
            (r#""left \"bone\"""#, true),
            (r"left\, bone", true),
            ("((((bone))))", true),
        ] {
            assert_eq!(finds(query, TEXT), Ok(expected), "{query}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for query in [
            "",
            " ",
            "-",
            "\"\"",
            "and",
            "or",
            "not",
            "bone and",
            "bone or",
            "and bone",
            "bone not",
            "()",
            "(bone",
            "bone)",
            "\"bone",
            "bo*",
            "\"a bo\"*",
            "*",
            "b*ne",
            "*bone",
            "bone,",
            ",bone",
            "bone,,liver",
            "\"bone\\",
        ] {
            assert_eq!(finds(query, "bone"), Err(MALFORMED), "{query}");
        }
        let deep = |levels: usize| format!("{}bone{}", "(".repeat(levels), ")".repeat(levels));
        assert_eq!((finds(&deep(15), "bone"), finds(&deep(16), "bone")), (Ok(true), Err(MALFORMED)));
        assert_eq!(finds(&"not ".repeat(16), "bone"), Err(MALFORMED));
        assert_eq!(finds(&"a".repeat(1025), "bone"), Err(Problem::TooLong { max: 1024 }));
        assert_eq!(finds(&"a ".repeat(33), "a"), Err(Problem::TooMany { max: 32 }));
    }

    #[test]
    fn alternatives_become_conditions_as_long_as_they_are_few() {
        let count = |query: &str| words(query, &clause).map(|conditions| conditions.len());
        assert_eq!(count(&"a ".repeat(32)), Ok(32));
        assert_eq!(count("(a or b) and c"), Ok(2));
        assert_eq!(count("(a and b) or (c and d)"), Ok(4));
        assert_eq!(count("(a b c d e) or (a b c d e)"), Ok(1));
    }

    /// Expressions with their meaning, found by trying.
    fn expression() -> impl Strategy<Value = (String, [bool; 8])> {
        let word = (0..3_usize).prop_map(|bit| {
            (["a", "b", "c"][bit].to_owned(), core::array::from_fn(|state| state >> bit & 1 == 1))
        });
        word.prop_recursive(4, 24, 3, |inner| {
            let two = || (inner.clone(), inner.clone());
            prop_oneof![
                two().prop_map(|((a, x), (b, y))| (
                    format!("({a} and {b})"),
                    core::array::from_fn(|i| x[i] && y[i])
                )),
                two().prop_map(|((a, x), (b, y))| (
                    format!("({a} {b})"),
                    core::array::from_fn(|i| x[i] && y[i])
                )),
                two().prop_map(|((a, x), (b, y))| (
                    format!("({a} OR {b})"),
                    core::array::from_fn(|i| x[i] || y[i])
                )),
                inner.clone().prop_map(|(a, x)| (format!("(NOT {a})"), x.map(|truth| !truth))),
            ]
        })
    }

    proptest! {
        #[test]
        fn conditions_mean_what_the_expression_means((query, meaning) in expression()) {
            for (state, expected) in meaning.into_iter().enumerate() {
                let text: Vec<&str> =
                    ["a", "b", "c"].into_iter().enumerate().filter(|(bit, _)| state >> bit & 1 == 1).map(|(_, word)| word).collect();
                match finds(&query, &text.join(" ")) {
                    Ok(found) => prop_assert_eq!(found, expected, "{} on {:?}", query, text),
                    Err(problem) => prop_assert!(problem != Problem::Unknown && query.len() > 40, "{query}: {problem:?}"),
                }
            }
        }

        #[test]
        fn any_text_is_read_or_refused(query in r#"[a-c ()"*,\\é東\-]{0,24}"#) {
            let _ = finds(&query, "a b c");
        }
    }
}
