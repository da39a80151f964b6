//! Whether the entries of a Bundle may come in: what the API has, and what their sender may ask for.

use rulebook::{EntryHead, Failure, Interaction};
use transaction_engine::{Entry, Method, Target};

use crate::service::{Context, Service};

impl Service {
    /// Whether the sender may ask for a Bundle with these entries as a whole.
    pub(crate) fn admit_bundle<'e>(
        &self,
        entries: impl IntoIterator<Item = &'e Entry>,
        context: &Context,
    ) -> Result<(), Failure> {
        let heads: Vec<EntryHead<'_>> = entries.into_iter().map(head).collect();
        self.rulebook.admit_bundle(&context.caller, &heads)
    }

    /// Whether an entry may be carried out.
    pub(crate) fn admit_entry(&self, entry: &Entry, context: &Context) -> Result<(), Failure> {
        let head = head(entry);
        self.expect_offered(entry, head.interaction)?;
        self.rulebook.admit_entry(&context.caller, &head)
    }

    /// Refuses what the API does not have as it refuses the single request.
    fn expect_offered(&self, entry: &Entry, interaction: Interaction) -> Result<(), Failure> {
        let offers = |interaction| match entry.target.resource_type() {
            Some(resource_type) => self.rulebook.offers_on(interaction, resource_type),
            None => self.rulebook.offers(interaction),
        };
        if offers(interaction) {
            return Ok(());
        }
        let instance = matches!(entry.target, Target::Instance(_));
        let allow: &[&str] = match (instance, offers(Interaction::Delete), offers(Interaction::SearchType)) {
            (true, true, _) => &["GET", "PUT", "DELETE"],
            (true, false, _) => &["GET", "PUT"],
            (false, _, true) => &["GET", "POST"],
            (false, _, false) => &["POST"],
        };
        Err(match interaction {
            // What the API does not have at all has no methods.
            _ if !offers(Interaction::Read) => Failure::NotOffered(interaction),
            Interaction::ConditionalCreate => Failure::ConditionalNotOffered { header: "ifNoneExist" },
            Interaction::Patch
            | Interaction::Delete
            | Interaction::ConditionalUpdate
            | Interaction::ConditionalPatch
            | Interaction::ConditionalDelete => {
                Failure::MethodNotAllowed { method: entry.method.code().to_owned(), allow }
            }
            _ => Failure::NotOffered(interaction),
        })
    }
}

fn head(entry: &Entry) -> EntryHead<'_> {
    EntryHead { interaction: interaction(entry), resource_type: entry.target.resource_type() }
}

/// What an entry asks for.
pub(crate) fn interaction(entry: &Entry) -> Interaction {
    match (entry.method, &entry.target) {
        (Method::Post, _) if entry.conditions.if_none_exist.is_some() => Interaction::ConditionalCreate,
        (Method::Post, _) => Interaction::Create,
        (Method::Put, Target::Instance(_)) => Interaction::Update,
        (Method::Put, _) => Interaction::ConditionalUpdate,
        (Method::Patch, Target::Instance(_)) => Interaction::Patch,
        (Method::Patch, _) => Interaction::ConditionalPatch,
        (Method::Delete, Target::Instance(_)) => Interaction::Delete,
        (Method::Delete, _) => Interaction::ConditionalDelete,
        (Method::Get | Method::Head, target) => match target {
            Target::Instance(_) => Interaction::Read,
            Target::Version(..) => Interaction::Vread,
            Target::Type(_) | Target::Compartment(..) => Interaction::SearchType,
            Target::Base => Interaction::SearchSystem,
            Target::InstanceHistory(_) => Interaction::HistoryInstance,
            Target::TypeHistory(_) => Interaction::HistoryType,
            Target::SystemHistory => Interaction::HistorySystem,
            Target::Metadata => Interaction::Capabilities,
        },
    }
}
