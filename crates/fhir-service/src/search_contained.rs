//! Searches of what resources contain: `_contained` and `_containedType` (FHIR, search, "contained resources").
//!
//! The store finds the resources around what matches; which of those inside match is told from their content.

use fhir_model::json::Value;
use fhir_search::{Problem, QueryError};
use rulebook::Failure;
use storage_api::{Condition, Query, SearchPage, StoredVersion};

use crate::search_shape::{Contained, Shape, malformed};
use crate::service::{Context, Service};

/// What is looked for inside of resources.
#[derive(Clone, Debug)]
pub(crate) struct Inside {
    /// The type.
    kind: String,
    /// What it must meet.
    conditions: Vec<Condition>,
    /// Whether a resource of the type that meets the conditions itself is found too.
    both: bool,
    /// Whether what is contained is shown by itself.
    pub(crate) is_alone: bool,
}

impl Inside {
    /// Turns a search of one type into one of what contains resources of that type; none if that is not asked for.
    pub(crate) fn of(
        shape: &Shape,
        types: &[&str],
        is_type_search: bool,
        extractor: &fhir_search::Extractor,
        queries: &mut Vec<Query>,
    ) -> Result<Option<Self>, Failure> {
        let both = match shape.contained {
            Contained::No => return Ok(None),
            Contained::Only => false,
            Contained::Both => true,
        };
        let ([kind], [query], true) = (types, queries.as_slice(), is_type_search) else {
            let sent = if both { "both" } else { "true" };
            return Err(malformed(
                "_contained",
                sent,
                "false, unless the search is one of a single type: GET [base]/[type]",
            ));
        };
        let conditions = query.conditions.clone();
        let refused = |problem: Problem| {
            Failure::Query(Box::new(QueryError { parameter: "_contained".to_owned(), problem }))
        };
        *queries = extractor.in_containers(kind, &conditions, both).map_err(refused)?;
        Ok(Some(Self { kind: (*kind).to_owned(), conditions, both, is_alone: shape.contained_alone }))
    }
}

impl Inside {
    /// What is found and counted are the resources around what is shown.
    pub(crate) fn expect_no_count(&self, is_counted: bool) -> Result<(), Failure> {
        let expected = "container where the number of matches is asked for";
        if is_counted && self.is_alone {
            Err(malformed("_containedType", "contained", expected))
        } else {
            Ok(())
        }
    }
}

/// A resource of a page as it is shown.
pub(crate) struct Shown<'a> {
    pub(crate) version: &'a StoredVersion,
    /// Whether it is shown itself.
    pub(crate) itself: bool,
    /// What is shown of what it contains.
    pub(crate) inside: Vec<Value>,
}

impl Shown<'_> {
    fn entries(&self) -> usize {
        usize::from(self.itself) + self.inside.len()
    }
}

/// How many entries these are.
pub(crate) fn entries(shown: &[Shown<'_>]) -> usize {
    shown.iter().map(Shown::entries).sum()
}

/// How many of these resources fit on a page; one always does.
pub(crate) fn fitting(shown: &[Shown<'_>], count: usize) -> usize {
    let whole =
        (1..=shown.len()).take_while(|place| entries(shown.get(..*place).unwrap_or_default()) <= count);
    whole.last().unwrap_or(1)
}

impl Service {
    /// What is shown of a page: resources, or what in them matches.
    pub(crate) fn shown<'a>(
        &self,
        page: &'a SearchPage,
        inside: Option<&Inside>,
        context: &Context,
    ) -> Result<Vec<Shown<'a>>, Failure> {
        let alone = inside.filter(|inside| inside.is_alone);
        let shown = |version| match alone {
            None => Ok(Shown { version, itself: true, inside: Vec::new() }),
            Some(inside) => self.shown_inside(version, inside, context),
        };
        page.found.iter().map(shown).collect()
    }

    fn shown_inside<'a>(
        &self,
        version: &'a StoredVersion,
        wanted: &Inside,
        context: &Context,
    ) -> Result<Shown<'a>, Failure> {
        let Some(body) = &version.body else {
            return Ok(Shown { version, itself: false, inside: Vec::new() });
        };
        let parsed = self.content_of(body)?;
        let in_force = self.in_force();
        let (key, bases) = ((&version.key, version.at), [context.base.as_str()]);
        let met = in_force.extractor.met_in(key, &parsed, &wanted.kind, &wanted.conditions, &bases);
        let met = met.map_err(|_| Failure::Internal)?;
        let is_met = |inner: &&Value| {
            inner
                .get("id")
                .and_then(Value::as_str)
                .is_some_and(|id| met.inside.iter().any(|found| found == id))
        };
        let inside: Vec<Value> = match parsed.get("contained") {
            Some(Value::Array(contained)) => contained.iter().filter(is_met).cloned().collect(),
            _ => Vec::new(),
        };
        // One of the type that matches itself is shown beside what matches in it.
        let itself = wanted.both && met.itself || inside.is_empty();
        Ok(Shown { version, itself, inside })
    }
}
