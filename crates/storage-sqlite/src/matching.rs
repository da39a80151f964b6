//! Queries inside the writer's transaction: candidates from the index, each looked at whole.

use std::collections::HashSet;

use compact_str::CompactString;
use storage_api::{Condition, Key, Now, Query, StoreError};

use crate::encoding::{Entry, Names, Pattern};
use crate::group::{Group, GroupError};
use crate::rows::{ResourceRow, State};
use crate::symbols::SymbolKind;

/// Index rows that are counted to choose the condition to look up by; all above are as good.
const ESTIMATE_MAX: i64 = 64;

/// Looks names up without creating any.
struct Looking<'a, 'b>(&'a mut Group<'b>);

impl Names for Looking<'_, '_> {
    fn system(&mut self, system: &str) -> rusqlite::Result<Option<i64>> {
        self.0.known_symbol(SymbolKind::System, &CompactString::from(system))
    }

    fn target(&mut self, key: &Key) -> rusqlite::Result<Option<i64>> {
        Ok(self.0.head(key)?.map(|row| row.res))
    }
}

/// One alternative of a condition, with its place in the index.
struct Alternative {
    param: i64,
    pattern: Pattern,
    low: Vec<u8>,
    high: Vec<u8>,
}

impl Group<'_> {
    /// What a guard on a query met, if it does not hold.
    pub(crate) fn judge_matches(
        &mut self,
        query: &Query,
        expected: &[Key],
    ) -> Result<Option<Now>, GroupError> {
        let mut found = self.matching(query, expected.len().saturating_add(1))?;
        found.sort();
        Ok((found != expected).then_some(Now::Matched(found)))
    }

    /// The live resources that match, at most `limit` of them, in no particular order.
    fn matching(&mut self, query: &Query, limit: usize) -> Result<Vec<Key>, GroupError> {
        let Some(kind) = self.known_symbol(SymbolKind::Kind, &query.kind)? else { return Ok(Vec::new()) };
        let mut conditions = Vec::with_capacity(query.conditions.len());
        for condition in &query.conditions {
            conditions.push(self.compile(condition)?);
        }
        let too_costly = || GroupError::Refused(StoreError::TooCostly);
        let driver = self.driver(&conditions)?.ok_or_else(too_costly)?;
        let mut search = Search::new(query, kind, &conditions, limit);
        let mut steps = 0;
        let sql = "SELECT res FROM term WHERE param = ?1 AND value >= ?2 AND value < ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        for Alternative { param, low, high, .. } in driver {
            let mut rows = statement.query((param, low, high))?;
            while let Some(row) = rows.next()? {
                steps += 1;
                if steps > self.tables.match_steps_max {
                    return Err(too_costly());
                }
                if search.look_at(self, row.get(0)?)? {
                    return Ok(search.found);
                }
            }
        }
        Ok(search.found)
    }

    fn compile(&mut self, condition: &Condition) -> rusqlite::Result<Vec<Alternative>> {
        let mut alternatives = Vec::with_capacity(condition.any.len());
        for equality in &condition.any {
            let Some(param) = self.known_symbol(SymbolKind::Param, &equality.param)? else { continue };
            let pattern = Pattern::of(&equality.test, &mut Looking(self))?;
            if let Some((low, high)) = pattern.range() {
                alternatives.push(Alternative { param, pattern, low, high });
            }
        }
        Ok(alternatives)
    }

    /// The condition with the fewest candidates.
    fn driver<'c>(&self, conditions: &'c [Vec<Alternative>]) -> rusqlite::Result<Option<&'c [Alternative]>> {
        if let [only] = conditions {
            return Ok(Some(only));
        }
        let sql = "SELECT count(*) FROM
                   (SELECT 1 FROM term WHERE param = ?1 AND value >= ?2 AND value < ?3 LIMIT ?4)";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut best: Option<(i64, &[Alternative])> = None;
        for condition in conditions {
            let mut count = 0;
            for Alternative { param, low, high, .. } in condition {
                count += statement.query_row((param, low, high, ESTIMATE_MAX), |row| row.get::<_, i64>(0))?;
            }
            if best.is_none_or(|(fewest, _)| count < fewest) {
                best = Some((count, condition));
            }
        }
        Ok(best.map(|(_, condition)| condition))
    }
}

/// A search on its way.
struct Search<'a> {
    query: &'a Query,
    kind: i64,
    conditions: &'a [Vec<Alternative>],
    /// A resource may have several entries in the range.
    seen: HashSet<i64>,
    found: Vec<Key>,
    limit: usize,
}

impl<'a> Search<'a> {
    fn new(query: &'a Query, kind: i64, conditions: &'a [Vec<Alternative>], limit: usize) -> Self {
        Self { query, kind, conditions, seen: HashSet::new(), found: Vec::new(), limit }
    }

    /// Looks at a candidate; says whether that was enough.
    fn look_at(&mut self, group: &Group<'_>, res: i64) -> Result<bool, GroupError> {
        if !self.seen.insert(res) {
            return Ok(false);
        }
        let Some((row, kind, id)) = ResourceRow::find_named(group.connection, res)? else { return Ok(false) };
        if kind != self.kind || row.state != State::Live {
            return Ok(false);
        }
        let entries = group.entries(&row)?;
        if self.conditions.iter().all(|condition| holds(condition, &entries)) {
            self.found.push(Key { kind: self.query.kind.clone(), id });
        }
        Ok(self.found.len() >= self.limit)
    }
}

fn holds(condition: &[Alternative], entries: &[Entry]) -> bool {
    condition.iter().any(|Alternative { param, pattern, .. }| {
        entries.iter().any(|(entry, value)| entry == param && pattern.passes(value))
    })
}
