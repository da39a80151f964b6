//! The writes of a set, carried out inside the writer's transaction.

use storage_api::{Key, RequestId, Scope, Timestamp, VersionWrite, Write};

use crate::blobs::{Hash, refer, release};
use crate::group::{Group, GroupError, Prepared};
use crate::rows::{Content, ResourceRow, State, VersionRow, method_to_sql, seq_to_sql};
use crate::symbols::SymbolKind;

/// How many claims each new claim looks at for lapsed ones: as long as it is more than one, they
/// do not pile up.
const SWEEP_CLAIMS: u8 = 4;

impl Group<'_> {
    /// Everything that a set writes; its guards hold.
    pub(crate) fn write(&mut self, prepared: &Prepared) -> Result<(), GroupError> {
        let before = self.effects.position.seq;
        let writes = || prepared.set.writes.iter().enumerate();
        for (index, write) in writes() {
            match write {
                Write::Version(version) => {
                    let file = prepared.files.get(&index).map(|pin| pin.hash);
                    self.append(version, prepared.set.request, file)?;
                }
                Write::Terms { key, terms } => self.replace_terms(key, terms)?,
                Write::Purge(key) => self.purge(key)?,
                Write::Index(index) => self.write_index(index)?,
                Write::Claim { .. } => {}
            }
        }
        // A claim is known by the place of the commit that made it, the last one of its set.
        let count = self.effects.position.seq - before;
        for (_, write) in writes() {
            if let Write::Claim { scope, value, expires } = write {
                self.claim(*scope, value, count, *expires)?;
            }
        }
        Ok(())
    }

    fn append(
        &mut self,
        write: &VersionWrite,
        request: RequestId,
        file: Option<Hash>,
    ) -> Result<(), GroupError> {
        let kind = self.symbol(SymbolKind::Kind, &write.key.kind)?;
        let before = self.head(&write.key)?;
        let newest = before.and_then(|row| row.newest());
        self.effects.position.seq += 1;
        let state = if write.body.is_some() { State::Live } else { State::Deleted };
        let mut row = ResourceRow {
            res: before.map_or(0, |row| row.res),
            state,
            number: write.next.number.get(),
            seq: self.effects.position.seq,
            at: self.effects.position.at,
            tag: write.next.tag.0,
            previous_at: before.filter(|_| newest.is_some()).map(|row| row.at),
        };
        if before.is_some() {
            self.update_resource(&row)?;
        } else {
            row.res = self.insert_resource(kind, &write.key.id, &row)?;
        }
        if newest.is_none() && row.number > before.map_or(1, |row| row.number.saturating_add(1)) {
            self.raise_floor(&row)?;
        }
        self.effects.heads.insert(write.key.clone(), Some(row));
        let terms = self.replace_entries(row.res, before, &write.terms)?;
        let content = match (&write.body, file) {
            (None, _) => Content::None,
            (Some(_), Some(hash)) => Content::File(hash),
            (Some(body), None) => Content::Inline(body.bytes.clone()),
        };
        if let Content::File(hash) = &content {
            refer(self.connection, hash)?;
        }
        self.insert_version(newest, &row, write, request, terms.as_deref(), &content)?;
        self.effects.entries.insert(row.seq, terms.unwrap_or_default().into_boxed_slice());
        self.effects.replaced.extend(newest);
        let sql = "INSERT INTO version_by_type (type, seq) VALUES (?1, ?2)";
        self.connection.prepare_cached(sql)?.execute((kind, row.seq))?;
        if let (Content::Inline(_), Some(body)) = (content, &write.body) {
            self.effects.bodies.push((row.seq, body.clone()));
        }
        Ok(())
    }

    /// The row of a resource that is referred to, created if it has none yet.
    pub(crate) fn placeholder(&mut self, key: &Key) -> rusqlite::Result<i64> {
        if let Some(row) = self.head(key)? {
            return Ok(row.res);
        }
        let kind = self.symbol(SymbolKind::Kind, &key.kind)?;
        let mut row =
            ResourceRow { res: 0, state: State::Absent, number: 0, seq: 0, at: 0, tag: 0, previous_at: None };
        row.res = self.insert_resource(kind, &key.id, &row)?;
        self.effects.heads.insert(key.clone(), Some(row));
        Ok(row.res)
    }

    fn insert_resource(&self, kind: i64, id: &str, row: &ResourceRow) -> rusqlite::Result<i64> {
        let sql = "INSERT INTO resource (type, id, state, ver, seq, at, tag, prev_at, floor)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0)";
        self.connection.prepare_cached(sql)?.execute((
            kind,
            id,
            row.state.to_sql(),
            seq_to_sql(row.number),
            row.seq,
            row.at,
            row.tag.cast_signed(),
            row.previous_at,
        ))?;
        Ok(self.connection.last_insert_rowid())
    }

    fn update_resource(&self, row: &ResourceRow) -> rusqlite::Result<()> {
        let sql = "UPDATE resource SET state = ?2, ver = ?3, seq = ?4, at = ?5, tag = ?6, prev_at = ?7
                   WHERE res = ?1";
        self.connection.prepare_cached(sql)?.execute((
            row.res,
            row.state.to_sql(),
            seq_to_sql(row.number),
            row.seq,
            row.at,
            row.tag.cast_signed(),
            row.previous_at,
        ))?;
        Ok(())
    }

    /// The first version of a key passed over numbers: the chain of its versions ends above them.
    fn raise_floor(&self, row: &ResourceRow) -> rusqlite::Result<()> {
        let sql = "UPDATE resource SET floor = ver - 1 WHERE res = ?1";
        self.connection.prepare_cached(sql)?.execute([row.res])?;
        Ok(())
    }

    fn insert_version(
        &self,
        prev: Option<i64>,
        row: &ResourceRow,
        write: &VersionWrite,
        request: RequestId,
        terms: Option<&[u8]>,
        content: &Content,
    ) -> rusqlite::Result<()> {
        let sql = "INSERT INTO version
                   (seq, res, ver, prev, at, tag, method, request, codec, splice, terms, body)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
        self.connection.prepare_cached(sql)?.execute((
            row.seq,
            row.res,
            seq_to_sql(row.number),
            prev,
            row.at,
            row.tag.cast_signed(),
            method_to_sql(write.method),
            request.0,
            content.codec(),
            write.body.as_ref().map_or(0, |body| body.splice),
            terms,
            content.blob(),
        ))?;
        Ok(())
    }

    /// Removes a key's versions. The row stays and keeps the highest number used.
    fn purge(&mut self, key: &Key) -> Result<(), GroupError> {
        let (Some(row), Some(kind)) = (self.head(key)?, self.known_symbol(SymbolKind::Kind, &key.kind)?)
        else {
            return Ok(());
        };
        self.replace_entries(row.res, Some(row), &[])?;
        let mut next = row.newest();
        while let Some(seq) = next {
            let (prev, content) = VersionRow::find_content(self.connection, seq)?
                .ok_or_else(|| GroupError::Corrupt(format!("version row {seq} is missing")))?;
            if let Content::File(hash) = content
                && release(self.connection, &hash)?
            {
                self.effects.released.push(hash);
            }
            self.connection.prepare_cached("DELETE FROM version WHERE seq = ?1")?.execute([seq])?;
            let sql = "DELETE FROM version_by_type WHERE type = ?1 AND seq = ?2";
            self.connection.prepare_cached(sql)?.execute((kind, seq))?;
            self.effects.purged.push(seq);
            next = prev;
        }
        let purged = ResourceRow { state: State::Purged, seq: 0, at: 0, tag: 0, previous_at: None, ..row };
        self.update_resource(&purged)?;
        let sql = "UPDATE resource SET floor = ver WHERE res = ?1";
        self.connection.prepare_cached(sql)?.execute([row.res])?;
        self.effects.heads.insert(key.clone(), Some(purged));
        Ok(self.effects.position.save(self.connection)?)
    }

    fn claim(
        &mut self,
        scope: Scope,
        value: &[u8],
        count: i64,
        expires: Option<Timestamp>,
    ) -> rusqlite::Result<()> {
        self.sweep_claims()?;
        let sql = "INSERT INTO claim (scope, value, seq, count, expires) VALUES (?1, ?2, ?3, ?4, ?5)
                   ON CONFLICT (scope, value) DO UPDATE
                   SET seq = excluded.seq, count = excluded.count, expires = excluded.expires";
        let row = (scope.0, value, self.effects.position.seq, count, expires.map(|expires| expires.0));
        self.connection.prepare_cached(sql)?.execute(row)?;
        Ok(())
    }

    /// Looks at the next few claims in turn and removes those that have lapsed.
    fn sweep_claims(&mut self) -> rusqlite::Result<()> {
        let sql = "SELECT scope, value, expires FROM claim WHERE (scope, value) > (?1, ?2)
                   ORDER BY scope, value LIMIT ?3";
        let (scope, value) = std::mem::take(&mut self.effects.sweep);
        let mut statement = self.connection.prepare_cached(sql)?;
        let looked_at = statement
            .query_map((scope, value, SWEEP_CLAIMS), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<rusqlite::Result<Vec<(u16, Vec<u8>, Option<i64>)>>>()?;
        for (scope, value, expires) in &looked_at {
            if expires.is_some_and(|expires| expires <= self.effects.position.at) {
                let sql = "DELETE FROM claim WHERE scope = ?1 AND value = ?2";
                self.connection.prepare_cached(sql)?.execute((scope, value))?;
            }
        }
        // Behind the last one it begins again.
        let turned = looked_at.len() < usize::from(SWEEP_CLAIMS);
        self.effects.sweep = looked_at
            .into_iter()
            .next_back()
            .filter(|_| !turned)
            .map(|(scope, value, _)| (scope, value))
            .unwrap_or_default();
        Ok(())
    }
}
