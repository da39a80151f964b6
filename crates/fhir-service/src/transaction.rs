//! transaction: all entries or none.
//!
//! The entries are carried out on an overlay of the store, each by the code of its single request. What they read and
//! wrote becomes one write set. If anything that an entry looked at has changed by then, nothing is written and all of
//! it is decided again on what is there now; so a client's own precondition is judged again, too.
//!
//! References between entries need names before the entries are carried out: ids that are drawn beforehand, and what
//! criteria are assumed to find. A round that finds something else is repeated with what it found.

use std::collections::btree_map::Entry as BTreeEntry;
use std::collections::hash_map::Entry as HashEntry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use fhir_definitions::FhirVersion;
use fhir_model::json::Value;
use fhir_model::{Id, Reference, Target as Named};
use rulebook::{Failure, Interaction};
use storage_api::{
    Commit, Current, Guard, HeadGuard, Key, Now, Timestamp, VersionSelector, VersionTag, Write,
};
use transaction_engine::{Entry, EntryError, Links, Method, Overlay, Phase, Plan, Target};
use versioning_core::{Precondition, Refusal};

use crate::answer::{About, Answer};
use crate::blame::{FAILURES_TOLD_MAX, missing, several, stands_alone, still_referred};
use crate::bundle::{entry_context, entry_failure, shown_of, unplanned};
use crate::bundle_time::Deadline;
use crate::request::Criteria;
use crate::service::{Context, Planned, Service, resource, store_failure};
use crate::write::RESTARTS_MAX;

/// Rounds in which names are settled. Names that still change then depend on each other in a circle.
const ROUNDS_MAX: usize = 6;

/// The type whose lock policy says how often a transaction is decided again.
const BUNDLE: &str = "Bundle";

/// What a client sent.
#[derive(Clone, Copy)]
struct Sent<'a> {
    plan: &'a Plan,
    /// Its conditional references, each with the first entry that has it.
    references: &'a BTreeMap<String, &'a Entry>,
    deadline: Deadline,
}

/// What a round takes for granted.
#[derive(Default)]
struct Assumed {
    /// The id of an entry's resource, if it turns out to be a new one.
    drawn: HashMap<usize, Id>,
    /// The tag of an entry's version.
    tags: HashMap<usize, VersionTag>,
    /// What an entry writes, or finds, if that is not a new one under the drawn id.
    keys: HashMap<usize, Key>,
    /// What conditional references mean.
    references: BTreeMap<String, Key>,
    /// The versions of resources that are referred to with their versions.
    versions: HashMap<Key, String>,
}

impl Assumed {
    /// What an entry without an id of its own writes, or finds.
    fn key(&self, entry: &Entry) -> Option<Key> {
        let drawn = || match &entry.target {
            Target::Type(name) => Some(Key::new(name.as_str(), self.drawn.get(&entry.index)?.as_str())),
            _ => None,
        };
        self.keys.get(&entry.index).cloned().or_else(drawn)
    }
}

/// A transaction that was tried out.
struct Tried {
    overlay: Overlay,
    /// By places of entries.
    answers: Vec<Option<Answer>>,
    /// Which of them are about a version that the transaction writes.
    own: Vec<bool>,
}

/// How a commit ended.
enum Settled {
    Committed(Timestamp),
    /// Something that it looked at is otherwise by now.
    Again(Option<Key>),
    /// The index generation changed under it.
    Stale,
}

