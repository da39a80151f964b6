//! How the kit gets its stores.

use std::sync::Arc;

use storage_api::{Clock, Store};

/// Makes stores to be checked.
pub trait Harness: Sync {
    /// An empty store that stamps with `clock`.
    fn fresh(&self, clock: Arc<dyn Clock>) -> Box<dyn Instance>;
}

/// A store under test, with whatever it stands on.
pub trait Instance: Send + Sync {
    /// The store. After [`Self::reopen`] it is another one.
    fn store(&self) -> Arc<dyn Store>;

    /// Closes the store and opens again what it keeps; `false` if it keeps nothing.
    fn reopen(&mut self) -> bool;
}
