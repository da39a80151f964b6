//! From one value of one parameter to clauses: any of them.

use compact_str::{CompactString, format_compact};
use fhir_definitions::{SearchType, TypeDef};
use storage_api::{Clause, CodingTest, Interval, Key, NumberRange, Reference, SystemTest, Test};

use super::error::Problem;
use super::ordered::{Prefix, covering, date, numbers, overlapping, spans};
use super::text::{plain, split};
use crate::normal::normalised;
use crate::parameters::Parameter;
use crate::values::read_reference;

/// A modifier that concerns values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Modifier {
    None,
    Exact,
    Contains,
    Below,
    Above,
    Identifier,
    OfType,
    /// What people read of a code begins like this.
    Text,
    /// In a filter: without case and accents the same.
    Same,
    /// In a filter: the end of it.
    Ends,
    /// In a filter: a time that overlaps this one.
    Overlaps,
    /// In a filter: a time that has all of this one in it.
    Covers,
    Type(TypeDef),
}

/// The tests that a value stands for: any of them must pass.
type Tests = Result<Vec<Test>, Problem>;

/// The clauses of one value, on terms that are named like `source`.
pub(super) fn clauses(
    parameter: &Parameter,
    source: &Parameter,
    modifier: Modifier,
    value: &str,
    bases: &[&str],
) -> Result<Vec<Clause>, Problem> {
    let term = match modifier {
        Modifier::Identifier => format_compact!("{}:identifier", source.term()),
        Modifier::OfType => format_compact!("{}:of-type", source.term()),
        Modifier::Text => format_compact!("{}:text", source.term()),
        _ => CompactString::from(source.term()),
    };
    let tests = match (parameter.definition().search_type(), modifier) {
        (SearchType::Token, Modifier::OfType) => of_type(value),
        (SearchType::Token | SearchType::Reference, Modifier::Text) => string(Modifier::None, value),
        (SearchType::Reference, Modifier::Identifier) => token(value),
        (SearchType::Reference, Modifier::None) => reference(parameter, None, value, bases),
        (SearchType::Reference, Modifier::Type(target)) => reference(parameter, Some(target), value, bases),
        (kind, modifier) => tests(kind, modifier, value, bases),
    };
    Ok(tests?.into_iter().map(|test| Clause::Term { param: term.clone(), test }).collect())
}

fn tests(kind: SearchType, modifier: Modifier, value: &str, bases: &[&str]) -> Tests {
    match (kind, modifier) {
        (SearchType::Token, Modifier::None) => token(value),
        (SearchType::String, modifier) => string(modifier, value),
        (SearchType::Uri, modifier) => uri(modifier, value),
        (SearchType::Date, Modifier::None) => dated(value),
        (SearchType::Date, Modifier::Overlaps) => Ok(vec![span(overlapping(spanned(value)?))]),
        (SearchType::Date, Modifier::Covers) => Ok(vec![span(covering(spanned(value)?))]),
        (SearchType::Number, Modifier::None) => number(value),
        (SearchType::Quantity, Modifier::None) => quantity(value),
        (SearchType::Reference, Modifier::None) => {
            let found = read_reference(&plain(value), bases).filter(is_whole);
            found.map(|found| vec![Test::Reference(found)]).ok_or(Problem::Malformed { expected: REFERENCE })
        }
        _ => Err(Problem::Modifier),
    }
}

/// `system|code`, for modifiers that need one code.
pub(super) fn code(value: &str) -> Option<(CompactString, CompactString)> {
    match split(value, b'|').as_slice() {
        [system, code] if !system.is_empty() && !code.is_empty() => Some((plain(system), plain(code))),
        _ => None,
    }
}

