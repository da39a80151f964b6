//! Pages of what queries find, made by looking at everything.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use storage_api::{
    Candidate, Direction, INCLUDED_MAX, Include, Key, Mark, Reference, SearchPage, SearchRequest, Seq,
    SortValue, StoredVersion, Timestamp, Value, compare_marks,
};

use crate::state::{Resource, State};

impl State {
    pub(crate) fn search(&self, request: &SearchRequest) -> SearchPage {
        let began = request.after.as_ref().map_or(self.newest, |mark| mark.began);
        let matching = || request.queries.iter().flat_map(|query| self.found(query));
        let mut total: u64 = 0;
        let mut found: Vec<(&Resource, Vec<SortValue>)> = Vec::new();
        for (key, resource) in matching() {
            total += 1;
            if let Some(values) = values_at(request, key, resource, began)
                && is_behind(request, resource, &values)
            {
                found.push((resource, values));
            }
        }
        found.sort_by(|left, right| compare(request, left, right));
        let more = found.len() > request.limit;
        found.truncate(request.limit);
        let next = found.last().filter(|_| more);
        let next = next.map(|(last, values)| Mark { place: last.place, began, values: values.clone() });
        let found: Vec<StoredVersion> =
            found.iter().filter_map(|(resource, _)| resource.live()).map(plain).collect();
        let (included, included_cut) = self.included(&request.includes, &found);
        SearchPage { found, included, included_cut, total: request.total.then_some(total), next }
    }

    /// What includes lead to, from what was found and, where they iterate, from what was included.
    fn included(&self, includes: &[Include], found: &[StoredVersion]) -> (Vec<StoredVersion>, bool) {
        let mut seen: HashSet<Key> = found.iter().map(|version| version.key.clone()).collect();
        let mut from: Vec<Key> = found.iter().map(|version| version.key.clone()).collect();
        let mut along = Vec::new();
        let mut first = true;
        while !from.is_empty() {
            let mut reached = Vec::new();
            for include in includes.iter().filter(|include| first || include.iterates) {
                reached.extend(from.iter().flat_map(|key| self.reached(include, key)));
            }
            from.clear();
            for key in reached {
                let Some(version) = self.resources.get(&key).and_then(Resource::live) else { continue };
                if !seen.insert(key.clone()) {
                    continue;
                }
                if along.len() == INCLUDED_MAX {
                    return (along, true);
                }
                along.push(plain(version));
                from.push(key);
            }
            first = false;
        }
        (along, false)
    }

    fn reached(&self, include: &Include, from: &Key) -> Vec<Key> {
        let is_wanted = |target: &Key| include.target.as_ref().is_none_or(|kind| *kind == target.kind);
        match include.direction {
            Direction::Forward if from.kind == include.kind => {
                let Some(resource) = self.resources.get(from) else { return Vec::new() };
                let targets = targets(resource, include).filter(|target| is_wanted(target)).cloned();
                let all = self.resources.iter().filter(|(key, _)| is_wanted(key));
                let named = all.filter(|(key, other)| is_named(include, resource, key, other));
                targets.chain(named.map(|(key, _)| key.clone())).collect()
            }
            Direction::Backward if is_wanted(from) => {
                let own = self.resources.get(from);
                let refers = |resource: &Resource| {
                    targets(resource, include).any(|target| target == from)
                        || own.is_some_and(|own| is_named(include, resource, from, own))
                };
                let of_kind = self.resources.iter().filter(|(key, _)| key.kind == include.kind);
                of_kind.filter(|(_, resource)| refers(resource)).map(|(key, _)| key.clone()).collect()
            }
            Direction::Forward | Direction::Backward => Vec::new(),
        }
    }
}

/// What a resource refers to by the parameter of an include.
fn targets<'a>(resource: &'a Resource, include: &'a Include) -> impl Iterator<Item = &'a Key> {
    let own = resource.newest_terms().iter().filter(|term| term.param == include.param);
    own.filter_map(|term| match &term.value {
        Value::Reference(Reference::Local(key)) => Some(key),
        _ => None,
    })
}

/// Whether a reference to elsewhere of one resource names another one.
fn is_named(include: &Include, resource: &Resource, key: &Key, other: &Resource) -> bool {
    // Neither its key nor its time is asked for.
    let candidate = |terms| Candidate { key, at: Timestamp(0), terms };
    let (by, one) = (candidate(resource.newest_terms()), candidate(other.newest_terms()));
    let mut named = include.named.iter().filter(|named| named.kind == key.kind);
    named.any(|named| named.is_named(&one, &by, &include.param))
}

fn plain(version: &Arc<StoredVersion>) -> StoredVersion {
    StoredVersion::clone(version)
}

/// The values that a resource had when the walk began; none if it did not exist then.
fn values_at(request: &SearchRequest, key: &Key, resource: &Resource, began: Seq) -> Option<Vec<SortValue>> {
    if request.order.is_empty() {
        return Some(Vec::new());
    }
    let then = resource.versions.partition_point(|version| version.seq <= began).checked_sub(1)?;
    let (version, terms) = (resource.versions.get(then)?, resource.terms.get(then)?);
    version.body.as_ref()?;
    Some(request.order.iter().map(|sort| sort.value_of(&key.id, version.seq, terms)).collect())
}

fn is_behind(request: &SearchRequest, resource: &Resource, values: &[SortValue]) -> bool {
    request.after.as_ref().is_none_or(|mark| {
        compare_marks(&request.order, (values, resource.place), (&mark.values, mark.place)).is_gt()
    })
}

fn compare(
    request: &SearchRequest,
    (left, left_values): &(&Resource, Vec<SortValue>),
    (right, right_values): &(&Resource, Vec<SortValue>),
) -> Ordering {
    compare_marks(&request.order, (left_values, left.place), (right_values, right.place))
}
