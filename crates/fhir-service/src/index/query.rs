//! Questions to an index that may be incomplete.

use fhir_search::REFERS;
use rulebook::Failure;
use storage_api::Query;

use super::InForce;

impl InForce {
    /// Criteria of writes must find everything.
    pub(crate) fn expect_complete(&self, query: &Query) -> Result<(), Failure> {
        match self.incomplete().within(query) {
            Some(param) => Err(Failure::IndexIncomplete { parameter: shown(param) }),
            None => Ok(()),
        }
    }

    /// What refers to a resource must be known before it is deleted.
    pub(crate) fn expect_references(&self) -> Result<(), Failure> {
        if self.incomplete().has(REFERS) {
            return Err(Failure::IndexIncomplete { parameter: String::new() });
        }
        Ok(())
    }

    /// For people: why a search may miss resources.
    pub(crate) fn warning(&self, query: &Query) -> Option<String> {
        let param = shown(self.incomplete().within(query)?);
        Some(format!(
            "The index of {param} is being made: resources may be missing. GET [base]/$reindex tells how far it is."
        ))
    }
}

/// A parameter by the name of its terms: `Patient.name`, or `_tag`.
fn shown(param: &str) -> String {
    param.split(':').next().unwrap_or(param).to_owned()
}