/// `code`, `system|code`, `|code` (no system) or `system|` (any code).
fn token(value: &str) -> Tests {
    const EXPECTED: &str = "code, system|code, |code or system|";
    let malformed = Err(Problem::Malformed { expected: EXPECTED });
    let test = match split(value, b'|').as_slice() {
        [code] if !code.is_empty() => CodingTest { code: Some(plain(code)), system: SystemTest::Any },
        ["", code] if !code.is_empty() => CodingTest { code: Some(plain(code)), system: SystemTest::None },
        [system, ""] if !system.is_empty() => {
            CodingTest { code: None, system: SystemTest::Is(plain(system)) }
        }
        [system, code] if !code.is_empty() => {
            CodingTest { code: Some(plain(code)), system: SystemTest::Is(plain(system)) }
        }
        _ => return malformed,
    };
    Ok(vec![Test::Token(test)])
}

/// `system|code|value`: an identifier of a type.
fn of_type(value: &str) -> Tests {
    let parts = split(value, b'|');
    let [system, code, value] = parts.as_slice() else {
        return Err(Problem::Malformed { expected: "system|code|value" });
    };
    if code.is_empty() || value.is_empty() {
        return Err(Problem::Malformed { expected: "system|code|value" });
    }
    let system = if system.is_empty() { SystemTest::Any } else { SystemTest::Is(plain(system)) };
    let kind = Test::Token(CodingTest { code: Some(plain(code)), system });
    let value = Test::Token(CodingTest { code: Some(plain(value)), system: SystemTest::Any });
    Ok(vec![Test::Composite(vec![kind, value])])
}

fn string(modifier: Modifier, value: &str) -> Tests {
    let original = plain(value);
    let normal = normalised(&original);
    if normal.is_empty() {
        return Err(Problem::Malformed { expected: "a text" });
    }
    Ok(vec![match modifier {
        Modifier::None => Test::TextPrefix(normal),
        Modifier::Contains => Test::TextContains(normal),
        Modifier::Exact => Test::Text { normal, original },
        Modifier::Same => Test::TextIs(normal),
        Modifier::Ends => Test::TextEnds(normal),
        _ => return Err(Problem::Modifier),
    }])
}

/// Levels of a URI, or of a version, that are looked at above it.
pub(super) const LEVELS_MAX: usize = 64;

fn uri(modifier: Modifier, value: &str) -> Tests {
    let value = plain(value);
    if value.is_empty() {
        return Err(Problem::Malformed { expected: "a URI" });
    }
    Ok(match modifier {
        Modifier::None => vec![Test::Uri(value)],
        Modifier::Below => vec![Test::UriBelow(value)],
        Modifier::Contains => vec![Test::UriContains(value)],
        // The URI itself, and what is left of it at every slash.
        Modifier::Above => {
            if value.matches('/').count() > LEVELS_MAX {
                return Err(Problem::TooDeep { max: LEVELS_MAX });
            }
            let slashes = value.match_indices('/').map(|(at, _)| &value[..at]);
            let above = slashes.filter(|above| !above.is_empty() && !above.ends_with(['/', ':']));
            above.chain([value.as_str()]).map(|above| Test::Uri(above.into())).collect()
        }
        _ => return Err(Problem::Modifier),
    })
}

fn dated(value: &str) -> Tests {
    let malformed = Problem::Malformed { expected: DATE };
    let (prefix, text) = Prefix::take(value).ok_or(malformed)?;
    let found = date(text).ok_or(malformed)?;
    if prefix == Prefix::Eq {
        return Ok(vec![Test::Date(found)]);
    }
    Ok(spans(prefix, found).into_iter().map(span).collect())
}

/// The time that a date without prefix spans.
fn spanned(value: &str) -> Result<Interval, Problem> {
    date(value).ok_or(Problem::Malformed { expected: DATE })
}

fn span((low, high): (Interval, Interval)) -> Test {
    Test::Span { low, high }
}

pub(super) const DATE: &str =
    "a date such as 2018-05, 2018-05-25 or 2018-05-25T16:09Z, after eq ne gt lt ge le sa eb ap or nothing";
const NUMBER: &str = "a number such as 5.40 or 1e-3, after eq ne gt lt ge le sa eb ap or nothing";
const REFERENCE: &str = "Type/id, an id where the type is clear, or an absolute URL";

