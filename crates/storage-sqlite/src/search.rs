//! Pages of what a query finds, in the order of the resource table.
//!
//! The most selective condition drives: its part of the index gives candidates in order, and each
//! is looked at whole. Without one the table itself is walked. What a reference leads to is found
//! first, in the same snapshot, by a search of its own.

use std::collections::BTreeMap;
use std::ops::Bound;

use compact_str::CompactString;
use rusqlite::params_from_iter;
use rusqlite::types::Value as Sql;
use storage_api::{Key, Place, Query, SearchPage, SearchRequest};

use crate::encoding::{Entry, Names};
use crate::matching::{Alternative, Filter, Look, Looked, Plan, Ways, entries_of};
use crate::reader::{ReadError, ReadResult, Reader};
use crate::rows::{ResourceRow, State, seq_to_sql};
use crate::symbols::SymbolKind;

/// A page looks at no more candidates than this before it ends early: conditions may pass over
/// almost everything. Candidates for which the index is asked more than a few times count for several.
const EXAMINED_MAX: usize = 50_000;
const ASKED_AT_ONCE: usize = 4;

/// Alternatives that one statement takes; SQLite's own limit is 500.
const ALTERNATIVES_MAX: usize = 400;

/// Resources that a reference may lead to, or that may refer, in one search.
const FOLLOWED_MAX: usize = 10_000;

impl Names for Reader<'_> {
    fn system(&mut self, system: &str) -> rusqlite::Result<Option<i64>> {
        self.symbols.number(self.connection, SymbolKind::System, &CompactString::from(system))
    }

    fn target(&mut self, key: &Key) -> rusqlite::Result<Option<i64>> {
        let Some(kind) = self.symbol(SymbolKind::Kind, &key.kind)? else { return Ok(None) };
        Ok(ResourceRow::find(self.connection, kind, &key.id)?.map(|row| row.res))
    }
}

impl Look for Reader<'_> {
    type Error = ReadError;

    fn symbol(&mut self, kind: SymbolKind, text: &CompactString) -> rusqlite::Result<Option<i64>> {
        self.symbols.number(self.connection, kind, text)
    }

    fn entries_of(&mut self, res: i64) -> ReadResult<Vec<Entry>> {
        let Some((row, ..)) = ResourceRow::find_named(self.connection, res)? else { return Ok(Vec::new()) };
        self.entries(&row)
    }

    fn rows(&mut self, query: &Query) -> ReadResult<Vec<i64>> {
        let mut rows = Vec::new();
        let mut examined = 0;
        let Some(plan) = Plan::of(query, self)? else { return Ok(rows) };
        let ways = plan.ways(self.connection)?;
        let step = 1 + ways.filter.len() / ASKED_AT_ONCE;
        self.walk((plan.kind, &ways), 0, &mut |res, passes| {
            examined += step;
            if examined > EXAMINED_MAX || rows.len() > FOLLOWED_MAX {
                return Err(ReadError::TooCostly);
            }
            if passes {
                rows.extend(self.look_at(res, plan.kind, &ways)?.map(|_| res));
            }
            Ok(true)
        })?;
        Ok(rows)
    }
}

impl Reader<'_> {
    /// A page whose bodies end it once they have `bytes_max` together.
    pub(crate) fn search(&self, request: &SearchRequest, bytes_max: usize) -> ReadResult<SearchPage> {
        let mut page = SearchPage { found: Vec::new(), next: None };
        let Some(plan) = Plan::of(&request.query, &mut { *self })?.filter(|_| request.limit > 0) else {
            return Ok(page);
        };
        let ways = plan.ways(self.connection)?;
        let step = 1 + ways.filter.len() / ASKED_AT_ONCE;
        let after = request.after.map_or(0, |place| seq_to_sql(place.0));
        let (mut bytes, mut examined, mut last) = (0, 0, None);
        self.walk((plan.kind, &ways), after, &mut |res, passes| {
            if examined >= EXAMINED_MAX {
                page.next = last;
                return Ok(false);
            }
            examined += step;
            let found = if passes { self.look_at(res, plan.kind, &ways)? } else { None };
            if let Some((id, seq)) = found {
                if page.found.len() == request.limit || bytes >= bytes_max && !page.found.is_empty() {
                    page.next = last;
                    return Ok(false);
                }
                let version = self.stored_version(Key { kind: request.query.kind.clone(), id }, seq)?;
                bytes += version.body.as_ref().map_or(0, |body| body.bytes.len());
                page.found.push(version);
            }
            last = Some(Place(res.unsigned_abs()));
            Ok(true)
        })?;
        Ok(page)
    }

    /// Shows candidates behind a row, in order, as long as they are wanted, and says of each whether it passes the
    /// filter.
    fn walk(
        &self,
        (kind, ways): (i64, &Ways<'_>),
        after: i64,
        look: &mut dyn FnMut(i64, bool) -> ReadResult<bool>,
    ) -> ReadResult<()> {
        let (statements, rows) = candidates((kind, ways), after);
        if let ([(sql, bound)], true) = (&statements[..], rows.is_empty()) {
            return self.walk_statement(sql, bound, look);
        }
        let mut rows_found: BTreeMap<i64, bool> = BTreeMap::new();
        for res in rows {
            rows_found.insert(res, ways.filter.passes(self.connection, res)?);
        }
        for (sql, bound) in &statements {
            self.walk_statement(sql, bound, &mut |res, passes| {
                rows_found.insert(res, passes);
                Ok(true)
            })?;
        }
        for (res, passes) in rows_found {
            if !look(res, passes)? {
                break;
            }
        }
        Ok(())
    }

    fn walk_statement(
        &self,
        sql: &str,
        bound: &[Sql],
        look: &mut dyn FnMut(i64, bool) -> ReadResult<bool>,
    ) -> ReadResult<()> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(bound))?;
        while let Some(row) = rows.next()? {
            if !look(row.get(0)?, row.get(1)?)? {
                break;
            }
        }
        Ok(())
    }

    /// The id and the newest version of a candidate, if it is meant.
    fn look_at(&self, res: i64, wanted: i64, ways: &Ways<'_>) -> ReadResult<Option<(CompactString, i64)>> {
        let Some((row, kind, id)) = ResourceRow::find_named(self.connection, res)? else { return Ok(None) };
        if kind != wanted || row.state != State::Live {
            return Ok(None);
        }
        let entries = if ways.needs_entries() { self.entries(&row)? } else { Vec::new() };
        let holds = ways.holds(&Looked { res, id: &id, at: row.at, entries: &entries });
        Ok(holds.then_some((id, row.seq)))
    }

    fn entries(&self, row: &ResourceRow) -> ReadResult<Vec<Entry>> {
        let damaged = || ReadError::Corrupt(format!("the terms of version row {}", row.seq));
        entries_of(self.connection, row.seq)?.ok_or_else(damaged)
    }
}

