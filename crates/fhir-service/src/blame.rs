//! Which entry of a transaction it is that breaks a reference.

use rulebook::Failure;
use storage_api::Key;
use transaction_engine::{Entry, Overlay, Plan};

use crate::answer::Answer;
use crate::bundle::entry_failure;
use crate::service::resource;

/// A resource that others refer to, and that is deleted without them.
pub(crate) fn still_referred(plan: &Plan, answers: &[Option<Answer>], key: &Key, by: &[Key]) -> Failure {
    let failure = Failure::StillReferred { resource: resource(key), by: by.iter().map(resource).collect() };
    match writer_of(plan, answers, key) {
        Some(entry) => entry_failure(entry, failure),
        None => failure,
    }
}

/// A resource that one of the transaction refers to, and that does not exist.
pub(crate) fn missing(plan: &Plan, answers: &[Option<Answer>], overlay: &Overlay, key: &Key) -> Failure {
    let target = resource(key);
    let referring = overlay.referring(key);
    match referring.and_then(|referring| writer_of(plan, answers, &referring)) {
        Some(entry) => {
            let path = format!("Bundle.entry[{}].resource", entry.index);
            entry_failure(entry, Failure::ReferenceMissing { path, target })
        }
        None => Failure::ReferenceMissing { path: "Bundle.entry".to_owned(), target },
    }
}

/// The entry that writes a resource.
fn writer_of<'p>(plan: &'p Plan, answers: &[Option<Answer>], key: &Key) -> Option<&'p Entry> {
    let about = |entry: &Entry| {
        let answer = answers.get(entry.index).and_then(Option::as_ref)?;
        answer.about.as_ref().map(|about| &about.key)
    };
    let mut writing = plan.entries().iter().filter(|entry| !entry.method.is_safe());
    writing.find(|entry| entry.key().or_else(|| about(entry)) == Some(key))
}
