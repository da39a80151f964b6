//! What a transaction asks for behind its commit: searches, histories, old versions and statements. All of it is answered
//! from one moment, that has the commit and may have what others committed with it.

use std::collections::HashMap;

use rulebook::Failure;
use transaction_engine::{Entry, Phase, Plan};

use crate::answer::Answer;
use crate::bundle::entry_context;
use crate::bundle_time::Deadline;
use crate::service::{Context, Planned, Service, store_failure};

impl Service {
    /// The answers by the places of the entries. What fails now is a failure of its entry only: the transaction is
    /// committed.
    pub(crate) async fn answer_looks(
        &self,
        plan: &Plan,
        deadline: Deadline,
        context: &Context,
    ) -> HashMap<usize, Answer> {
        let mut answers = HashMap::new();
        let mut looks = plan.in_phases(&[Phase::Look]).peekable();
        if looks.peek().is_none() {
            return answers;
        }
        let deadline = self.looks_deadline(deadline);
        let moment = self.store.snapshot().await.map_err(store_failure);
        let moment = moment.map(|store| Self { store, ..self.clone() });
        for entry in looks {
            let looked = match (&moment, self.expect_entry_in_time(deadline)) {
                (Ok(moment), Ok(())) => moment.look_at(entry, context).await,
                (Err(failure), _) => Err(failure.clone()),
                (_, Err(failure)) => Err(failure),
            };
            let answer = looked.unwrap_or_else(|failure| self.refuse(&failure, &context.trace));
            answers.insert(entry.index, answer);
        }
        answers
    }

    /// Answers one of them.
    pub(crate) async fn look_at(&self, entry: &Entry, context: &Context) -> Result<Answer, Failure> {
        let asked = self.asked_by(entry, None, context.preferences)?;
        let own = entry_context(asked.precondition, Planned::default(), context);
        let answer = self.dispatch(asked.operation, &own).await?;
        Ok(self.entry_answer(entry, answer, asked.subset, &context.trace))
    }
}
