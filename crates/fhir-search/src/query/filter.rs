//! `_filter`: conditions with `and`, `or`, `not` and parentheses (FHIR, search, "Advanced filtering").
//!
//! Every comparison is read as the parameter that means the same, so both find the same.

use storage_api::{Clause, Condition};

use super::Reader;
use super::error::Problem;
use super::text::escaped;

/// Comparisons of one filter at most.
const COMPARISONS_MAX: usize = 64;
/// Parentheses within parentheses.
const DEPTH_MAX: usize = 16;

const EXPECTED: &str =
    "comparisons such as name sw \"ne\" or birthdate ge 1970, with and, or, not and parentheses";
const MALFORMED: Problem = Problem::Malformed { expected: EXPECTED };

/// A word of a filter.
#[derive(Clone, Debug, PartialEq)]
enum Word {
    Open,
    Close,
    /// A name, an operator or a bare value.
    Bare(String),
    Quoted(String),
}

pub(super) fn filter(reader: &Reader<'_>, text: &str) -> Result<Condition, Problem> {
    let words = words(text)?;
    let mut parser = Parser { reader, words: words.as_slice(), comparisons: 0 };
    // Passed over, a part that is not known would make the whole filter vanish.
    let condition = parser.any(0).map_err(|problem| match problem {
        Problem::Unknown
        | Problem::Unsupported
        | Problem::WithoutFullText
        | Problem::Empty
        | Problem::ShapesResults => {
            Problem::Malformed { expected: "comparisons of parameters that the type has" }
        }
        other => other,
    })?;
    if parser.words.is_empty() { Ok(condition) } else { Err(MALFORMED) }
}

fn words(text: &str) -> Result<Vec<Word>, Problem> {
    let mut words = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            _ if letter.is_whitespace() => {}
            '(' => words.push(Word::Open),
            ')' => words.push(Word::Close),
            '"' => {
                let mut quoted = String::new();
                loop {
                    match letters.next().ok_or(MALFORMED)? {
                        '"' => break,
                        '\\' => quoted.push(letters.next().ok_or(MALFORMED)?),
                        other => quoted.push(other),
                    }
                }
                words.push(Word::Quoted(quoted));
            }
            first => {
                let mut bare = String::from(first);
                while let Some(next) =
                    letters.next_if(|next| !next.is_whitespace() && !"()\"".contains(*next))
                {
                    bare.push(next);
                }
                words.push(Word::Bare(bare));
            }
        }
    }
    Ok(words)
}

/// The values of a filter behind these operators.
pub(super) fn values_behind(text: &str, operators: &[&str]) -> Vec<String> {
    let words = words(text).unwrap_or_default();
    let behind = words.windows(2).filter_map(|pair| match pair {
        [Word::Bare(operator), Word::Bare(value) | Word::Quoted(value)]
            if operators.contains(&operator.as_str()) =>
        {
            Some(value.clone())
        }
        _ => None,
    });
    behind.take(COMPARISONS_MAX).collect()
}

struct Parser<'a> {
    reader: &'a Reader<'a>,
    words: &'a [Word],
    comparisons: usize,
}

