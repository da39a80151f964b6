//! The rules of an API on a write: what they look at and what they change with it becomes part of
//! the same commit.

use fhir_model::json::{self, Value};
use rulebook::{Change, Failure, Found, Interaction, Lookup, SideWrite, Transition, Unique};
use storage_api::{
    Body, Current, Guard, Head, HeadGuard, IndexGeneration, Key, Method, Query, SearchRequest, VersionNumber,
    VersionToken, VersionWrite, WriteSet,
};

use crate::answer::VersionChange;
use crate::content::{Incoming, Prepared};
use crate::service::{Context, Service, store_failure};
use crate::write::{Loaded, Write};

/// A lookup that finds more is refused: a commit compares all that it found.
const FOUND_MAX: usize = 1000;

/// What a lost guard of the rules means.
#[derive(Clone, Debug)]
pub(crate) enum OnLost {
    /// What was looked at is otherwise by now.
    JudgeAgain,
    /// What must be unique is there.
    Refuse(Failure),
}

/// What the rules of an API compare and write together with a write.
#[derive(Clone, Debug, Default)]
pub(crate) struct Joint {
    guards: Vec<(Guard, OnLost)>,
    writes: Vec<storage_api::Write>,
    changes: Vec<VersionChange>,
    /// The generation of the terms that are written, if there are any.
    index: Option<IndexGeneration>,
    /// The number of the first version of what is created, where the rules have one of their own.
    first: Option<VersionNumber>,
}

impl Joint {
    /// Adds itself to a write set: its guards after those that are there.
    pub(crate) fn join(&self, set: &mut WriteSet) {
        set.guards.extend(self.guards.iter().map(|(guard, _)| guard.clone()));
        set.writes.extend(self.writes.iter().cloned());
    }

    /// The generation of the index that its terms are of, if it writes any.
    pub(crate) fn index(&self) -> Option<IndexGeneration> {
        self.index
    }

    /// What it means that the guard at this place among its own was lost.
    pub(crate) fn on_lost(&self, place: usize) -> OnLost {
        self.guards.get(place).map_or(OnLost::JudgeAgain, |(_, on_lost)| on_lost.clone())
    }

    /// What is written, for the look at a commit whose outcome is unknown.
    pub(crate) fn first_version(&self) -> Option<(&Key, VersionToken)> {
        self.writes.iter().find_map(|write| match write {
            storage_api::Write::Version(version) => Some((&version.key, version.next)),
            _ => None,
        })
    }

    /// The number of a version that is written together with it. `usual` is the one that the core would give it.
    pub(crate) fn number(&self, usual: VersionNumber, change: versioning_core::Change) -> VersionNumber {
        match self.first {
            Some(first) if change == versioning_core::Change::Created => first.max(usual),
            _ => usual,
        }
    }

    /// Which versions become which.
    pub(crate) fn changes(&self) -> &[VersionChange] {
        &self.changes
    }

    pub(crate) fn writes_nothing(&self) -> bool {
        self.writes.is_empty()
    }
}

/// What a lookup found, with the guards that keep it true.
#[derive(Default)]
struct Looked {
    found: Vec<Vec<Found>>,
    heads: Vec<(Key, Head)>,
    guards: Vec<Guard>,
}

/// What rules are about to judge.
pub(crate) struct Judged<'a> {
    pub(crate) interaction: Interaction,
    pub(crate) operation: Option<&'a str>,
    /// What is written; nothing for an operation.
    pub(crate) key: Option<&'a Key>,
    pub(crate) before: Option<&'a Value>,
}

