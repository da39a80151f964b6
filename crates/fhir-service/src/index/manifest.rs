//! What a store is told about its index, as it is written there.

use std::collections::BTreeSet;

use bytes::Bytes;
use fhir_definitions::{Definitions, FhirVersion, resource_types};
use fhir_model::json::{Limits, Object, Value, parse};
use fhir_model::object;
use fhir_search::{CustomParameter, Defined, Extractor, REFERS};
use storage_api::{Clause, Condition, Place, Query};

/// Base URLs that are remembered at most.
const BASES_MAX: usize = 8;

/// What makes the terms of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// That of the program; empty if nobody knows.
    fingerprint: String,
    /// Whether terms say what a resource refers to.
    pub(crate) references: bool,
    /// Parameters that were defined on the server and are in force.
    pub(crate) customs: Vec<CustomParameter>,
    /// References below these are to this server.
    pub(crate) bases: Vec<String>,
    /// By what older resources may not be found yet.
    pub(crate) incomplete: Incomplete,
    /// Whose older resources are indexed anew; in order.
    pub(crate) types: Vec<String>,
}

/// Names of terms that older resources may lack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Incomplete {
    /// Any.
    All,
    /// These.
    Only(BTreeSet<String>),
}

impl Incomplete {
    fn none() -> Self {
        Self::Only(BTreeSet::new())
    }

    /// Whether terms of this name may be missing. Those of modifiers are made with their parameter's.
    pub(crate) fn has(&self, param: &str) -> bool {
        let name = param.split(':').next().unwrap_or(param);
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(name),
        }
    }

    /// The first parameter of a query whose terms may be missing.
    pub(crate) fn within<'a>(&self, query: &'a Query) -> Option<&'a str> {
        self.within_all(&query.conditions)
    }

    fn within_all<'a>(&self, conditions: &'a [Condition]) -> Option<&'a str> {
        let mut clauses = conditions.iter().flat_map(|condition| &condition.any);
        clauses.find_map(|clause| match clause {
            Clause::Term { param, .. } => self.has(param).then_some(param.as_str()),
            Clause::Refers { param, query } | Clause::Referred { param, query } => {
                if self.has(param) {
                    Some(param.as_str())
                } else {
                    self.within(query)
                }
            }
            Clause::All(conditions) => self.within_all(conditions),
            Clause::Part { param, conditions } => {
                if self.has(param) {
                    Some(param.as_str())
                } else {
                    self.within_all(conditions)
                }
            }
            Clause::Id(_) | Clause::Updated(_) => None,
        })
    }

    /// For people: what is incomplete.
    pub(crate) fn names(&self) -> Vec<&str> {
        match self {
            Self::All => vec!["*"],
            Self::Only(names) => names.iter().map(String::as_str).filter(|name| *name != REFERS).collect(),
        }
    }
}

/// How far older resources were indexed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Types that are done.
    pub(crate) types_done: usize,
    /// Behind which place of the next type it goes on.
    pub(crate) after: Option<Place>,
    /// Resources that are done.
    pub(crate) resources: u64,
}

fn fingerprint(version: FhirVersion) -> String {
    format!("{:016x}", Extractor::of(version).fingerprint())
}

fn all_types(version: FhirVersion) -> Vec<String> {
    let mut types: Vec<String> = resource_types(version).iter().map(|name| (*name).to_owned()).collect();
    types.sort_unstable();
    types
}

impl Manifest {
    /// That of this program, with the parameters that an API has of its own.
    pub(crate) fn fresh(version: FhirVersion, references: bool, customs: Vec<CustomParameter>) -> Self {
        Self {
            fingerprint: fingerprint(version),
            references,
            customs,
            bases: Vec::new(),
            incomplete: Incomplete::none(),
            types: Vec::new(),
        }
    }

    /// Of a store that does not say.
    pub(crate) fn unknown(version: FhirVersion) -> Self {
        Self {
            fingerprint: String::new(),
            incomplete: Incomplete::All,
            types: all_types(version),
            ..Self::fresh(version, false, Vec::new())
        }
    }

    /// As long as nothing could be begun: nothing is known to be complete, and what is written is of no known make.
    pub(crate) fn doubted(self, references: bool) -> Self {
        Self { fingerprint: String::new(), references, incomplete: Incomplete::All, ..self }
    }

    /// Whether a generation of this program has yet to begin.
    pub(crate) fn is_doubted(&self) -> bool {
        self.fingerprint.is_empty()
    }

