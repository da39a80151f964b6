//! Queries: candidates from the index, each looked at whole. Guards ask inside the writer's
//! transaction, searches in a reader's snapshot; both by this one plan.

use std::collections::{BTreeSet, HashSet};

use compact_str::CompactString;
use rusqlite::{Connection, OptionalExtension};
use storage_api::{Clause, Condition, Interval, Key, Now, Query, StoreError, Timestamp};

use crate::encoding::{Entry, Names, Pattern, local, target_of, unpack};
use crate::group::{Group, GroupError};
use crate::rows::{ResourceRow, State};
use crate::symbols::SymbolKind;

/// Index rows that are counted to choose the condition to look up by; all above are as good.
const ESTIMATE_MAX: i64 = 64;

/// Looks names up without creating any.
pub(crate) trait Look: Names {
    /// Why a look fails.
    type Error: From<rusqlite::Error>;

    /// What a live resource is found by.
    fn entries_of(&mut self, res: i64) -> Result<Vec<Entry>, Self::Error>;

    /// The rows of the live resources that match, for a clause that follows references.
    fn rows(&mut self, query: &Query) -> Result<Vec<i64>, Self::Error>;

    /// The number of a text, if it has one.
    fn symbol(&mut self, kind: SymbolKind, text: &CompactString) -> rusqlite::Result<Option<i64>>;
}

/// What a query comes to in this store.
pub(crate) struct Plan {
    pub(crate) kind: i64,
    /// The text of the kind.
    pub(crate) name: CompactString,
    conditions: Vec<Planned>,
}

/// A condition with its alternatives; those that nothing can pass are left out.
pub(crate) struct Planned {
    any: Vec<Alternative>,
    negated: bool,
}

impl Planned {
    fn of<L: Look>(condition: &Condition, names: &mut L) -> Result<Self, L::Error> {
        let mut any = Vec::with_capacity(condition.any.len());
        for clause in &condition.any {
            any.extend(Alternative::of(clause, names)?);
        }
        Ok(Self { any, negated: condition.negated })
    }

    fn holds(&self, looked: &Looked<'_>) -> bool {
        self.any.iter().any(|one| one.holds(looked)) != self.negated
    }

    /// Whether the index finds all that it may hold of.
    fn is_indexed(&self) -> bool {
        let is_indexed = |one: &Alternative| !matches!(one, Alternative::Updated(_) | Alternative::All(_));
        !self.negated && self.any.iter().all(is_indexed)
    }

    fn needs_entries(&self) -> bool {
        self.any.iter().any(|one| match one {
            Alternative::Entry { .. } | Alternative::Within { .. } => true,
            Alternative::All(conditions) => conditions.iter().any(Self::needs_entries),
            Alternative::Id(_) | Alternative::Updated(_) | Alternative::Rows(_) => false,
        })
    }
}

/// One alternative of a condition, with its place in the index.
pub(crate) enum Alternative {
    Entry {
        param: i64,
        pattern: Pattern,
        low: Vec<u8>,
        high: Vec<u8>,
    },
    Id(CompactString),
    Updated(Interval),
    /// One of many values of a parameter.
    Within {
        param: i64,
        values: HashSet<Vec<u8>>,
    },
    /// One of these rows.
    Rows(BTreeSet<i64>),
    /// All of these hold.
    All(Vec<Planned>),
}

/// A live resource that is looked at.
pub(crate) struct Looked<'a> {
    pub(crate) res: i64,
    pub(crate) id: &'a str,
    pub(crate) at: i64,
    pub(crate) entries: &'a [Entry],
}

impl Plan {
    /// `None` if the store has never seen the kind.
    pub(crate) fn of<L: Look>(query: &Query, names: &mut L) -> Result<Option<Self>, L::Error> {
        let Some(kind) = names.symbol(SymbolKind::Kind, &query.kind)? else { return Ok(None) };
        let conditions = query.conditions.iter().map(|condition| Planned::of(condition, names));
        let conditions = conditions.collect::<Result<_, _>>()?;
        Ok(Some(Self { kind, name: query.kind.clone(), conditions }))
    }