impl Service {
    /// The answers to the entries, in their order.
    pub(crate) async fn transaction(
        &self,
        entries: Vec<Result<Entry, EntryError>>,
        deadline: Deadline,
        context: &Context,
    ) -> Result<Vec<Answer>, Failure> {
        let plan = Plan::new(entries).map_err(|error| unplanned(error, self.rulebook.version()))?;
        self.admit_bundle(plan.entries(), context)?;
        for entry in plan.entries() {
            self.admit_entry(entry, context).map_err(|failure| entry_failure(entry, failure))?;
        }
        let references = conditional_references(&plan);
        let mut assumed = Assumed::default();
        let (mut attempts, mut restarts) = (0, 0);
        let sent = Sent { plan: &plan, references: &references, deadline };
        loop {
            let tried = self.try_out(sent, &mut assumed, context).await?;
            self.expect_transaction_in_time(deadline)?;
            match self.commit_overlay(&plan, &tried).await? {
                Settled::Committed(at) => return self.answers(sent, tried, at, context).await,
                Settled::Stale => {
                    self.follow_generation().await?;
                    restarts += 1;
                    if restarts > RESTARTS_MAX {
                        return Err(Failure::Busy);
                    }
                }
                Settled::Again(key) => {
                    self.counters.conflicts.add(1);
                    attempts += 1;
                    if attempts > self.retries_max(BUNDLE, context) {
                        // Whoever named a version is told of that one, not of the contention.
                        self.try_out(sent, &mut assumed, context).await?;
                        let key = key.unwrap_or_else(|| Key::new(BUNDLE, "transaction"));
                        let contended = Refusal::Contended { attempts };
                        return Err(self.refused(
                            contended,
                            &key,
                            Interaction::Transaction,
                            &Precondition::NONE,
                        ));
                    }
                    self.counters.retries.add(1);
                    self.pause(attempts).await;
                }
            }
        }
    }

    /// Lets others go first before another attempt, more of them after many, so that transactions that disturb each
    /// other fall out of step.
    async fn pause(&self, attempts: u16) {
        const STEPS_MAX: u64 = 64;
        let steps = u64::from(attempts.saturating_sub(1)).min(STEPS_MAX);
        for _ in 0..self.ids.version_tag().0 % (steps + 1) {
            tokio::task::yield_now().await;
        }
    }

    /// Carries out everything but searches on an overlay, in rounds, until all names are settled.
    async fn try_out(
        &self,
        sent: Sent<'_>,
        assumed: &mut Assumed,
        context: &Context,
    ) -> Result<Tried, Failure> {
        for _ in 0..ROUNDS_MAX {
            let overlay = Overlay::new(self.store.clone(), self.ids.now());
            let staged = Self { store: Arc::new(overlay.clone()), ..self.clone() };
            let answers = vec![None; sent.plan.entries().len()];
            let (writers, twice) = (HashMap::new(), None);
            let mut round = Round {
                service: &staged,
                below: self,
                sent,
                overlay,
                answers,
                writers,
                twice,
                failures: Vec::new(),
                context,
            };
            if round.run(assumed).await? {
                let Round { overlay, answers, .. } = round;
                let is_own = |about: &About| overlay.version(&about.key) == Some(about.version);
                let about = answers.iter().map(|answer| answer.as_ref()?.about.as_ref());
                let own = about.map(|about| about.is_some_and(is_own)).collect();
                return Ok(Tried { overlay, answers, own });
            }
        }
        Err(Failure::BadEntry {
            why: "What the criteria and conditional references of the entries find depends on each other in a circle. \
                  Name the resources by fullUrl."
                .to_owned(),
        })
    }

    /// Commits what was tried out.
    async fn commit_overlay(
        &self,
        plan: &Plan,
        Tried { overlay, answers, .. }: &Tried,
    ) -> Result<Settled, Failure> {
        let request = self.ids.request_id();
        let set = overlay.take_write_set(request);
        if set.guards.is_empty() && set.writes.is_empty() {
            return Ok(Settled::Committed(self.ids.now()));
        }
        let guards = set.guards.clone();
        let first = set.writes.iter().find_map(|write| match write {
            Write::Version(version) => Some((version.key.clone(), version.next)),
            _ => None,
        });
        match self.store.commit(set).await.map_err(store_failure)? {
            Commit::Committed(committed) => Ok(Settled::Committed(committed.at)),
            Commit::StaleIndex(_) => Ok(Settled::Stale),
            Commit::Lost(lost) => {
                for lost in &lost {
                    match (guards.get(lost.guard), &lost.now) {
                        (Some(Guard::Head(key, HeadGuard::Live)), _) => {
                            return Err(missing(plan, answers, overlay, key));
                        }
                        (Some(Guard::Unreferred { key, .. }), Now::Referred(by)) => {
                            return Err(still_referred(plan, answers, key, by));
                        }
                        _ => {}
                    }
                }
                let key = lost.iter().find_map(|lost| match (&lost.now, guards.get(lost.guard)) {
                    (_, Some(Guard::Head(key, _))) => Some(key.clone()),
                    (Now::Matched(keys), _) => keys.first().cloned(),
                    _ => None,
                });
                Ok(Settled::Again(key))
            }
            Commit::Unknown => {
                // All of it is one commit: one version of it tells of all.
                let (key, next) = first.ok_or(Failure::Unavailable)?;
                match self.store.read_version(&key, VersionSelector::Number(next.number)).await {
                    Ok(Some(version)) if version.request == request => Ok(Settled::Committed(version.at)),
                    _ => Err(Failure::OutcomeUnknown { resource: resource(&key) }),
                }
            }
        }
    }

