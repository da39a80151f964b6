//! `_filter`: conditions with `and`, `or`, `not` and parentheses (FHIR, search, "Advanced filtering").
//!
//! Every comparison is read as the parameter that means the same, so both find the same; what no parameter means has
//! modifiers of its own, which cannot be written elsewhere.

use fhir_model::json;
use storage_api::{Clause, Condition};

use super::Reader;
use super::clauses::Modifier;
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

/// The conditions of a filter: all of them.
pub(super) fn filter(reader: &Reader<'_>, text: &str) -> Result<Vec<Condition>, Problem> {
    let words = words(text)?;
    let mut parser = Parser { reader, words: words.as_slice(), comparisons: 0 };
    // Passed over, a part that is not known would make the whole filter vanish.
    let conditions = parser.all(0).map_err(|problem| match problem {
        Problem::Unknown
        | Problem::Unsupported
        | Problem::WithoutFullText
        | Problem::Empty
        | Problem::ShapesResults => {
            Problem::Malformed { expected: "comparisons of parameters that the type has" }
        }
        other => other,
    })?;
    if parser.words.is_empty() { Ok(conditions) } else { Err(MALFORMED) }
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
                let mut written = String::from(letter);
                loop {
                    let letter = letters.next().ok_or(MALFORMED)?;
                    written.push(letter);
                    match letter {
                        '"' => break,
                        '\\' => written.push(letters.next().ok_or(MALFORMED)?),
                        _ => {}
                    }
                }
                words.push(Word::Quoted(unquoted(&written)?));
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

/// What a JSON string says.
fn unquoted(written: &str) -> Result<String, Problem> {
    match json::parse(written.as_bytes(), &json::Limits::default()) {
        Ok(json::Value::String(text)) => Ok(text.to_string()),
        _ => Err(MALFORMED),
    }
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

    /// From left to right: neither of `and` and `or` binds more than the other.
    fn all(&mut self, depth: usize) -> Result<Vec<Condition>, Problem> {
        let mut all = self.one(depth)?;
        loop {
            if self.takes("and") {
                all.extend(self.one(depth)?);
            } else if self.takes("or") {
                let mut any = alternatives(all);
                any.extend(alternatives(self.one(depth)?));
                all = vec![Condition::any(any)];
            } else {
                return Ok(all);
            }
        }
    }

    fn one(&mut self, depth: usize) -> Result<Vec<Condition>, Problem> {
        if depth == DEPTH_MAX {
            return Err(Problem::TooDeep { max: DEPTH_MAX });
        }
        if self.takes("not") {
            if *self.next()? != Word::Open {
                return Err(MALFORMED);
            }
            return Ok(vec![Condition::none(alternatives(self.inside(depth)?))]);
        }
        if self.words.first() == Some(&Word::Open) {
            self.next()?;
            return self.inside(depth);
        }
        self.comparison()
    }

    /// What is before the closing parenthesis.
    fn inside(&mut self, depth: usize) -> Result<Vec<Condition>, Problem> {
        let conditions = self.all(depth + 1)?;
        if *self.next()? == Word::Close { Ok(conditions) } else { Err(MALFORMED) }
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
        let value = with_known_systems(value);
        let meant = kind.as_parameter(name, operator, &value).ok_or(MALFORMED)?;
        let reader = Reader { unmodified: meant.modifier, ..*self.reader };
        let conditions = reader.conditions(&meant.name, &meant.value)?;
        Ok(if meant.negated { vec![Condition::none(alternatives(conditions))] } else { conditions })
    }
}

/// Of which one must hold where all of these conditions must: the clauses of a single one, so that an index can answer
/// them.
fn alternatives(mut conditions: Vec<Condition>) -> Vec<Clause> {
    match conditions.as_mut_slice() {
        [Condition { any, negated: false }] => std::mem::take(any),
        _ => vec![Clause::All(conditions)],
    }
}

/// Names that a filter may have for systems.
const SYSTEMS: [(&str, &str); 4] = [
    ("loinc", "http://loinc.org"),
    ("snomed", "http://snomed.info/sct"),
    ("rxnorm", "http://www.nlm.nih.gov/research/umls/rxnorm"),
    ("ucum", "http://unitsofmeasure.org"),
];

/// `loinc|1234-5` with the system written out.
fn with_known_systems(value: &str) -> String {
    let known = |part| SYSTEMS.iter().find(|(name, _)| *name == part).map_or(part, |(_, system)| *system);
    match value.rsplit_once('|') {
        Some((systems, code)) => {
            let systems: Vec<&str> = systems.split('|').map(known).collect();
            format!("{}|{code}", systems.join("|"))
        }
        None => value.to_owned(),
    }
}

/// The parameter that means the same as a comparison.
struct Meant {
    name: String,
    value: String,
    modifier: Modifier,
    negated: bool,
}

/// What the parameter of a comparison compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compared {
    Text,
    /// With prefixes.
    Date,
    /// With prefixes too.
    Ordered,
    /// Tokens, references, URIs.
    Named,
}

impl Compared {
    /// The parameter and the value that mean the same as a comparison.
    fn as_parameter(self, name: &str, operator: &str, value: &str) -> Option<Meant> {
        let all = |name: String, value: String| {
            Some(Meant { name, value, modifier: Modifier::None, negated: operator == "ne" })
        };
        let plain = || all(name.to_owned(), escaped(value, ",$\\"));
        let modified = |modifier: &str| all(format!("{name}:{modifier}"), escaped(value, ",\\"));
        let by = |modifier| plain().map(|meant| Meant { modifier, ..meant });
        match (operator, self) {
            ("pr", _) => match value {
                "true" => all(format!("{name}:missing"), "false".to_owned()),
                "false" => all(format!("{name}:missing"), "true".to_owned()),
                _ => None,
            },
            ("eq" | "ne", Self::Text) => by(Modifier::Same),
            ("ew", Self::Text) => by(Modifier::Ends),
            ("co", Self::Text) => modified("contains"),
            // Some value of the resource is another one, as the prefix says it.
            ("eq" | "ne" | "gt" | "lt" | "ge" | "le" | "sa" | "eb" | "ap", Self::Date | Self::Ordered) => {
                let meant = all(name.to_owned(), format!("{operator}{}", escaped(value, ",$\\")))?;
                Some(Meant { negated: false, ..meant })
            }
            ("po", Self::Date) => by(Modifier::Overlaps),
            ("co", Self::Date) => by(Modifier::Covers),
            ("sw", Self::Text) | ("eq" | "ne" | "re", Self::Named) => plain(),
            ("in", Self::Named) => modified("in"),
            ("ni", Self::Named) => modified("not-in"),
            ("ss", Self::Named) => modified("below"),
            ("sb", Self::Named) => modified("above"),
            _ => None,
        }
    }
}
