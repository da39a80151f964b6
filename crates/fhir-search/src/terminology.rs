//! Codes that a value set or a code system stands for, as far as their resources list them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use fhir_definitions::Definitions;
use fhir_model::json::{Object, Value as Json};
use storage_api::{CodingTest, SystemTest};

/// Codes that one value of a search may stand for.
const CODES_MAX: usize = 2_000;

/// Levels of concepts within concepts.
const DEPTH_MAX: usize = 32;

/// A resource that a search needs to be understood.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wanted {
    /// A ValueSet, by its canonical URL or as `ValueSet/id`.
    ValueSet(String),
    /// A CodeSystem by its URL.
    CodeSystem(String),
}

/// Why the codes of a set cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlisted {
    /// Neither the definitions nor the server have it.
    Unknown,
    /// It is described by rules, not listed.
    Rules,
    /// It has more than are taken.
    TooMany,
}

/// What is known of value sets and code systems: what the FHIR version defines, and resources that were brought.
#[derive(Clone, Debug, Default)]
pub struct Terminology {
    known: BTreeMap<Wanted, Json>,
}

type Codes = Result<Vec<CodingTest>, Unlisted>;

impl Terminology {
    /// Adds a resource.
    pub fn insert(&mut self, wanted: Wanted, resource: Json) {
        self.known.insert(wanted, resource);
    }

    /// The codes of a value set. A version behind `|` is passed over in the definitions, which have one.
    pub(crate) fn value_set(&self, definitions: Definitions, url: &str) -> Codes {
        if let Some(resource) = self.known.get(&Wanted::ValueSet(url.to_owned())) {
            return of_value_set(resource);
        }
        let plain = url.split_once('|').map_or(url, |(plain, _)| plain);
        let defined = definitions.value_set(plain).and_then(fhir_definitions::ValueSetDef::codes);
        let groups = defined.ok_or(Unlisted::Unknown)?.groups();
        let codes = groups.flat_map(|group| group.codes().map(move |code| test(group.system(), Some(code))));
        limited(codes.collect())
    }

    /// A code with all below it, or all above it.
    pub(crate) fn subsumed(&self, system: &str, code: &str, above: bool) -> Codes {
        let resource = self.known.get(&Wanted::CodeSystem(system.to_owned())).ok_or(Unlisted::Unknown)?;
        let complete = resource.get("content").and_then(Json::as_str) == Some("complete");
        let has_filter = resource.get("hierarchyMeaning").and_then(Json::as_str).unwrap_or("is-a") != "is-a";
        if !complete || has_filter {
            return Err(Unlisted::Rules);
        }
        let mut hierarchy = Hierarchy { parents: BTreeMap::new() };
        hierarchy.add(resource.as_object().ok_or(Unlisted::Unknown)?, None, 0)?;
        let Some((code, _)) = hierarchy.parents.get_key_value(code) else { return Err(Unlisted::Unknown) };
        let codes =
            if above { reached(&hierarchy.parents, code) } else { reached(&hierarchy.children(), code) };
        let known = codes.into_iter().filter(|code| hierarchy.parents.contains_key(code));
        limited(known.map(|code| test(Some(system), Some(code))).collect())
    }
}

/// The codes of a code system with those right above them.
struct Hierarchy<'a> {
    parents: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Hierarchy<'a> {
    fn add(&mut self, holder: &'a Object, parent: Option<&'a str>, depth: usize) -> Result<(), Unlisted> {
        if depth > DEPTH_MAX {
            return Err(Unlisted::TooMany);
        }
        for concept in objects(holder, "concept") {
            let Some(code) = text(concept, "code") else { continue };
            self.parents.entry(code).or_default().extend(parent);
            // A concept may name those above it, or those below it, by a property too.
            for property in objects(concept, "property") {
                match (text(property, "code"), text(property, "valueCode")) {
                    (Some("parent"), Some(other)) => self.parents.entry(code).or_default().push(other),
                    (Some("child"), Some(other)) => self.parents.entry(other).or_default().push(code),
                    _ => {}
                }
            }
            self.add(concept, Some(code), depth + 1)?;
        }
        Ok(())
    }

    /// The codes with those right below them.
    fn children(&self) -> BTreeMap<&'a str, Vec<&'a str>> {
        let mut children: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (code, parents) in &self.parents {
            for parent in parents {
                children.entry(parent).or_default().push(code);
            }
        }
        children
    }
}

