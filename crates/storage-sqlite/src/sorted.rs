//! Pages in an order: by the values that versions had when the walk began.
//!
//! Version rows keep what they are found by, so the value of a resource at any commit can be looked
//! up. A walk keeps to one commit: a resource that stays has one place in it.

use std::cmp::Ordering;

use storage_api::{
    Mark, Place, SearchPage, SearchRequest, Seq, SortBy, SortKey, SortValue, compare_marks, sort_seq,
    sort_text,
};

use crate::Options;
use crate::encoding::{Entry, sort_bytes};
use crate::matching::entries_of;
use crate::reader::{ReadError, ReadResult, Reader};
use crate::rows::{ResourceRow, State, seq_to_sql};
use crate::search::{EXAMINED_MAX, Hit, Way};
use crate::symbols::SymbolKind;

/// With more than this, an order by time is taken from the commits instead.
const SORTED_BY_TIME_MAX: usize = 2_000;

/// The order of a search with its parameters' numbers.
struct Order<'a> {
    keys: &'a [SortKey],
    /// For each key the parameters.
    params: Vec<Vec<i64>>,
    began: i64,
}

/// A hit with its place in the order.
struct Placed {
    hit: Hit,
    values: Vec<SortValue>,
}

impl Order<'_> {
    fn compare(&self, left: &Placed, right: &Placed) -> Ordering {
        compare_marks(self.keys, (&left.values, left.hit.res), (&right.values, right.hit.res))
    }

    fn is_behind(&self, placed: &Placed, after: Option<&Mark>) -> bool {
        after.is_none_or(|mark| {
            let place = seq_to_sql(mark.place.0);
            compare_marks(self.keys, (&placed.values, placed.hit.res), (&mark.values, place)).is_gt()
        })
    }

    fn mark(&self, placed: &Placed) -> Mark {
        Mark {
            place: Place(placed.hit.res.unsigned_abs()),
            began: Seq(self.began.unsigned_abs()),
            values: placed.values.clone(),
        }
    }

    /// The first key, if it is the time of the newest version: nothing ties with it.
    fn time(&self) -> Option<&SortKey> {
        self.keys.first().filter(|key| key.by == SortBy::Updated)
    }
}

