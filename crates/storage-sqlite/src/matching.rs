//! Queries: candidates from the index, each looked at whole. Guards ask inside the writer's
//! transaction, searches in a reader's snapshot; both by this one plan.

use std::collections::{BTreeSet, HashMap, HashSet};

use compact_str::CompactString;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, params_from_iter};
use storage_api::{Clause, Condition, Interval, Key, Named, Now, Query, StoreError, Test, Timestamp, names};

use crate::encoding::{Entry, Names, Pattern, code_of, external_of, local, target_of, unpack, uri, uri_of};
use crate::group::{Group, GroupError};
use crate::parts::Parts;
use crate::rows::{ResourceRow, State};
use crate::symbols::SymbolKind;
use crate::words::{RESOURCE_SQL, Wanted};
use crate::words_together::one_question;

/// Index rows that are counted to choose the condition to look up by; all above are as good.
const ESTIMATE_MAX: i64 = 64;
/// Fewer than this are few enough not to look for a better condition.
const FEW: i64 = 3;

/// Values that a statement asks the index about, for each candidate; what is beyond is looked at.
const FILTER_MAX: usize = 32;
/// The same for all parts of a statement together.
const FILTER_BY_PARTS_MAX: usize = 256;

/// Looks names up without creating any.
pub(crate) trait Look: Names {
    /// Why a look fails.
    type Error: From<rusqlite::Error>;

    /// What a live resource is found by.
    fn entries_of(&mut self, res: i64) -> Result<Vec<Entry>, Self::Error>;

    /// The rows of the live resources that match, for a clause that follows references.
    fn rows(&mut self, query: &Query) -> Result<Vec<i64>, Self::Error>;

    /// The rows of the live resources that the index has under a value.
    fn rows_with(&mut self, param: i64, value: &[u8]) -> Result<Vec<i64>, Self::Error>;

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
    pub(crate) any: Vec<Alternative>,
    pub(crate) negated: bool,
}

impl Planned {
    fn of<L: Look>(condition: &Condition, names: &mut L) -> Result<Self, L::Error> {
        let mut any = Vec::with_capacity(condition.any.len());
        for clause in &condition.any {
            Alternative::add(clause, names, &mut any)?;
        }
        Ok(Self { any, negated: condition.negated })
    }

    pub(crate) fn holds(&self, looked: &Looked<'_>) -> bool {
        self.any.iter().any(|one| one.holds(looked)) != self.negated
    }

    /// Whether the index finds all that it may hold of.
    fn is_indexed(&self) -> bool {
        let is_indexed = |one: &Alternative| !matches!(one, Alternative::Updated(_) | Alternative::All(_));
        !self.negated && self.any.iter().all(is_indexed)
    }