    /// Puts the time of the commit into the answers, and answers the searches. What writes show is left for the response.
    async fn answers(
        &self,
        Sent { plan, deadline, .. }: Sent<'_>,
        Tried { mut answers, own, .. }: Tried,
        at: Timestamp,
        context: &Context,
    ) -> Result<Vec<Answer>, Failure> {
        let mut looked = self.answer_looks(plan, deadline, context).await;
        for ((entry, place), is_own) in plan.entries().iter().zip(&mut answers).zip(own) {
            let Some(answer) = place else {
                *place = looked.remove(&entry.index);
                continue;
            };
            if is_own {
                answer.last_modified = answer.last_modified.map(|_| at);
            }
            if entry.method.is_safe() {
                let (subset, _) = shown_of(entry)?;
                let shown = Answer { payload: self.payload_of(answer)?, ..std::mem::take(answer) };
                *answer = self.entry_answer(entry, shown, subset, &context.trace);
            }
        }
        Ok(answers.into_iter().flatten().collect())
    }
}

/// One attempt to carry out the entries with the names that are assumed.
struct Round<'a> {
    /// On the overlay.
    service: &'a Service,
    /// On what is stored.
    below: &'a Service,
    sent: Sent<'a>,
    overlay: Overlay,
    answers: Vec<Option<Answer>>,
    /// The places of the entries that wrote resources.
    writers: HashMap<Key, usize>,
    /// The first resource that two entries wrote.
    twice: Option<(Key, [usize; 2])>,
    /// What fails whatever else does.
    failures: Vec<Failure>,
    context: &'a Context,
}

