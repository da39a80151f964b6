//! Pages of what queries find, in the order of the resource table.
//!
//! The most selective condition drives: its part of the index gives candidates in order, and each
//! is looked at whole. Without one the table itself is walked. What a reference leads to is found
//! first, in the same snapshot, by a search of its own.

use std::collections::BTreeMap;
use std::ops::Bound;

use compact_str::CompactString;
use rusqlite::params_from_iter;
use rusqlite::types::Value as Sql;
use storage_api::{Key, Mark, Place, Query, SearchPage, SearchRequest, Seq};

use crate::Options;
use crate::encoding::{Entry, Names, external};
use crate::matching::{Alternative, Filter, Look, Looked, Plan, Ways, entries_of};
use crate::reader::{ReadError, ReadResult, Reader};
use crate::rows::{ResourceRow, State, seq_to_sql};
use crate::symbols::SymbolKind;
use crate::words::RESOURCE_SQL;

/// A page looks at no more candidates than this before it ends early: conditions may pass over
/// almost everything. Candidates for which the index is asked more than a few times count for several.
pub(crate) const EXAMINED_MAX: usize = 50_000;
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

    fn rows_with(&mut self, param: i64, value: &[u8]) -> ReadResult<Vec<i64>> {
        let sql = "SELECT res FROM term WHERE param = ?1 AND value = ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map((param, value), |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn rows(&mut self, query: &Query) -> ReadResult<Vec<i64>> {
        let mut rows = Vec::new();
        let mut examined = 0;
        let Some(plan) = Plan::of(query, self)? else { return Ok(rows) };
        let way = Way::of(&plan, self)?;
        self.walk(&way, 0, &mut |res, passes| {
            examined += way.step();
            if examined > EXAMINED_MAX || rows.len() > FOLLOWED_MAX {
                return Err(ReadError::TooCostly);
            }
            if passes {
                rows.extend(self.look_at(res, &way)?.map(|_| res));
            }
            Ok(true)
        })?;
        Ok(rows)
    }
}

/// A page of what matches, as a question that may take long.
pub(crate) fn search(
    reader: &Reader<'_>,
    request: &SearchRequest,
    options: &Options,
) -> ReadResult<SearchPage> {
    reader.search(request, options)
}

/// A resource that matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) res: i64,
    pub(crate) key: Key,
    /// Its newest version.
    pub(crate) seq: i64,
}

/// A query of a search, as this store sees it, and how it is gone about.
pub(crate) struct Way<'a> {
    pub(crate) plan: &'a Plan,
    ways: Ways<'a>,
}

impl<'a> Way<'a> {
    pub(crate) fn of(plan: &'a Plan, reader: &Reader<'_>) -> ReadResult<Self> {
        Ok(Self { plan, ways: plan.ways(reader.connection)? })
    }

    /// What a candidate counts for.
    pub(crate) fn step(&self) -> usize {
        1 + self.ways.filter.len() / ASKED_AT_ONCE
    }
}

/// Hits in order, up to a place behind which there may be more.
#[derive(Default)]
struct Walked {
    hits: Vec<Hit>,
    cut: Option<i64>,
    examined: usize,
    last: i64,
}

impl Walked {
    /// Takes a candidate; says whether another is wanted.
    fn goes_on(
        &mut self,
        (res, step): (i64, usize),
        wanted: usize,
        look_at: impl FnOnce(i64) -> ReadResult<Option<Hit>>,
    ) -> ReadResult<bool> {
        if self.hits.len() == wanted || self.examined >= EXAMINED_MAX {
            self.cut = Some(self.last);
            return Ok(false);
        }
        (self.examined, self.last) = (self.examined + step, res);
        self.hits.extend(look_at(res)?);
        Ok(true)
    }
}