    /// Whether its terms are those that this program makes.
    pub(crate) fn is_of_this_program(
        &self,
        version: FhirVersion,
        references: bool,
        own: &[CustomParameter],
    ) -> bool {
        self.fingerprint == fingerprint(version)
            && self.references == references
            && own.iter().all(|custom| self.customs.contains(custom))
    }

    /// What follows it when these parameters are in force. `unfinished`: older resources of it were not all indexed.
    pub(crate) fn followed_by(
        &self,
        customs: Vec<CustomParameter>,
        version: FhirVersion,
        references: bool,
        unfinished: bool,
    ) -> Self {
        let fresh = Self { bases: self.bases.clone(), ..Self::fresh(version, references, customs) };
        if self.fingerprint != fresh.fingerprint || (unfinished && self.incomplete == Incomplete::All) {
            return Self { incomplete: Incomplete::All, types: all_types(version), ..fresh };
        }
        let (mut names, mut types) = (BTreeSet::new(), BTreeSet::new());
        let is_new = |custom: &&CustomParameter| !self.customs.contains(custom);
        for custom in fresh.customs.iter().filter(is_new) {
            for found in custom.types() {
                names.insert(format!("{}.{}", found.name(), custom.code()));
                types.insert(found.name().to_owned());
            }
        }
        // What is gone leaves terms that nobody asks for.
        for custom in self.customs.iter().filter(|custom| !fresh.customs.contains(custom)) {
            types.extend(custom.types().map(|found| found.name().to_owned()));
        }
        if references && !self.references {
            names.insert(REFERS.to_owned());
            types.extend(all_types(version));
        }
        if let (true, Incomplete::Only(before)) = (unfinished, &self.incomplete) {
            names.extend(before.iter().cloned());
            types.extend(self.types.iter().cloned());
        }
        Self { incomplete: Incomplete::Only(names), types: types.into_iter().collect(), ..fresh }
    }

    /// Everything is done again.
    pub(crate) fn anew(self, version: FhirVersion) -> Self {
        Self { incomplete: Incomplete::All, types: all_types(version), ..self }
    }

    /// The same when all is done.
    pub(crate) fn completed(&self) -> Self {
        Self { incomplete: Incomplete::none(), types: Vec::new(), ..self.clone() }
    }

    /// Remembers a base URL of this server.
    pub(crate) fn with_base(mut self, base: Option<&str>) -> Self {
        let known = |base: &&str| !self.bases.iter().any(|known| known == base);
        if let Some(base) = base.filter(known) {
            self.bases.insert(0, base.to_owned());
            self.bases.truncate(BASES_MAX);
        }
        self
    }

    pub(crate) fn write(&self) -> Bytes {
        let texts =
            |items: &[String]| items.iter().map(|item| Value::from(item.as_str())).collect::<Vec<_>>();
        let incomplete: Value = match &self.incomplete {
            Incomplete::All => Value::from("*"),
            Incomplete::Only(names) => {
                names.iter().map(|name| Value::from(name.as_str())).collect::<Vec<_>>().into()
            }
        };
        let customs: Vec<Value> =
            self.customs.iter().map(|custom| Value::from(custom.to_resource())).collect();
        let object = object! {
            "fingerprint": self.fingerprint.as_str(),
            "references": self.references,
            "customs": customs,
            "bases": texts(&self.bases),
            "incomplete": incomplete,
            "types": texts(&self.types),
        };
        Bytes::from(object.to_bytes())
    }

    /// `None` if it was not written by this program or one like it.
    pub(crate) fn read(bytes: &[u8], version: FhirVersion) -> Option<Self> {
        let limits = Limits { bytes_max: usize::MAX, nodes_max: usize::MAX, ..Limits::default() };
        let Value::Object(object) = parse(bytes, &limits).ok()? else { return None };
        let texts = |name: &str| {
            let items = list(&object, name)?.iter();
            items.map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<String>>>()
        };
        let definitions = Definitions::of(version);
        let custom = |item: &Value| match CustomParameter::read(item.as_object()?, definitions) {
            Ok(Defined::Custom(custom)) => Some(*custom),
            _ => None,
        };
        Some(Self {
            fingerprint: object.get("fingerprint")?.as_str()?.to_owned(),
            references: object.get("references")? == &Value::Bool(true),
            // What a later version of the standard publishes itself is left out.
            customs: list(&object, "customs")?.iter().filter_map(custom).collect(),
            bases: texts("bases")?,
            incomplete: match object.get("incomplete")? {
                Value::String(_) => Incomplete::All,
                _ => Incomplete::Only(texts("incomplete")?.into_iter().collect()),
            },
            types: texts("types")?,
        })
    }
}