impl Reader<'_> {
    pub(crate) fn sorted(
        &self,
        request: &SearchRequest,
        ways: &[Way<'_>],
        options: &Options,
    ) -> ReadResult<SearchPage> {
        let order = self.order(request)?;
        let wanted = request.limit.saturating_add(1);
        let (placed, cut) = match self.all_sorted(&order, ways, request, options.sorted_rows_max)? {
            Some(placed) => (placed, None),
            None => self.by_time(&order, ways, request.after.as_ref(), wanted)?,
        };
        let (mut page, mut bytes, mut last) = (SearchPage { next: cut, ..SearchPage::default() }, 0, None);
        for placed in &placed {
            if page.found.len() == request.limit || bytes >= options.page_bytes_max && last.is_some() {
                page.next = last.map(|last| order.mark(last));
                break;
            }
            let version = self.stored_version(placed.hit.key.clone(), placed.hit.seq)?;
            bytes += version.body.as_ref().map_or(0, |body| body.bytes.len());
            page.found.push(version);
            last = Some(placed);
        }
        Ok(page)
    }

    fn order<'a>(&self, request: &'a SearchRequest) -> ReadResult<Order<'a>> {
        let mut params = Vec::with_capacity(request.order.len());
        for key in &request.order {
            let mut own = Vec::new();
            if let SortBy::Params(names) = &key.by {
                for name in names {
                    own.extend(self.symbols.number(self.connection, SymbolKind::Param, name)?);
                }
            }
            params.push(own);
        }
        let began = if let Some(mark) = &request.after {
            seq_to_sql(mark.began.0)
        } else {
            let sql = "SELECT coalesce(max(seq), 0) FROM version";
            self.connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?
        };
        Ok(Order { keys: &request.order, params, began })
    }

    /// The first hits behind a mark, by looking at all of them; `None` if they should be taken by time.
    fn all_sorted(
        &self,
        order: &Order<'_>,
        ways: &[Way<'_>],
        request: &SearchRequest,
        examined_max: usize,
    ) -> ReadResult<Option<Vec<Placed>>> {
        let (after, wanted) = (request.after.as_ref(), request.limit.saturating_add(1));
        let by_time_max = if order.time().is_some() { SORTED_BY_TIME_MAX } else { usize::MAX };
        let examined_max = examined_max.min(by_time_max);
        let (mut first, mut examined): (Vec<Placed>, usize) = (Vec::new(), 0);
        for way in ways {
            self.walk(way, 0, &mut |res, passes| {
                examined += way.step();
                if passes
                    && let Some(hit) = self.look_at(res, way)?
                    && let Some(placed) = self.placed(hit, order)?
                    && order.is_behind(&placed, after)
                {
                    first.push(placed);
                }
                // Most of what is found is behind this page.
                if first.len() >= wanted.saturating_mul(4).max(1024) {
                    first.sort_unstable_by(|left, right| order.compare(left, right));
                    first.truncate(wanted);
                }
                Ok(examined <= examined_max)
            })?;
        }
        if examined > examined_max {
            return if order.time().is_some() { Ok(None) } else { Err(ReadError::TooCostly) };
        }
        first.sort_unstable_by(|left, right| order.compare(left, right));
        first.truncate(wanted);
        Ok(Some(first))
    }

    /// A hit with the values that it had when the walk began; `None` if it was not live then.
    fn placed(&self, hit: Hit, order: &Order<'_>) -> ReadResult<Option<Placed>> {
        let Some(then) = self.version_at(hit.seq, order.began)? else { return Ok(None) };
        let values = self.values_of(&hit, then, order)?;
        Ok(Some(Placed { hit, values }))
    }

    /// The newest version up to a commit, unless it is a deletion.
    fn version_at(&self, newest: i64, began: i64) -> ReadResult<Option<i64>> {
        if newest <= began {
            return Ok(Some(newest));
        }
        let mut next = Some(newest);
        while let Some(seq) = next {
            if seq <= began {
                let sql = "SELECT codec <> 0 FROM version WHERE seq = ?1";
                let is_live: bool =
                    self.connection.prepare_cached(sql)?.query_row([seq], |row| row.get(0))?;
                return Ok(Some(seq).filter(|_| is_live));
            }
            next = self.link(seq)?.prev;
        }
        Ok(None)
    }

    fn values_of(&self, hit: &Hit, then: i64, order: &Order<'_>) -> ReadResult<Vec<SortValue>> {
        let needs_entries = order.params.iter().any(|params| !params.is_empty());
        let entries = if needs_entries { entries_of(self.connection, then)? } else { Some(Vec::new()) };
        let damaged = || ReadError::Corrupt(format!("the terms of version row {then}"));
        let entries = entries.ok_or_else(damaged)?;
        let keys = order.keys.iter().zip(&order.params);
        let value = |(key, params): (&SortKey, &Vec<i64>)| match &key.by {
            SortBy::Id => Ok(Some(sort_text(hit.key.id.as_bytes()))),
            SortBy::Updated => Ok(Some(sort_seq(Seq(then.unsigned_abs())))),
            SortBy::Params(_) => self.value_of(key, params, &entries),
        };
        keys.map(value).collect()
    }

    fn value_of(&self, key: &SortKey, params: &[i64], entries: &[Entry]) -> ReadResult<SortValue> {
        let mut values = Vec::new();
        for (_, value) in entries.iter().filter(|(param, _)| params.contains(param)) {
            let name = |res| self.key(res).map(|key| key.to_string());
            values.extend(sort_bytes(value, key.descending, name)?);
        }
        Ok(key.choose(values.into_iter()))
    }

    /// The first hits behind a mark in an order that begins with the time: commits are in that order already. Ends
    /// early, with a mark to continue, when too many were passed over.
    fn by_time(
        &self,
        order: &Order<'_>,
        ways: &[Way<'_>],
        after: Option<&Mark>,
        wanted: usize,
    ) -> ReadResult<(Vec<Placed>, Option<Mark>)> {
        let descending = order.time().is_some_and(|key| key.descending);
        let behind = after.and_then(|mark| mark.values.first()?.as_deref()?.try_into().ok());
        let behind = behind.map(|bytes| seq_to_sql(u64::from_be_bytes(bytes)));
        let (sql, low, high) = if descending {
            let sql = "SELECT seq, res FROM version WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq DESC";
            (sql, 1, behind.map_or(order.began, |seq| seq - 1))
        } else {
            let sql = "SELECT seq, res FROM version WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq";
            (sql, behind.map_or(1, |seq| seq + 1), order.began)
        };
        let (mut first, mut examined) = (Vec::new(), 0);
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query((low, high))?;
        while let Some(row) = rows.next()? {
            let (seq, res): (i64, i64) = (row.get(0)?, row.get(1)?);
            examined += 1;
            if let Some(placed) = self.placed_by(seq, res, ways, order)? {
                first.push(placed);
            }
            if first.len() == wanted {
                break;
            }
            if examined == EXAMINED_MAX {
                let time = Some(sort_seq(Seq(seq.unsigned_abs())));
                let values = order.keys.iter().map(|_| None);
                let values = [time].into_iter().chain(values.skip(1)).collect();
                let (place, began) = (Place(res.unsigned_abs()), Seq(order.began.unsigned_abs()));
                return Ok((first, Some(Mark { place, began, values })));
            }
        }
        Ok((first, None))
    }

    /// The hit whose newest version, when the walk began, was this one.
    fn placed_by(
        &self,
        seq: i64,
        res: i64,
        ways: &[Way<'_>],
        order: &Order<'_>,
    ) -> ReadResult<Option<Placed>> {
        let Some((row, ..)) = ResourceRow::find_named(self.connection, res)? else { return Ok(None) };
        if row.state != State::Live || row.seq <= order.began && row.seq != seq {
            return Ok(None);
        }
        match self.look_at_any(res, ways)? {
            Some(hit) if self.version_at(hit.seq, order.began)? == Some(seq) => self.placed(hit, order),
            _ => Ok(None),
        }
    }
}
