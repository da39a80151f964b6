//! Who refers to a key once a write set is applied.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::{Guard, Key, REFERRING_MAX, Reference, Term, Value, Write, WriteSet};

/// What the writes of a set do to who refers, as far as its guards ask for it. Every store judges
/// [`Guard::Unreferred`] by this and by what it has.
#[derive(Debug, Default)]
pub struct Referrals<'a> {
    written: HashSet<&'a Key>,
    /// By parameter and target.
    referring: HashMap<(&'a str, &'a Key), BTreeSet<&'a Key>>,
}

impl WriteSet {
    /// What this set does to who refers. Takes time in the order of its terms, and none if no guard asks.
    pub fn referrals(&self) -> Referrals<'_> {
        let asked = self.guards.iter().filter_map(|guard| match guard {
            Guard::Unreferred { key, param } => Some((param.as_str(), key)),
            _ => None,
        });
        let mut referrals = Referrals { written: HashSet::new(), referring: HashMap::new() };
        referrals.referring.extend(asked.map(|asked| (asked, BTreeSet::new())));
        if referrals.referring.is_empty() {
            return referrals;
        }
        for write in &self.writes {
            match write {
                Write::Version(version) => referrals.add(&version.key, &version.terms),
                Write::Purge(key) => referrals.add(key, &[]),
                // These say anew what is there, and claims say nothing of resources.
                Write::Terms { .. } | Write::Claim { .. } | Write::Index(_) => {}
            }
        }
        referrals
    }
}

impl<'a> Referrals<'a> {
    fn add(&mut self, key: &'a Key, terms: &'a [Term]) {
        self.written.insert(key);
        for term in terms {
            if let Value::Reference(Reference::Local(target)) = &term.value
                && target != key
                && let Some(referring) = self.referring.get_mut(&(term.param.as_str(), target))
            {
                referring.insert(key);
            }
        }
    }

    /// The keys that the set writes or purges: whom they refer to before it does not count.
    pub fn written(&self) -> impl Iterator<Item = &'a Key> + '_ {
        self.written.iter().copied()
    }

    /// Whether the set writes or purges a key.
    pub fn is_written(&self, key: &Key) -> bool {
        self.written.contains(key)
    }

    /// Who refers to a key once the set is applied: sorted, at most [`REFERRING_MAX`] of them. `stored` are those that
    /// the set does not write.
    pub fn after(&self, key: &Key, param: &str, stored: Vec<Key>) -> Vec<Key> {
        let own = self.referring.get(&(param, key)).into_iter().flatten();
        let mut referring: Vec<Key> =
            stored.into_iter().chain(own.take(REFERRING_MAX).map(|key| (*key).clone())).collect();
        referring.sort();
        referring.truncate(REFERRING_MAX);
        referring
    }
}
