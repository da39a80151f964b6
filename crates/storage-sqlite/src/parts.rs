//! Parts of a resource: what is found by composites that end with one name.

use crate::encoding::{Entry, is_of_part, name_of};
use crate::matching::{Looked, Planned};

/// Whether all conditions hold of one of the parts that a parameter names.
pub(crate) fn one_holds(param: i64, conditions: &[Planned], looked: &Looked<'_>) -> bool {
    let named = looked.entries.iter().filter(|(entry, _)| *entry == param);
    named.filter_map(|(_, value)| Some((value, name_of(value)?))).any(|(value, name)| {
        let own = looked.entries.iter().filter(|(_, entry)| is_of_part(entry, value));
        let entries: Vec<Entry> = own.cloned().collect();
        // No row is a part, so no reference leads to it.
        let part = Looked { res: 0, id: &name, at: looked.at, entries: &entries };
        conditions.iter().all(|planned| planned.holds(&part))
    })
}
