//! Which item of an old list an item of a new list is.

use std::collections::{BTreeMap, VecDeque};

use super::list::longest_increasing;

/// What pairing needs to know of an item.
pub(crate) trait Item: PartialEq {
    /// Equal for equal items.
    fn fingerprint(&self) -> u64;
    /// The id that somebody gave it.
    fn id(&self) -> Option<&str>;
}

/// For each new item the old one that it is: an equal one; or the one with the same id; or, between neighbours that
/// were found so, the one in the same place, which then was changed. No old item is used twice.
pub(crate) fn pair<T: Item>(old: &[T], new: &[T]) -> Vec<Option<usize>> {
    let mut pairs: Vec<Option<usize>> = vec![None; new.len()];
    let mut used = vec![false; old.len()];
    // Ends that are the same stay where they are, however often their items are repeated elsewhere.
    let head = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let shorter = old.len().min(new.len()) - head;
    let tail =
        old.iter().rev().zip(new.iter().rev()).take(shorter).take_while(|(old, new)| old == new).count();
    let (old_end, new_end) = (old.len() - tail, new.len() - tail);
    for (place, pair) in pairs.iter_mut().enumerate() {
        *pair = match place {
            place if place < head => Some(place),
            place if place >= new_end => Some(place - new_end + old_end),
            _ => None,
        };
    }
    pairs.iter().flatten().for_each(|place| take(&mut used, *place));
    by_fingerprint(old, new, head..old_end, &mut pairs, &mut used);
    by_id(old, new, &mut pairs, &mut used);
    by_place(&mut pairs, &used);
    pairs
}

fn take(used: &mut [bool], place: usize) {
    if let Some(used) = used.get_mut(place) {
        *used = true;
    }
}

fn by_fingerprint<T: Item>(
    old: &[T],
    new: &[T],
    range: std::ops::Range<usize>,
    pairs: &mut [Option<usize>],
    used: &mut [bool],
) {
    let mut places: BTreeMap<u64, VecDeque<usize>> = BTreeMap::new();
    for place in range {
        if let Some(item) = old.get(place) {
            places.entry(item.fingerprint()).or_default().push_back(place);
        }
    }
    for (item, pair) in new.iter().zip(pairs.iter_mut()).filter(|(_, pair)| pair.is_none()) {
        let Some(same) = places.get_mut(&item.fingerprint()) else { continue };
        // The first of them, unless two different items have the same fingerprint.
        let found = same.iter().position(|place| old.get(*place) == Some(item));
        if let Some(place) = found.and_then(|found| same.remove(found)) {
            take(used, place);
            *pair = Some(place);
        }
    }
}

fn by_id<T: Item>(old: &[T], new: &[T], pairs: &mut [Option<usize>], used: &mut [bool]) {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, item) in old.iter().enumerate().rev() {
        if let Some(id) = item.id().filter(|_| used.get(place) == Some(&false)) {
            places.insert(id, place);
        }
    }
    for (item, pair) in new.iter().zip(pairs.iter_mut()).filter(|(_, pair)| pair.is_none()) {
        if let Some(place) = item.id().and_then(|id| places.remove(id)) {
            take(used, place);
            *pair = Some(place);
        }
    }
}

/// Pairs what is left between two neighbours that keep their order.
fn by_place(pairs: &mut [Option<usize>], used: &[bool]) {
    let kept = longest_increasing(pairs);
    let (mut old_from, mut new_from) = (0, 0);
    let ends = kept.iter().map(|place| (*place, pairs.get(*place).copied().flatten().unwrap_or_default()));
    let ends: Vec<(usize, usize)> = ends.chain([(pairs.len(), used.len())]).collect();
    for (new_to, old_to) in ends {
        let mut free = (old_from..old_to).filter(|place| used.get(*place) == Some(&false));
        for pair in pairs.get_mut(new_from..new_to).unwrap_or_default() {
            if pair.is_none() {
                *pair = free.next();
            }
        }
        (old_from, new_from) = (old_to + 1, new_to + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Named(&'static str);

    impl Item for Named {
        fn fingerprint(&self) -> u64 {
            self.0.len() as u64
        }

        fn id(&self) -> Option<&str> {
            self.0.split_once('#').map(|(_, id)| id)
        }
    }

    fn check(old: &[&'static str], new: &[&'static str], expected: &[Option<usize>]) {
        let items = |names: &[&'static str]| names.iter().map(|name| Named(name)).collect::<Vec<_>>();
        assert_eq!(pair(&items(old), &items(new)), expected, "{old:?} to {new:?}");
    }

    #[test]
    fn equal_items_then_ids_then_places() {
        check(&["a", "b", "c"], &["a", "b", "c"], &[Some(0), Some(1), Some(2)]);
        check(&["a", "b", "c"], &["c", "a"], &[Some(2), Some(0)]);
        check(&["a#1", "b#2"], &["x#2", "y#1"], &[Some(1), Some(0)]);
        check(&["a", "b", "c"], &["a", "x", "c"], &[Some(0), Some(1), Some(2)]);
        check(&["a", "c"], &["a", "x", "c"], &[Some(0), None, Some(1)]);
        check(&[], &["a"], &[None]);
        check(&["a"], &[], &[]);
    }

    #[test]
    fn repeated_items_are_used_once_each() {
        check(&["a", "a"], &["a", "a", "a"], &[Some(0), Some(1), None]);
        check(&["b", "a", "a"], &["a", "b", "a"], &[Some(1), Some(0), Some(2)]);
    }

    #[test]
    fn equal_fingerprints_do_not_make_items_equal() {
        check(&["x", "a", "b"], &["b", "a", "y"], &[Some(2), Some(1), None]);
    }
}