/// What gives the candidates behind a row: statements with what is bound to them, each in order, and rows.
pub(crate) fn candidates((kind, ways): (i64, &Ways<'_>), after: i64) -> (Vec<(String, Vec<Sql>)>, Vec<i64>) {
    let Some(driver) = ways.driver else {
        let (filter, mut bound) = ways.filter.sql("resource");
        let sql = format!(
            "SELECT res, {filter} FROM resource WHERE res > ? AND type = ? AND state = 1 ORDER BY res"
        );
        bound.extend([after.into(), kind.into()]);
        return (vec![(sql, bound)], Vec::new());
    };
    let rows = driver.iter().filter_map(|one| match one {
        Alternative::Rows(rows) => Some(rows.range((Bound::Excluded(after), Bound::Unbounded))),
        _ => None,
    });
    let rows: Vec<i64> = rows.flatten().copied().collect();
    let (parts, bound) = selects(driver, &ways.filter, kind, after);
    if rows.is_empty() && (1..=ALTERNATIVES_MAX).contains(&parts.len()) {
        // Each part is in order, so they are merged as far as they are wanted.
        let sql = parts.join(" UNION ") + " ORDER BY res";
        return (vec![(sql, bound.into_iter().flatten().collect())], rows);
    }
    (parts.into_iter().zip(bound).collect(), rows)
}

/// For each part of a driver that the index answers, the statement and what is bound to it.
fn selects(driver: &[Alternative], filter: &Filter, kind: i64, after: i64) -> (Vec<String>, Vec<Vec<Sql>>) {
    let (of_term, term_bound) = filter.sql("term");
    let (of_resource, resource_bound) = filter.sql("resource");
    // Of one value the rows are in order already.
    let one = |param: i64, value: &Vec<u8>| {
        let sql = format!("SELECT res, {of_term} FROM term WHERE param = ? AND value = ? AND res > ?");
        (sql, [&term_bound[..], &[param.into(), value.clone().into(), after.into()]].concat())
    };
    let mut parts: Vec<(String, Vec<Sql>)> = Vec::new();
    for alternative in driver {
        match alternative {
            Alternative::Entry { param, low, high, .. } if high.strip_suffix(&[0]) == Some(low) => {
                parts.push(one(*param, low));
            }
            Alternative::Entry { param, low, high, .. } => {
                let sql = format!(
                    "SELECT DISTINCT res, {of_term} FROM term WHERE param = ? AND value >= ? AND value < ? AND res > ?"
                );
                let range = [(*param).into(), low.clone().into(), high.clone().into(), after.into()];
                parts.push((sql, [&term_bound[..], &range].concat()));
            }
            Alternative::Within { param, values } => {
                parts.extend(values.iter().map(|value| one(*param, value)));
            }
            Alternative::Id(id) => {
                let sql =
                    format!("SELECT res, {of_resource} FROM resource WHERE id = ? AND type = ? AND res > ?");
                let row = [id.to_string().into(), kind.into(), after.into()];
                parts.push((sql, [&resource_bound[..], &row].concat()));
            }
            // Rows need no statement, and times are never part of a driver.
            Alternative::Rows(_) | Alternative::Updated(_) => {}
        }
    }
    parts.into_iter().unzip()
}