/// A code, what it leads to, what that leads to, and so on, each looked at once.
fn reached<'a>(next: &BTreeMap<&'a str, Vec<&'a str>>, code: &'a str) -> BTreeSet<&'a str> {
    let (mut seen, mut waiting) = (BTreeSet::from([code]), vec![code]);
    while let Some(one) = waiting.pop() {
        waiting.extend(next.get(one).into_iter().flatten().copied().filter(|other| seen.insert(*other)));
    }
    seen
}

/// What a ValueSet lists: its expansion, or the concepts and whole systems that it is composed of.
fn of_value_set(resource: &Json) -> Codes {
    let member = |name| resource.get(name).and_then(Json::as_object);
    if let Some(expansion) = member("expansion") {
        let mut codes = Vec::new();
        contained(expansion, &mut codes, 0)?;
        return limited(codes);
    }
    let compose = member("compose").ok_or(Unlisted::Rules)?;
    let mut codes = Vec::new();
    for part in objects(compose, "include") {
        codes.extend(listed(part)?);
    }
    let mut excluded = HashSet::new();
    for part in objects(compose, "exclude") {
        excluded.extend(listed(part)?);
    }
    // A single code cannot be taken out of a whole system, nor a system out of single codes, by comparing tests.
    let is_whole = |test: &CodingTest| test.code.is_none();
    if !excluded.is_empty() && codes.iter().any(is_whole) || excluded.iter().any(is_whole) {
        return Err(Unlisted::Rules);
    }
    codes.retain(|code| !excluded.contains(code));
    limited(codes)
}

fn contained(holder: &Object, codes: &mut Vec<CodingTest>, depth: usize) -> Result<(), Unlisted> {
    if depth > DEPTH_MAX || codes.len() > CODES_MAX {
        return Err(Unlisted::TooMany);
    }
    for item in objects(holder, "contains") {
        let is_group = item.get("abstract").and_then(Json::as_bool) == Some(true);
        if let Some(code) = text(item, "code").filter(|_| !is_group) {
            codes.push(test(text(item, "system"), Some(code)));
        }
        contained(item, codes, depth + 1)?;
    }
    Ok(())
}

/// `compose.include`: concepts of a system, or all of it. What filters or other sets give is not known here.
fn listed(part: &Object) -> Codes {
    let system = text(part, "system").ok_or(Unlisted::Rules)?;
    if part.get("filter").is_some() || part.get("valueSet").is_some() {
        return Err(Unlisted::Rules);
    }
    if part.get("concept").is_none() {
        return Ok(vec![test(Some(system), None)]);
    }
    let codes = objects(part, "concept").filter_map(|concept| text(concept, "code"));
    limited(codes.map(|code| test(Some(system), Some(code))).collect())
}

fn limited(codes: Vec<CodingTest>) -> Codes {
    if codes.len() > CODES_MAX { Err(Unlisted::TooMany) } else { Ok(codes) }
}

fn test(system: Option<&str>, code: Option<&str>) -> CodingTest {
    let system = system.map_or(SystemTest::Any, |system| SystemTest::Is(system.into()));
    CodingTest { code: code.map(Into::into), system }
}

fn objects<'a>(object: &'a Object, name: &str) -> impl Iterator<Item = &'a Object> {
    object.get(name).and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_object)
}

fn text<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Json::as_str)
}

#[cfg(test)]
mod tests {
    use fhir_definitions::FhirVersion;
    use fhir_model::json::{Limits, parse};

    use super::*;

    fn json(text: &str) -> Json {
        parse(text.as_bytes(), &Limits::default()).unwrap()
    }

    fn shown(codes: Codes) -> Result<Vec<String>, Unlisted> {
        let show = |test: CodingTest| {
            let system = match test.system {
                SystemTest::Is(system) => system.to_string(),
                _ => String::new(),
            };
            format!("{system}|{}", test.code.unwrap_or_default())
        };
        codes.map(|codes| codes.into_iter().map(show).collect())
    }

