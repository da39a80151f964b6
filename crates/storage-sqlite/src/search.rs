//! Pages of what queries find, in the order of the resource table.
//!
//! The most selective condition drives: its part of the index gives candidates in order, and each
//! is looked at whole. Without one the table itself is walked. What a reference leads to is found
//! first, in the same snapshot, by a search of its own.

use std::collections::BTreeSet;
use std::ops::Bound;

use compact_str::CompactString;
use rusqlite::params_from_iter;
use rusqlite::types::Value as Sql;
use storage_api::{Key, Mark, Place, Query, SearchPage, SearchRequest, Seq};

use crate::Options;
use crate::encoding::{Entry, Names};
use crate::matching::{Alternative, Look, Looked, Plan, entries_of};
use crate::reader::{ReadError, ReadResult, Reader};
use crate::rows::{ResourceRow, State, seq_to_sql};
use crate::symbols::SymbolKind;

/// A page looks at no more candidates than this before it ends early: conditions may pass over
/// almost everything.
pub(crate) const EXAMINED_MAX: usize = 50_000;

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
        self.walk(&plan, 0, &mut |res| {
            examined += 1;
            if examined > EXAMINED_MAX || rows.len() > FOLLOWED_MAX {
                return Err(ReadError::TooCostly);
            }
            rows.extend(self.look_at(res, &plan)?.map(|_| res));
            Ok(true)
        })?;
        Ok(rows)
    }
}

/// A resource that matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) res: i64,
    pub(crate) key: Key,
    /// Its newest version.
    pub(crate) seq: i64,
}

/// The queries of a search, as this store sees them. Kinds that it has never seen are left out.
pub(crate) struct Plans(pub(crate) Vec<Plan>);

impl Plans {
    /// The plan for a kind.
    pub(crate) fn of_kind(&self, kind: i64) -> Option<&Plan> {
        self.0.iter().find(|plan| plan.kind == kind)
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
        res: i64,
        wanted: usize,
        look_at: impl FnOnce(i64) -> ReadResult<Option<Hit>>,
    ) -> ReadResult<bool> {
        if self.hits.len() == wanted || self.examined == EXAMINED_MAX {
            self.cut = Some(self.last);
            return Ok(false);
        }
        (self.examined, self.last) = (self.examined + 1, res);
        self.hits.extend(look_at(res)?);
        Ok(true)
    }
}

