//! `$reindex`: search parameters that were defined on the server come into force, and what is missing of the index is
//! made beside other work.

use fhir_definitions::Definitions;
use fhir_model::json::{self, Object, Value};
use fhir_model::{array, object};
use fhir_search::{CustomParameter, Defined};
use rulebook::{Failure, Success};
use storage_api::{Query, SearchRequest, StoredVersion};

use super::{InForce, own_parameters};
use crate::answer::Answer;
use crate::service::{Context, Service, json_payload, store_failure};

/// Parameters of the server's own that may be in force at once.
const CUSTOM_MAX: usize = 200;

/// What the SearchParameter resources of a store come to.
#[derive(Debug, Default)]
pub(crate) struct DefinedParameters {
    pub(crate) customs: Vec<CustomParameter>,
    /// Those that are not in force: which, and why.
    without: Vec<(String, String)>,
}

impl Service {
    /// Reads the SearchParameters that the store holds, in the order of their places.
    pub(crate) async fn defined(&self) -> Result<DefinedParameters, Failure> {
        let query = Query { kind: "SearchParameter".into(), conditions: Vec::new() };
        let mut request = SearchRequest::of(query, CUSTOM_MAX);
        let mut defined = DefinedParameters::default();
        loop {
            let page = self.store.search(&request).await.map_err(store_failure)?;
            for version in page.found {
                self.define(&version, &mut defined);
            }
            request.after = page.next;
            if request.after.is_none() {
                return Ok(defined);
            }
        }
    }

    fn define(&self, version: &StoredVersion, defined: &mut DefinedParameters) {
        let mut without = |why: String| defined.without.push((version.key.to_string(), why));
        let Some(body) = &version.body else { return };
        let Ok(Value::Object(resource)) = json::parse(&body.bytes, &self.limits.stored()) else {
            return without("it cannot be read".to_owned());
        };
        match CustomParameter::read(&resource, Definitions::of(self.rulebook.version())) {
            Err(error) => without(error.to_string()),
            Ok(Defined::Without(why)) => without(why.to_owned()),
            Ok(Defined::Custom(_)) if defined.customs.len() == CUSTOM_MAX => {
                without(format!("at most {CUSTOM_MAX} can be in force"));
            }
            Ok(Defined::Custom(custom)) => {
                let has_rival = |known: &CustomParameter| {
                    known.code() == custom.code()
                        && known.types().any(|one| custom.types().any(|two| one == two))
                };
                if defined.customs.iter().any(has_rival) {
                    return without("another one has this code for the same types".to_owned());
                }
                defined.customs.push(*custom);
            }
        }
    }

    /// POST `$reindex`. `full` makes everything anew, whether or not something changed.
    pub(crate) async fn reindex(&self, full: bool, context: &Context) -> Result<Answer, Failure> {
        let version = self.rulebook.version();
        let defined = self.defined().await?;
        // Another one may begin meanwhile: then this one is decided again on what that came to.
        for _ in 0..8 {
            self.follow_generation().await?;
            let now = self.in_force();
            let unfinished = now.progress.is_some();
            let next = now.manifest.followed_by(
                own_parameters(&*self.rulebook),
                defined.customs.clone(),
                version,
                self.extent(),
                unfinished,
            );
            let next = if full { next.anew(version) } else { next };
            let next = next.with_base(Some(&context.base));
            if next == now.manifest || self.begin(next).await? {
                return Ok(self.reindex_answer(&defined, context));
            }
        }
        Err(Failure::Busy)
    }

    /// GET `$reindex`: how far it is.
    pub(crate) async fn reindex_status(&self, context: &Context) -> Result<Answer, Failure> {
        let defined = self.defined().await?;
        Ok(self.reindex_answer(&defined, context))
    }

    /// 202 as long as it goes on.
    fn reindex_answer(&self, defined: &DefinedParameters, context: &Context) -> Answer {
        let now = self.in_force();
        let going_on = now.progress.is_some();
        let success = if going_on { Success::Accepted } else { Success::Shown };
        Answer {
            status: success.status(true),
            content_location: Some(format!("{}/$reindex", context.base)),
            progress: going_on.then(|| told(&now)),
            retry_after_s: going_on.then_some(1),
            payload: Some(json_payload(&Value::from(parameters(&now, defined)))),
            ..Answer::default()
        }
    }
}

fn told(now: &InForce) -> String {
    let Some(progress) = &now.progress else { return "complete".to_owned() };
    let types = now.manifest.types.len();
    match now.manifest.types.get(progress.types_done) {
        Some(kind) => {
            format!(
                "{kind}, type {} of {types}; {} resources done",
                progress.types_done + 1,
                progress.resources
            )
        }
        None => format!("completing; {} resources done", progress.resources),
    }
}

fn parameters(now: &InForce, defined: &DefinedParameters) -> Object {
    let text = |name: &str, text: &str| Value::from(object! { "name": name, "valueString": text });
    let status = if now.progress.is_some() { "in-progress" } else { "complete" };
    let mut list = vec![
        Value::from(object! { "name": "status", "valueCode": status }),
        text("generation", &now.generation.0.to_string()),
        text("progress", &told(now)),
    ];
    let customs = now.extractor.customs();
    list.extend(customs.map(|custom| {
        let mut parts = vec![Value::from(object! { "name": "code", "valueCode": custom.code() })];
        if !custom.url().is_empty() {
            parts.push(Value::from(object! { "name": "url", "valueUri": custom.url() }));
        }
        Value::from(object! { "name": "inForce", "part": parts })
    }));
    list.extend(now.incomplete().names().into_iter().map(|name| text("incomplete", name)));
    let waiting = defined.customs.iter().filter(|custom| !now.manifest.customs.contains(custom));
    let waiting = waiting.map(|custom| (custom.code(), "POST [base]/$reindex puts it in force"));
    let without = defined.without.iter().map(|(which, why)| (which.as_str(), why.as_str()));
    for (which, why) in waiting.chain(without) {
        let parts = array![text("searchParameter", which), text("reason", why)];
        list.push(Value::from(object! { "name": "notInForce", "part": parts }));
    }
    object! { "resourceType": "Parameters", "parameter": list }
}
