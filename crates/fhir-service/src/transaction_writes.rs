//! What a transaction writes: in which order, and with references resolved.

use std::collections::HashMap;
use std::sync::Arc;

use fhir_definitions::Definitions;
use fhir_model::json::Value;
use rulebook::Failure;
use storage_api::Key;
use transaction_engine::{Entry, Links, Method, Phase, Plan};

use crate::entry_admission::interaction;
use crate::service::Service;

impl Service {
    /// The creates and then the updates of a transaction, each in the order that the rules of the API want.
    pub(crate) fn ranked<'p>(&self, plan: &'p Plan) -> Vec<&'p Entry> {
        let rank = |entry: &&Entry| {
            let resource_type = entry.target.resource_type().unwrap_or_default();
            (entry.phase(), self.rulebook.entry_rank(interaction(entry), resource_type))
        };
        let mut entries: Vec<&Entry> = plan.in_phases(&[Phase::Create, Phase::Update]).collect();
        entries.sort_by_cached_key(rank);
        entries
    }

    /// The resource that an entry sends, with its references resolved. Resources whose versions it refers to are added
    /// to `open`, with the place of the entry.
    pub(crate) fn linked(
        &self,
        entry: &Entry,
        links: &Links,
        open: &mut HashMap<Key, usize>,
    ) -> Result<Option<Value>, Failure> {
        let Some(mut resource) = self.sent_by(entry)? else { return Ok(None) };
        let definitions = Definitions::of(self.rulebook.version());
        let unknown = links.rewrite(&mut resource, entry.full_url.as_deref(), definitions);
        open.extend(unknown.versions.into_iter().map(|key| (key, entry.index)));
        Ok(Some(without_placeholder(entry, resource)))
    }

    /// All resources that are written, where the rules of the API look at them; nobody else does.
    pub(crate) fn together(&self, entries: &[&Entry], links: &Links) -> Result<Arc<[Value]>, Failure> {
        let is_judged = |entry: &&Entry| {
            let resource_type = entry.target.resource_type().unwrap_or_default();
            self.rulebook.judges(interaction(entry), resource_type)
        };
        if !entries.iter().any(is_judged) {
            return Ok(Arc::default());
        }
        let linked = entries.iter().map(|entry| self.linked(entry, links, &mut HashMap::new()));
        linked.filter_map(Result::transpose).collect()
    }
}

/// A resource that is to be created, without an id that only repeats what other entries call it.
fn without_placeholder(entry: &Entry, mut resource: Value) -> Value {
    let id = resource.get("id").and_then(Value::as_str);
    let repeats = entry.full_url.as_deref().is_some_and(|full_url| id == Some(full_url));
    if let (Method::Post, true, Some(object)) = (entry.method, repeats, resource.as_object_mut()) {
        object.remove("id");
    }
    resource
}
