//! From one list to another in the fewest steps: insertions, moves, deletions.

/// One step. Places are those at the time of the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListStep {
    /// An item of the new list comes in before the one at `at`.
    Insert { at: usize, item: usize },
    /// An item goes to the place that it has once it was taken out.
    Move { from: usize, to: usize },
    /// An item goes away.
    Delete { at: usize },
}

/// The steps that turn a list of `old_len` items into the new one, where `pairs` tells for each new item which old
/// one it is. One step for each item that comes or goes, and for each that is not in the longest run of those that
/// keep their order. Deletions come last, so that the list never is empty in between. O(n log n).
pub(crate) fn script(old_len: usize, pairs: &[Option<usize>]) -> Vec<ListStep> {
    let kept = longest_increasing(pairs);
    let anchors: Vec<(usize, usize)> =
        kept.iter().filter_map(|&new| Some(((*pairs.get(new)?)?, new))).collect();
    let mut loose = Counts::full(old_len);
    anchors.iter().for_each(|(old, _)| loose.remove(*old));
    let mut steps = Vec::new();
    let mut going: Vec<bool> = vec![true; old_len];
    // Anchors that were passed in the new list, and the old place of the last of them.
    let (mut passed, mut anchor) = (0, None);
    for (new, pair) in pairs.iter().enumerate() {
        if let Some(old) = pair
            && let Some(going) = going.get_mut(*old)
        {
            *going = false;
        }
        let here = |loose: &Counts| new + anchor.map_or(0, |anchor| loose.below(anchor));
        match pair {
            Some(old) if anchors.get(passed).is_some_and(|(_, at)| *at == new) => {
                (passed, anchor) = (passed + 1, Some(*old));
            }
            Some(old) => {
                // Before it stand loose items, the new items that were put behind earlier anchors, and anchors that
                // the new list has not come to yet.
                let before = anchors.partition_point(|(anchor, _)| anchor < old);
                let next = anchors.get(before).map_or(pairs.len(), |(_, at)| *at);
                let from = loose.below(*old) + new.min(next) + before.saturating_sub(passed);
                loose.remove(*old);
                let to = here(&loose);
                if from != to {
                    steps.push(ListStep::Move { from, to });
                }
            }
            None => steps.push(ListStep::Insert { at: here(&loose), item: new }),
        }
    }
    for (old, _) in going.iter().enumerate().filter(|(_, going)| **going).rev() {
        let before = anchors.partition_point(|(anchor, _)| *anchor < old);
        let settled = anchors.get(before).map_or(pairs.len(), |(_, at)| *at);
        steps.push(ListStep::Delete { at: loose.below(old) + settled });
    }
    steps
}

/// The places of a longest run of values that increase; places without value are left out.
pub(crate) fn longest_increasing(values: &[Option<usize>]) -> Vec<usize> {
    // For each length, the run that ends in the smallest value; and for each place, the one before it in its run.
    let mut ends: Vec<(usize, usize)> = Vec::new();
    let mut previous: Vec<Option<usize>> = vec![None; values.len()];
    for (place, value) in values.iter().enumerate() {
        let Some(value) = *value else { continue };
        let length = ends.partition_point(|(end, _)| *end < value);
        if let Some(slot) = previous.get_mut(place) {
            *slot = length.checked_sub(1).and_then(|before| ends.get(before)).map(|(_, place)| *place);
        }
        match ends.get_mut(length) {
            Some(end) => *end = (value, place),
            None => ends.push((value, place)),
        }
    }
    let mut run = Vec::with_capacity(ends.len());
    let mut at = ends.last().map(|(_, place)| *place);
    while let Some(place) = at {
        run.push(place);
        at = previous.get(place).copied().flatten();
    }
    run.reverse();
    run
}

/// How many of some places are still occupied below a place: a Fenwick tree.
struct Counts(Vec<usize>);

impl Counts {
    fn full(len: usize) -> Self {
        // The node at `n` (from 1) covers as many places as its lowest bit says.
        Self((1..=len).map(|node| node & node.wrapping_neg()).collect())
    }

    fn remove(&mut self, place: usize) {
        let mut node = place + 1;
        while let Some(count) = self.0.get_mut(node - 1) {
            *count = count.saturating_sub(1);
            node += node & node.wrapping_neg();
        }
    }

    fn below(&self, place: usize) -> usize {
        let (mut node, mut sum) = (place.min(self.0.len()), 0);
        while node > 0 {
            sum += self.0.get(node - 1).copied().unwrap_or_default();
            node &= node - 1;
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn played(old: &[usize], new: &[usize], steps: &[ListStep]) -> Vec<usize> {
        let mut list = old.to_vec();
        for step in steps {
            match *step {
                ListStep::Insert { at, item } => list.insert(at, new[item]),
                ListStep::Move { from, to } => {
                    let item = list.remove(from);
                    list.insert(to, item);
                }
                ListStep::Delete { at } => drop(list.remove(at)),
            }
        }
        list
    }

    /// `old` is 0, 1, 2, ..; numbers from `old_len` on are new.
    fn check(old_len: usize, new: &[usize]) {
        let old: Vec<usize> = (0..old_len).collect();
        let pairs: Vec<Option<usize>> = new.iter().map(|item| (*item < old_len).then_some(*item)).collect();
        let steps = script(old_len, &pairs);
        assert_eq!(played(&old, new, &steps), new, "{steps:?}");
        let shared = pairs.iter().flatten().count();
        let moved = shared - longest_increasing(&pairs).len();
        assert!(steps.len() <= (old_len - shared) + (new.len() - shared) + moved, "{steps:?} for {new:?}");
    }

    fn permutations(items: &mut Vec<usize>, taken: usize, each: &mut impl FnMut(&[usize])) {
        each(&items[..taken]);
        for next in taken..items.len() {
            items.swap(taken, next);
            permutations(items, taken + 1, each);
            items.swap(taken, next);
        }
    }

    /// Every list over at most 4 old and 3 new items, in every order, from every old length.
    #[test]
    fn small_lists_exhaustively() {
        let mut count = 0;
        for old_len in 0..=4 {
            let mut items: Vec<usize> = (0..old_len + 3).collect();
            permutations(&mut items, 0, &mut |new| {
                check(old_len, new);
                count += 1;
            });
        }
        assert!(count > 16_000, "{count}");
    }

    proptest! {
        #[test]
        fn long_lists(
            old_len in 0..60_usize,
            mut new in Just((0..90_usize).collect::<Vec<_>>()).prop_shuffle(),
            len in 0..90_usize,
        ) {
            new.truncate(len);
            check(old_len, &new);
        }

        #[test]
        fn nearly_sorted_lists(swaps in prop::collection::vec((0..200_usize, 0..200_usize), 0..10)) {
            let mut new: Vec<usize> = (0..200).collect();
            for (one, other) in swaps {
                new.swap(one, other);
            }
            check(200, &new);
        }
    }
}