impl Reader<'_> {
    pub(crate) fn search(&self, request: &SearchRequest, options: &Options) -> ReadResult<SearchPage> {
        let mut plans = Vec::with_capacity(request.queries.len());
        for query in &request.queries {
            // Kinds that the store has never seen are left out.
            plans.extend(Plan::of(query, &mut { *self })?);
        }
        let ways = plans.iter().map(|plan| Way::of(plan, self)).collect::<ReadResult<Vec<_>>>()?;
        let mut page = if ways.is_empty() || request.limit == 0 {
            SearchPage::default()
        } else if request.order.is_empty() {
            self.by_place(request, &ways, options.page_bytes_max)?
        } else {
            self.sorted(request, &ways, options)?
        };
        let is_whole = request.after.is_none() && page.next.is_none() && request.limit > 0;
        if request.total {
            let found = || Some(page.found.len() as u64);
            page.total = if is_whole || ways.is_empty() {
                found()
            } else {
                self.count(&ways, options.counted_rows_max)?
            };
        }
        self.include(&request.includes, &mut page)?;
        Ok(page)
    }

    /// A page whose bodies end it once they have `bytes_max` together.
    fn by_place(
        &self,
        request: &SearchRequest,
        ways: &[Way<'_>],
        bytes_max: usize,
    ) -> ReadResult<SearchPage> {
        let after = request.after.as_ref().map_or(0, |mark| seq_to_sql(mark.place.0));
        let Walked { mut hits, cut, .. } = self.walk_all(ways, after, request.limit.saturating_add(1))?;
        let mut next = cut;
        if hits.len() > request.limit {
            hits.truncate(request.limit);
            next = hits.last().map(|hit| hit.res);
        }
        let (mut page, mut bytes) = (SearchPage::default(), 0);
        for (hit, following) in hits.iter().zip(hits.iter().skip(1).map(Some).chain([None])) {
            let version = self.stored_version(hit.key.clone(), hit.seq)?;
            bytes += version.body.as_ref().map_or(0, |body| body.bytes.len());
            page.found.push(version);
            if bytes >= bytes_max && following.is_some() {
                next = Some(hit.res);
                break;
            }
        }
        let mark = |res: i64| Mark { place: Place(res.unsigned_abs()), began: Seq(0), values: Vec::new() };
        page.next = next.map(mark);
        Ok(page)
    }

    /// Up to `wanted` hits behind a row. Of several kinds each is found by its index, or, where one of them has
    /// none, all of them in one walk.
    fn walk_all(&self, ways: &[Way<'_>], after: i64, wanted: usize) -> ReadResult<Walked> {
        if let [way] = ways {
            return self.walk_one(way, after, wanted);
        }
        if ways.iter().any(|way| way.ways.driver.is_none()) {
            return self.walk_table(ways, after, wanted);
        }
        let mut walked = Walked::default();
        for way in ways {
            let part = self.walk_one(way, after, wanted)?;
            walked.hits.extend(part.hits);
            walked.cut = walked.cut.into_iter().chain(part.cut).min();
        }
        // Behind the first cut a part may have more.
        walked.hits.retain(|hit| walked.cut.is_none_or(|cut| hit.res <= cut));
        walked.hits.sort_unstable_by_key(|hit| hit.res);
        Ok(walked)
    }

    fn walk_one(&self, way: &Way<'_>, after: i64, wanted: usize) -> ReadResult<Walked> {
        let mut walked = Walked { last: after, ..Walked::default() };
        self.walk(way, after, &mut |res, passes| {
            let look_at = |res| if passes { self.look_at(res, way) } else { Ok(None) };
            walked.goes_on((res, way.step()), wanted, look_at)
        })?;
        Ok(walked)
    }

    fn walk_table(&self, ways: &[Way<'_>], after: i64, wanted: usize) -> ReadResult<Walked> {
        let mut walked = Walked { last: after, ..Walked::default() };
        let sql = "SELECT res, 1 FROM resource WHERE res > ? AND state = 1 ORDER BY res";
        self.walk_statement(sql, &[after.into()], &mut |res, _| {
            walked.goes_on((res, 1), wanted, |res| self.look_at_any(res, ways))
        })?;
        Ok(walked)
    }

    /// How many match; `None` if that would take too long.
    fn count(&self, ways: &[Way<'_>], examined_max: usize) -> ReadResult<Option<u64>> {
        let (mut count, mut examined) = (0, 0);
        for way in ways {
            self.walk(way, 0, &mut |res, passes| {
                examined += way.step();
                count += u64::from(passes && self.look_at(res, way)?.is_some());
                Ok(examined <= examined_max)
            })?;
        }
        Ok((examined <= examined_max).then_some(count))
    }

    /// Shows candidates behind a row, in order, as long as they are wanted, and says of each whether it passes the
    /// filter.
    pub(crate) fn walk(
        &self,
        way: &Way<'_>,
        after: i64,
        look: &mut dyn FnMut(i64, bool) -> ReadResult<bool>,
    ) -> ReadResult<()> {
        let Way { plan, ways } = way;
        let (statements, rows) = candidates((plan.kind, ways), after);
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

    /// A candidate that passes the filter, if it is meant.
    pub(crate) fn look_at(&self, res: i64, way: &Way<'_>) -> ReadResult<Option<Hit>> {
        let Some((row, kind, id)) = ResourceRow::find_named(self.connection, res)? else { return Ok(None) };
        if kind != way.plan.kind || row.state != State::Live {
            return Ok(None);
        }
        let entries = if way.ways.needs_entries() { self.entries(&row)? } else { Vec::new() };
        let holds = way.ways.holds(&Looked { res, id: &id, at: row.at, entries: &entries });
        Ok(holds.then(|| Hit { res, key: Key { kind: way.plan.name.clone(), id }, seq: row.seq }))
    }

    /// Any row, if the query for its kind means it: nothing of that was asked before.
    pub(crate) fn look_at_any(&self, res: i64, ways: &[Way<'_>]) -> ReadResult<Option<Hit>> {
        let Some((row, kind, id)) = ResourceRow::find_named(self.connection, res)? else { return Ok(None) };
        let plan = ways.iter().map(|way| way.plan).find(|plan| plan.kind == kind);
        let Some(plan) = plan.filter(|_| row.state == State::Live) else { return Ok(None) };
        let entries = if plan.needs_entries() { self.entries(&row)? } else { Vec::new() };
        let holds = plan.holds(&Looked { res, id: &id, at: row.at, entries: &entries });
        Ok(holds.then(|| Hit { res, key: Key { kind: plan.name.clone(), id }, seq: row.seq }))
    }

    pub(crate) fn entries(&self, row: &ResourceRow) -> ReadResult<Vec<Entry>> {
        let damaged = || ReadError::Corrupt(format!("the terms of version row {}", row.seq));
        entries_of(self.connection, row.seq)?.ok_or_else(damaged)
    }
}

/// What gives the candidates behind a row: statements with what is bound to them, each in order, and rows.
pub(crate) fn candidates((kind, ways): (i64, &Ways<'_>), after: i64) -> (Vec<(String, Vec<Sql>)>, Vec<i64>) {
    let Some(driver) = ways.driver else {
        let (filter, mut bound) = ways.filter.sql("resource.res");
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
    if let ([Alternative::Words { .. }], [only]) = (driver, &parts[..]) {
        // The rows of its index are in the order of the resources.
        return (vec![(format!("{only} ORDER BY words.rowid"), bound.into_iter().flatten().collect())], rows);
    }
    if rows.is_empty() && (1..=ALTERNATIVES_MAX).contains(&parts.len()) {
        // Each part is in order, so they are merged as far as they are wanted.
        let sql = parts.join(" UNION ") + " ORDER BY res";
        return (vec![(sql, bound.into_iter().flatten().collect())], rows);
    }
    (parts.into_iter().zip(bound).collect(), rows)
}

/// For each part of a driver that the index answers, the statement and what is bound to it.
fn selects(driver: &[Alternative], filter: &Filter, kind: i64, after: i64) -> (Vec<String>, Vec<Vec<Sql>>) {
    let (of_term, term_bound) = filter.sql("term.res");
    let (of_resource, resource_bound) = filter.sql("resource.res");
    let (of_words, words_bound) = filter.sql(RESOURCE_SQL);
    // Of one value the rows are in order already.
    let one = |param: i64, value: &[u8]| {
        let sql = format!("SELECT res, {of_term} FROM term WHERE param = ? AND value = ? AND res > ?");
        (sql, [&term_bound[..], &[param.into(), value.to_vec().into(), after.into()]].concat())
    };
    let mut parts: Vec<(String, Vec<Sql>)> = Vec::new();
    for alternative in driver {
        match alternative {
            Alternative::Entry { .. } | Alternative::Part(_) => {
                for (param, low, high) in alternative.lookups() {
                    if high.strip_suffix(&[0]) == Some(low) {
                        parts.push(one(param, low));
                        continue;
                    }
                    let sql = format!(
                        "SELECT DISTINCT res, {of_term} FROM term WHERE param = ? AND value >= ? AND value < ? AND res > ?"
                    );
                    let range = [param.into(), low.to_vec().into(), high.to_vec().into(), after.into()];
                    parts.push((sql, [&term_bound[..], &range].concat()));
                }
            }
            Alternative::Words { param, wanted } => {
                let (sql, bound) = wanted.select(*param, after, &of_words);
                parts.push((sql, [&words_bound[..], &bound].concat()));
            }
            Alternative::Within { param, values } => {
                parts.extend(values.iter().map(|value| one(*param, value)));
            }
            Alternative::Naming { param, by } => {
                parts.extend(by.keys().map(|uri| one(*param, &external(uri))));
            }
            Alternative::Id(id) => {
                let sql =
                    format!("SELECT res, {of_resource} FROM resource WHERE id = ? AND type = ? AND res > ?");
                let row = [id.to_string().into(), kind.into(), after.into()];
                parts.push((sql, [&resource_bound[..], &row].concat()));
            }
            // Rows need no statement, and the others are never part of a driver.
            Alternative::Rows(_) | Alternative::Updated(_) | Alternative::All(_) => {}
        }
    }
    parts.into_iter().unzip()
}
