//! Parts of a resource: what is found by composites that end with one name.

use std::collections::HashMap;

use crate::encoding::{Entry, Pattern, name_of, part_of};
use crate::matching::{Alternative, Looked, Planned};

/// Conditions that must hold of one of the parts that a parameter names.
pub(crate) struct Parts {
    param: i64,
    conditions: Vec<Planned>,
    /// Where the index has something of every resource that has such a part: parameter, from, to.
    pub(crate) lookups: Vec<(i64, Vec<u8>, Vec<u8>)>,
}

impl Parts {
    pub(crate) fn of(param: i64, conditions: Vec<Planned>) -> Self {
        let lookups = lookups(param, &conditions);
        Self { param, conditions, lookups }
    }

    /// Whether all conditions hold of one of them.
    pub(crate) fn one_holds(&self, looked: &Looked<'_>) -> bool {
        let named = looked.entries.iter().filter(|(entry, _)| *entry == self.param);
        let mut parts: HashMap<&[u8], (String, Vec<Entry>)> =
            named.filter_map(|(_, value)| Some((value.as_slice(), (name_of(value)?, Vec::new())))).collect();
        if parts.is_empty() {
            return false;
        }
        // Once for all parts: there may be as many of them as there are entries.
        for entry in looked.entries {
            if let Some((_, own)) = parts.get_mut(&*part_of(&entry.1)) {
                own.push(entry.clone());
            }
        }
        parts.values().any(|(name, entries)| {
            // No row is a part, so no reference leads to it.
            let part = Looked { res: 0, id: name, at: looked.at, entries };
            self.conditions.iter().all(|planned| planned.holds(&part))
        })
    }
}

/// What a part is found by, a resource is found by: those of one condition, of a narrow one if there is one, or the
/// names of parts.
fn lookups(param: i64, conditions: &[Planned]) -> Vec<(i64, Vec<u8>, Vec<u8>)> {
    let on_entries = |planned: &&Planned| {
        !planned.negated && planned.any.iter().all(|one| matches!(one, Alternative::Entry { .. }))
    };
    let is_narrow = |planned: &&Planned| {
        let narrow =
            |one: &Alternative| matches!(one, Alternative::Entry { pattern, .. } if pattern.is_narrow());
        planned.any.iter().all(narrow)
    };
    let on_entries: Vec<&Planned> = conditions.iter().filter(on_entries).collect();
    let best = on_entries.iter().copied().find(is_narrow).or(on_entries.first().copied());
    let owned = |(param, low, high): (i64, &[u8], &[u8])| (param, low.to_vec(), high.to_vec());
    match best {
        Some(best) => best.any.iter().flat_map(Alternative::lookups).map(owned).collect(),
        None => Pattern::Any.range().into_iter().map(|(low, high)| (param, low, high)).collect(),
    }
}
