//! How large things may get, in one place.

use fhir_model::json;

/// Limits of one service.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of a body.
    pub json: json::Limits,
    /// Of a patch and what it makes of a resource.
    pub patch: fhir_patch::Limits,
    /// Entries of a history page when the client does not say.
    pub page_default: usize,
    /// Entries of a history page at most; a larger `_count` is cut to this.
    pub page_max: usize,
    /// Resources that one conditional delete may delete.
    pub conditional_delete_max: usize,
    /// How long an idempotency key is remembered, in microseconds.
    pub idempotency_time_us: i64,
    /// Entries of a Bundle of requests; above it 413.
    pub bundle_entries_max: usize,
    /// How long one may take, in microseconds of the clock that versions are stamped with; above it 413. A batch answers
    /// so for the entries that it did not begin.
    pub bundle_time_us: i64,
    /// Requests of one batch that are carried out at the same time.
    pub batch_parallel_max: usize,
    /// Ids drawn for one create before it is given up. A second is never needed in practice.
    pub id_draws_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        const MINUTE_US: i64 = 60 * 1_000_000;
        const DAY_US: i64 = 24 * 60 * MINUTE_US;
        Self {
            json: json::Limits::default(),
            patch: fhir_patch::Limits::default(),
            page_default: 100,
            page_max: 1000,
            conditional_delete_max: 100,
            idempotency_time_us: DAY_US,
            bundle_entries_max: 100_000,
            bundle_time_us: 2 * MINUTE_US,
            batch_parallel_max: 16,
            id_draws_max: 3,
        }
    }
}

impl Limits {
    /// What is stored was within the limits when it was stored, and is read without them but for
    /// nesting, which version meta and Bundles deepen by a little.
    pub(crate) fn stored(&self) -> json::Limits {
        const ROOM: usize = 8;
        let depth_max = self.json.depth_max.saturating_add(ROOM);
        json::Limits { bytes_max: usize::MAX, nodes_max: usize::MAX, depth_max }
    }
}
