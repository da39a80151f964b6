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

/// The name under which the words of every type are incomplete.
const WORDS: &str = "_content";

/// What makes the terms of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// That of the program; empty if nobody knows.
    fingerprint: String,
    /// What is indexed beside search parameters.
    pub(crate) extent: Extent,
    /// Those of `customs` that the API has of its own.
    own: Vec<CustomParameter>,
    /// Parameters beside the published ones that are in force: those of the API, and those defined on the server.
    pub(crate) customs: Vec<CustomParameter>,
    /// References below these are to this server.
    pub(crate) bases: Vec<String>,
    /// By what older resources may not be found yet.
    pub(crate) incomplete: Incomplete,
    /// Whose older resources are indexed anew; in order.
    pub(crate) types: Vec<String>,
}

/// What is indexed beside search parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// What a resource refers to.
    pub(crate) references: bool,
    /// The words of resources.
    pub(crate) full_text: bool,
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
            Self::Only(names) => {
                let code = name.split_once('.').map_or(name, |(_, code)| code);
                names.contains(name) || (code == WORDS && names.contains(code))
            }
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
            Clause::Refers { param, query, named } | Clause::Referred { param, query, named } => {
                let named = named.iter().flat_map(|named| [&named.uri, &named.version]);
                let mut params = named.chain([param]);
                match params.find(|param| self.has(param)) {
                    Some(param) => Some(param.as_str()),
                    None => self.within(query),
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
    pub(crate) fn fresh(
        version: FhirVersion,
        extent: Extent,
        own: Vec<CustomParameter>,
        defined: Vec<CustomParameter>,
    ) -> Self {
        let mut customs = own.clone();
        for custom in defined {
            if !customs.contains(&custom) {
                customs.push(custom);
            }
        }
        Self {
            fingerprint: fingerprint(version),
            extent,
            own,
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
            ..Self::fresh(version, Extent::default(), Vec::new(), Vec::new())
        }
    }

    /// As long as nothing could be begun: nothing is known to be complete, and what is written is of no known make.
    pub(crate) fn doubted(self, extent: Extent) -> Self {
        Self { fingerprint: String::new(), extent, incomplete: Incomplete::All, ..self }
    }

    /// Whether a generation of this program has yet to begin.
    pub(crate) fn is_doubted(&self) -> bool {
        self.fingerprint.is_empty()
    }

    /// Whether its terms are those that this program makes.
    pub(crate) fn is_of_this_program(
        &self,
        version: FhirVersion,
        extent: Extent,
        own: &[CustomParameter],
    ) -> bool {
        self.fingerprint == fingerprint(version) && self.extent == extent && self.own == own
    }

    /// The parameters in force that were defined on the server.
    pub(crate) fn defined(&self) -> Vec<CustomParameter> {
        self.customs.iter().filter(|custom| !self.own.contains(custom)).cloned().collect()
    }

    /// What follows it when these parameters are in force. `unfinished`: older resources of it were not all indexed.
    pub(crate) fn followed_by(
        &self,
        own: Vec<CustomParameter>,
        defined: Vec<CustomParameter>,
        version: FhirVersion,
        extent: Extent,
        unfinished: bool,
    ) -> Self {
        let fresh = Self { bases: self.bases.clone(), ..Self::fresh(version, extent, own, defined) };
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
        if extent.full_text != self.extent.full_text {
            // Words that nobody asks for go too: they are many.
            names.extend(extent.full_text.then(|| WORDS.to_owned()));
            types.extend(all_types(version));
        }
        if extent.references && !self.extent.references {
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
        let resources = |customs: &[CustomParameter]| {
            customs.iter().map(|custom| Value::from(custom.to_resource())).collect::<Vec<Value>>()
        };
        let object = object! {
            "fingerprint": self.fingerprint.as_str(),
            "references": self.extent.references,
            "fullText": self.extent.full_text,
            "own": resources(&self.own),
            "customs": resources(&self.customs),
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
        let is_set = |name: &str| object.get(name) == Some(&Value::Bool(true));
        Some(Self {
            fingerprint: object.get("fingerprint")?.as_str()?.to_owned(),
            extent: Extent {
                references: is_set("references"),
                // Where nothing is said of these, the manifest is one from before there were any.
                full_text: is_set("fullText"),
            },
            own: list(&object, "own").unwrap_or_default().iter().filter_map(custom).collect(),
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
    const OFF: Extent = Extent { references: false, full_text: false };
    const REFERENCES: Extent = Extent { references: true, full_text: false };
    const ALL: Extent = Extent { references: true, full_text: true };

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
        let fresh = Manifest::fresh(VERSION, OFF, vec![], vec![]);
        assert_eq!(fresh.followed_by(vec![], vec![], VERSION, OFF, false), fresh);
        let one = fresh.followed_by(vec![], vec![custom("a", "Patient")], VERSION, OFF, false);
        assert_eq!((&one.incomplete, one.types.len()), (&only(&["Patient.a"]), 1));
        assert!(one.incomplete.has("Patient.a:of-type") && !one.incomplete.has("Patient.name"));
        let both = || vec![custom("a", "Patient"), custom("b", "Flag")];
        // Begun before the first was done, and after it.
        let early = one.followed_by(vec![], both(), VERSION, OFF, true);
        assert_eq!(early.incomplete, only(&["Patient.a", "Flag.b"]));
        assert_eq!(early.types, ["Flag", "Patient"]);
        let late = one.completed().followed_by(vec![], both(), VERSION, OFF, false);
        assert_eq!((late.incomplete, late.types), (only(&["Flag.b"]), vec!["Flag".to_owned()]));
        let gone = one.completed().followed_by(vec![], vec![], VERSION, OFF, false);
        assert_eq!((gone.incomplete, gone.types), (only(&[]), vec!["Patient".to_owned()]));
        let references = fresh.followed_by(vec![], vec![], VERSION, REFERENCES, false);
        assert_eq!(references.incomplete, only(&[REFERS]));
        assert_eq!(references.types, all_types(VERSION));
        let other = Manifest { fingerprint: "another program".to_owned(), ..fresh };
        for unknown in [Manifest::unknown(VERSION), other] {
            let next = unknown.followed_by(vec![], both(), VERSION, OFF, false);
            assert_eq!((next.incomplete, next.types), (Incomplete::All, all_types(VERSION)));
        }
    }

    #[test]
    fn words_begin_and_end_for_every_type() {
        let words = Extent { full_text: true, ..OFF };
        let fresh = Manifest::fresh(VERSION, OFF, vec![], vec![]);
        assert!(!fresh.is_of_this_program(VERSION, words, &[]));
        let with = fresh.followed_by(vec![], vec![], VERSION, words, false);
        assert_eq!((&with.incomplete, &with.types), (&only(&["_content"]), &all_types(VERSION)));
        assert!(with.incomplete.has("Patient._content") && !with.incomplete.has("Patient.name"));
        assert!(!with.incomplete.has("Patient._tag") && !with.completed().incomplete.has("Patient._content"));
        let without = with.completed().followed_by(vec![], vec![], VERSION, OFF, false);
        assert_eq!((&without.incomplete, &without.types), (&only(&[]), &all_types(VERSION)));
    }

    #[test]
    fn what_an_api_has_of_its_own_is_part_of_what_makes_the_terms() {
        let own = |code: &str| vec![custom(code, "Flag")];
        let defined = vec![custom("d", "Patient")];
        let first = Manifest::fresh(VERSION, OFF, own("a"), defined.clone());
        assert!(first.is_of_this_program(VERSION, OFF, &own("a")));
        for other in [own("b"), vec![], [own("a"), own("b")].concat()] {
            assert!(!first.is_of_this_program(VERSION, OFF, &other));
            let next = first.followed_by(other.clone(), first.defined(), VERSION, OFF, false);
            assert_eq!(next.customs, [other.clone(), defined.clone()].concat(), "the old one is gone");
            assert_eq!(next.incomplete.has("Flag.b"), other.contains(&own("b")[0]));
            assert!(next.types.contains(&"Flag".to_owned()) && !next.incomplete.has("Patient.d"));
        }
        // What is defined and what the API has of its own may be the same.
        let same = Manifest::fresh(VERSION, OFF, own("a"), own("a"));
        assert_eq!((same.customs.len(), same.defined()), (1, vec![]));
    }

    /// What an API has of its own comes back from the store as it was, so a start finds that nothing changed.
    #[test]
    fn what_the_apis_of_spine_have_of_their_own_is_kept() {
        use rulebook::spine::{FlagsRulebook, Security};
        use rulebook::{ConflictBody, NrlRulebook, NrlSpec, Rulebook, SpineRulebook};

        let version = FhirVersion::Stu3;
        let locks = SpineRulebook::default_locks();
        let flags = FlagsRulebook::new(locks, ConflictBody::default(), Security::default());
        let nrl = NrlRulebook::new(NrlRulebook::default_locks(), NrlSpec::default(), Security::default());
        for rulebook in [&flags as &dyn Rulebook, &nrl] {
            let own = super::super::own_parameters(rulebook);
            assert!(!own.is_empty());
            let manifest = Manifest::fresh(version, OFF, own.clone(), vec![]);
            let read = Manifest::read(&manifest.write(), version).unwrap();
            assert!(read.is_of_this_program(version, OFF, &own));
            assert!(!read.is_of_this_program(version, OFF, &own[1..]));
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let manifest = Manifest::fresh(VERSION, ALL, vec![custom("own", "Flag")], vec![])
            .followed_by(
                vec![custom("own", "Flag")],
                vec![custom("a", "Patient"), custom("b", "Resource")],
                VERSION,
                ALL,
                false,
            )
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
