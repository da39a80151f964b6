//! What a page brings along: resources at the other ends of references.

use std::collections::HashSet;

use storage_api::{Direction, INCLUDED_MAX, Include, SearchPage, names};

use crate::encoding::{Entry, code_of, external, external_of, local, target_of, uri, uri_of};
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
    named: Vec<NumberedName>,
}

/// Resources that are named by a URI, and perhaps a version, with the numbers of their names.
#[derive(Clone, Copy)]
struct NumberedName {
    kind: i64,
    uri: i64,
    /// None where no resource has one.
    version: Option<i64>,
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
        let target = target.flatten();
        let mut named = Vec::new();
        for name in &include.named {
            let version = number(SymbolKind::Param, &name.version)?;
            if let (Some(kind), Some(uri)) =
                (number(SymbolKind::Kind, &name.kind)?, number(SymbolKind::Param, &name.uri)?)
                && target.is_none_or(|target| target == kind)
            {
                named.push(NumberedName { kind, uri, version });
            }
        }
        Ok(Some(Numbered { kind, param, target, direction, iterates, named }))
    }

    /// The rows at the other ends of the references of one resource. A few more than may be included are enough.
    fn reach(&self, include: &Numbered, from: From, reached: &mut Vec<i64>) -> ReadResult<()> {
        let kind_of = |res| self.kind_of(res);
        match include.direction {
            Direction::Forward if from.kind == include.kind => {
                let entries = { *self }.entries_of(from.res)?;
                let own = entries.iter().filter(|(param, _)| *param == include.param);
                for target in own.filter_map(|(_, value)| target_of(value)) {
                    if include.target.is_none() || kind_of(target)? == include.target {
                        reached.push(target);
                    }
                }
                if !include.named.is_empty() {
                    self.reach_named(include, &entries, reached)?;
                }
            }
            Direction::Backward if include.target.is_none_or(|target| target == from.kind) => {
                for res in self.some_with(include.param, &local(from.res))? {
                    if kind_of(res)? == Some(include.kind) {
                        reached.push(res);
                    }
                }
                for named in include.named.iter().filter(|named| named.kind == from.kind) {
                    self.reach_naming(include, *named, from, reached)?;
                }
            }
            Direction::Forward | Direction::Backward => {}
        }
        Ok(())
    }

    /// What the references to elsewhere name, if it is here too.
    fn reach_named(&self, include: &Numbered, entries: &[Entry], reached: &mut Vec<i64>) -> ReadResult<()> {
        let own = entries.iter().filter(|(param, _)| *param == include.param);
        let texts: Vec<&str> = own.filter_map(|(_, value)| external_of(value)).collect();
        for (text, version) in names(&texts) {
            for named in &include.named {
                for res in self.some_with(named.uri, &uri(text))? {
                    if self.kind_of(res)? == Some(named.kind) && self.has_version(*named, res, version)? {
                        reached.push(res);
                    }
                }
            }
        }
        Ok(())
    }

    /// What refers to a resource by a URI that it is named by.
    fn reach_naming(
        &self,
        include: &Numbered,
        named: NumberedName,
        from: From,
        reached: &mut Vec<i64>,
    ) -> ReadResult<()> {
        let entries = { *self }.entries_of(from.res)?;
        for own in
            entries.iter().filter(|(param, _)| *param == named.uri).filter_map(|(_, value)| uri_of(value))
        {
            for res in self.some_with(include.param, &external(own))? {
                if self.kind_of(res)? != Some(include.kind) {
                    continue;
                }
                let theirs = { *self }.entries_of(res)?;
                let theirs = theirs.iter().filter(|(param, _)| *param == include.param);
                let texts: Vec<&str> = theirs.filter_map(|(_, value)| external_of(value)).collect();
                for (_, version) in names(&texts).into_iter().filter(|(text, _)| *text == own) {
                    if self.has_version(named, from.res, version)? {
                        reached.push(res);
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether a resource has this version, where one is asked for.
    fn has_version(&self, named: NumberedName, res: i64, version: Option<&str>) -> ReadResult<bool> {
        let Some(version) = version else { return Ok(true) };
        let entries = { *self }.entries_of(res)?;
        let own = entries.iter().filter(|(param, _)| Some(*param) == named.version);
        Ok(own.filter_map(|(_, value)| code_of(value)).any(|code| code == version))
    }

    /// A few more than may be included are enough.
    fn some_with(&self, param: i64, value: &[u8]) -> ReadResult<Vec<i64>> {
        let sql = "SELECT res FROM term WHERE param = ?1 AND value = ?2 LIMIT ?3";
        let limit = i64::try_from(4 * INCLUDED_MAX).unwrap_or(i64::MAX);
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map((param, value, limit), |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn kind_of(&self, res: i64) -> ReadResult<Option<i64>> {
        Ok(ResourceRow::find_named(self.connection, res)?.map(|row| row.1))
    }
}
