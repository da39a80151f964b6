//! batch: each entry as if it had been sent alone. Entries on one resource, or with the same criteria, keep their order,
//! others are carried out side by side.

use std::collections::HashMap;

use futures_util::StreamExt as _;
use futures_util::stream;
use rulebook::Failure;
use storage_api::Key;
use transaction_engine::{Entry, EntryError};

use crate::answer::Answer;
use crate::bundle::{bad_entry, entry_context};
use crate::bundle_time::Deadline;
use crate::service::{Context, Planned, Service};

/// What an entry calls the resource that it is about.
#[derive(PartialEq, Eq, Hash)]
enum Identity {
    Key(Key),
    Criteria(String, Vec<(String, String)>),
}

impl Identity {
    fn of(entry: &Entry) -> Option<Self> {
        let by_criteria = || {
            let criteria = entry.criteria()?;
            Some(Self::Criteria(entry.target.resource_type()?.to_owned(), criteria))
        };
        entry.key().cloned().map(Self::Key).or_else(by_criteria)
    }
}

impl Service {
    /// The answers to the entries, in their order. Failures are answers too.
    pub(crate) async fn batch(
        &self,
        entries: Vec<Result<Entry, EntryError>>,
        deadline: Deadline,
        context: &Context,
    ) -> Vec<Answer> {
        let count = entries.len();
        let mut lines: Vec<Vec<(usize, Result<Entry, EntryError>)>> = Vec::new();
        let mut by_identity: HashMap<Identity, usize> = HashMap::new();
        for (place, entry) in entries.into_iter().enumerate() {
            let identity = entry.as_ref().ok().and_then(Identity::of);
            let line =
                identity.map_or(lines.len(), |identity| *by_identity.entry(identity).or_insert(lines.len()));
            match lines.get_mut(line) {
                Some(line) => line.push((place, entry)),
                None => lines.push(vec![(place, entry)]),
            }
        }
        let parallel = self.limits.batch_parallel_max.max(1);
        let carried_out = lines.into_iter().map(|line| self.batch_line(line, deadline, context));
        let mut answers: Vec<(usize, Answer)> =
            stream::iter(carried_out).buffer_unordered(parallel).flat_map(stream::iter).collect().await;
        answers.sort_by_key(|(place, _)| *place);
        debug_assert_eq!(answers.len(), count, "every entry is answered");
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    /// Entries that are carried out one after the other.
    async fn batch_line(
        &self,
        entries: Vec<(usize, Result<Entry, EntryError>)>,
        deadline: Deadline,
        context: &Context,
    ) -> Vec<(usize, Answer)> {
        let mut answers = Vec::with_capacity(entries.len());
        for (place, entry) in entries {
            let answered = match entry {
                Ok(entry) => self.batch_entry(entry, deadline, context).await,
                Err(error) => Err(bad_entry(&error.problem, self.rulebook.version())),
            };
            answers.push((place, answered.unwrap_or_else(|failure| self.refuse(&failure, &context.trace))));
        }
        answers
    }

    async fn batch_entry(
        &self,
        entry: Entry,
        deadline: Deadline,
        context: &Context,
    ) -> Result<Answer, Failure> {
        self.expect_entry_in_time(deadline)?;
        self.admit_entry(&entry, context)?;
        let resource = self.sent_by(&entry)?;
        let asked = self.asked_by(&entry, resource, context.preferences)?;
        let own = entry_context(asked.precondition, Planned::default(), context);
        let answered = self.dispatch(asked.operation, &own).await;
        // What is answered from memory waited for nothing, and other requests must have their turn.
        tokio::task::yield_now().await;
        Ok(self.entry_answer(&entry, answered?, asked.subset, &context.trace))
    }
}