    fn needs_entries(&self) -> bool {
        self.any.iter().any(|one| match one {
            Alternative::Entry { .. }
            | Alternative::Within { .. }
            | Alternative::Naming { .. }
            | Alternative::Words { .. }
            | Alternative::Part(_) => true,
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
    /// A reference elsewhere to one of these URIs, and, if it has a version, to one of those that are beside it.
    Naming {
        param: i64,
        by: HashMap<String, HashSet<String>>,
    },
    /// One of these rows.
    Rows(BTreeSet<i64>),
    /// All of these hold.
    All(Vec<Planned>),
    /// Something holds of one of the parts of a resource.
    Part(Parts),
    /// The words of a parameter.
    Words {
        param: i64,
        wanted: Wanted,
    },
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
        let conditions = one_question(conditions.collect::<Result<_, _>>()?);
        Ok(Some(Self { kind, name: query.kind.clone(), conditions }))
    }

    /// How to go about it: the condition with the fewest candidates among those that the index can answer gives
    /// candidates, and the others are asked of each.
    pub(crate) fn ways(&self, connection: &Connection) -> rusqlite::Result<Ways<'_>> {
        let driver = self.driver(connection)?;
        let mut ways = Ways { driver: None, filter: Filter::default(), rest: Vec::new() };
        // Every part of the driver asks everything, and a statement has bounds.
        let parts = driver.and_then(|place| self.conditions.get(place)).map_or(1, |driver| driver.any.len());
        let room = (FILTER_BY_PARTS_MAX / parts.max(1)).min(FILTER_MAX);
        for (place, planned) in self.conditions.iter().enumerate() {
            if Some(place) == driver {
                ways.driver = Some(&planned.any);
                if planned.any.iter().all(Alternative::is_lookup) {
                    continue;
                }
            } else if let Some(values) =
                planned.exact().filter(|values| ways.filter.len() + values.len() <= room)
            {
                ways.filter.add(&values, planned.negated);
                continue;
            }
            ways.rest.push(planned);
        }
        Ok(ways)
    }

    /// Whether every condition holds.
    pub(crate) fn holds(&self, looked: &Looked<'_>) -> bool {
        self.conditions.iter().all(|planned| planned.holds(looked))
    }

    /// Whether a resource has to be looked at together with what it is found by.
    pub(crate) fn needs_entries(&self) -> bool {
        self.conditions.iter().any(Planned::needs_entries)
    }

    fn driver(&self, connection: &Connection) -> rusqlite::Result<Option<usize>> {
        let indexed = |(_, planned): &(usize, &Planned)| planned.is_indexed();
        let indexed: Vec<(usize, &Planned)> = self.conditions.iter().enumerate().filter(indexed).collect();
        if let [(only, _)] = indexed[..] {
            return Ok(Some(only));
        }
        // Most often one finds next to nothing: then the others need not be counted, or not far.
        let mut best = None;
        for enough in [FEW, ESTIMATE_MAX] {
            best = None;
            for (place, planned) in &indexed {
                // There is no need to count further than the best one.
                let max = best.map_or(enough, |(count, _)| count);
                let count = estimate(connection, &planned.any, max)?;
                if count < FEW {
                    return Ok(Some(*place));
                }
                if best.is_none_or(|(fewest, _)| count < fewest) {
                    best = Some((count, *place));
                }
            }
        }
        Ok(best.map(|(_, place)| place))
    }
}

/// How a query is gone about.
pub(crate) struct Ways<'a> {
    /// What gives the candidates; `None` if there is nothing that the index can give.
    pub(crate) driver: Option<&'a [Alternative]>,
    /// What the index is asked of each candidate.
    pub(crate) filter: Filter,
    /// What each candidate has to be looked at for.
    rest: Vec<&'a Planned>,
}

impl Ways<'_> {
    /// Whether everything that was not asked of the index holds.
    pub(crate) fn holds(&self, looked: &Looked<'_>) -> bool {
        self.rest.iter().all(|planned| planned.holds(looked))
    }

    /// Whether a candidate has to be looked at at all.
    fn is_settled(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many conditions each candidate is looked at for.
    pub(crate) fn looked_at(&self) -> usize {
        self.rest.len()
    }

    /// What a look at a candidate takes, in probes of the index.
    fn look_steps(&self) -> usize {
        const ROW: usize = 4;
        const ENTRIES: usize = 8;
        const COMPARED_AT_ONCE: usize = 8;
        if self.is_settled() {
            return 1;
        }
        let asked: usize = self.rest.iter().map(|planned| planned.any.len()).sum();
        ROW + if self.needs_entries() { ENTRIES + asked / COMPARED_AT_ONCE } else { 0 }
    }

    /// Whether a candidate has to be looked at together with what it is found by.
    pub(crate) fn needs_entries(&self) -> bool {
        self.rest.iter().any(|planned| planned.needs_entries())
    }
}

/// Conditions that a statement asks of each row that it gives.
#[derive(Default)]
pub(crate) struct Filter {
    /// Each with the entries of which a resource must have one, or none if it is turned round.
    terms: Vec<(bool, Vec<Entry>)>,
}

