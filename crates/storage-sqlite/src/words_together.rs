//! Conditions on words, put together as far as the index of words answers them in one go.

use std::collections::{BTreeMap, BTreeSet};

use storage_api::Phrase;

use crate::matching::{Alternative, Planned};
use crate::words::Wanted;

/// Conditions on the words of one parameter become one, which the index of words answers in one go.
pub(crate) fn one_question(mut conditions: Vec<Planned>) -> Vec<Planned> {
    let mut of_param: BTreeMap<i64, Wanted> = BTreeMap::new();
    conditions.retain(|planned| match planned.words().filter(|_| !planned.negated) {
        Some((param, phrases)) => {
            of_param.entry(param).or_default().all.push(phrases);
            false
        }
        None => true,
    });
    conditions.retain(|planned| match planned.words().filter(|_| planned.negated) {
        Some((param, phrases)) if let Some(wanted) = of_param.get_mut(&param) => {
            wanted.none.extend(phrases);
            false
        }
        _ => true,
    });
    let merged = of_param.into_iter().map(|(param, wanted)| Alternative::Words { param, wanted });
    conditions.extend(merged.map(|one| Planned { any: vec![one], negated: false }));
    conditions
}

impl Planned {
    /// The parameter and the phrases of which a resource must have one, if that is all there is to ask.
    fn words(&self) -> Option<(i64, Vec<Phrase>)> {
        let (mut params, mut phrases) = (BTreeSet::new(), Vec::new());
        for one in &self.any {
            let Alternative::Words { param, wanted: Wanted { all, none } } = one else { return None };
            let ([any], true) = (&all[..], none.is_empty()) else { return None };
            params.insert(*param);
            phrases.extend_from_slice(any);
        }
        params.pop_first().filter(|_| params.is_empty()).map(|param| (param, phrases))
    }
}