impl Reader<'_> {
    pub(crate) fn search(&self, request: &SearchRequest, options: &Options) -> ReadResult<SearchPage> {
        let mut plans = Plans(Vec::with_capacity(request.queries.len()));
        for query in &request.queries {
            plans.0.extend(Plan::of(query, &mut { *self })?);
        }
        let mut page = if plans.0.is_empty() || request.limit == 0 {
            SearchPage::default()
        } else if request.order.is_empty() {
            self.by_place(request, &plans, options.page_bytes_max)?
        } else {
            self.sorted(request, &plans, options)?
        };
        let is_whole = request.after.is_none() && page.next.is_none() && request.limit > 0;
        if request.total {
            let found = || Some(page.found.len() as u64);
            page.total = if is_whole || plans.0.is_empty() {
                found()
            } else {
                self.count(&plans, options.counted_rows_max)?
            };
        }
        self.include(&request.includes, &mut page)?;
        Ok(page)
    }

    /// A page whose bodies end it once they have `bytes_max` together.
    fn by_place(&self, request: &SearchRequest, plans: &Plans, bytes_max: usize) -> ReadResult<SearchPage> {
        let after = request.after.as_ref().map_or(0, |mark| seq_to_sql(mark.place.0));
        let Walked { mut hits, cut, .. } = self.walk_all(plans, after, request.limit.saturating_add(1))?;
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
    fn walk_all(&self, plans: &Plans, after: i64, wanted: usize) -> ReadResult<Walked> {
        if let [plan] = plans.0.as_slice() {
            return self.walk_one(plan, after, wanted);
        }
        for plan in &plans.0 {
            if plan.driver(self.connection)?.is_none() {
                return self.walk_table(plans, after, wanted);
            }
        }
        let mut walked = Walked::default();
        for plan in &plans.0 {
            let part = self.walk_one(plan, after, wanted)?;
            walked.hits.extend(part.hits);
            walked.cut = walked.cut.into_iter().chain(part.cut).min();
        }
        // Behind the first cut a part may have more.
        walked.hits.retain(|hit| walked.cut.is_none_or(|cut| hit.res <= cut));
        walked.hits.sort_unstable_by_key(|hit| hit.res);
        Ok(walked)
    }

    fn walk_one(&self, plan: &Plan, after: i64, wanted: usize) -> ReadResult<Walked> {
        let mut walked = Walked { last: after, ..Walked::default() };
        self.walk(plan, after, &mut |res| walked.goes_on(res, wanted, |res| self.look_at(res, plan)))?;
        Ok(walked)
    }

    fn walk_table(&self, plans: &Plans, after: i64, wanted: usize) -> ReadResult<Walked> {
        let mut walked = Walked { last: after, ..Walked::default() };
        let sql = "SELECT res FROM resource WHERE res > ? AND state = 1 ORDER BY res";
        self.walk_statement(sql, vec![after.into()], &mut |res| {
            walked.goes_on(res, wanted, |res| self.look_at_any(res, plans))
        })?;
        Ok(walked)
    }

    /// How many match; `None` if that would take too long.
    fn count(&self, plans: &Plans, examined_max: usize) -> ReadResult<Option<u64>> {
        let (mut count, mut examined) = (0, 0);
        for plan in &plans.0 {
            self.walk(plan, 0, &mut |res| {
                examined += 1;
                count += u64::from(self.look_at(res, plan)?.is_some());
                Ok(examined <= examined_max)
            })?;
        }
        Ok((examined <= examined_max).then_some(count))
    }

    /// Shows candidates behind a row, in order, as long as they are wanted.
    pub(crate) fn walk(
        &self,
        plan: &Plan,
        after: i64,
        look: &mut dyn FnMut(i64) -> ReadResult<bool>,
    ) -> ReadResult<()> {
        let Some(driver) = plan.driver(self.connection)? else {
            let sql = "SELECT res FROM resource WHERE res > ? AND type = ? AND state = 1 ORDER BY res";
            return self.walk_statement(sql, vec![after.into(), plan.kind.into()], look);
        };
        let (parts, bound) = selects(driver, plan.kind, after);
        let rows = driver.iter().filter_map(|one| match one {
            Alternative::Rows(rows) => Some(rows.range((Bound::Excluded(after), Bound::Unbounded))),
            _ => None,
        });
        let mut rows: BTreeSet<i64> = rows.flatten().copied().collect();
        if rows.is_empty() && (1..=ALTERNATIVES_MAX).contains(&parts.len()) {
            let sql = parts.join(" UNION ") + " ORDER BY res";
            return self.walk_statement(&sql, bound.into_iter().flatten().collect(), look);
        }
        for (sql, bound) in parts.into_iter().zip(bound) {
            self.walk_statement(sql, bound, &mut |res| {
                rows.insert(res);
                Ok(true)
            })?;
        }
        for res in rows {
            if !look(res)? {
                break;
            }
        }
        Ok(())
    }

    fn walk_statement(
        &self,
        sql: &str,
        bound: Vec<Sql>,
        look: &mut dyn FnMut(i64) -> ReadResult<bool>,
    ) -> ReadResult<()> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(bound))?;
        while let Some(row) = rows.next()? {
            if !look(row.get(0)?)? {
                break;
            }
        }
        Ok(())
    }

    /// A candidate, if it is meant.
    pub(crate) fn look_at(&self, res: i64, plan: &Plan) -> ReadResult<Option<Hit>> {
        let Some((row, kind, id)) = ResourceRow::find_named(self.connection, res)? else { return Ok(None) };
        if kind != plan.kind || row.state != State::Live {
            return Ok(None);
        }
        let entries = if plan.needs_entries() { self.entries(&row)? } else { Vec::new() };
        let holds = plan.holds(&Looked { res, id: &id, at: row.at, entries: &entries });
        Ok(holds.then(|| Hit { res, key: Key { kind: plan.name.clone(), id }, seq: row.seq }))
    }

    /// The same by the plan for its kind.
    pub(crate) fn look_at_any(&self, res: i64, plans: &Plans) -> ReadResult<Option<Hit>> {
        let Some((_, kind, _)) = ResourceRow::find_named(self.connection, res)? else { return Ok(None) };
        plans.of_kind(kind).map_or(Ok(None), |plan| self.look_at(res, plan))
    }

    pub(crate) fn entries(&self, row: &ResourceRow) -> ReadResult<Vec<Entry>> {
        let damaged = || ReadError::Corrupt(format!("the terms of version row {}", row.seq));
        entries_of(self.connection, row.seq)?.ok_or_else(damaged)
    }
}

/// For each part of a driver that the index answers, the statement and what is bound to it.
fn selects(driver: &[Alternative], kind: i64, after: i64) -> (Vec<&'static str>, Vec<Vec<Sql>>) {
    // Of one value the rows are in order already.
    const ONE: &str = "SELECT res FROM term WHERE param = ? AND value = ? AND res > ?";
    const RANGE: &str =
        "SELECT DISTINCT res FROM term WHERE param = ? AND value >= ? AND value < ? AND res > ?";
    const ID: &str = "SELECT res FROM resource WHERE id = ? AND type = ? AND res > ?";
    let mut parts: Vec<(&'static str, Vec<Sql>)> = Vec::new();
    let one = |param: i64, value: &Vec<u8>| (ONE, vec![param.into(), value.clone().into(), after.into()]);
    for alternative in driver {
        match alternative {
            Alternative::Entry { param, low, high, .. } if high.strip_suffix(&[0]) == Some(low) => {
                parts.push(one(*param, low));
            }
            Alternative::Entry { param, low, high, .. } => {
                parts.push((
                    RANGE,
                    vec![(*param).into(), low.clone().into(), high.clone().into(), after.into()],
                ));
            }
            Alternative::Within { param, values } => {
                parts.extend(values.iter().map(|value| one(*param, value)));
            }
            Alternative::Id(id) => parts.push((ID, vec![id.to_string().into(), kind.into(), after.into()])),
            // Rows need no statement, and the others are never part of a driver.
            Alternative::Rows(_) | Alternative::Updated(_) | Alternative::All(_) => {}
        }
    }
    parts.into_iter().unzip()
}