impl Filter {
    fn add(&mut self, values: &[(i64, &[u8])], negated: bool) {
        let values = values.iter().map(|(param, value)| (*param, value.to_vec()));
        self.terms.push((negated, values.collect()));
    }

    /// How often the index is asked for one candidate, at most.
    pub(crate) fn len(&self) -> usize {
        self.terms.iter().map(|(_, entries)| entries.len()).sum()
    }

    /// An expression about the resource of a row, and what is bound to it.
    pub(crate) fn sql(&self, res: &str) -> (String, Vec<Sql>) {
        let (mut parts, mut bound) = (Vec::new(), Vec::new());
        for (negated, values) in &self.terms {
            let one = |(param, value): &Entry| {
                bound.extend([Sql::from(*param), Sql::from(value.clone())]);
                format!("EXISTS (SELECT 1 FROM term f WHERE f.param = ? AND f.value = ? AND f.res = {res})")
            };
            let any: Vec<String> = values.iter().map(one).collect();
            let any = if any.is_empty() { "0".to_owned() } else { any.join(" OR ") };
            parts.push(if *negated { format!("NOT ({any})") } else { format!("({any})") });
        }
        (if parts.is_empty() { "1".to_owned() } else { parts.join(" AND ") }, bound)
    }
}

impl Planned {
    /// The values of which a resource must have one, if that is all there is to ask.
    fn exact(&self) -> Option<Vec<(i64, &[u8])>> {
        const VALUES_MAX: usize = 8;
        if self.any.len() > VALUES_MAX {
            return None;
        }
        self.any.iter().map(Alternative::exact).collect()
    }
}

fn estimate(connection: &Connection, condition: &[Alternative], max: i64) -> rusqlite::Result<i64> {
    let sql = "SELECT count(*) FROM
               (SELECT 1 FROM term WHERE param = ?1 AND value >= ?2 AND value < ?3 LIMIT ?4)";
    let mut statement = connection.prepare_cached(sql)?;
    let mut count = 0;
    for one in condition {
        count += match one {
            Alternative::Entry { param, low, high, .. } => {
                statement.query_row((param, low, high, max), |row| row.get(0))?
            }
            Alternative::Part(parts) => {
                let mut found = 0;
                for (param, low, high) in &parts.lookups {
                    found += statement.query_row((param, low, high, max), |row| row.get::<_, i64>(0))?;
                }
                found
            }
            Alternative::Id(_) | Alternative::Updated(_) | Alternative::All(_) => 1,
            Alternative::Within { values, .. } => i64::try_from(values.len()).unwrap_or(i64::MAX),
            Alternative::Naming { by, .. } => i64::try_from(by.len()).unwrap_or(i64::MAX),
            Alternative::Words { param, wanted } => wanted.estimate(connection, *param, max)?,
            Alternative::Rows(rows) => i64::try_from(rows.len()).unwrap_or(i64::MAX),
        };
        if count > max {
            break;
        }
    }
    Ok(count)
}

impl Alternative {
    /// None if nothing can pass; several where what passes lies in several ranges.
    fn add<L: Look>(clause: &Clause, names: &mut L, any: &mut Vec<Self>) -> Result<(), L::Error> {
        let (param, test) = match clause {
            Clause::Term { param, test } => (param, test),
            Clause::Refers { param, query, named } => {
                return Self::add_followed(param, query, named.as_deref(), names, any);
            }
            other => {
                any.extend(Self::one_of(other, names)?);
                return Ok(());
            }
        };
        let Some(param) = names.symbol(SymbolKind::Param, param)? else { return Ok(()) };
        if let Test::Words(phrase) = test {
            any.push(Self::Words { param, wanted: Wanted::one(phrase.clone()) });
            return Ok(());
        }
        let pattern = Pattern::of(test, names)?;
        if let Pattern::Near(circle) = pattern {
            let entry = |(low, high)| Self::Entry { param, pattern: Pattern::Near(circle), low, high };
            any.extend(pattern.ranges().into_iter().map(entry));
        } else {
            any.extend(pattern.range().map(|(low, high)| Self::Entry { param, pattern, low, high }));
        }
        Ok(())
    }