    #[test]
    fn value_sets_that_list_their_codes() {
        for (resource, expected) in [
            (
                r#"{"compose":{"include":[{"system":"s","concept":[{"code":"a"},{"code":"b"}]},{"system":"t"}]}}"#,
                Ok(&["s|a", "s|b", "t|"][..]),
            ),
            (
                r#"{"compose":{"include":[{"system":"s","concept":[{"code":"a"},{"code":"b"}]}],"exclude":[{"system":"s","concept":[{"code":"b"}]}]}}"#,
                Ok(&["s|a"]),
            ),
            (
                r#"{"expansion":{"contains":[{"system":"s","code":"x","abstract":true,"contains":[{"system":"s","code":"a"}]}]},"compose":{"include":[{"filter":[]}]}}"#,
                Ok(&["s|a"]),
            ),
            (r#"{"compose":{"include":[{"system":"s","filter":[{"op":"is-a"}]}]}}"#, Err(Unlisted::Rules)),
            (r#"{"compose":{"include":[{"valueSet":["v"]}]}}"#, Err(Unlisted::Rules)),
            (
                r#"{"compose":{"include":[{"system":"s"}],"exclude":[{"system":"s","concept":[{"code":"b"}]}]}}"#,
                Err(Unlisted::Rules),
            ),
            ("{}", Err(Unlisted::Rules)),
        ] {
            let expected = expected.map(|codes| codes.iter().map(|code| (*code).to_owned()).collect());
            assert_eq!(shown(of_value_set(&json(resource))), expected, "{resource}");
        }
        let definitions = Definitions::of(FhirVersion::R4);
        let url = "http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1";
        assert_eq!(Terminology::default().value_set(definitions, url).map(|codes| codes.len()), Ok(4));
        assert_eq!(Terminology::default().value_set(definitions, "http://no"), Err(Unlisted::Unknown));
    }

    #[test]
    fn code_systems_say_what_is_below_and_above() {
        let system = r#"{"content":"complete","concept":[{"code":"a","concept":[{"code":"b","concept":[{"code":"c"}]},{"code":"d"}]},
            {"code":"e","property":[{"code":"parent","valueCode":"b"}]}]}"#;
        let mut terminology = Terminology::default();
        terminology.insert(Wanted::CodeSystem("s".into()), json(system));
        terminology.insert(Wanted::CodeSystem("t".into()), json(r#"{"content":"fragment"}"#));
        for (code, above, expected) in [
            ("b", false, &["s|b", "s|c", "s|e"][..]),
            ("c", false, &["s|c"]),
            ("e", true, &["s|a", "s|b", "s|e"]),
            ("a", true, &["s|a"]),
        ] {
            let found = shown(terminology.subsumed("s", code, above));
            assert_eq!(found, Ok(expected.iter().map(|code| (*code).to_owned()).collect()), "{code}");
        }
        assert_eq!(terminology.subsumed("s", "x", true), Err(Unlisted::Unknown));
        // Each looked at once, however many lead to it: a chain of thousands, and one that ends where it began.
        let concept = |n: usize| {
            let parent = if n == 0 { 19_999 } else { n - 1 };
            format!(r#"{{"code":"{n}","property":[{{"code":"parent","valueCode":"{parent}"}}]}}"#)
        };
        let concepts: Vec<String> = (0..20_000).map(concept).collect();
        let chain = format!(r#"{{"content":"complete","concept":[{}]}}"#, concepts.join(","));
        let open = chain.replacen("19999", "none", 1);
        terminology.insert(Wanted::CodeSystem("ring".into()), json(&chain));
        terminology.insert(Wanted::CodeSystem("chain".into()), json(&open));
        let count = |system, code, above| terminology.subsumed(system, code, above).map(|codes| codes.len());
        assert_eq!(count("ring", "7", true), Err(Unlisted::TooMany));
        assert_eq!(count("chain", "0", false), Err(Unlisted::TooMany));
        assert_eq!((count("chain", "500", true), count("chain", "19000", false)), (Ok(501), Ok(1000)));
        assert_eq!(terminology.subsumed("t", "x", true), Err(Unlisted::Rules));
        assert_eq!(terminology.subsumed("u", "x", true), Err(Unlisted::Unknown));
    }
}
