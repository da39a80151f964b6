//! A store from versions that are known by their keys, with their numbers, tags and stamps.

use core::fmt;
use std::path::Path;

use rusqlite::OptionalExtension;
use sha2::{Digest, Sha256};
use storage_api::{Key, Method, StoredVersion};

use crate::OpenError;
use crate::archive::{PartitionRecord, ResourceRecord, SymbolRecord, VersionRecord};
use crate::blobs::Hash;
use crate::bulk::{Bulk, RESTORE_REQUEST};
use crate::options::Options;
use crate::rows::{Content, method_to_sql, seq_to_sql};
use crate::symbols::SymbolKind;

/// Why versions cannot become a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportError {
    /// The number does not follow the key's last one.
    NumberGap {
        /// Whose.
        key: Key,
        /// The number that comes.
        found: u64,
        /// The one before it.
        last: u64,
    },
    /// A version is older than the one before it.
    StampDecreases(Key),
    /// A deletion with content, or another version without.
    ContentDisagrees(Key),
    /// The store cannot be written.
    Store(OpenError),
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NumberGap { key, found, last } => {
                write!(f, "version {found} of {key} does not follow {last}")
            }
            Self::StampDecreases(key) => {
                write!(f, "a version of {key} is older than the version before it")
            }
            Self::ContentDisagrees(key) => {
                write!(f, "a version of {key} is a deletion with content, or another one without")
            }
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ImportError {}

impl<E: Into<OpenError>> From<E> for ImportError {
    fn from(error: E) -> Self {
        Self::Store(error.into())
    }
}

/// Takes versions in commit order and makes a store of them. What is left without
/// [`Self::finish`] is of no use.
pub struct Import {
    bulk: Bulk,
    seq: i64,
    at: i64,
    kinds: Vec<String>,
    body_inline_max: usize,
}

impl Import {
    /// Into a new store in `directory`, which is made.
    pub fn create(directory: &Path) -> Result<Self, OpenError> {
        let bulk = Bulk::create(directory)?;
        bulk.connection().execute_batch(
            "CREATE TEMP TABLE named (
                 res INTEGER PRIMARY KEY, kind INTEGER NOT NULL, id TEXT NOT NULL, seq INTEGER,
                 ver INTEGER NOT NULL, floor INTEGER NOT NULL, UNIQUE (kind, id)
             )",
        )?;
        let body_inline_max = Options::default().body_inline_max;
        Ok(Self { bulk, seq: 0, at: i64::MIN, kinds: Vec::new(), body_inline_max })
    }

    /// The next version in commit order. Its place and the instant before it are not looked at:
    /// they follow from the order. It is found by nothing until the index is made.
    pub fn version(&mut self, version: &StoredVersion) -> Result<(), ImportError> {
        let StoredVersion { key, method, .. } = version;
        if version.body.is_none() != (*method == Method::Delete) {
            return Err(ImportError::ContentDisagrees(key.clone()));
        }
        if version.at.0 < self.at {
            return Err(ImportError::StampDecreases(key.clone()));
        }
        let (res, prev, last) = self.named(key)?;
        let found = version.version.number.get();
        let follows = match prev {
            // Lower ones were purged: the floor says so in the end.
            None => found > 0,
            Some(_) => found == last + 1 || (found > last && version.request.0 == RESTORE_REQUEST),
        };
        if !follows {
            return Err(ImportError::NumberGap { key: key.clone(), found, last });
        }
        let (seq, at) = (self.seq + 1, version.at.0);
        let content = self.content(version)?;
        self.bulk.version(&VersionRecord {
            seq,
            res,
            ver: seq_to_sql(found),
            prev,
            at,
            tag: version.version.tag.0.cast_signed(),
            method: method_to_sql(*method),
            request: version.request.0.to_vec(),
            codec: content.codec(),
            splice: version.body.as_ref().map_or(0, |body| body.splice),
            terms: None,
            body: content.blob().map(<[u8]>::to_vec),
        })?;
        let sql = "UPDATE named SET seq = ?2, ver = ?3 WHERE res = ?1";
        self.bulk.connection().prepare_cached(sql)?.execute((res, seq, seq_to_sql(found)))?;
        (self.seq, self.at) = (seq, at);
        Ok(())
    }

    /// Says that a key was purged: its versions up to this number do not count, and no number up to
    /// it is used again. Comes behind all versions.
    pub fn floor(&mut self, key: &Key, floor: u64) -> Result<(), ImportError> {
        let (res, ..) = self.named(key)?;
        let sql = "UPDATE named SET floor = ?2 WHERE res = ?1";
        self.bulk.connection().prepare_cached(sql)?.execute((res, seq_to_sql(floor)))?;
        Ok(())
    }

    /// Returns when the store is whole and on the disk.
    pub fn finish(mut self) -> Result<(), ImportError> {
        let mut after = 0;
        loop {
            let sql = "SELECT res, kind, id, floor FROM named WHERE res > ?1 ORDER BY res LIMIT 1000";
            let read = |row: &rusqlite::Row<'_>| {
                Ok(ResourceRecord {
                    res: row.get(0)?,
                    kind: row.get(1)?,
                    id: row.get(2)?,
                    floor: row.get(3)?,
                })
            };
            let page = self
                .bulk
                .connection()
                .prepare_cached(sql)?
                .query_map([after], read)?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            let Some(last) = page.last() else { break };
            after = last.res;
            for row in &page {
                self.bulk.resource(row)?;
            }
        }
        let partition = PartitionRecord {
            name: String::new(),
            newest_seq: self.seq,
            newest_at: self.at.max(0),
            index_generation: Options::default().index_generation.0.into(),
        };
        self.bulk.finish(&partition, None)?;
        Ok(())
    }

    /// The key's row, its newest version's row, and its number.
    fn named(&mut self, key: &Key) -> Result<(i64, Option<i64>, u64), ImportError> {
        let kind = self.kind(&key.kind)?;
        let sql = "SELECT res, seq, ver FROM named WHERE kind = ?1 AND id = ?2";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?));
        let connection = self.bulk.connection();
        let found = connection.prepare_cached(sql)?.query_row((kind, key.id.as_str()), read).optional()?;
        if let Some((res, seq, ver)) = found {
            return Ok((res, seq, ver.unsigned_abs()));
        }
        let sql = "INSERT INTO named (kind, id, ver, floor) VALUES (?1, ?2, 0, 0)";
        connection.prepare_cached(sql)?.execute((kind, key.id.as_str()))?;
        Ok((connection.last_insert_rowid(), None, 0))
    }

    /// There are as many kinds as there are types of resources.
    fn kind(&mut self, text: &str) -> Result<i64, ImportError> {
        let known = self.kinds.iter().position(|kind| kind == text);
        let place = known.unwrap_or(self.kinds.len());
        let sym = seq_to_sql(place as u64) + 1;
        if known.is_none() {
            let kind = SymbolKind::Kind.to_sql();
            self.bulk.symbol(&SymbolRecord { sym, kind, text: text.to_owned() })?;
            self.kinds.push(text.to_owned());
        }
        Ok(sym)
    }

    fn content(&mut self, version: &StoredVersion) -> Result<Content, ImportError> {
        let Some(body) = &version.body else { return Ok(Content::None) };
        if body.bytes.len() <= self.body_inline_max {
            return Ok(Content::Inline(body.bytes.clone()));
        }
        let hash: Hash = Sha256::digest(&body.bytes).into();
        self.bulk.content(&hash, &body.bytes)?;
        Ok(Content::File(hash))
    }
}