    /// The condition with the fewest candidates among those that the index can answer.
    pub(crate) fn driver(&self, connection: &Connection) -> rusqlite::Result<Option<&[Alternative]>> {
        let indexed = self.conditions.iter().filter(|planned| planned.is_indexed());
        let mut indexed = indexed.map(|planned| planned.any.as_slice());
        let Some(mut best) = indexed.next() else { return Ok(None) };
        let mut fewest = None;
        for condition in indexed {
            let before = fewest.map_or_else(|| estimate(connection, best), Ok)?;
            let count = estimate(connection, condition)?;
            fewest = Some(before.min(count));
            if count < before {
                best = condition;
            }
        }
        Ok(Some(best))
    }

    /// Whether every condition holds.
    pub(crate) fn holds(&self, looked: &Looked<'_>) -> bool {
        self.conditions.iter().all(|planned| planned.holds(looked))
    }

    /// Whether a resource has to be looked at together with what it is found by.
    pub(crate) fn needs_entries(&self) -> bool {
        self.conditions.iter().any(Planned::needs_entries)
    }
}

fn estimate(connection: &Connection, condition: &[Alternative]) -> rusqlite::Result<i64> {
    let sql = "SELECT count(*) FROM
               (SELECT 1 FROM term WHERE param = ?1 AND value >= ?2 AND value < ?3 LIMIT ?4)";
    let mut statement = connection.prepare_cached(sql)?;
    let mut count = 0;
    for one in condition {
        count += match one {
            Alternative::Entry { param, low, high, .. } => {
                statement.query_row((param, low, high, ESTIMATE_MAX), |row| row.get(0))?
            }
            Alternative::Id(_) | Alternative::Updated(_) | Alternative::All(_) => 1,
            Alternative::Within { values, .. } => i64::try_from(values.len()).unwrap_or(i64::MAX),
            Alternative::Rows(rows) => i64::try_from(rows.len()).unwrap_or(i64::MAX),
        };
        if count > ESTIMATE_MAX {
            break;
        }
    }
    Ok(count)
}

impl Alternative {
    fn of<L: Look>(clause: &Clause, names: &mut L) -> Result<Option<Self>, L::Error> {
        Ok(match clause {
            Clause::Id(id) => Some(Self::Id(id.clone())),
            Clause::Updated(span) => Some(Self::Updated(*span)),
            Clause::Term { param, test } => {
                let Some(param) = names.symbol(SymbolKind::Param, param)? else { return Ok(None) };
                let pattern = Pattern::of(test, names)?;
                pattern.range().map(|(low, high)| Self::Entry { param, pattern, low, high })
            }
            Clause::Refers { param, query } => {
                let Some(param) = names.symbol(SymbolKind::Param, param)? else { return Ok(None) };
                let values: HashSet<Vec<u8>> = names.rows(query)?.into_iter().map(local).collect();
                (!values.is_empty()).then_some(Self::Within { param, values })
            }
            Clause::Referred { param, query } => {
                let Some(param) = names.symbol(SymbolKind::Param, param)? else { return Ok(None) };
                let mut rows = BTreeSet::new();
                for res in names.rows(query)? {
                    for (_, value) in names.entries_of(res)?.iter().filter(|(entry, _)| *entry == param) {
                        rows.extend(target_of(value));
                    }
                }
                (!rows.is_empty()).then_some(Self::Rows(rows))
            }
            Clause::All(conditions) => {
                let planned = conditions.iter().map(|condition| Planned::of(condition, names));
                Some(Self::All(planned.collect::<Result<_, _>>()?))
            }
        })
    }

