//! Pages of what a query finds, in the order of the resource table.
//!
//! The most selective condition drives: its part of the index gives candidates in order, and each
//! is looked at whole. Without one the table itself is walked.

use compact_str::CompactString;
use rusqlite::types::Value as Sql;
use rusqlite::{Statement, params_from_iter};
use storage_api::{Key, Place, Query, SearchPage, SearchRequest};

use crate::encoding::Names;
use crate::matching::{Alternative, Look, Looked, Plan, entries_of};
use crate::reader::{ReadError, ReadResult, Reader};
use crate::rows::{ResourceRow, State, seq_to_sql};
use crate::symbols::SymbolKind;

/// A page looks at no more candidates than this before it ends early: conditions may pass over
/// almost everything.
const EXAMINED_MAX: usize = 50_000;

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
    fn symbol(&mut self, kind: SymbolKind, text: &CompactString) -> rusqlite::Result<Option<i64>> {
        self.symbols.number(self.connection, kind, text)
    }
}

/// What drives a search: a statement over candidates and what is bound to it.
struct Driver {
    sql: String,
    bound: Vec<Sql>,
}

impl Driver {
    fn of(plan: &Plan, alternatives: Option<&[Alternative]>, after: i64) -> Self {
        let Some(alternatives) = alternatives else {
            let sql = "SELECT res FROM resource WHERE res > ? AND type = ? AND state = 1 ORDER BY res";
            return Self { sql: sql.to_owned(), bound: vec![after.into(), plan.kind.into()] };
        };
        let (mut parts, mut bound) = (Vec::new(), Vec::new());
        for alternative in alternatives {
            match alternative {
                Alternative::Entry { param, low, high, .. } => {
                    // Of one value the rows are in order already.
                    if high.strip_suffix(&[0]) == Some(low) {
                        parts.push("SELECT res FROM term WHERE param = ? AND value = ? AND res > ?");
                        bound.extend([(*param).into(), low.clone().into(), after.into()]);
                    } else {
                        parts.push("SELECT DISTINCT res FROM term WHERE param = ? AND value >= ? AND value < ? AND res > ?");
                        bound.extend([
                            (*param).into(),
                            low.clone().into(),
                            high.clone().into(),
                            after.into(),
                        ]);
                    }
                }
                Alternative::Id(id) => {
                    parts.push("SELECT res FROM resource WHERE id = ? AND type = ? AND res > ?");
                    bound.extend([id.to_string().into(), plan.kind.into(), after.into()]);
                }
                // Never part of a driver.
                Alternative::Updated(_) => {}
            }
        }
        Self { sql: parts.join(" UNION ") + " ORDER BY res", bound }
    }
}

/// Alternatives that one statement takes; SQLite's own limit is 500.
const ALTERNATIVES_MAX: usize = 400;

impl Reader<'_> {
    /// A page whose bodies end it once they have `bytes_max` together.
    pub(crate) fn search(&self, request: &SearchRequest, bytes_max: usize) -> ReadResult<SearchPage> {
        let nothing = SearchPage { found: Vec::new(), next: None };
        let Some(plan) = Plan::of(&request.query, &mut { *self })? else { return Ok(nothing) };
        let driver = plan.driver(self.connection)?;
        if request.limit == 0 || driver.is_some_and(<[_]>::is_empty) {
            return Ok(nothing);
        }
        let driver = driver.filter(|alternatives| alternatives.len() <= ALTERNATIVES_MAX);
        let after = request.after.map_or(0, |place| seq_to_sql(place.0));
        let Driver { sql, bound } = Driver::of(&plan, driver, after);
        let mut statement = self.connection.prepare_cached(&sql)?;
        self.walk(&mut statement, bound, &plan, request, bytes_max)
    }

    fn walk(
        &self,
        statement: &mut Statement<'_>,
        bound: Vec<Sql>,
        plan: &Plan,
        request: &SearchRequest,
        bytes_max: usize,
    ) -> ReadResult<SearchPage> {
        let mut page = SearchPage { found: Vec::new(), next: None };
        let mut last = None;
        let (mut bytes, mut examined) = (0, 0);
        let mut rows = statement.query(params_from_iter(bound))?;
        while let Some(row) = rows.next()? {
            let res: i64 = row.get(0)?;
            if examined == EXAMINED_MAX {
                page.next = last;
                break;
            }
            examined += 1;
            if let Some((key, seq)) = self.look_at(res, plan, &request.query)? {
                if page.found.len() == request.limit || bytes >= bytes_max && !page.found.is_empty() {
                    page.next = last;
                    break;
                }
                let version = self.stored_version(key, seq)?;
                bytes += version.body.as_ref().map_or(0, |body| body.bytes.len());
                page.found.push(version);
            }
            last = Some(Place(res.unsigned_abs()));
        }
        Ok(page)
    }

    /// The key and the newest version of a candidate, if it is meant.
    fn look_at(&self, res: i64, plan: &Plan, query: &Query) -> ReadResult<Option<(Key, i64)>> {
        let Some((row, kind, id)) = ResourceRow::find_named(self.connection, res)? else { return Ok(None) };
        if kind != plan.kind || row.state != State::Live {
            return Ok(None);
        }
        let damaged = || ReadError::Corrupt(format!("the terms of version row {}", row.seq));
        let entries = if plan.needs_entries() {
            entries_of(self.connection, row.seq)?.ok_or_else(damaged)?
        } else {
            Vec::new()
        };
        let holds = plan.holds(&Looked { id: &id, at: row.at, entries: &entries });
        Ok(holds.then(|| (Key { kind: query.kind.clone(), id }, row.seq)))
    }
}
