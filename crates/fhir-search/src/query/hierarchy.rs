//! `:above` and `:below` on references: along what resources are part of, and along the versions of canonical URLs
//! (FHIR, search, "hierarchical references", "canonical").

use std::collections::BTreeMap;

use compact_str::{CompactString, format_compact};
use storage_api::{Clause, Condition, Key, Query, Reference, Test};

use super::Reader;
use super::clauses::{LEVELS_MAX, references};
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
        let mut found = Vec::new();
        for value in values {
            found.extend(references(parameter, None, value, self.surroundings.bases)?);
        }
        let mut any = Vec::new();
        for source in self.parameters.sources(parameter) {
            any.extend(self.along(way, source.term(), &found)?);
        }
        // Of what is part of nothing there is nothing above or below.
        if any.is_empty() { Err(Problem::Modifier) } else { Ok(vec![Condition::any(any)]) }
    }

    /// What refers by `term` to one of these, or to something above or below one of them. All of one type are followed
    /// together, so that many values are no more steps than one.
    fn along(&self, way: Way, term: &str, found: &[Reference]) -> Result<Vec<Clause>, Problem> {
        let mut any = Vec::new();
        let mut ids: BTreeMap<&str, Vec<Key>> = BTreeMap::new();
        for reference in found {
            match reference {
                Reference::External(text) => any.extend(versions(way, term, text)?),
                Reference::Local(key) => ids.entry(&key.kind).or_default().push(key.clone()),
            }
        }
        for (kind, keys) in ids {
            let Some(parent) = self.parent_of(kind) else { continue };
            self.room.take(keys.len() * LEVELS)?;
            let query = match way {
                Way::Below => below(kind, &keys, &parent, LEVELS),
                Way::Above => above(kind, &keys, &parent, LEVELS),
            };
            any.extend(
                keys.into_iter().map(|key| Clause::term(term, Test::Reference(Reference::Local(key)))),
            );
            any.push(Clause::Refers { param: term.into(), query: Box::new(query), named: None });
        }
        Ok(any)
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

/// What is part of these resources, of their parts, and so on.
fn below(kind: &str, keys: &[Key], parent: &CompactString, levels: usize) -> Query {
    let direct = |key: &Key| Clause::term(parent.clone(), Test::Reference(Reference::Local(key.clone())));
    let mut any: Vec<Clause> = keys.iter().map(direct).collect();
    if levels > 1 {
        let query = Box::new(below(kind, keys, parent, levels - 1));
        any.push(Clause::Refers { param: parent.clone(), query, named: None });
    }
    Query { kind: kind.into(), conditions: vec![Condition::any(any)] }
}

/// What these resources are part of, what that is part of, and so on.
fn above(kind: &str, keys: &[Key], parent: &CompactString, levels: usize) -> Query {
    let own = Condition::any(keys.iter().map(|key| Clause::Id(key.id.clone())).collect());
    let mut queries = vec![Query { kind: kind.into(), conditions: vec![own] }];
    if levels > 1 {
        queries.push(above(kind, keys, parent, levels - 1));
    }
    let from = |query| Clause::Referred { param: parent.clone(), query: Box::new(query), named: None };
    let any = queries.into_iter().map(from).collect();
    Query { kind: kind.into(), conditions: vec![Condition::any(any)] }
}

/// Below version 1 are 1.0 and 1.0.2; above 1.0.2 are 1.0 and 1. A URL without version has all of them below it.
fn versions(way: Way, term: &str, text: &str) -> Result<Vec<Clause>, Problem> {
    let clause = |test| Clause::term(term, test);
    let exactly = |text: &str| clause(Test::Reference(Reference::External(text.into())));
    let mut any = vec![exactly(text)];
    let Some((url, version)) = text.split_once('|') else { return Ok(any) };
    if version.matches('.').count() > LEVELS_MAX {
        return Err(Problem::TooDeep { max: LEVELS_MAX });
    }
    match way {
        Way::Below => any.push(clause(Test::ReferencePrefix(format_compact!("{text}.")))),
        Way::Above => any
            .extend(version.match_indices('.').map(|(at, _)| exactly(&format!("{url}|{}", &version[..at])))),
    }
    Ok(any)
}
