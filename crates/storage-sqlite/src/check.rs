//! Whether a store is whole: every chain of versions, and everything that is kept beside it.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};
use storage_api::Key;

use crate::OpenError;
use crate::blobs::{Blobs, Hash};
use crate::bulk::RESTORE_REQUEST;
use crate::check_words::ExpectedWords;
use crate::connection::open_read_only;
use crate::encoding::{is_words, unpack};
use crate::layout::Layout;
use crate::options::Options;
use crate::report::{CheckDepth, CheckFault, CheckProgress, CheckReport, Problem};
use crate::rows::{Content, Link, ResourceRow, State, method_from_sql};
use crate::schema;

/// Verifies the store in `directory`, which is opened for reading only and may be in use.
///
/// Looks at one snapshot: while it runs, the log of a store in use cannot be started anew.
/// `progress` is called now and then.
pub fn check(
    directory: &Path,
    depth: CheckDepth,
    progress: &mut dyn FnMut(CheckProgress),
) -> Result<CheckReport, OpenError> {
    let layout = Layout::of(directory);
    let connection = open_read_only(&layout.database, &Options::default())?;
    schema::expect_newest(&connection)?;
    connection.execute_batch("BEGIN")?;
    let count = |table: &str| -> rusqlite::Result<u64> {
        connection
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0))
            .map(i64::unsigned_abs)
    };
    let total = count("resource")? + count("version")?;
    let newest: i64 =
        connection.query_row("SELECT coalesce(max(seq), 0) FROM version", [], |row| row.get(0))?;
    let mut checker = Checker {
        connection: &connection,
        blobs: Blobs::new(layout.blobs),
        reached: Seen::up_to(newest),
        entries: 0,
        words: ExpectedWords::default(),
        files: HashMap::new(),
        report: CheckReport { claims: count("claim")?, ..CheckReport::default() },
        progress: Progress { done: 0, total, tell: progress },
    };
    if depth == CheckDepth::Pages {
        checker.check_pages()?;
    }
    checker.check_resources()?;
    checker.check_versions()?;
    checker.check_type_lists()?;
    checker.check_index()?;
    checker.check_words()?;
    checker.check_files()?;
    Ok(checker.report)
}

struct Checker<'a> {
    connection: &'a Connection,
    blobs: Blobs,
    /// Rows that some chain leads to.
    reached: Seen,
    /// Index entries that newest versions should have.
    entries: u64,
    /// What the index of words should have.
    words: ExpectedWords,
    /// How many versions have the content in each file.
    files: HashMap<Hash, i64>,
    report: CheckReport,
    progress: Progress<'a>,
}

struct Progress<'a> {
    done: u64,
    total: u64,
    tell: &'a mut dyn FnMut(CheckProgress),
}

impl Progress<'_> {
    fn step(&mut self) {
        const EVERY: u64 = 1_000;
        self.done += 1;
        if self.done.is_multiple_of(EVERY) || self.done == self.total {
            (self.tell)(CheckProgress { done: self.done, total: self.total });
        }
    }
}

/// A set of rows, one bit each.
struct Seen(Vec<u64>);

impl Seen {
    fn up_to(newest: i64) -> Self {
        Self(vec![0; usize::try_from(newest / 64 + 1).unwrap_or_default()])
    }

    /// Says whether it was there already. What no row can be counts as there, so that nobody
    /// follows it.
    fn insert(&mut self, row: i64) -> bool {
        let (word, bit) = (row / 64, 1_u64 << (row % 64).unsigned_abs());
        let Some(word) = usize::try_from(word).ok().and_then(|word| self.0.get_mut(word)) else {
            return true;
        };
        let seen = *word & bit != 0;
        *word |= bit;
        seen
    }
}