    fn one_of<L: Look>(clause: &Clause, names: &mut L) -> Result<Option<Self>, L::Error> {
        Ok(match clause {
            Clause::Term { .. } | Clause::Refers { .. } => None,
            Clause::Id(id) => Some(Self::Id(id.clone())),
            Clause::Updated(span) => Some(Self::Updated(*span)),
            Clause::Referred { param, query, named } => {
                let Some(param) = names.symbol(SymbolKind::Param, param)? else { return Ok(None) };
                let mut rows = BTreeSet::new();
                for res in names.rows(query)? {
                    let entries = names.entries_of(res)?;
                    let own = entries.iter().filter(|(entry, _)| *entry == param);
                    rows.extend(own.filter_map(|(_, value)| target_of(value)));
                    if let Some(named) = named {
                        Self::named_by(&entries, param, named, names, &mut rows)?;
                    }
                }
                (!rows.is_empty()).then_some(Self::Rows(rows))
            }
            Clause::All(conditions) => {
                let planned = conditions.iter().map(|condition| Planned::of(condition, names));
                Some(Self::All(planned.collect::<Result<_, _>>()?))
            }
            Clause::Part { param, conditions } => {
                let Some(param) = names.symbol(SymbolKind::Param, param)? else { return Ok(None) };
                let planned = conditions.iter().map(|condition| Planned::of(condition, names));
                Some(Self::Part(Parts::of(param, planned.collect::<Result<_, _>>()?)))
            }
        })
    }

    /// Adds what refers to a resource that the query means, or names one.
    fn add_followed<L: Look>(
        param: &CompactString,
        query: &Query,
        named: Option<&Named>,
        look: &mut L,
        any: &mut Vec<Self>,
    ) -> Result<(), L::Error> {
        let Some(param) = look.symbol(SymbolKind::Param, param)? else { return Ok(()) };
        let rows = look.rows(query)?;
        let values: HashSet<Vec<u8>> = rows.iter().copied().map(local).collect();
        any.extend((!values.is_empty()).then_some(Self::Within { param, values }));
        let Some(named) = named else { return Ok(()) };
        let Some(own_uri) = look.symbol(SymbolKind::Param, &named.uri)? else { return Ok(()) };
        let own_version = look.symbol(SymbolKind::Param, &named.version)?;
        let mut by: HashMap<String, HashSet<String>> = HashMap::new();
        for res in rows {
            let entries = look.entries_of(res)?;
            let versions = entries.iter().filter(|(entry, _)| Some(*entry) == own_version);
            let versions: Vec<String> = versions.filter_map(|(_, value)| code_of(value)).collect();
            let uris = entries.iter().filter(|(entry, _)| *entry == own_uri);
            for uri in uris.filter_map(|(_, value)| uri_of(value)) {
                by.entry(uri.to_owned()).or_default().extend(versions.iter().cloned());
            }
        }
        any.extend((!by.is_empty()).then_some(Self::Naming { param, by }));
        Ok(())
    }

    /// Adds what the references elsewhere among some entries name.
    fn named_by<L: Look>(
        entries: &[Entry],
        param: i64,
        named: &Named,
        look: &mut L,
        rows: &mut BTreeSet<i64>,
    ) -> Result<(), L::Error> {
        let Some(own_uri) = look.symbol(SymbolKind::Param, &named.uri)? else { return Ok(()) };
        let own_version = look.symbol(SymbolKind::Param, &named.version)?;
        for (text, version) in names(&externals(entries, param)) {
            for res in look.rows_with(own_uri, &uri(text))? {
                let Some(version) = version else {
                    rows.insert(res);
                    continue;
                };
                let entries = look.entries_of(res)?;
                let mut own = entries.iter().filter(|(entry, _)| Some(*entry) == own_version);
                if own.any(|(_, value)| code_of(value).as_deref() == Some(version)) {
                    rows.insert(res);
                }
            }
        }
        Ok(())
    }