impl Round<'_> {
    /// Whether the names were as assumed; if not, they are corrected.
    async fn run(&mut self, assumed: &mut Assumed) -> Result<bool, Failure> {
        match self.run_through(assumed).await {
            // What fails then may do so only because of what is missing.
            _ if !self.failures.is_empty() => Err(several(std::mem::take(&mut self.failures))),
            ran => ran,
        }
    }

    /// Stops at what fails, but goes on where it is known that the entry fails anyway, to find all of those.
    async fn run_through(&mut self, assumed: &mut Assumed) -> Result<bool, Failure> {
        let plan = self.sent.plan;
        for entry in plan.in_phases(&[Phase::Delete]) {
            let carried_out = self.carry_out(entry, None, Planned::default()).await;
            self.note(entry, carried_out)?;
        }
        self.assume(assumed).await?;
        self.check_twice(assumed)?;
        let mut links = self.links(assumed);
        self.assume_references(assumed, &mut links).await?;
        let versions = self.write(assumed, &links).await?;
        if !self.failures.is_empty() {
            return Ok(false);
        }
        let mut settled = self.confirm(assumed);
        settled &= self.confirm_references(assumed, settled).await?;
        settled &= self.confirm_versions(assumed, versions, settled).await?;
        if settled {
            self.check_twice(assumed)?;
            if let Some(key) = self.overlay.missing().first() {
                return Err(missing(self.sent.plan, &self.answers, &self.overlay, key));
            }
            self.read().await?;
        }
        Ok(settled)
    }

    /// Draws ids and asks criteria for what is not known yet.
    async fn assume(&self, assumed: &mut Assumed) -> Result<(), Failure> {
        let mut same: HashMap<(String, Vec<(String, String)>), Key> = HashMap::new();
        for entry in self.sent.plan.in_phases(&[Phase::Create, Phase::Update]) {
            let index = entry.index;
            assumed.tags.entry(index).or_insert_with(|| self.service.ids.version_tag());
            let Target::Type(resource_type) = &entry.target else { continue };
            if let HashEntry::Vacant(vacant) = assumed.drawn.entry(index) {
                let id = self.service.new_id(resource_type, &Planned::default());
                vacant.insert(id.map_err(|failure| entry_failure(entry, failure))?);
            }
            if assumed.keys.contains_key(&index) {
                continue;
            }
            let (Some(criteria), Some(drawn)) = (entry.criteria(), assumed.key(entry)) else { continue };
            let found = self.find(resource_type, criteria.clone(), interaction(entry)).await;
            let key = match found.map_err(|failure| entry_failure(entry, failure))? {
                Found::One(key) => key,
                // Where several match, carrying it out says so.
                Found::None | Found::Several(_) if entry.method == Method::Post => {
                    same.entry((resource_type.clone(), criteria)).or_insert(drawn).clone()
                }
                Found::None | Found::Several(_) => match self.own_id(entry) {
                    Some(id) => Key::new(resource_type.as_str(), id),
                    None => drawn,
                },
            };
            assumed.keys.insert(index, key);
        }
        Ok(())
    }

    /// The id that a conditional update without match creates under (R4 and later).
    fn own_id<'e>(&self, entry: &'e Entry) -> Option<&'e str> {
        let later = self.service.rulebook.version() != FhirVersion::Stu3;
        entry.resource.as_ref().filter(|_| later && entry.method == Method::Put)?.id()
    }

    async fn find(
        &self,
        resource_type: &str,
        criteria: Vec<(String, String)>,
        interaction: Interaction,
    ) -> Result<Found, Failure> {
        self.service.expect_transaction_in_time(self.sent.deadline)?;
        let own = entry_context(Precondition::NONE, Planned::default(), self.context);
        match self.service.find_one(resource_type, &Criteria(criteria), interaction, &own).await {
            Ok(found) => Ok(found.map_or(Found::None, Found::One)),
            Err(failure @ Failure::MultipleMatches { .. }) => Ok(Found::Several(failure)),
            Err(failure) => Err(failure),
        }
    }

    /// No resource is written by two entries. Creates that find a resource do not write it.
    fn check_twice(&self, assumed: &Assumed) -> Result<(), Failure> {
        let mut seen: HashMap<&Key, usize> = HashMap::new();
        for entry in self.sent.plan.in_phases(&[Phase::Delete, Phase::Update]) {
            let about = self
                .answers
                .get(entry.index)
                .and_then(Option::as_ref)
                .and_then(|answer| answer.about.as_ref());
            let key = match &entry.target {
                Target::Instance(key) => Some(key),
                _ => about.map(|about| &about.key).or_else(|| assumed.keys.get(&entry.index)),
            };
            let Some(key) = key else { continue };
            if let Some(first) = seen.insert(key, entry.index) {
                return Err(same_resource(key, first, entry.index));
            }
        }
        if let Some((key, [first, second])) = &self.twice {
            return Err(same_resource(key, *first, *second));
        }
        if let Some(transaction_engine::Twice(key)) = self.overlay.twice() {
            let why = format!(
                "The rules of this API change {key} more than once in this transaction. Send it in parts."
            );
            return Err(Failure::BadEntry { why });
        }
        Ok(())
    }

    /// What references between the entries mean.
    fn links(&self, assumed: &Assumed) -> Links {
        let mut links = Links::default();
        for entry in self.sent.plan.in_phases(&[Phase::Create, Phase::Update]) {
            let Some(full_url) = entry.full_url.as_deref() else { continue };
            let Some(key) = entry.key().cloned().or_else(|| assumed.key(entry)) else { continue };
            let url = entry.resource.as_ref().and_then(|sent| sent.url());
            if url == Some(full_url) && !full_url.starts_with("urn:") {
                links.add_definition(full_url, key);
            } else {
                links.add(full_url, key);
            }
        }
        for (key, version_id) in &assumed.versions {
            links.add_version(key.clone(), version_id);
        }
        links
    }

    async fn resolve(&self, text: &str) -> Result<Found, Failure> {
        let Ok(Reference { target: Named::Conditional { resource_type, query }, .. }) =
            Reference::parse(text)
        else {
            return Err(Failure::UnresolvedReference { reference: text.to_owned() });
        };
        let criteria = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        self.find(resource_type, criteria, Interaction::ConditionalCreate).await
    }

    /// Asks what conditional references mean before anything is written. What only the transaction itself creates is
    /// not found yet, and gets a name that lasts for this round.
    async fn assume_references(&self, assumed: &mut Assumed, links: &mut Links) -> Result<(), Failure> {
        for (text, entry) in self.sent.references {
            let BTreeEntry::Vacant(vacant) = assumed.references.entry(text.clone()) else { continue };
            let failed = |failure| entry_failure(entry, failure);
            vacant.insert(match self.resolve(text).await.map_err(failed)? {
                Found::One(key) => key,
                Found::None | Found::Several(_) => {
                    let resource_type = text.split('?').next().unwrap_or_default();
                    let id = self.service.new_id(resource_type, &Planned::default()).map_err(failed)?;
                    Key::new(resource_type, id.as_str())
                }
            });
        }
        for (text, key) in &assumed.references {
            links.add_conditional(text, key.clone());
        }
        Ok(())
    }

    /// Keeps a failure that stands alone, and fails with any other.
    fn note(&mut self, entry: &Entry, carried_out: Result<(), Failure>) -> Result<(), Failure> {
        let Err(failure) = carried_out else { return Ok(()) };
        if !stands_alone(entry, &failure) {
            return Err(entry_failure(entry, failure));
        }
        if self.failures.len() < FAILURES_TOLD_MAX {
            self.failures.push(entry_failure(entry, failure));
        }
        Ok(())
    }

    /// Carries out the writes. Gives the resources whose versions have to be known, each with the place of an entry that
    /// refers to it.
    async fn write(&mut self, assumed: &Assumed, links: &Links) -> Result<HashMap<Key, usize>, Failure> {
        let mut versions = HashMap::new();
        let entries = self.service.ranked(self.sent.plan);
        let together = self.service.together(&entries, links)?;
        for entry in entries {
            let resource = self.service.linked(entry, links, &mut versions)?;
            let planned = Planned {
                id: assumed.drawn.get(&entry.index).cloned(),
                tag: assumed.tags.get(&entry.index).copied(),
                in_transaction: true,
                together: together.clone(),
            };
            let carried_out = self.carry_out(entry, resource, planned).await;
            self.note(entry, carried_out)?;
        }
        Ok(versions)
    }

    async fn carry_out(
        &mut self,
        entry: &Entry,
        resource: Option<Value>,
        planned: Planned,
    ) -> Result<(), Failure> {
        self.service.expect_transaction_in_time(self.sent.deadline)?;
        let asked = self.service.asked_by(entry, resource, self.context.preferences)?;
        let planned = Planned { in_transaction: true, ..planned };
        let own = entry_context(asked.precondition, planned, self.context);
        let mut answer = self.service.dispatch(asked.operation, &own).await?;
        // It is made of the stored content again: thousands of answers may wait for one commit.
        if answer.about.as_ref().is_some_and(|about| about.body.is_some()) {
            answer.payload = None;
        }
        for key in self.overlay.take_fresh() {
            let first = *self.writers.entry(key.clone()).or_insert(entry.index);
            if first != entry.index {
                self.twice.get_or_insert((key, [first, entry.index]));
            }
        }
        if let Some(place) = self.answers.get_mut(entry.index) {
            *place = Some(answer);
        }
        Ok(())
    }

    /// Whether the entries wrote what was assumed.
    fn confirm(&self, assumed: &mut Assumed) -> bool {
        let mut settled = true;
        for entry in self.sent.plan.in_phases(&[Phase::Create, Phase::Update]) {
            let about = self
                .answers
                .get(entry.index)
                .and_then(Option::as_ref)
                .and_then(|answer| answer.about.as_ref());
            let Some(about) = about else { continue };
            if matches!(entry.target, Target::Type(_)) && assumed.key(entry).as_ref() != Some(&about.key) {
                assumed.keys.insert(entry.index, about.key.clone());
                settled = false;
            }
        }
        settled
    }

    /// Whether conditional references mean what was assumed, now that all is written. Only then it is an error that
    /// one does not mean exactly one resource.
    async fn confirm_references(&self, assumed: &mut Assumed, settled: bool) -> Result<bool, Failure> {
        let mut same = true;
        for (text, entry) in self.sent.references {
            let failed = |failure| entry_failure(entry, failure);
            match self.resolve(text).await.map_err(failed)? {
                Found::One(key) => same &= assumed.references.insert(text.clone(), key.clone()) == Some(key),
                Found::None if settled => {
                    return Err(failed(Failure::UnresolvedReference { reference: text.clone() }));
                }
                Found::Several(failure) if settled => return Err(failed(failure)),
                Found::None | Found::Several(_) => {}
            }
        }
        Ok(same)
    }

    /// Whether the versions that references name are those that the transaction leaves behind. It is an error that
    /// there is none only once it is certain what the references mean.
    async fn confirm_versions(
        &self,
        assumed: &mut Assumed,
        asked: HashMap<Key, usize>,
        settled: bool,
    ) -> Result<bool, Failure> {
        let mut same = true;
        for (key, place) in asked {
            let record = self.service.store.read(&key).await.map_err(store_failure)?;
            let Current::Live(head) = record.current else {
                if !settled {
                    continue;
                }
                let failure = Failure::UnresolvedReference { reference: key.to_string() };
                return Err(match self.sent.plan.entries().get(place) {
                    Some(entry) => entry_failure(entry, failure),
                    None => failure,
                });
            };
            let version_id = self.service.version_id(&key.kind, head.version).to_string();
            same &= assumed.versions.insert(key, version_id.clone()) == Some(version_id);
        }
        Ok(same)
    }

    /// Answers reads, and looks whether searches can be answered at all.
    async fn read(&mut self) -> Result<(), Failure> {
        let plan = self.sent.plan;
        for entry in plan.in_phases(&[Phase::Read]) {
            self.carry_out(entry, None, Planned::default())
                .await
                .map_err(|failure| entry_failure(entry, failure))?;
        }
        for entry in plan.in_phases(&[Phase::Look]) {
            let looked = match &entry.target {
                // The overlay has the version that the transaction writes.
                Target::Version(..) => self.service.look_at(entry, self.context).await.map(drop),
                // It has no history, but will have one.
                Target::InstanceHistory(key) if self.overlay.version(key).is_some() => {
                    self.service.asked_by(entry, None, self.context.preferences).map(drop)
                }
                _ => self.below.look_at(entry, self.context).await.map(drop),
            };
            looked.map_err(|failure| entry_failure(entry, failure))?;
        }
        Ok(())
    }
}

/// The conditional references of the entries that are written, each with the first entry that has it.
fn conditional_references(plan: &Plan) -> BTreeMap<String, &Entry> {
    let mut found = BTreeMap::new();
    for entry in plan.in_phases(&[Phase::Create, Phase::Update]) {
        let Some(resource) = &entry.resource else { continue };
        for text in resource.conditional_references() {
            found.entry(text.clone()).or_insert(entry);
        }
    }
    found
}

/// Two entries write one resource. They are named in the order of the request.
fn same_resource(key: &Key, one: usize, other: usize) -> Failure {
    Failure::SameInTransaction { what: key.to_string(), entries: [one.min(other), one.max(other)] }
}

/// What criteria find.
enum Found {
    None,
    One(Key),
    Several(Failure),
}

fn interaction(entry: &Entry) -> Interaction {
    match entry.method {
        Method::Put => Interaction::ConditionalUpdate,
        Method::Patch => Interaction::ConditionalPatch,
        Method::Delete => Interaction::ConditionalDelete,
        Method::Post | Method::Get | Method::Head => Interaction::ConditionalCreate,
    }
}
