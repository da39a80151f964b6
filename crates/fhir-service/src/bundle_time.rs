//! How long a Bundle may take: nobody else's writes are kept from anything by a long one, but its memory is.

use rulebook::Failure;
use storage_api::Timestamp;

use crate::service::Service;

/// The moment after which a Bundle begins nothing more. What was handed to the store by then is waited for, because only
/// the store knows whether it happened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    at: Timestamp,
    max_s: u64,
}

impl Service {
    /// Of a Bundle that is begun now.
    pub(crate) fn bundle_deadline(&self) -> Deadline {
        let max_us = self.limits.bundle_time_us.max(0);
        let at = Timestamp(self.ids.now().0.saturating_add(max_us));
        Deadline { at, max_s: max_us.unsigned_abs() / 1_000_000 }
    }

    /// Fails a transaction that took too long.
    pub(crate) fn expect_transaction_in_time(&self, deadline: Deadline) -> Result<(), Failure> {
        let Deadline { at, max_s } = deadline;
        if self.ids.now() > at { Err(Failure::TransactionTooSlow { max_s }) } else { Ok(()) }
    }

    /// Fails an entry that is not carried out because those before it took too long.
    pub(crate) fn expect_entry_in_time(&self, deadline: Deadline) -> Result<(), Failure> {
        let Deadline { at, max_s } = deadline;
        if self.ids.now() > at { Err(Failure::EntryNotBegun { max_s }) } else { Ok(()) }
    }
}