    fn holds(&self, looked: &Looked<'_>) -> bool {
        match self {
            Self::Id(id) => id == looked.id,
            Self::Updated(span) => span.contains(Timestamp(looked.at)),
            Self::Rows(rows) => rows.contains(&looked.res),
            Self::All(conditions) => conditions.iter().all(|planned| planned.holds(looked)),
            Self::Within { param, values } => {
                looked.entries.iter().any(|(entry, value)| entry == param && values.contains(value))
            }
            Self::Entry { param, pattern, .. } => {
                looked.entries.iter().any(|(entry, value)| entry == param && pattern.passes(value))
            }
        }
    }
}

/// What a version row keeps of its terms; `None` if the bytes are damaged.
pub(crate) fn entries_of(connection: &Connection, seq: i64) -> rusqlite::Result<Option<Vec<Entry>>> {
    let sql = "SELECT terms FROM version WHERE seq = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let packed: Option<Option<Vec<u8>>> = statement.query_row([seq], |row| row.get(0)).optional()?;
    Ok(unpack(&packed.flatten().unwrap_or_default()))
}

impl Names for Group<'_> {
    fn system(&mut self, system: &str) -> rusqlite::Result<Option<i64>> {
        self.known_symbol(SymbolKind::System, &CompactString::from(system))
    }

    fn target(&mut self, key: &Key) -> rusqlite::Result<Option<i64>> {
        Ok(self.head(key)?.map(|row| row.res))
    }
}

/// References are not followed while writers wait.
impl Look for Group<'_> {
    type Error = GroupError;

    fn entries_of(&mut self, _: i64) -> Result<Vec<Entry>, GroupError> {
        Err(GroupError::Refused(StoreError::TooCostly))
    }

    fn rows(&mut self, _: &Query) -> Result<Vec<i64>, GroupError> {
        Err(GroupError::Refused(StoreError::TooCostly))
    }

    fn symbol(&mut self, kind: SymbolKind, text: &CompactString) -> rusqlite::Result<Option<i64>> {
        self.known_symbol(kind, text)
    }
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
        let Some(plan) = Plan::of(query, self)? else { return Ok(Vec::new()) };
        let too_costly = || GroupError::Refused(StoreError::TooCostly);
        let driver = plan.driver(self.connection)?.ok_or_else(too_costly)?;
        let mut search = Search { query, plan: &plan, seen: HashSet::new(), found: Vec::new(), limit };
        let mut steps = 0;
        let connection = self.connection;
        let sql = "SELECT res FROM term WHERE param = ?1 AND value >= ?2 AND value < ?3";
        let mut statement = connection.prepare_cached(sql)?;
        for one in driver {
            let Alternative::Entry { param, low, high, .. } = one else {
                if let Alternative::Id(id) = one
                    && let Some(row) = self.head(&Key { kind: query.kind.clone(), id: id.clone() })?
                    && search.look_at(self, row.res)?
                {
                    return Ok(search.found);
                }
                continue;
            };
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
}

/// A search for a guard on its way.
struct Search<'a> {
    query: &'a Query,
    plan: &'a Plan,
    /// A resource may have several entries in the range.
    seen: HashSet<i64>,
    found: Vec<Key>,
    limit: usize,
}

impl Search<'_> {
    /// Looks at a candidate; says whether that was enough.
    fn look_at(&mut self, group: &Group<'_>, res: i64) -> Result<bool, GroupError> {
        if !self.seen.insert(res) {
            return Ok(false);
        }
        let Some((row, kind, id)) = ResourceRow::find_named(group.connection, res)? else { return Ok(false) };
        if kind != self.plan.kind || row.state != State::Live {
            return Ok(false);
        }
        let entries = group.entries(&row)?;
        if self.plan.holds(&Looked { res, id: &id, at: row.at, entries: &entries }) {
            self.found.push(Key { kind: self.query.kind.clone(), id });
        }
        Ok(self.found.len() >= self.limit)
    }
}