fn list<'a>(object: &'a Object, name: &str) -> Option<&'a [Value]> {
    match object.get(name)? {
        Value::Array(items) => Some(items),
        _ => None,
    }
}

impl Progress {
    pub(crate) fn write(&self) -> Bytes {
        let after = self.after.map_or_else(|| "-".to_owned(), |place| place.0.to_string());
        Bytes::from(format!("{} {after} {}", self.types_done, self.resources))
    }

    /// What cannot be read is begun again.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let read = || {
            let mut words = core::str::from_utf8(bytes).ok()?.split(' ');
            let types_done = words.next()?.parse().ok()?;
            let after = match words.next()? {
                "-" => None,
                place => Some(Place(place.parse().ok()?)),
            };
            Some(Self { types_done, after, resources: words.next()?.parse().ok()? })
        };
        read().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSION: FhirVersion = FhirVersion::R4;

    fn custom(code: &str, base: &str) -> CustomParameter {
        let expression = format!("{base}.extension('http://e/{code}').value");
        let resource = object! {
            "resourceType": "SearchParameter", "status": "active", "code": code, "type": "token",
            "base": vec![Value::from(base)], "expression": expression.as_str(),
        };
        match CustomParameter::read(&resource, Definitions::of(VERSION)) {
            Ok(Defined::Custom(custom)) => *custom,
            other => unreachable!("{other:?}"),
        }
    }

    fn only(names: &[&str]) -> Incomplete {
        Incomplete::Only(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn what_changes_is_incomplete_and_what_stays_is_not() {
        let fresh = Manifest::fresh(VERSION, false, vec![]);
        assert_eq!(fresh.followed_by(vec![], VERSION, false, false), fresh);
        let one = fresh.followed_by(vec![custom("a", "Patient")], VERSION, false, false);
        assert_eq!((&one.incomplete, one.types.len()), (&only(&["Patient.a"]), 1));
        assert!(one.incomplete.has("Patient.a:of-type") && !one.incomplete.has("Patient.name"));
        let both = || vec![custom("a", "Patient"), custom("b", "Flag")];
        // Begun before the first was done, and after it.
        let early = one.followed_by(both(), VERSION, false, true);
        assert_eq!(early.incomplete, only(&["Patient.a", "Flag.b"]));
        assert_eq!(early.types, ["Flag", "Patient"]);
        let late = one.completed().followed_by(both(), VERSION, false, false);
        assert_eq!((late.incomplete, late.types), (only(&["Flag.b"]), vec!["Flag".to_owned()]));
        let gone = one.completed().followed_by(vec![], VERSION, false, false);
        assert_eq!((gone.incomplete, gone.types), (only(&[]), vec!["Patient".to_owned()]));
        let references = fresh.followed_by(vec![], VERSION, true, false);
        assert_eq!(references.incomplete, only(&[REFERS]));
        assert_eq!(references.types, all_types(VERSION));
        let other = Manifest { fingerprint: "another program".to_owned(), ..fresh };
        for unknown in [Manifest::unknown(VERSION), other] {
            let next = unknown.followed_by(both(), VERSION, false, false);
            assert_eq!((next.incomplete, next.types), (Incomplete::All, all_types(VERSION)));
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let manifest = Manifest::fresh(VERSION, true, vec![])
            .followed_by(vec![custom("a", "Patient"), custom("b", "Resource")], VERSION, true, false)
            .with_base(Some("http://here/R4"))
            .with_base(Some("http://here/R4"));
        assert_eq!(manifest.bases.len(), 1);
        assert_eq!(Manifest::read(&manifest.write(), VERSION), Some(manifest));
        let unknown = Manifest::unknown(VERSION);
        assert_eq!(Manifest::read(&unknown.write(), VERSION), Some(unknown));
        for bad in ["", "{}", "[]", "{\"fingerprint\":1}"] {
            assert_eq!(Manifest::read(bad.as_bytes(), VERSION), None);
        }
        for progress in
            [Progress::default(), Progress { types_done: 7, after: Some(Place(9)), resources: u64::MAX }]
        {
            assert_eq!(Progress::read(&progress.write()), progress);
        }
        assert_eq!(Progress::read(b"x"), Progress::default());
    }
}
