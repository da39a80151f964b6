//! What a page brings along: resources at the other ends of references.

use std::collections::HashSet;

use storage_api::{Direction, INCLUDED_MAX, Include, SearchPage};

use crate::encoding::{local, target_of};
use crate::matching::Look;
use crate::reader::{ReadResult, Reader};
use crate::rows::{ResourceRow, State};
use crate::symbols::SymbolKind;

/// Content that a page brings along at most, whatever a page itself may hold.
const INCLUDED_BYTES_MAX: usize = 64 << 20;

/// An include with the numbers of its names. One with a name that has none leads nowhere.
struct Numbered {
    kind: i64,
    param: i64,
    target: Option<i64>,
    direction: Direction,
    iterates: bool,
}

/// A resource from which includes are followed.
#[derive(Clone, Copy)]
struct From {
    res: i64,
    kind: i64,
}

impl Reader<'_> {
    /// Adds to a page what includes lead to, up to [`INCLUDED_MAX`] resources or [`INCLUDED_BYTES_MAX`].
    pub(crate) fn include(&self, includes: &[Include], page: &mut SearchPage) -> ReadResult<()> {
        let mut numbered = Vec::with_capacity(includes.len());
        for include in includes {
            numbered.extend(self.numbered(include)?);
        }
        let mut from = Vec::new();
        for version in page.found.iter().filter(|_| !numbered.is_empty()) {
            if let Some(kind) = self.symbols.number(self.connection, SymbolKind::Kind, &version.key.kind)?
                && let Some(row) = ResourceRow::find(self.connection, kind, &version.key.id)?
            {
                from.push(From { res: row.res, kind });
            }
        }
        let mut seen: HashSet<i64> = from.iter().map(|from| from.res).collect();
        let mut bytes = 0;
        let mut first = true;
        while !from.is_empty() {
            let mut reached = Vec::new();
            for include in numbered.iter().filter(|include| first || include.iterates) {
                for from in &from {
                    self.reach(include, *from, &mut reached)?;
                }
            }
            from.clear();
            for res in reached {
                let Some((row, kind, _)) = ResourceRow::find_named(self.connection, res)? else { continue };
                if row.state != State::Live || !seen.insert(res) {
                    continue;
                }
                if page.included.len() == INCLUDED_MAX || bytes >= INCLUDED_BYTES_MAX {
                    page.included_cut = true;
                    return Ok(());
                }
                let version = self.stored_version(self.key(res)?, row.seq)?;
                bytes += version.body.as_ref().map_or(0, |body| body.bytes.len());
                page.included.push(version);
                from.push(From { res, kind });
            }
            first = false;
        }
        Ok(())
    }

    fn numbered(&self, include: &Include) -> ReadResult<Option<Numbered>> {
        let number = |kind, text| self.symbols.number(self.connection, kind, text);
        let target = include.target.as_ref().map(|target| number(SymbolKind::Kind, target)).transpose()?;
        let kind = number(SymbolKind::Kind, &include.kind)?;
        let param = number(SymbolKind::Param, &include.param)?;
        let (Some(kind), Some(param), None | Some(Some(_))) = (kind, param, target) else { return Ok(None) };
        let Include { direction, iterates, .. } = *include;
        Ok(Some(Numbered { kind, param, target: target.flatten(), direction, iterates }))
    }

    /// The rows at the other ends of the references of one resource. A few more than may be included are enough.
    fn reach(&self, include: &Numbered, from: From, reached: &mut Vec<i64>) -> ReadResult<()> {
        let kind_of = |res| ResourceRow::find_named(self.connection, res).map(|row| row.map(|row| row.1));
        match include.direction {
            Direction::Forward if from.kind == include.kind => {
                let entries = { *self }.entries_of(from.res)?;
                let own = entries.iter().filter(|(param, _)| *param == include.param);
                for target in own.filter_map(|(_, value)| target_of(value)) {
                    if include.target.is_none() || kind_of(target)? == include.target {
                        reached.push(target);
                    }
                }
            }
            Direction::Backward if include.target.is_none_or(|target| target == from.kind) => {
                let sql = "SELECT res FROM term WHERE param = ?1 AND value = ?2 LIMIT ?3";
                let limit = i64::try_from(4 * INCLUDED_MAX).unwrap_or(i64::MAX);
                let mut statement = self.connection.prepare_cached(sql)?;
                let mut rows = statement.query((include.param, local(from.res), limit))?;
                while let Some(row) = rows.next()? {
                    let res = row.get(0)?;
                    if kind_of(res)? == Some(include.kind) {
                        reached.push(res);
                    }
                }
            }
            Direction::Forward | Direction::Backward => {}
        }
        Ok(())
    }
}