    /// The one value that it wants, if that is all.
    fn exact(&self) -> Option<(i64, &[u8])> {
        match self {
            Self::Entry { param, pattern: Pattern::Exact(value), .. } => Some((*param, value)),
            _ => None,
        }
    }

    /// The parts of the index that have all that it may hold of, where they are ranges: parameter, from, to.
    pub(crate) fn lookups(&self) -> impl Iterator<Item = (i64, &[u8], &[u8])> {
        let (own, parts) = match self {
            Self::Entry { param, low, high, .. } => (Some((*param, &low[..], &high[..])), None),
            Self::Part(parts) => (None, Some(&parts.lookups)),
            _ => (None, None),
        };
        let parts = parts.into_iter().flatten();
        own.into_iter().chain(parts.map(|(param, low, high)| (*param, &low[..], &high[..])))
    }

    /// Whether it holds of everything that the index has where it is looked up.
    fn is_lookup(&self) -> bool {
        match self {
            Self::Entry { pattern, .. } => pattern.is_range(),
            Self::Id(_) | Self::Within { .. } | Self::Rows(_) | Self::Words { .. } => true,
            Self::Updated(_) | Self::All(_) | Self::Part(_) | Self::Naming { .. } => false,
        }
    }

    fn holds(&self, looked: &Looked<'_>) -> bool {
        match self {
            Self::Id(id) => id == looked.id,
            Self::Updated(span) => span.contains(Timestamp(looked.at)),
            Self::Rows(rows) => rows.contains(&looked.res),
            Self::All(conditions) => conditions.iter().all(|planned| planned.holds(looked)),
            Self::Part(parts) => parts.one_holds(looked),
            Self::Words { param, wanted } => {
                let own = looked.entries.iter().filter(|(entry, _)| entry == param);
                wanted.is_in(own.map(|(_, value)| value.as_slice()))
            }
            Self::Naming { param, by } => {
                let mut named = names(&externals(looked.entries, *param)).into_iter();
                named.any(|(uri, version)| {
                    let versions = by.get(uri);
                    versions.is_some_and(|own| version.is_none_or(|version| own.contains(version)))
                })
            }
            Self::Within { param, values } => {
                looked.entries.iter().any(|(entry, value)| entry == param && values.contains(value))
            }
            Self::Entry { param, pattern, .. } => {
                looked.entries.iter().any(|(entry, value)| entry == param && pattern.passes(value))
            }
        }
    }
}

