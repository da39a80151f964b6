//! What live resources are found by, kept in step with their newest version.

use std::cmp::Ordering;

use compact_str::CompactString;
use storage_api::{Key, Term};

use crate::encoding::{Entry, Names, encode, is_words, pack, unpack};
use crate::group::{Group, GroupError};
use crate::matching::entries_of;
use crate::rows::{ResourceRow, State};
use crate::symbols::SymbolKind;
use crate::words;

/// Gives names without a number one.
struct Creating<'a, 'b>(&'a mut Group<'b>);

impl Names for Creating<'_, '_> {
    fn system(&mut self, system: &str) -> rusqlite::Result<Option<i64>> {
        self.0.symbol(SymbolKind::System, &CompactString::from(system)).map(Some)
    }

    fn target(&mut self, key: &Key) -> rusqlite::Result<Option<i64>> {
        self.0.placeholder(key).map(Some)
    }
}

impl Group<'_> {
    /// Replaces the entries of a resource that has those of row `before`, and gives back what the
    /// version row keeps. Only what differs is written.
    pub(crate) fn replace_entries(
        &mut self,
        res: i64,
        before: Option<ResourceRow>,
        terms: &[Term],
    ) -> Result<Option<Vec<u8>>, GroupError> {
        let old = before.map_or(Ok(Vec::new()), |row| self.entries(&row))?;
        let mut new = Vec::with_capacity(terms.len());
        for term in terms {
            let param = self.symbol(SymbolKind::Param, &term.param)?;
            new.extend(encode(&term.value, &mut Creating(self))?.map(|value| (param, value)));
        }
        new.sort_unstable();
        new.dedup();
        self.effects.position.indexed |= !new.is_empty();
        self.write_difference(res, &old, &new)?;
        Ok(pack(&new))
    }

    /// The entries of a resource's newest version.
    pub(crate) fn entries(&self, row: &ResourceRow) -> Result<Vec<Entry>, GroupError> {
        // As long as nothing was ever indexed there is nothing to look up.
        if row.state != State::Live || !self.effects.position.indexed {
            return Ok(Vec::new());
        }
        let known = self.effects.entries.get(&row.seq).map(AsRef::as_ref);
        known
            .or_else(|| self.tables.entries.get(row.seq))
            .map_or_else(|| entries_of(self.connection, row.seq), |packed| Ok(unpack(packed)))?
            .ok_or_else(|| GroupError::Corrupt(format!("the terms of version row {}", row.seq)))
    }

    /// Merges two sorted lists, writing what is in one only. Words go to an index of their own.
    fn write_difference(&self, res: i64, old: &[Entry], new: &[Entry]) -> rusqlite::Result<()> {
        let is_term = |entry: &&Entry| !is_words(&entry.1);
        if !old.iter().chain(new).all(|entry| is_term(&entry)) {
            words::replace(self.connection, res, old, new)?;
        }
        let (mut old, mut new) =
            (old.iter().filter(is_term).peekable(), new.iter().filter(is_term).peekable());
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => return Ok(()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(old), Some(new)) => old.cmp(new),
            };
            if let Some((param, value)) = old.next_if(|_| order.is_le()).filter(|_| order.is_lt()) {
                let sql = "DELETE FROM term WHERE param = ?1 AND value = ?2 AND res = ?3";
                self.connection.prepare_cached(sql)?.execute((param, value, res))?;
            }
            if let Some((param, value)) = new.next_if(|_| order.is_ge()).filter(|_| order.is_gt()) {
                let sql = "INSERT INTO term (param, value, res) VALUES (?1, ?2, ?3)";
                self.connection.prepare_cached(sql)?.execute((param, value, res))?;
            }
        }
    }

    /// Gives the newest version other terms.
    pub(crate) fn replace_terms(&mut self, key: &Key, terms: &[Term]) -> Result<(), GroupError> {
        let Some(row) = self.head(key)?.filter(|row| row.state == State::Live) else { return Ok(()) };
        let before = pack(&self.entries(&row)?);
        let packed = self.replace_entries(row.res, Some(row), terms)?;
        // The row has the content too: it is not written for nothing.
        if packed == before {
            return Ok(());
        }
        let sql = "UPDATE version SET terms = ?2 WHERE seq = ?1";
        self.connection.prepare_cached(sql)?.execute((row.seq, &packed))?;
        self.effects.entries.insert(row.seq, packed.unwrap_or_default().into_boxed_slice());
        Ok(())
    }
}
