//! The subset of XPath 1.0 that selects nodes (RFC 5261 section 4.1), parsed, with its prefixes resolved.
//!
//! Beyond the grammar of the RFC, `//` and paths inside predicates are understood: the values of FHIR stand in
//! attributes, so that `f:identifier[f:system/@value='urn:a']` is how one of several is meant.

use super::dom::{Document, NodeId, Space};
use super::error::{SelectorFault as Fault, SelectorFaultKind as Kind};
use super::read::is_plain_name;

/// More steps and predicates than this are refused.
const STEPS_MAX: usize = 256;

/// A parsed selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selector {
    pub(super) steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// Whether the step may lead to any depth: `//` stands before it.
    pub(super) is_deep: bool,
    pub(super) test: Test,
    pub(super) predicates: Vec<Predicate>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Test {
    AnyElement,
    AnyElementIn(Space),
    Element(Space, String),
    Text,
    Comment,
    Instruction(Option<String>),
    Attribute(Space, String),
    Namespace(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Predicate {
    /// The place among those that pass the test and the predicates before, from 1.
    Position(usize),
    /// Some node at the end of a path has this text. An empty path is the node itself.
    Equals(Vec<Test>, String),
}

impl Selector {
    /// Parses a selector. Prefixes mean what they mean at the node of the patch that it stands in; so does the
    /// default name space, which XPath 1.0 would ignore (RFC 5261 section 4.2.1).
    pub(super) fn parse(text: &str, patch: &Document, node: NodeId) -> Result<Self, Fault> {
        let mut parser = Parser { text, at: 0, patch, node, count: 0 };
        let mut steps = Vec::new();
        let mut is_deep = parser.take("//");
        if !is_deep {
            parser.take("/");
        }
        loop {
            steps.push(parser.step(is_deep)?);
            is_deep = parser.take("//");
            if !is_deep && !parser.take("/") {
                break;
            }
            if steps.last().is_some_and(|step: &Step| !step.test.has_children()) {
                return parser.fault(Kind::Unexpected);
            }
        }
        if parser.rest().is_empty() { Ok(Self { steps }) } else { parser.fault(Kind::Unexpected) }
    }
}

impl Test {
    fn has_children(&self) -> bool {
        matches!(self, Self::AnyElement | Self::AnyElementIn(_) | Self::Element(..))
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    patch: &'t Document,
    node: NodeId,
    count: usize,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn fault<T>(&self, kind: Kind) -> Result<T, Fault> {
        Err(Fault { kind, offset: self.at })
    }

    fn take(&mut self, symbol: &str) -> bool {
        let is_here = self.rest().starts_with(symbol);
        self.at += if is_here { symbol.len() } else { 0 };
        is_here
    }

    fn expect(&mut self, symbol: &str) -> Result<(), Fault> {
        if self.take(symbol) { Ok(()) } else { self.fault(Kind::Unexpected) }
    }

    fn space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn counted(&mut self) -> Result<(), Fault> {
        self.count += 1;
        if self.count > STEPS_MAX { self.fault(Kind::TooLong { steps_max: STEPS_MAX }) } else { Ok(()) }
    }

    fn step(&mut self, is_deep: bool) -> Result<Step, Fault> {
        self.counted()?;
        let test = self.test()?;
        let mut predicates = Vec::new();
        while self.take("[") {
            self.counted()?;
            if matches!(test, Test::Attribute(..) | Test::Namespace(_)) {
                return self.fault(Kind::Unexpected);
            }
            predicates.push(self.predicate()?);
            self.space();
            self.expect("]")?;
        }
        Ok(Step { is_deep, test, predicates })
    }

    fn test(&mut self) -> Result<Test, Fault> {
        if self.take("*") {
            return Ok(Test::AnyElement);
        }
        if self.take("@") {
            let (prefix, local) = self.name()?;
            let space = if prefix.is_empty() { None } else { self.resolve(prefix)? };
            return Ok(Test::Attribute(space, local.to_owned()));
        }
        if self.take("namespace::") {
            return Ok(Test::Namespace(self.plain_name()?.to_owned()));
        }
        if self.take("text()") {
            return Ok(Test::Text);
        }
        if self.take("comment()") {
            return Ok(Test::Comment);
        }
        if self.take("processing-instruction(") {
            let target = if self.rest().starts_with(')') { None } else { Some(self.literal()?) };
            self.expect(")")?;
            return Ok(Test::Instruction(target));
        }
        if self.rest().starts_with("id(") {
            return self.fault(Kind::IdFunction);
        }
        let (prefix, local) = self.name()?;
        if self.rest().starts_with(['(', ':']) {
            return self.fault(Kind::Unexpected);
        }
        let space = self.resolve(prefix)?;
        Ok(if local == "*" { Test::AnyElementIn(space) } else { Test::Element(space, local.to_owned()) })
    }

    /// A name with its prefix, which may be empty; `*` may stand behind a prefix.
    fn name(&mut self) -> Result<(&'t str, &'t str), Fault> {
        let first = self.plain_name()?;
        if self.rest().starts_with("::") || !self.take(":") {
            return Ok(("", first));
        }
        Ok((first, if self.take("*") { "*" } else { self.plain_name()? }))
    }

    fn plain_name(&mut self) -> Result<&'t str, Fault> {
        let rest = self.rest();
        let ends = |char: char| !(char.is_alphanumeric() || matches!(char, '_' | '-' | '.' | '\u{B7}'));
        let name = rest.get(..rest.find(ends).unwrap_or(rest.len())).unwrap_or_default();
        if !is_plain_name(name) {
            return self.fault(Kind::Unexpected);
        }
        self.at += name.len();
        Ok(name)
    }

    fn resolve(&self, prefix: &str) -> Result<Space, Fault> {
        match self.patch.lookup(self.node, prefix) {
            Some(space) => Ok(space),
            None => self.fault(Kind::UndeclaredPrefix(prefix.to_owned())),
        }
    }

    fn literal(&mut self) -> Result<String, Fault> {
        let rest = self.rest();
        let quote = rest.chars().next().filter(|char| matches!(char, '\'' | '"'));
        let inside = quote.and_then(|quote| rest.get(1..)?.split_once(quote));
        let Some((literal, _)) = inside else { return self.fault(Kind::Unexpected) };
        self.at += literal.len() + 2;
        Ok(literal.to_owned())
    }

    fn predicate(&mut self) -> Result<Predicate, Fault> {
        self.space();
        let rest = self.rest();
        let digits = rest.get(..rest.bytes().take_while(u8::is_ascii_digit).count()).unwrap_or_default();
        if !digits.is_empty() {
            self.at += digits.len();
            // Digits that no place has select nothing.
            return Ok(Predicate::Position(digits.parse().unwrap_or(usize::MAX)));
        }
        let path = if self.take(".") { Vec::new() } else { self.inner_path()? };
        self.space();
        self.expect("=")?;
        self.space();
        Ok(Predicate::Equals(path, self.literal()?))
    }

    fn inner_path(&mut self) -> Result<Vec<Test>, Fault> {
        let mut path: Vec<Test> = Vec::new();
        loop {
            self.counted()?;
            path.push(self.test()?);
            if !self.take("/") {
                return Ok(path);
            }
            if path.last().is_some_and(|test| !test.has_children()) {
                return self.fault(Kind::Unexpected);
            }
        }
    }
}
