//! Searches of what resources contain (FHIR, search, `_contained`), and chains to it.

use fhir_model::json::Value as Json;
use storage_api::{Alone, Candidate, Clause, Condition, Key, Query, Test, Timestamp, matches};

use super::error::Problem;
use super::room::Room;
use crate::contained::contained_name;
use crate::error::ExtractError;
use crate::extractor::Extractor;

impl Extractor {
    /// The queries for resources of any type that contain one of `kind` which meets these conditions; with `both`
    /// also for those of `kind` that meet them themselves.
    ///
    /// # Errors
    ///
    /// [`Problem::Contained`] where a condition follows references: those of contained resources lead nowhere.
    /// [`Problem::TooBroad`] where every type of container makes them too many.
    pub fn in_containers(
        &self,
        kind: &str,
        conditions: &[Condition],
        both: bool,
    ) -> Result<Vec<Query>, Problem> {
        let comparisons: usize = conditions.iter().map(|condition| condition.any.len()).sum();
        Room::default().expect(comparisons.saturating_mul(self.types().len()))?;
        let query = |container: &'static str| {
            let part = part(container, kind, conditions)?;
            let conditions = if both && container == kind {
                either(conditions, &part)
            } else {
                vec![Condition::any(vec![part])]
            };
            Ok(Query { kind: container.into(), conditions })
        };
        self.types().map(query).collect()
    }

    /// Of a resource that one of these queries found: what in it is of `kind` and meets the conditions.
    ///
    /// # Errors
    ///
    /// As [`Extractor::terms`]; what [`Extractor::in_containers`] refuses is met by nothing.
    pub fn met_in(
        &self,
        (key, at): (&Key, Timestamp),
        content: &Json,
        kind: &str,
        conditions: &[Condition],
        bases: &[&str],
    ) -> Result<Met, ExtractError> {
        let terms = self.terms(content, bases)?;
        let candidate = Candidate { key, at, terms: &terms };
        let query = Query { kind: kind.into(), conditions: conditions.to_vec() };
        let is_met = |id: &&str| {
            let own = Condition::any(vec![Clause::Id((*id).into())]);
            let conditions: Vec<Condition> = conditions.iter().cloned().chain([own]).collect();
            part(&key.kind, kind, &conditions).is_ok_and(|part| part.holds(&candidate, &Alone))
        };
        let contained = match content.get("contained") {
            Some(Json::Array(contained)) => contained.as_slice(),
            _ => &[],
        };
        let ids = contained.iter().filter_map(|inner| inner.get("id").and_then(Json::as_str));
        let inside = ids.filter(is_met).map(str::to_owned).collect();
        Ok(Met { itself: matches(&query, &candidate, &Alone), inside })
    }
}

/// What meets conditions in one resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Met {
    /// Whether the resource does itself.
    pub itself: bool,
    /// The ids of those that it contains which do.
    pub inside: Vec<String>,
}

/// Something that a resource of a type contains is of `kind` and meets all of these.
fn part(container: &str, kind: &str, conditions: &[Condition]) -> Result<Clause, Problem> {
    let conditions = inside(container, conditions)?;
    Ok(Clause::Part { param: contained_name(container, kind), conditions })
}

/// All of the conditions, or the part: (a and b) or p is (a or p) and (b or p), and so an index can answer each.
fn either(conditions: &[Condition], part: &Clause) -> Vec<Condition> {
    let with = |condition: &Condition| {
        let mut any = if condition.negated {
            vec![Clause::All(vec![condition.clone()])]
        } else {
            condition.any.clone()
        };
        any.push(part.clone());
        Condition::any(any)
    };
    conditions.iter().map(with).collect()
}

/// What a chain asks of the contained resource that a reference leads to: that it is of `kind` and meets these.
pub(super) fn referred(owner: &str, kind: &str, term: &str, conditions: &[Condition]) -> Option<Clause> {
    let is_of_kind = Condition::any(vec![Clause::term(contained_name(owner, kind), Test::Present)]);
    let conditions = inside(owner, conditions).ok()?.into_iter().chain([is_of_kind]).collect();
    Some(Clause::Part { param: contained_name(term, ""), conditions })
}

/// Conditions on a resource as those on one that is contained in another.
fn inside(container: &str, conditions: &[Condition]) -> Result<Vec<Condition>, Problem> {
    let condition = |condition: &Condition| {
        let any = condition.any.iter().filter_map(|clause| clause_inside(container, clause).transpose());
        Ok(Condition { any: any.collect::<Result<_, _>>()?, negated: condition.negated })
    };
    conditions.iter().map(condition).collect()
}

fn clause_inside(container: &str, clause: &Clause) -> Result<Option<Clause>, Problem> {
    Ok(match clause {
        Clause::Term { test: Test::Words(_), .. } => return Err(Problem::Contained),
        Clause::Term { param, test } => Some(Clause::Term {
            param: contained_name(container, param),
            test: Test::Composite(vec![test.clone(), Test::Present]),
        }),
        Clause::Id(id) => Some(Clause::Id(id.clone())),
        // It has no version of its own.
        Clause::Updated(_) => None,
        Clause::All(conditions) => Some(Clause::All(inside(container, conditions)?)),
        Clause::Refers { .. } | Clause::Referred { .. } | Clause::Part { .. } => {
            return Err(Problem::Contained);
        }
    })
}