impl Parser<'_> {
    fn next(&mut self) -> Result<&Word, Problem> {
        let (first, rest) = self.words.split_first().ok_or(MALFORMED)?;
        self.words = rest;
        Ok(first)
    }

    fn takes(&mut self, word: &str) -> bool {
        match self.words.split_first() {
            Some((Word::Bare(bare), rest)) if bare == word => {
                self.words = rest;
                true
            }
            _ => false,
        }
    }

    /// `and` binds more than `or`.
    fn any(&mut self, depth: usize) -> Result<Condition, Problem> {
        let mut any = vec![self.all(depth)?];
        while self.takes("or") {
            any.push(self.all(depth)?);
        }
        Ok(Condition::any(any))
    }

    fn all(&mut self, depth: usize) -> Result<Clause, Problem> {
        let mut all = self.one(depth)?;
        while self.takes("and") {
            all.extend(self.one(depth)?);
        }
        Ok(Clause::All(all))
    }

    fn one(&mut self, depth: usize) -> Result<Vec<Condition>, Problem> {
        if depth == DEPTH_MAX {
            return Err(Problem::TooDeep { max: DEPTH_MAX });
        }
        if self.takes("not") {
            if *self.next()? != Word::Open {
                return Err(MALFORMED);
            }
            return Ok(vec![Condition::none(vec![Clause::All(self.inside(depth)?)])]);
        }
        if self.words.first() == Some(&Word::Open) {
            self.next()?;
            return self.inside(depth);
        }
        self.comparison()
    }

    /// What is before the closing parenthesis.
    fn inside(&mut self, depth: usize) -> Result<Vec<Condition>, Problem> {
        let condition = self.any(depth + 1)?;
        if *self.next()? == Word::Close { Ok(vec![condition]) } else { Err(MALFORMED) }
    }

    /// `name operator value`.
    fn comparison(&mut self) -> Result<Vec<Condition>, Problem> {
        self.comparisons += 1;
        if self.comparisons > COMPARISONS_MAX {
            return Err(Problem::TooMany { max: COMPARISONS_MAX });
        }
        let (Word::Bare(name), Word::Bare(operator)) = (self.next()?.clone(), self.next()?.clone()) else {
            return Err(MALFORMED);
        };
        let value = match self.next()? {
            Word::Bare(value) | Word::Quoted(value) => value.clone(),
            Word::Open | Word::Close => return Err(MALFORMED),
        };
        self.compared(&name, &operator, &value)
    }

    fn compared(&self, name: &str, operator: &str, value: &str) -> Result<Vec<Condition>, Problem> {
        // A result parameter or a filter inside of a filter selects nothing here.
        if name.contains(':') || name.contains('[') || name.starts_with("_filter") {
            return Err(MALFORMED);
        }
        let kind = self.reader.type_of(name)?;
        let (name, value) = kind.as_parameter(name, operator, value).ok_or(MALFORMED)?;
        let conditions = self.reader.conditions(&name, &value)?;
        Ok(if operator == "ne" { vec![Condition::none(vec![Clause::All(conditions)])] } else { conditions })
    }
}

/// What the parameter of a comparison compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compared {
    Text,
    /// With prefixes.
    Ordered,
    /// Tokens, references, URIs.
    Named,
}

impl Compared {
    /// The parameter and the value that mean the same as a comparison.
    fn as_parameter(self, name: &str, operator: &str, value: &str) -> Option<(String, String)> {
        let plain = || Some((name.to_owned(), escaped(value, ",$\\")));
        let modified = |modifier: &str| Some((format!("{name}:{modifier}"), escaped(value, ",\\")));
        match (operator, self) {
            ("pr", _) => match value {
                "true" => Some((format!("{name}:missing"), "false".to_owned())),
                "false" => Some((format!("{name}:missing"), "true".to_owned())),
                _ => None,
            },
            ("eq" | "ne", Self::Text) => modified("exact"),
            ("co", Self::Text) => modified("contains"),
            ("eq" | "ne", Self::Ordered) => Some((name.to_owned(), format!("eq{}", escaped(value, ",$\\")))),
            ("gt" | "lt" | "ge" | "le" | "sa" | "eb" | "ap", Self::Ordered) => {
                Some((name.to_owned(), format!("{operator}{}", escaped(value, ",$\\"))))
            }
            ("sw", Self::Text) | ("eq" | "ne" | "re", Self::Named) => plain(),
            ("in", Self::Named) => modified("in"),
            ("ni", Self::Named) => modified("not-in"),
            ("ss", Self::Named) => modified("below"),
            ("sb", Self::Named) => modified("above"),
            _ => None,
        }
    }
}