impl Checker<'_> {
    fn fault(&mut self, about: &dyn ToString, problem: Problem) {
        self.report.add(CheckFault { about: about.to_string(), problem });
    }

    /// SQLite's own look at every page.
    fn check_pages(&mut self) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare("PRAGMA integrity_check(100)")?;
        let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
        for line in lines {
            let line = line?;
            if line != "ok" {
                self.fault(&"the file", Problem::Page(line));
            }
        }
        Ok(())
    }

    fn check_resources(&mut self) -> rusqlite::Result<()> {
        let sql = "SELECT r.res, r.state, r.ver, r.seq, r.at, r.tag, r.prev_at, r.id, r.floor, s.text
                   FROM resource r LEFT JOIN symbol s ON s.sym = r.type AND s.kind = 1";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            self.progress.step();
            self.report.resources += 1;
            let kind: Option<String> = row.get(9)?;
            let key = Key::new(kind.clone().unwrap_or_default(), row.get::<_, String>(7)?);
            if kind.is_none() {
                self.fault(&key, Problem::KindUnknown);
            }
            let floor: i64 = row.get(8)?;
            match ResourceRow::read(row) {
                Ok(resource) => self.check_chain(&key, &resource, floor.unsigned_abs())?,
                Err(error) => self.fault(&key, Problem::Unreadable(error.to_string())),
            }
        }
        Ok(())
    }

    /// Follows a key's versions from its newest state down to its floor.
    fn check_chain(&mut self, key: &Key, row: &ResourceRow, floor: u64) -> rusqlite::Result<()> {
        let Some(newest) = row.newest() else {
            if row.number != floor {
                self.fault(key, Problem::FloorDisagrees);
            }
            return Ok(());
        };
        let mut next = Some(newest);
        let mut newer: Option<(i64, Link)> = None;
        let mut number = row.number;
        while let Some(seq) = next {
            let Some(link) = Link::find(self.connection, seq)? else {
                self.fault(key, Problem::VersionMissing { number, row: seq });
                return Ok(());
            };
            if link.res != row.res
                || newer.is_some_and(|(_, newer)| newer.at < link.at)
                || self.reached.insert(seq)
            {
                self.fault(key, Problem::ChainBroken { row: seq });
                return Ok(());
            }
            if link.number < number && self.is_raise(newer)? {
                number = link.number;
            }
            if link.number != number {
                self.fault(key, Problem::NumberGap { expected: number, found: link.number });
                return Ok(());
            }
            if newer.is_none() {
                self.check_head(key, row, &link)?;
            }
            number = number.saturating_sub(1);
            next = link.prev;
            newer = Some((seq, link));
        }
        if number != floor {
            self.fault(key, Problem::NumberGap { expected: number, found: floor });
        }
        Ok(())
    }

    /// Whether a restore made this version, which may have passed over numbers.
    fn is_raise(&self, link: Option<(i64, Link)>) -> rusqlite::Result<bool> {
        let Some((seq, _)) = link else { return Ok(false) };
        let sql = "SELECT request = ?2 FROM version WHERE seq = ?1";
        self.connection.prepare_cached(sql)?.query_row((seq, RESTORE_REQUEST), |row| row.get(0))
    }

    /// The resource row must say the same as its newest version.
    fn check_head(&mut self, key: &Key, row: &ResourceRow, link: &Link) -> rusqlite::Result<()> {
        let previous = link.prev.map(|prev| Link::find(self.connection, prev)).transpose()?.flatten();
        let agrees = row.tag == link.tag
            && row.at == link.at
            && row.previous_at == previous.map(|previous| previous.at);
        let sql = "SELECT terms, method, codec FROM version WHERE seq = ?1";
        let (terms, method, codec): (Option<Vec<u8>>, i64, i64) = self
            .connection
            .prepare_cached(sql)?
            .query_row([row.seq], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let deleted = method_from_sql(1, method).is_ok_and(|method| method == storage_api::Method::Delete);
        if !agrees || deleted != (row.state == State::Deleted) || deleted != (codec == 0) {
            self.fault(key, Problem::HeadDisagrees);
        }
        match unpack(&terms.unwrap_or_default()) {
            Some(entries) if row.state == State::Live => self.check_entries(key, row.res, &entries),
            Some(entries) if entries.is_empty() => Ok(()),
            _ => {
                self.fault(key, Problem::TermsDamaged);
                Ok(())
            }
        }
    }

    fn check_entries(&mut self, key: &Key, res: i64, entries: &[(i64, Vec<u8>)]) -> rusqlite::Result<()> {
        let sql = "SELECT 1 FROM term WHERE param = ?1 AND value = ?2 AND res = ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        self.words.add(res, entries);
        for (param, value) in entries.iter().filter(|(_, value)| !is_words(value)) {
            self.entries += 1;
            if statement.query_row((param, value, res), |_| Ok(())).optional()?.is_none() {
                self.fault(key, Problem::TermMissing);
            }
        }
        Ok(())
    }

    /// Every row by itself: stamps never decrease, and exactly deletions have no content.
    fn check_versions(&mut self) -> rusqlite::Result<()> {
        let sql = "SELECT seq, at, method, codec, CASE codec WHEN 2 THEN body ELSE x'' END, length(body)
                   FROM version ORDER BY seq";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        let mut newest_at = i64::MIN;
        while let Some(row) = rows.next()? {
            self.progress.step();
            self.report.versions += 1;
            let (seq, at): (i64, i64) = (row.get(0)?, row.get(1)?);
            let name = format!("version row {seq}");
            if at < newest_at {
                self.fault(&name, Problem::StampDecreases);
            }
            newest_at = newest_at.max(at);
            let has_bytes = row.get::<_, Option<i64>>(5)?.is_some();
            match (method_from_sql(2, row.get(2)?), Content::read(row, 3)) {
                (Ok(method), Ok(content)) => {
                    let deleted = method == storage_api::Method::Delete;
                    if deleted != (content == Content::None) || deleted == has_bytes {
                        self.fault(&name, Problem::ContentDisagrees);
                    }
                    self.report.tombstones += u64::from(deleted);
                    if let Content::File(hash) = content {
                        *self.files.entry(hash).or_default() += 1;
                    }
                }
                (Err(error), _) | (_, Err(error)) => {
                    self.fault(&name, Problem::Unreadable(error.to_string()));
                }
            }
            if !self.reached.insert(seq) {
                self.fault(&name, Problem::Stray);
            }
        }
        Ok(())
    }

    /// The list of versions by kind has each version once, under its kind.
    fn check_type_lists(&mut self) -> rusqlite::Result<()> {
        let not_listed = "SELECT v.seq FROM version v LEFT JOIN resource r ON r.res = v.res
             WHERE NOT EXISTS (SELECT 1 FROM version_by_type b WHERE b.type = r.type AND b.seq = v.seq)";
        let listed_wrongly = "SELECT b.seq FROM version_by_type b LEFT JOIN version v ON v.seq = b.seq
             LEFT JOIN resource r ON r.res = v.res WHERE r.type IS NOT b.type";
        for (sql, problem) in [(not_listed, Problem::NotListed), (listed_wrongly, Problem::ListedWrongly)] {
            let mut statement = self.connection.prepare(sql)?;
            let rows = statement.query_map([], |row| row.get::<_, i64>(0))?;
            for seq in rows {
                self.fault(&format!("version row {}", seq?), problem.clone());
            }
        }
        Ok(())
    }

    /// Every entry that should be there was found, so there are strays if there are more.
    fn check_index(&mut self) -> rusqlite::Result<()> {
        let count: i64 = self.connection.query_row("SELECT count(*) FROM term", [], |row| row.get(0))?;
        self.report.terms = count.unsigned_abs();
        if self.report.terms > self.entries {
            self.fault(&"the index of terms", Problem::TermsLeftOver(self.report.terms - self.entries));
        }
        Ok(())
    }

    /// The index of words has those of every live resource, and no others.
    fn check_words(&mut self) -> rusqlite::Result<()> {
        self.report.documents = self.words.rows();
        for res in std::mem::take(&mut self.words).differing(self.connection)? {
            let sql = "SELECT s.text || '/' || r.id FROM resource r JOIN symbol s ON s.sym = r.type
                       WHERE r.res = ?1";
            let key: Option<String> = self.connection.query_row(sql, [res], |row| row.get(0)).optional()?;
            self.fault(&key.unwrap_or_else(|| format!("resource row {res}")), Problem::WordsDiffer);
        }
        Ok(())
    }

    /// Files are there, have the content they are named after, and are counted rightly.
    fn check_files(&mut self) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare("SELECT hash, refs FROM blob")?;
        let counted: HashMap<Hash, i64> =
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        let files = std::mem::take(&mut self.files);
        for hash in counted.keys().chain(files.keys().filter(|hash| !counted.contains_key(*hash))) {
            let path = self.blobs.path(hash);
            self.report.files += 1;
            if counted.get(hash) != files.get(hash) {
                self.fault(&path.display(), Problem::FileCountDisagrees);
            }
            match self.blobs.load(hash) {
                Ok(Some(bytes)) if Hash::from(Sha256::digest(&bytes)) == *hash => {}
                Ok(Some(_)) => self.fault(&path.display(), Problem::FileDamaged),
                Ok(None) => self.fault(&path.display(), Problem::FileMissing),
                Err(error) => self.fault(&path.display(), Problem::Unreadable(error.to_string())),
            }
        }
        Ok(())
    }
}
