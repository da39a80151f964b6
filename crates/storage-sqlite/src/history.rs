//! Pages of versions.

use std::collections::{HashMap, VecDeque};

use rusqlite::OptionalExtension;
use storage_api::{HistoryPage, HistoryRequest, HistoryScope, Interval, Key, Order, Seq};

use crate::options::Options;
use crate::reader::{ReadResult, Reader};
use crate::rows::seq_to_sql;
use crate::symbols::SymbolKind;

/// Where a page ends early.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageLimits {
    /// Once its contents have this many bytes.
    pub(crate) bytes_max: usize,
    /// Once so many rows were looked at for a filter by a span of time.
    pub(crate) rows_max: usize,
}

impl PageLimits {
    pub(crate) fn of(options: &Options) -> Self {
        Self { bytes_max: options.page_bytes_max, rows_max: options.page_rows_max }
    }
}

/// The rows of a page, found before their content is loaded.
struct Found {
    /// In the order asked for; one more than the page takes if there are more.
    seqs: Vec<i64>,
    /// The search ended early behind this row.
    stopped: Option<i64>,
}

impl Reader<'_> {
    pub(crate) fn history(&self, request: &HistoryRequest, limits: PageLimits) -> ReadResult<HistoryPage> {
        if request.limit == 0 {
            return Ok(HistoryPage { versions: Vec::new(), next: None });
        }
        let Some(range) = self.range(request)? else {
            return Ok(HistoryPage { versions: Vec::new(), next: None });
        };
        let found = match &request.scope {
            HistoryScope::Key(key) => self.of_key(key, request, range)?,
            HistoryScope::Kind(kind) => {
                match self.symbols.number(self.connection, SymbolKind::Kind, kind)? {
                    Some(kind) => self.of_many(Some(kind), request, range, limits.rows_max)?,
                    None => Found { seqs: Vec::new(), stopped: None },
                }
            }
            HistoryScope::All => self.of_many(None, request, range, limits.rows_max)?,
        };
        self.load(&found, request.limit, limits.bytes_max)
    }

    fn load(&self, found: &Found, limit: usize, bytes_max: usize) -> ReadResult<HistoryPage> {
        let mut versions = Vec::new();
        let mut bytes = 0;
        let mut full = false;
        for seq in &found.seqs {
            full = versions.len() == limit || (bytes >= bytes_max && !versions.is_empty());
            if full {
                break;
            }
            let key = self.key(self.link(*seq)?.res)?;
            let version = self.stored_version(key, *seq)?;
            bytes += version.body.as_ref().map_or(0, |body| body.bytes.len());
            versions.push(version);
        }
        let last = versions.last().map(|version| version.seq);
        let stopped = found.stopped.map(|seq| Seq(seq.unsigned_abs()));
        Ok(HistoryPage { versions, next: if full { last } else { stopped } })
    }

    /// The first and last row that times and cursor leave; `None` if nothing is left.
    fn range(&self, request: &HistoryRequest) -> ReadResult<Option<(i64, i64)>> {
        let mut low = 1;
        let mut high = i64::MAX;
        if let Some(since) = request.since {
            match self.first_at_or_after(since.0)? {
                Some(first) => low = first,
                None => return Ok(None),
            }
        }
        if let Some(span) = request.at {
            if span.low > span.high {
                return Ok(None);
            }
            if let Some(behind) = self.first_at_or_after(span.high.0.saturating_add(1))? {
                high = behind - 1;
            }
        }
        match (request.order, request.after) {
            (Order::Newest, Some(after)) => high = high.min(seq_to_sql(after.0).saturating_sub(1)),
            (Order::Oldest, Some(after)) => low = low.max(seq_to_sql(after.0).saturating_add(1)),
            (_, None) => {}
        }
        Ok((low <= high).then_some((low, high)))
    }

    /// The first row that was committed at `at` or later, by bisection: instants never decrease
    /// along the commit order.
    fn first_at_or_after(&self, at: i64) -> ReadResult<Option<i64>> {
        let sql = "SELECT seq, at FROM version WHERE seq >= ?1 ORDER BY seq LIMIT 1";
        let mut next_row = self.connection.prepare_cached(sql)?;
        let newest: Option<i64> = self
            .connection
            .prepare_cached("SELECT max(seq) FROM version")?
            .query_row([], |row| row.get(0))?;
        // Rows below `low` are earlier; the row found last, if any, is not.
        let (mut low, mut high, mut found) = (0, newest.map_or(0, |newest| newest + 1), None);
        while low < high {
            let middle = low + (high - low) / 2;
            let row: Option<(i64, i64)> =
                next_row.query_row([middle], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            match row {
                Some((seq, stamp)) if stamp < at => low = seq + 1,
                Some((seq, _)) => {
                    found = Some(seq);
                    high = middle;
                }
                None => high = middle,
            }
        }
        Ok(found)
    }

    /// Follows one key's versions from the newest to the oldest.
    fn of_key(&self, key: &Key, request: &HistoryRequest, (low, high): (i64, i64)) -> ReadResult<Found> {
        let wanted = request.limit.saturating_add(1);
        let mut seqs = VecDeque::new();
        let mut next = self.start_of_walk(key, request)?;
        let mut superseded = None;
        while let Some(seq) = next.filter(|seq| *seq >= low) {
            let link = self.link(seq)?;
            if seq <= high && newest_within(link.at, superseded, request.at) {
                seqs.push_back(seq);
                match request.order {
                    Order::Newest if seqs.len() == wanted => break,
                    // The oldest come last, so what was found first has to go.
                    Order::Oldest if seqs.len() > wanted => drop(seqs.pop_front()),
                    _ => {}
                }
            }
            // All that is older was superseded before the span began.
            if request.at.is_some_and(|span| link.at <= span.low.0) {
                break;
            }
            superseded = Some(link.at);
            next = link.prev;
        }
        let mut seqs = Vec::from(seqs);
        if request.order == Order::Oldest {
            seqs.reverse();
        }
        Ok(Found { seqs, stopped: None })
    }

    /// The newest row of the key; or the row that the page before ended with, so that paging
    /// backwards does not walk the whole way again.
    fn start_of_walk(&self, key: &Key, request: &HistoryRequest) -> ReadResult<Option<i64>> {
        let Some(row) = self.resource(key)? else { return Ok(None) };
        if let (Order::Newest, Some(after)) = (request.order, request.after) {
            let after = seq_to_sql(after.0);
            let link = crate::rows::Link::find(self.connection, after)?;
            if link.is_some_and(|link| link.res == row.res) {
                return Ok(Some(after));
            }
        }
        Ok(row.newest())
    }

    /// Goes through the versions of a kind, or of everything.
    fn of_many(
        &self,
        kind: Option<i64>,
        request: &HistoryRequest,
        (low, high): (i64, i64),
        rows_max: usize,
    ) -> ReadResult<Found> {
        let sql = match (kind, request.order) {
            (Some(_), Order::Newest) => {
                "SELECT seq FROM version_by_type
                 WHERE type = ?3 AND seq BETWEEN ?1 AND ?2 ORDER BY seq DESC"
            }
            (Some(_), Order::Oldest) => {
                "SELECT seq FROM version_by_type
                 WHERE type = ?3 AND seq BETWEEN ?1 AND ?2 ORDER BY seq"
            }
            (None, Order::Newest) => "SELECT seq FROM version WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq DESC",
            (None, Order::Oldest) => "SELECT seq FROM version WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq",
        };
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = match kind {
            Some(kind) => statement.query((low, high, kind))?,
            None => statement.query((low, high))?,
        };
        let wanted = request.limit.saturating_add(1);
        let mut successors = Successors { reader: *self, instants: HashMap::new() };
        let mut found = Found { seqs: Vec::new(), stopped: None };
        let mut examined = 0;
        while found.seqs.len() < wanted
            && let Some(row) = rows.next()?
        {
            let seq = row.get(0)?;
            let passes = match request.at {
                Some(span) => successors.newest_within(seq, span)?,
                None => true,
            };
            if passes {
                found.seqs.push(seq);
            }
            examined += 1;
            if request.at.is_some() && examined >= rows_max {
                found.stopped = Some(seq);
                break;
            }
        }
        Ok(found)
    }
}