impl Service {
    /// Checks what is to be written and makes it ready to be stored.
    pub(crate) async fn prepared(
        &self,
        write: &Write<'_>,
        loaded: Loaded<'_>,
        incoming: Incoming,
    ) -> Result<Prepared, Failure> {
        let kind = &write.key.kind;
        let mut value = incoming.into_value();
        let mut warnings = if write.context.planned.in_transaction {
            self.rulebook.receive_entry(kind, &mut value)
        } else {
            self.rulebook.receive(kind, &mut value)
        };
        self.rulebook.complete(write.interaction, &mut value, self.ids.now());
        let mut value = self.check_valid(Incoming::of(value, kind)?)?.into_value();
        let mut joint = None;
        if self.rulebook.judges(write.interaction, kind) {
            let before = loaded.body.map(|body| self.content_of(body)).transpose()?;
            let judged = Judged {
                interaction: write.interaction,
                operation: None,
                key: Some(write.key),
                before: before.as_ref(),
            };
            let (transition, rules) = self.judge(&judged, Some(value), write.context).await?;
            value = transition.after.ok_or(Failure::Internal)?;
            warnings.extend(transition.warnings);
            joint = Some(Box::new(rules));
        }
        let prepared = self.stored(value, &write.context.base)?;
        Ok(Prepared { joint, warnings, ..prepared })
    }

    /// The rules on a deletion.
    pub(crate) async fn judge_deletion(
        &self,
        write: &Write<'_>,
        stored: Option<&Body>,
    ) -> Result<Option<Joint>, Failure> {
        if !self.rulebook.judges(write.interaction, &write.key.kind) {
            return Ok(None);
        }
        let before = stored.map(|body| self.content_of(body)).transpose()?;
        let judged = Judged {
            interaction: write.interaction,
            operation: None,
            key: Some(write.key),
            before: before.as_ref(),
        };
        let (_, joint) = self.judge(&judged, None, write.context).await?;
        Ok(Some(joint))
    }

    /// A stored body as a tree, without version meta.
    pub(crate) fn content_of(&self, body: &Body) -> Result<Value, Failure> {
        json::parse(&body.bytes, &self.limits.stored()).map_err(|_| Failure::Internal)
    }

    /// Asks the rules: looks up what they want to see, and makes what they say part of a commit.
    pub(crate) async fn judge(
        &self,
        judged: &Judged<'_>,
        after: Option<Value>,
        context: &Context,
    ) -> Result<(Transition, Joint), Failure> {
        let change = Change {
            interaction: judged.interaction,
            operation: judged.operation,
            resource_type: judged.key.map_or("", |key| key.kind.as_str()),
            id: judged.key.map_or("", |key| key.id.as_str()),
            before: judged.before,
            caller: &context.caller,
            base: &context.base,
            now: self.ids.now(),
            precondition: &context.precondition,
            together: &context.planned.together,
        };
        let lookups = self.rulebook.lookups(&change, after.as_ref())?;
        let looked = self.look(lookups, &context.base).await?;
        let mut transition = self.rulebook.transition(&change, after, &looked.found)?;
        let mut joint = Joint { first: transition.first, ..Joint::default() };
        for side in std::mem::take(&mut transition.also) {
            self.join_side_write(side, judged.key, &looked, &mut joint, &context.base)?;
        }
        joint.guards.extend(looked.guards.into_iter().map(|guard| (guard, OnLost::JudgeAgain)));
        for unique in std::mem::take(&mut transition.unique) {
            self.join_unique(unique, &mut joint, &context.base)?;
        }
        Ok((transition, joint))
    }

