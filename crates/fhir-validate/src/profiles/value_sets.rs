//! Value sets that come with profiles: the codes that can be listed without a terminology server.

use std::collections::{HashMap, HashSet};

use fhir_definitions::Definitions;
use fhir_model::json::Value;

/// Value sets that include each other are followed to this depth.
const DEPTH_MAX: usize = 16;

/// The codes of a value set, as far as they can be listed.
#[derive(Debug, Default, Clone)]
pub(super) struct ValueSet {
    /// By system.
    codes: HashMap<String, HashSet<String>>,
    /// Whether these are all. A filter, or a code system that is not there, leaves the set open.
    is_complete: bool,
}

/// Whether a code is in a value set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Membership {
    In,
    Out,
    /// Nobody here can say.
    Unknown,
}

impl ValueSet {
    /// Whether a code is in the set; without a system any system will do.
    pub(super) fn membership(&self, system: Option<&str>, code: &str) -> Membership {
        let is_in = match system {
            Some(system) => self.codes.get(system).is_some_and(|codes| codes.contains(code)),
            None => self.codes.values().any(|codes| codes.contains(code)),
        };
        match (is_in, self.is_complete) {
            (true, _) => Membership::In,
            (false, true) => Membership::Out,
            (false, false) => Membership::Unknown,
        }
    }

    fn insert(&mut self, system: &str, code: &str) {
        self.codes.entry(system.to_owned()).or_default().insert(code.to_owned());
    }

    fn absorb(&mut self, other: Self) {
        self.is_complete &= other.is_complete;
        for (system, codes) in other.codes {
            self.codes.entry(system).or_default().extend(codes);
        }
    }
}

/// The ValueSet and CodeSystem resources that are there, by URL.
#[derive(Default)]
pub(super) struct Terminology<'a> {
    pub(super) value_sets: HashMap<&'a str, &'a Value>,
    pub(super) code_systems: HashMap<&'a str, &'a Value>,
}

impl Terminology<'_> {
    /// Lists the codes of every value set.
    pub(super) fn expand(&self, definitions: Definitions) -> HashMap<String, ValueSet> {
        let expanded = |url: &&str| ((*url).to_owned(), self.value_set(url, definitions, DEPTH_MAX));
        self.value_sets.keys().map(expanded).collect()
    }

    /// The codes of a value set, which the tables may know if no resource defines it.
    fn value_set(&self, url: &str, definitions: Definitions, depth: usize) -> ValueSet {
        let url = without_version(url);
        let Some(resource) = self.value_sets.get(url).filter(|_| depth > 0) else {
            return published(url, definitions).unwrap_or_default();
        };
        if let Some(expansion) = resource.get("expansion") {
            let mut set = ValueSet { is_complete: expansion.get("total").is_none(), ..ValueSet::default() };
            set.is_complete |= expansion.get("parameter").is_none();
            list_expansion(expansion, &mut set, DEPTH_MAX);
            return set;
        }
        let compose = resource.get("compose");
        let mut set = ValueSet { is_complete: true, ..ValueSet::default() };
        for include in items(compose, "include") {
            set.absorb(self.include(include, definitions, depth - 1));
        }
        for exclude in items(compose, "exclude") {
            let out = self.include(exclude, definitions, depth - 1);
            for (system, codes) in out.codes {
                if let Some(left) = set.codes.get_mut(&system) {
                    left.retain(|code| !codes.contains(code));
                }
            }
        }
        set
    }

    /// One include: the codes that it lists, all of a system, or those of other value sets. Several at once mean
    /// those that are in all, which is left open.
    fn include(&self, include: &Value, definitions: Definitions, depth: usize) -> ValueSet {
        let system = include.get("system").and_then(Value::as_str);
        let sets: Vec<&str> = items(Some(include), "valueSet").iter().filter_map(Value::as_str).collect();
        let has_filter = include.get("filter").is_some();
        match (system, sets.as_slice()) {
            (None, [only]) => self.value_set(only, definitions, depth),
            (Some(system), []) if !has_filter => self.of_system(include, system),
            _ => ValueSet::default(),
        }
    }

    fn of_system(&self, include: &Value, system: &str) -> ValueSet {
        let mut set = ValueSet { is_complete: true, ..ValueSet::default() };
        if include.get("concept").is_some() {
            list_concepts(include, system, &mut set, 1);
            return set;
        }
        let complete = |found: &&&Value| found.get("content").and_then(Value::as_str) == Some("complete");
        match self.code_systems.get(without_version(system)).filter(complete) {
            Some(code_system) => list_concepts(code_system, system, &mut set, DEPTH_MAX),
            None => set.is_complete = false,
        }
        set
    }
}

/// A value set of the specification whose codes the tables list.
pub(super) fn published(url: &str, definitions: Definitions) -> Option<ValueSet> {
    let codes = definitions.value_set(url)?.codes()?;
    let mut set = ValueSet { is_complete: true, ..ValueSet::default() };
    for group in codes.groups() {
        for code in group.codes() {
            set.insert(group.system().unwrap_or_default(), code);
        }
    }
    Some(set)
}

/// A canonical URL without what follows the bar.
pub(super) fn without_version(url: &str) -> &str {
    url.split('|').next().unwrap_or(url)
}

/// The concepts of a code system or of an include, at every level.
fn list_concepts(of: &Value, system: &str, set: &mut ValueSet, depth: usize) {
    for concept in items(Some(of), "concept") {
        if let Some(code) = concept.get("code").and_then(Value::as_str) {
            set.insert(system, code);
        }
        if depth > 1 {
            list_concepts(concept, system, set, depth - 1);
        }
    }
}

/// The codes of an expansion, at every level; headings cannot be chosen.
fn list_expansion(of: &Value, set: &mut ValueSet, depth: usize) {
    for entry in items(Some(of), "contains") {
        let text = |name: &str| entry.get(name).and_then(Value::as_str);
        let is_heading = entry.get("abstract").and_then(Value::as_bool) == Some(true);
        if let (Some(code), false) = (text("code"), is_heading) {
            set.insert(text("system").unwrap_or_default(), code);
        }
        if depth > 1 {
            list_expansion(entry, set, depth - 1);
        }
    }
}

/// The items of a member, if it is an array.
pub(super) fn items<'a>(of: Option<&'a Value>, name: &str) -> &'a [Value] {
    of.and_then(|of| of.get(name)?.as_array()).unwrap_or_default()
}
