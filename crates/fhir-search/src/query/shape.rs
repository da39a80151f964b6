//! Parameters that shape results: their order, and what comes along.

use compact_str::CompactString;
use fhir_definitions::{SearchType, TypeDef};
use storage_api::{Direction, Include, Named, SortBy, SortKey};

use super::error::{Problem, QueryError};
use super::shortened;
use crate::extractor::Extractor;
use crate::parameters::Parameter;

/// Keys of one order at most.
const SORT_KEYS_MAX: usize = 8;

const INCLUDE: &str = "Type:parameter, Type:parameter:Target, Type:* or *";

/// What an order comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Order {
    /// The keys that count.
    pub keys: Vec<SortKey>,
    /// Those, as they were written.
    pub used: Vec<String>,
    /// Those that were passed over.
    pub ignored: Vec<QueryError>,
}

impl Extractor {
    /// `_sort`: parameters that all of these types have, each perhaps behind `-`. Those that are not known come back
    /// as errors that may be passed over.
    pub fn order(&self, types: &[&str], text: &str) -> Result<Order, QueryError> {
        let names: Vec<&str> = text.split(',').map(str::trim).collect();
        let refused = |problem| QueryError { parameter: "_sort".to_owned(), problem };
        if names.len() > SORT_KEYS_MAX {
            return Err(refused(Problem::TooMany { max: SORT_KEYS_MAX }));
        }
        let mut order = Order::default();
        for name in names {
            let (code, descending) = name.strip_prefix('-').map_or((name, false), |code| (code, true));
            if code.is_empty() {
                return Err(refused(Problem::Malformed { expected: "names such as status,-date" }));
            }
            match self.sorted_by(types, code) {
                Ok(by) => {
                    order.keys.push(SortKey { by, descending });
                    order.used.push(name.to_owned());
                }
                Err(problem) => order.ignored.push(QueryError { parameter: shortened(code), problem }),
            }
        }
        Ok(order)
    }

    fn sorted_by(&self, types: &[&str], code: &str) -> Result<SortBy, Problem> {
        match code {
            "_id" => return Ok(SortBy::Id),
            "_lastUpdated" => return Ok(SortBy::Updated),
            _ => {}
        }
        let mut params: Vec<CompactString> = Vec::new();
        for name in types {
            let parameters = self.parameters(name).ok_or(Problem::Unknown)?;
            let parameter = parameters.get(code).ok_or(Problem::Unknown)?;
            let kind = parameter.definition().search_type();
            let is_ordered = !matches!(kind, SearchType::Composite | SearchType::Special);
            if !parameter.is_supported() || !is_ordered || parameter.is_position() || parameter.is_distance()
            {
                return Err(Problem::Unsupported);
            }
            params.extend(parameters.sources(parameter).map(|source| source.term().into()));
        }
        params.sort_unstable();
        params.dedup();
        Ok(SortBy::Params(params))
    }

    /// How canonical URLs name resources of a type, if it has any.
    pub(super) fn naming(&self, kind: TypeDef) -> Option<Named> {
        let own = |code: &str, search_type| {
            let found = self.parameters(kind.name())?.get(code)?;
            (found.definition().search_type() == search_type && found.is_supported())
                .then(|| found.term().into())
        };
        let (uri, version) = (own("url", SearchType::Uri)?, own("version", SearchType::Token)?);
        Some(Named { kind: kind.name().into(), uri, version })
    }

    /// `_include` and `_revinclude`, with their modifiers: what comes along with resources of these types.
    pub fn includes(&self, types: &[&str], name: &str, value: &str) -> Result<Vec<Include>, QueryError> {
        let problem = |problem| QueryError { parameter: shortened(name), problem };
        let (code, modifier) = name.split_once(':').map_or((name, None), |(code, rest)| (code, Some(rest)));
        let iterates = match modifier {
            None => false,
            Some("iterate" | "recurse") => true,
            Some(_) => return Err(problem(Problem::Modifier)),
        };
        if value.is_empty() {
            return Err(problem(Problem::Empty));
        }
        let malformed = || problem(Problem::Malformed { expected: INCLUDE });
        let direction = if code == "_include" { Direction::Forward } else { Direction::Backward };
        let parts: Vec<&str> = value.split(':').collect();
        let (kind, param, target) = match parts.as_slice() {
            ["*"] if direction == Direction::Forward => (None, "*", None),
            [kind, param] => (Some(*kind), *param, None),
            [kind, param, target] => (Some(*kind), *param, Some(*target)),
            _ => return Err(malformed()),
        };
        if parts.contains(&"") {
            return Err(malformed());
        }
        let of_value = |problem| QueryError { parameter: shortened(value), problem };
        if let Some(target) = target
            && self.definitions().resource_type(target).is_none()
        {
            return Err(of_value(Problem::Unknown));
        }
        let every = || self.types().collect();
        let kinds: Vec<&str> = match kind {
            Some(kind) => vec![kind],
            None if iterates => every(),
            None => types.to_vec(),
        };
        let mut includes = Vec::new();
        for kind in kinds {
            let parameters = self.parameters(kind).ok_or_else(|| of_value(Problem::Unknown))?;
            let follow = Follow { extractor: self, kind, target, direction, iterates };
            if param == "*" {
                includes.extend(parameters.iter().filter_map(|parameter| follow.include(parameter)));
            } else {
                let parameter = parameters.get(param).ok_or_else(|| of_value(Problem::Unknown))?;
                for source in parameters.sources(parameter) {
                    includes.push(follow.include(source).ok_or_else(|| of_value(Problem::Unsupported))?);
                }
            }
        }
        Ok(includes)
    }
}

/// What is common to the includes of one parameter.
#[derive(Clone, Copy)]
struct Follow<'a> {
    extractor: &'a Extractor,
    kind: &'a str,
    target: Option<&'a str>,
    direction: Direction,
    iterates: bool,
}

impl Follow<'_> {
    /// None for a parameter that is no reference.
    fn include(self, parameter: &Parameter) -> Option<Include> {
        let is_reference = parameter.definition().search_type() == SearchType::Reference;
        // `patient` finds its references among those of `subject`.
        let target = self.target.or(parameter.only().map(fhir_definitions::TypeDef::name));
        (is_reference && parameter.is_supported()).then(|| Include {
            kind: self.kind.into(),
            param: parameter.term().into(),
            target: target.map(Into::into),
            direction: self.direction,
            iterates: self.iterates,
            named: self.named(parameter),
        })
    }

    /// The types of which canonical URLs name resources: those that a reference may lead to and that have one.
    fn named(self, parameter: &Parameter) -> Vec<Named> {
        let named = |target: TypeDef| self.extractor.naming(target);
        let is_wanted = |target: &TypeDef| self.target.is_none_or(|wanted| wanted == target.name());
        parameter.definition().targets().filter(is_wanted).filter_map(named).collect()
    }
}