/// The references elsewhere of a parameter.
fn externals(entries: &[Entry], param: i64) -> Vec<&str> {
    let own = entries.iter().filter(|(entry, _)| *entry == param);
    own.filter_map(|(_, value)| external_of(value)).collect()
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

    fn rows_with(&mut self, _: i64, _: &[u8]) -> Result<Vec<i64>, GroupError> {
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
        let mut rows = HashMap::with_capacity(expected.len());
        for key in expected.iter().filter(|key| key.kind == query.kind) {
            if let Some(row) = self.head(key)? {
                rows.insert(row.res, key);
            }
        }
        let mut found = self.matching(query, &rows, expected.len().saturating_add(1))?;
        found.sort();
        Ok((found != expected).then_some(Now::Matched(found)))
    }

    /// The live resources that match, at most `limit` of them, in no particular order. `known` are some of the kind.
    fn matching(
        &mut self,
        query: &Query,
        known: &HashMap<i64, &Key>,
        limit: usize,
    ) -> Result<Vec<Key>, GroupError> {
        // Names are looked up, and index rows counted, for each alternative.
        self.spend(query.conditions.iter().map(|condition| 1 + 2 * condition.any.len()).sum())?;
        let Some(plan) = Plan::of(query, self)? else { return Ok(Vec::new()) };
        let ways = plan.ways(self.connection)?;
        let driver = ways.driver.ok_or(GroupError::Refused(StoreError::TooCostly))?;
        let mut search = Search {
            query,
            kind: plan.kind,
            ways: &ways,
            known,
            seen: HashSet::new(),
            found: Vec::new(),
            limit,
        };
        let connection = self.connection;
        let (filter, bound) = ways.filter.sql("term.res");
        let sql = format!("SELECT res, {filter} FROM term WHERE param = ? AND value >= ? AND value < ?");
        for one in driver {
            if let Alternative::Id(id) = one
                && let Some(row) = self.head(&Key { kind: query.kind.clone(), id: id.clone() })?
                && ways.filter.passes(connection, row.res)?
                && search.look_at(self, row.res)?
            {
                return Ok(search.found);
            }
            let by_words = match one {
                Alternative::Words { param, wanted } => {
                    Some(wanted.select(*param, 0, &ways.filter.sql(RESOURCE_SQL).0))
                }
                _ => None,
            };
            let ranges = one.lookups().map(|(param, low, high)| {
                (sql.clone(), [Sql::from(param), Sql::from(low.to_vec()), Sql::from(high.to_vec())])
            });
            for (sql, range) in by_words.into_iter().chain(ranges) {
                let mut statement = connection.prepare_cached(&sql)?;
                let mut rows = statement.query(params_from_iter(bound.iter().cloned().chain(range)))?;
                while let Some(row) = rows.next()? {
                    let passes = row.get(1)?;
                    self.spend(1 + ways.filter.len() + if passes { ways.look_steps() } else { 0 })?;
                    if passes && search.look_at(self, row.get(0)?)? {
                        return Ok(search.found);
                    }
                }
            }
        }
        Ok(search.found)
    }
}

impl Filter {
    /// Whether one resource passes.
    pub(crate) fn passes(&self, connection: &Connection, res: i64) -> rusqlite::Result<bool> {
        if self.terms.is_empty() {
            return Ok(true);
        }
        let (filter, mut bound) = self.sql("one.res");
        let sql = format!("SELECT {filter} FROM (SELECT ? AS res) one");
        bound.push(res.into());
        connection.prepare_cached(&sql)?.query_row(params_from_iter(bound), |row| row.get(0))
    }
}

/// A search for a guard on its way.
struct Search<'a> {
    query: &'a Query,
    kind: i64,
    ways: &'a Ways<'a>,
    /// Resources of the kind whose keys are known without a look.
    known: &'a HashMap<i64, &'a Key>,
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
        match self.known.get(&res) {
            // What is found by an entry is live. An id alone does not say so.
            Some(key) if self.ways.is_settled() && !self.drives_by_id() => self.found.push((*key).clone()),
            _ => self.found.extend(self.key_of(group, res)?),
        }
        Ok(self.found.len() >= self.limit)
    }

    fn drives_by_id(&self) -> bool {
        let is_id = |one: &Alternative| matches!(one, Alternative::Id(_));
        self.ways.driver.is_some_and(|driver| driver.iter().any(is_id))
    }

    /// The key of a candidate, if it is meant.
    fn key_of(&self, group: &Group<'_>, res: i64) -> Result<Option<Key>, GroupError> {
        let Some((row, kind, id)) = ResourceRow::find_named(group.connection, res)? else { return Ok(None) };
        if kind != self.kind || row.state != State::Live {
            return Ok(None);
        }
        let entries = if self.ways.needs_entries() { group.entries(&row)? } else { Vec::new() };
        let holds = self.ways.holds(&Looked { res, id: &id, at: row.at, entries: &entries });
        Ok(holds.then(|| Key { kind: self.query.kind.clone(), id }))
    }
}
