//! Everything that can be set, with its default and its reason.

use std::time::Duration;

use storage_api::IndexGeneration;

/// When a commit counts as durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Durability {
    /// After it was synced to the disk: an acknowledged write survives a loss of power.
    #[default]
    Full,
    /// After the operating system has it: an acknowledged write survives the end of the process,
    /// but the last ones may be lost with the power.
    Normal,
}

/// How a store is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// What an acknowledgement promises.
    pub durability: Durability,
    /// The index generation that a new store starts with; an existing one keeps its own.
    pub index_generation: IndexGeneration,
    /// At most this many write sets share one commit. A safety limit: groups form from what is
    /// queued, and 32 waiting clients make groups of about 16.
    pub group_sets_max: usize,
    /// A commit takes no further write set once it holds this many bytes, so a large one goes
    /// nearly alone and small ones do not wait for several.
    pub group_bytes_max: usize,
    /// Write sets waiting for the writer; one more is refused as busy.
    pub queue_sets_max: usize,
    /// Bytes waiting for the writer; more are refused as busy.
    pub queue_bytes_max: usize,
    /// A write set above this is refused as too large, whatever the queue holds.
    pub set_bytes_max: usize,
    /// Contents above this many bytes are kept in files beside the database.
    pub body_inline_max: usize,
    /// How often the guards on queries of a write set may ask the index in the writer, where
    /// everybody waits for it, beyond a few times for each resource that they expect: about two
    /// milliseconds. A write set that needs more is refused as too costly.
    pub match_steps_max: usize,
    /// Connections that reads share. Reads do not block each other while there is one each.
    /// Snapshots have connections of their own, of which as many are kept.
    pub readers: usize,
    /// How long a search, a page of history or the way to an old version may take on the thread that
    /// asks; what takes longer is begun again on a thread for long reads, so that nobody else waits for it.
    pub read_time_here: Duration,
    /// How long one may take there; what takes longer is refused as too costly.
    pub read_time_max: Duration,
    /// Threads for long reads, each with a connection of its own: so many are answered at a time.
    pub long_reads: usize,
    /// Long reads that wait for one of these threads; one more is refused as busy, and so is one that
    /// waited for ten seconds.
    pub long_reads_waiting_max: usize,
    /// A page of history ends early once its bodies have this many bytes.
    pub page_bytes_max: usize,
    /// Newest states of keys that are kept in memory, about 150 bytes each.
    pub head_cache_entries: usize,
    /// Bytes of contents that are kept in memory.
    pub body_cache_bytes: usize,
    /// Bytes of terms of newest versions that the writer keeps in memory: an update reads those of
    /// the version it replaces.
    pub entry_cache_bytes: usize,
    /// A page of history that filters by a span of time looks at no more rows than this before it
    /// ends early: the filter may pass over almost everything.
    pub page_rows_max: usize,
    /// Resources that one search looks at to put what it finds in an order; one that would have to
    /// look at more is refused, unless it is ordered by time.
    pub sorted_rows_max: usize,
    /// Resources that one search looks at to count what it finds; a total above is left out.
    pub counted_rows_max: usize,
    /// The database file does not grow beyond this; writes that would need more are refused as
    /// full until something is purged.
    pub file_bytes_max: Option<u64>,
    /// Bytes of database pages that each connection may keep; filled as needed.
    pub page_cache_bytes: usize,
    /// The helper thread moves the log into the file each time it has grown by this many bytes.
    pub checkpoint_bytes: u64,
    /// The writer stops to start the log anew once it has this many bytes, because the helper
    /// alone lets it grow without end under load.
    pub log_bytes_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        const MIB: usize = 1 << 20;
        Self {
            durability: Durability::Full,
            index_generation: IndexGeneration(0),
            group_sets_max: 128,
            group_bytes_max: 4 * MIB,
            queue_sets_max: 4096,
            queue_bytes_max: 256 * MIB,
            set_bytes_max: 128 * MIB,
            body_inline_max: MIB,
            match_steps_max: 4_000,
            readers: 4,
            read_time_here: Duration::from_millis(20),
            read_time_max: Duration::from_secs(10),
            long_reads: 2,
            long_reads_waiting_max: 256,
            page_bytes_max: 16 * MIB,
            head_cache_entries: 100_000,
            body_cache_bytes: 64 * MIB,
            entry_cache_bytes: 16 * MIB,
            page_rows_max: 10_000,
            sorted_rows_max: 100_000,
            counted_rows_max: 200_000,
            file_bytes_max: None,
            page_cache_bytes: 16 * MIB,
            checkpoint_bytes: 48 << 20,
            log_bytes_max: 192 << 20,
        }
    }
}