    async fn look(&self, lookups: Vec<Lookup>, base: &str) -> Result<Looked, Failure> {
        let mut looked = Looked::default();
        for lookup in lookups {
            let mut found = Vec::new();
            match lookup {
                Lookup::Key { resource_type, id } => {
                    let key = Key::new(resource_type, id);
                    let record = self.store.read(&key).await.map_err(store_failure)?;
                    let guard = match record.current {
                        Current::Absent { floor } => HeadGuard::Absent { floor },
                        Current::Live(head) | Current::Deleted(head) => {
                            HeadGuard::Exactly(head.version.number)
                        }
                    };
                    if let (Current::Live(head), Some(body)) = (record.current, &record.body) {
                        found.push(self.found(&key, head.version, body)?);
                        looked.heads.push((key.clone(), head));
                    }
                    looked.guards.push(Guard::Head(key, guard));
                }
                Lookup::Criteria { resource_type, criteria } => {
                    let query = self.rule_query(&resource_type, &criteria, base)?;
                    let mut keys = Vec::new();
                    let mut request = SearchRequest::of(query.clone(), 100);
                    loop {
                        let page = self.store.search(&request).await.map_err(store_failure)?;
                        for version in &page.found {
                            let Some(body) = &version.body else { continue };
                            found.push(self.found(&version.key, version.version, body)?);
                            let head = Head { version: version.version, at: version.at, previous_at: None };
                            looked.heads.push((version.key.clone(), head));
                            keys.push(version.key.clone());
                        }
                        if keys.len() > FOUND_MAX {
                            return Err(Failure::CriteriaTooCostly);
                        }
                        request.after = page.next;
                        if request.after.is_none() {
                            break;
                        }
                    }
                    keys.sort();
                    keys.dedup();
                    looked.guards.push(Guard::Matches(query, keys));
                }
            }
            looked.found.push(found);
        }
        Ok(looked)
    }

    fn found(&self, key: &Key, version: VersionToken, body: &Body) -> Result<Found, Failure> {
        Ok(Found {
            resource_type: key.kind.to_string(),
            id: key.id.to_string(),
            version,
            resource: self.content_of(body)?,
        })
    }

    fn rule_query(
        &self,
        resource_type: &str,
        criteria: &[(String, String)],
        base: &str,
    ) -> Result<Query, Failure> {
        let in_force = self.in_force();
        let query = in_force.extractor.criteria(resource_type, criteria, &[base]);
        let query = query.map_err(|error| Failure::Query(Box::new(error)))?;
        in_force.expect_complete(&query)?;
        Ok(query)
    }

    fn join_side_write(
        &self,
        side: SideWrite,
        own: Option<&Key>,
        looked: &Looked,
        joint: &mut Joint,
        base: &str,
    ) -> Result<(), Failure> {
        let key = Key::new(side.resource_type, side.id);
        // A rule that writes what it has not seen, or what is written anyway, is a mistake in it.
        let head = looked.heads.iter().find(|(found, _)| *found == key).map(|(_, head)| head);
        let (Some(head), false) = (head, own == Some(&key)) else { return Err(Failure::Internal) };
        let number = head.version.number;
        let ready = self.stored(side.after, base)?;
        joint.index = Some(joint.index.map_or(ready.index, |index| index.min(ready.index)));
        joint.guards.push((Guard::Head(key.clone(), HeadGuard::Exactly(number)), OnLost::JudgeAgain));
        let next = VersionToken { number: number.next(), tag: self.ids.version_tag() };
        joint.changes.push(VersionChange {
            key: key.clone(),
            from: Some(self.version_id(&key.kind, head.version)),
            to: self.version_id(&key.kind, next),
            content: None,
        });
        joint.writes.push(storage_api::Write::Version(VersionWrite {
            key,
            next,
            method: Method::Put,
            body: Some(ready.body),
            terms: ready.terms,
        }));
        Ok(())
    }

    fn join_unique(&self, unique: Unique, joint: &mut Joint, base: &str) -> Result<(), Failure> {
        match unique {
            Unique::Unmatched { resource_type, criteria, otherwise } => {
                let query = self.rule_query(&resource_type, &criteria, base)?;
                joint.guards.push((Guard::Matches(query, Vec::new()), OnLost::Refuse(*otherwise)));
            }
            Unique::Claim { scope, value, otherwise } => {
                let value = bytes::Bytes::from(value);
                joint.guards.push((Guard::Unclaimed(scope, value.clone()), OnLost::Refuse(*otherwise)));
                joint.writes.push(storage_api::Write::Claim { scope, value, expires: None });
            }
        }
        Ok(())
    }
}
