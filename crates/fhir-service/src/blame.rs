//! Which entries of a transaction make it fail.

use rulebook::Failure;
use storage_api::Key;
use transaction_engine::{Entry, Overlay, Plan};

use crate::answer::Answer;
use crate::bundle::entry_failure;
use crate::service::resource;

/// Of more entries than this a failure does not tell.
pub(crate) const FAILURES_TOLD_MAX: usize = 100;

/// One failure of several entries, in the order of the request.
pub(crate) fn several(mut failures: Vec<Failure>) -> Failure {
    failures.sort_by_key(|failure| match failure {
        Failure::Entry { index, .. } => *index,
        _ => usize::MAX,
    });
    match failures.len() {
        0 | 1 => failures.pop().unwrap_or(Failure::Internal),
        _ => Failure::Entries(failures),
    }
}

/// Whether an entry fails like this whatever the others do, so that it is worth finding out what else fails. What
/// criteria find and what the rules of an API look at may be otherwise only because another entry failed.
pub(crate) fn stands_alone(entry: &Entry, failure: &Failure) -> bool {
    match failure {
        Failure::Invalid(_) => true,
        Failure::Refused(_)
        | Failure::MalformedField(_)
        | Failure::WrongType { .. }
        | Failure::IdMissing { .. }
        | Failure::IdDiffers { .. }
        | Failure::ClientAssignedId { .. }
        | Failure::NoResource(_)
        | Failure::UnsupportedMediaType { .. }
        | Failure::PatchMalformed { .. }
        | Failure::PatchNotApplicable { .. }
        | Failure::PatchedIdentity => entry.criteria().is_none(),
        _ => false,
    }
}

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