/// Whether some moment of `span` lies between a version's instant and the one that superseded it.
fn newest_within(at: i64, superseded: Option<i64>, span: Option<Interval>) -> bool {
    span.is_none_or(|span| {
        let first = span.low.0.max(at);
        first <= span.high.0 && superseded.is_none_or(|superseded| first < superseded)
    })
}

/// When versions were superseded. Rows link backwards only, so the walk from the newest version
/// is done once per key and remembered for the page.
struct Successors<'a> {
    reader: Reader<'a>,
    /// By row: the instant of the next version of the same key.
    instants: HashMap<i64, i64>,
}

impl Successors<'_> {
    fn newest_within(&mut self, seq: i64, span: Interval) -> ReadResult<bool> {
        let link = self.reader.link(seq)?;
        if let Some(prev) = link.prev {
            self.instants.insert(prev, link.at);
        }
        if !self.instants.contains_key(&seq) {
            self.walk(link.res, seq)?;
        }
        Ok(newest_within(link.at, self.instants.get(&seq).copied(), Some(span)))
    }

    fn walk(&mut self, res: i64, until: i64) -> ReadResult<()> {
        let sql = "SELECT seq FROM resource WHERE res = ?1";
        let mut seq: i64 = self.reader.connection.prepare_cached(sql)?.query_row([res], |row| row.get(0))?;
        while seq > until {
            let link = self.reader.link(seq)?;
            let Some(prev) = link.prev else { break };
            self.instants.insert(prev, link.at);
            seq = prev;
        }
        Ok(())
    }
}
