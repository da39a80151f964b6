//! vread: one version of a resource, old or new.

use rulebook::{Failure, Interaction};
use storage_api::{Current, Head, Key, VersionNumber, VersionSelector};
use versioning_core::VersionScheme;

use crate::answer::Answer;
use crate::read::Shown;
use crate::service::{Context, Service, resource, shortened, store_failure};

impl Service {
    pub(crate) async fn vread(
        &self,
        key: &Key,
        version_id: &str,
        context: &Context,
    ) -> Result<Answer, Failure> {
        let unknown =
            || Failure::UnknownVersion { resource: resource(key), version_id: shortened(version_id) };
        let selector =
            selector(self.rulebook.lock_policy(&key.kind).scheme, version_id).ok_or_else(unknown)?;
        let found =
            self.store.read_version(key, selector).await.map_err(store_failure)?.ok_or_else(unknown)?;
        // What was found must print as what was asked for: a version has one spelling.
        let printed = self.version_id(&key.kind, found.version);
        if printed.as_str() != version_id {
            return Err(unknown());
        }
        let Some(body) = found.body else {
            return Err(Failure::DeletedVersion { resource: resource(key), version_id: printed });
        };
        let head = Head { version: found.version, at: found.at, previous_at: found.previous_at };
        match self.show(key, Current::Live(head), Interaction::Vread, context)? {
            Shown::NotModified(head) => Ok(self.not_modified(key, head)),
            Shown::Content(head) => {
                Ok(self.content(key, head, self.represent(key, head.version, head.at, &body)?))
            }
        }
    }
}

/// Where to look for a version id; `None` if this API could not have printed it.
pub(crate) fn selector(scheme: VersionScheme, version_id: &str) -> Option<VersionSelector> {
    match scheme {
        VersionScheme::Sequential => {
            version_id.parse().ok().map(|number| VersionSelector::Number(VersionNumber::new(number)))
        }
        VersionScheme::Opaque => {
            let (high, low) = version_id.split_once('-')?;
            let tag = u64::from_str_radix(&format!("{high}{low}"), 16).ok()?;
            Some(VersionSelector::Tag48(tag))
        }
    }
}