fn ranges(value: &str) -> Result<Vec<NumberRange>, Problem> {
    let malformed = Problem::Malformed { expected: NUMBER };
    let (prefix, text) = Prefix::take(value).ok_or(malformed)?;
    numbers(prefix, text).ok_or(malformed)
}

fn number(value: &str) -> Tests {
    Ok(ranges(value)?.into_iter().map(Test::Number).collect())
}

/// `number`, `number|system|code` or `number||code`.
fn quantity(value: &str) -> Tests {
    let unit = |system: &str, code: &str| CodingTest {
        code: Some(plain(code)),
        system: if system.is_empty() { SystemTest::Any } else { SystemTest::Is(plain(system)) },
    };
    let (number, unit) = match split(value, b'|').as_slice() {
        [number] => (*number, None),
        [number, system, code] if !code.is_empty() => (*number, Some(unit(system, code))),
        _ => return Err(Problem::Malformed { expected: "number, number|system|code or number||code" }),
    };
    Ok(ranges(number)?.into_iter().map(|value| Test::Quantity { value, unit: unit.clone() }).collect())
}

/// More target types than this and a bare id says too little.
const TARGETS_MAX: usize = 12;

fn reference(parameter: &Parameter, target: Option<TypeDef>, value: &str, bases: &[&str]) -> Tests {
    Ok(references(parameter, target, value, bases)?.into_iter().map(Test::Reference).collect())
}

/// The references that a value stands for.
pub(super) fn references(
    parameter: &Parameter,
    target: Option<TypeDef>,
    value: &str,
    bases: &[&str],
) -> Result<Vec<Reference>, Problem> {
    let text = plain(value);
    let malformed = Problem::Malformed { expected: REFERENCE };
    let target = target.or(parameter.only());
    let found = if fhir_model::Id::check(&text).is_ok() {
        let target = target.map(|target| vec![Reference::Local(Key::new(target.name(), text.clone()))]);
        target.map_or_else(|| of_any_type(parameter, &text), Ok)?
    } else {
        let found =
            canonical(&text).or_else(|| read_reference(&text, bases)).filter(is_whole).ok_or(malformed)?;
        if let (Some(target), Some(kind)) = (target, kind_of(&found))
            && kind != target.name()
        {
            return Err(Problem::Malformed { expected: "a reference to a resource of the parameter's type" });
        }
        vec![found]
    };
    Ok(found)
}

/// A bare id of any type that the parameter refers to, unless those are too many to guess.
fn of_any_type(parameter: &Parameter, id: &CompactString) -> Result<Vec<Reference>, Problem> {
    let targets = parameter.definition().targets();
    if targets.len() == 0 || targets.len() > TARGETS_MAX {
        return Err(Problem::TypeNeeded);
    }
    Ok(targets.map(|target| Reference::Local(Key::new(target.name(), id.clone()))).collect())
}

/// A canonical URL with its version.
fn canonical(text: &str) -> Option<Reference> {
    let (url, version) = text.split_once('|')?;
    (url.contains(':') && !version.is_empty()).then(|| Reference::External(text.into()))
}

/// Whether it can be compared with references in resources.
fn is_whole(reference: &Reference) -> bool {
    match reference {
        Reference::Local(_) => true,
        Reference::External(text) => !text.contains('?'),
    }
}

fn kind_of(reference: &Reference) -> Option<&str> {
    match reference {
        Reference::Local(key) => Some(&key.kind),
        Reference::External(text) => {
            text.rsplit('/').nth(1).filter(|kind| fhir_model::TypeName::check(kind).is_ok())
        }
    }
}

/// The conditions of one composite value, part by part: all of them must hold.
pub(super) fn parts(parameter: &Parameter, value: &str, bases: &[&str]) -> Result<Vec<Vec<Test>>, Problem> {
    let values = split(value, b'$');
    let components = parameter.components();
    if values.len() != components.len() {
        return Err(Problem::Malformed { expected: "one value for each part, with $ between them" });
    }
    components
        .iter()
        .zip(values)
        .map(|(component, value)| tests(component.search_type, Modifier::None, value, bases))
        .collect()
}
