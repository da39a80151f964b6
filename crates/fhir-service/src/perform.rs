//! An operation on the whole system that an API defines: the rulebook looks at what there is and
//! says what changes, and all of it is one commit.

use fhir_model::json::Value;
use rulebook::{Failure, Interaction, Resource, Success};
use storage_api::{Commit, Key, VersionSelector, WriteSet};
use versioning_core::Refusal;

use crate::answer::Answer;
use crate::request::{Content, Request};
use crate::ruling::{Joint, Judged, OnLost};
use crate::service::{Context, Service, json_payload, store_failure};

/// What one commit of an operation came to.
enum Settled {
    Committed,
    JudgeAgain,
    Refused(Failure),
}

impl Service {
    pub(crate) async fn perform(
        &self,
        name: &str,
        body: &Content,
        context: &Context,
    ) -> Result<Answer, Failure> {
        let mut parameters = self.parse(body)?;
        let resource_type = parameters.get("resourceType").and_then(Value::as_str).unwrap_or_default();
        if resource_type != "Parameters" {
            let body = crate::service::shortened(resource_type);
            return Err(Failure::WrongType { url: "Parameters".to_owned(), body });
        }
        let mut warnings = self.rulebook.receive("Parameters", &mut parameters);
        let judged =
            Judged { interaction: Interaction::Operation, operation: Some(name), key: None, before: None };
        let mut attempts = 0;
        let changes = loop {
            let (transition, joint) = self.judge(&judged, Some(parameters.clone()), context).await?;
            match self.commit_joint(&joint, name).await? {
                Settled::Committed => {
                    warnings.extend(transition.warnings);
                    break joint.changes().to_vec();
                }
                Settled::Refused(failure) => return Err(failure),
                Settled::JudgeAgain => {
                    self.counters.conflicts.add(1);
                    attempts += 1;
                    if attempts > self.retries_max("Parameters", context) {
                        let key = Key::new("Parameters", name);
                        let contended = Refusal::Contended { attempts };
                        return Err(self.refused(
                            contended,
                            &key,
                            Interaction::Operation,
                            &context.precondition,
                        ));
                    }
                    self.counters.retries.add(1);
                }
            }
        };
        let about = Resource { resource_type: String::new(), id: name.to_owned() };
        let verdict = self.rulebook.accept(Success::Performed, &about, &warnings, &context.trace);
        Ok(Answer {
            status: Success::Performed.status(true),
            payload: Some(json_payload(&verdict.outcome)),
            changes,
            ..Answer::default()
        })
    }

    /// Commits what rules want written, without a write of a client's own.
    async fn commit_joint(&self, joint: &Joint, name: &str) -> Result<Settled, Failure> {
        if joint.writes_nothing() {
            return Ok(Settled::Committed);
        }
        let request = self.ids.request_id();
        let mut set = WriteSet {
            request,
            // What is compared only is of no generation.
            index: joint.index().unwrap_or(self.in_force().generation),
            guards: Vec::new(),
            writes: Vec::new(),
        };
        joint.join(&mut set);
        match self.store.commit(set).await.map_err(store_failure)? {
            Commit::Committed(_) => Ok(Settled::Committed),
            Commit::StaleIndex(_) => {
                self.follow_generation().await?;
                Ok(Settled::JudgeAgain)
            }
            Commit::Lost(lost) => {
                let place = lost.first().map_or(0, |lost| lost.guard);
                Ok(match joint.on_lost(place) {
                    OnLost::JudgeAgain => Settled::JudgeAgain,
                    OnLost::Refuse(failure) => Settled::Refused(failure),
                })
            }
            Commit::Unknown => {
                let about = || Resource { resource_type: "Parameters".to_owned(), id: name.to_owned() };
                let (key, next) = joint.first_version().ok_or(Failure::Internal)?;
                let found = self.store.read_version(key, VersionSelector::Number(next.number)).await;
                match found {
                    Ok(Some(version)) if version.request == request => Ok(Settled::Committed),
                    _ => Err(Failure::OutcomeUnknown { resource: about() }),
                }
            }
        }
    }
}

/// No single version tells of the result of an operation when it is repeated.
pub(crate) fn expect_no_key(request: &Request) -> Result<(), Failure> {
    match &request.idempotency_key {
        Some(_) => Err(Failure::ConditionalNotOffered { header: "Idempotency-Key" }),
        None => Ok(()),
    }
}
