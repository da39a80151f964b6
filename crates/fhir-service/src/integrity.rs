//! Referential integrity: whether references to this server must lead somewhere.

use fhir_search::Outgoing;
use rulebook::Failure;
use storage_api::{Guard, HeadGuard, Key, Lost, Now};

use crate::service::resource;

/// What holds of references between resources of one API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReferentialIntegrity {
    /// Nothing.
    #[default]
    Off,
    /// A resource refers to nothing on this server that does not exist, and what is referred to is not deleted. Both
    /// are guards of the commit, so no two writes can break it together. Resources that are inside of Bundles and
    /// Parameters do not count, nor references without an id; a resource may refer to itself.
    Check,
}

/// The guards that what a resource refers to exists: itself apart.
pub(crate) fn live_guards<'a>(
    key: &'a Key,
    references: &'a [Outgoing],
) -> impl Iterator<Item = (Guard, &'a Outgoing)> {
    let others = references.iter().filter(move |outgoing| outgoing.target != *key);
    others.map(|outgoing| (Guard::Head(outgoing.target.clone(), HeadGuard::Live), outgoing))
}

/// What lost guards say of references, where `checked` are those that were guarded from `start` on.
pub(crate) fn broken(key: &Key, lost: &[&Lost], start: usize, checked: &[&Outgoing]) -> Option<Failure> {
    lost.iter().find_map(|lost| match &lost.now {
        Now::Referred(by) => {
            Some(Failure::StillReferred { resource: resource(key), by: by.iter().map(resource).collect() })
        }
        Now::Head(_) => {
            let outgoing = checked.get(lost.guard.checked_sub(start)?)?;
            let target = resource(&outgoing.target);
            Some(Failure::ReferenceMissing { path: outgoing.path.clone(), target })
        }
        Now::Matched(_) | Now::Claimed(_) => None,
    })
}
