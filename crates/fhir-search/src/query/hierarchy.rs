//! `:above` and `:below` on references: along what resources are part of, and along the versions of canonical URLs
//! (FHIR, search, "hierarchical references", "canonical").

use compact_str::{CompactString, format_compact};
use storage_api::{Clause, Condition, Key, Query, Reference, Test};

use super::Reader;
use super::clauses::references;
use super::error::Problem;
use crate::parameters::Parameter;

/// References from a resource to one that it is part of.
const PARENTS: [&str; 3] = ["partof", "part-of", "parent"];

/// Steps up or down. Sites have buildings, these have wings, wards, rooms and beds.
const LEVELS: usize = 12;

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Above,
    Below,
}

impl Reader<'_> {
    /// `location:below`: what the references lead to is the one that is meant, or part of it.
    pub(super) fn along_hierarchy(
        &self,
        parameter: &Parameter,
        way: Way,
        values: &[&str],
    ) -> Result<Vec<Condition>, Problem> {
        let mut any = Vec::new();
        for value in values {
            let found = references(parameter, None, value, self.surroundings.bases)?;
            for source in self.parameters.sources(parameter) {
                any.extend(self.along(way, source.term(), found.clone())?);
            }
        }
        Ok(vec![Condition::any(any)])
    }

    /// What refers by `term` to one of these, or to something above or below it.
    fn along(&self, way: Way, term: &str, found: Vec<Reference>) -> Result<Vec<Clause>, Problem> {
        let mut any = Vec::new();
        for reference in found {
            match &reference {
                Reference::External(text) => any.extend(versions(way, term, text)),
                Reference::Local(key) => {
                    let Some(parent) = self.parent_of(&key.kind) else { continue };
                    let query = match way {
                        Way::Below => below(key, &parent, LEVELS),
                        Way::Above => above(key, &parent, LEVELS),
                    };
                    any.push(Clause::term(term, Test::Reference(reference.clone())));
                    any.push(Clause::Refers { param: term.into(), query: Box::new(query) });
                }
            }
        }
        // Of what is part of nothing there is nothing above or below.
        if any.is_empty() { Err(Problem::Modifier) } else { Ok(any) }
    }

    /// The parameter by which resources of a type are part of others of it.
    fn parent_of(&self, kind: &str) -> Option<CompactString> {
        let parameters = self.extractor.parameters(kind)?;
        let parent = PARENTS.iter().find_map(|code| parameters.get(code))?;
        let mut targets = parent.definition().targets();
        let is_own = targets.next().is_some_and(|target| target.name() == kind) && targets.next().is_none();
        (is_own && parent.is_supported()).then(|| parent.term().into())
    }
}

/// What is part of a resource, of its parts, and so on.
fn below(key: &Key, parent: &CompactString, levels: usize) -> Query {
    let mut any = vec![Clause::term(parent.clone(), Test::Reference(Reference::Local(key.clone())))];
    if levels > 1 {
        let query = Box::new(below(key, parent, levels - 1));
        any.push(Clause::Refers { param: parent.clone(), query });
    }
    Query { kind: key.kind.clone(), conditions: vec![Condition::any(any)] }
}

/// What a resource is part of, what that is part of, and so on.
fn above(key: &Key, parent: &CompactString, levels: usize) -> Query {
    let own = Condition::any(vec![Clause::Id(key.id.clone())]);
    let mut queries = vec![Query { kind: key.kind.clone(), conditions: vec![own] }];
    if levels > 1 {
        queries.push(above(key, parent, levels - 1));
    }
    let from = |query| Clause::Referred { param: parent.clone(), query: Box::new(query) };
    let any = queries.into_iter().map(from).collect();
    Query { kind: key.kind.clone(), conditions: vec![Condition::any(any)] }
}

/// Below version 1 are 1.0 and 1.0.2; above 1.0.2 are 1.0 and 1. A URL without version has all of them below it.
fn versions(way: Way, term: &str, text: &str) -> Vec<Clause> {
    let clause = |test| Clause::term(term, test);
    let exactly = |text: &str| clause(Test::Reference(Reference::External(text.into())));
    let mut any = vec![exactly(text)];
    let Some((url, version)) = text.split_once('|') else { return any };
    match way {
        Way::Below => any.push(clause(Test::ReferencePrefix(format_compact!("{text}.")))),
        Way::Above => any
            .extend(version.match_indices('.').map(|(at, _)| exactly(&format!("{url}|{}", &version[..at])))),
    }
    any
}
