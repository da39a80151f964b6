//! Every expression of the published definitions: invariants and search parameters of all four versions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use fhir_definitions::{
    ComponentDef, Definitions, ElementDef, FhirVersion, Fields, InvariantDef, SearchParameterDef, TypeDef,
    TypeKind,
};
use fhir_model::json::{Limits, Object, Value, parse};
use fhirpath::{Dialect, Element, Environment, Expression, Item};

/// Golden lines that we do not agree with, as `version file code`, each under its reason.
const GOLDEN_EXCEPTIONS: &str = include_str!("golden-exceptions.txt");

/// Every invariant of a version.
fn invariants(definitions: Definitions) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    for kind in definitions.types().filter(|kind| kind.kind() != TypeKind::System) {
        found.extend(kind.invariants().map(InvariantDef::expression));
        let mut open = vec![kind.fields()];
        while let Some(fields) = open.pop() {
            for element in fields.elements() {
                found.extend(element.invariants().map(InvariantDef::expression));
                // What a content reference repeats is found where it is defined.
                open.extend(element.children().filter(|_| element.content_reference().is_none()));
            }
        }
    }
    found
}

/// Every expression of a search parameter, or of a part of one.
fn searches(definitions: Definitions) -> BTreeSet<&'static str> {
    let parameters = || definitions.types().flat_map(TypeDef::search_parameters);
    let parts = parameters().flat_map(SearchParameterDef::components).map(ComponentDef::expression);
    parameters().filter_map(SearchParameterDef::expression).chain(parts).collect()
}

#[test]
fn every_published_expression_parses_and_prints() {
    for (version, rules, parameters) in [
        (FhirVersion::Stu3, 177, 1303),
        (FhirVersion::R4, 197, 1678),
        (FhirVersion::R4b, 209, 1703),
        (FhirVersion::R5, 290, 1941),
    ] {
        let definitions = Definitions::of(version);
        let (invariants, searches) = (invariants(definitions), searches(definitions));
        for text in invariants.union(&searches) {
            let expression =
                Expression::parse(text).unwrap_or_else(|error| panic!("{version}: {text}\n{error}"));
            let printed = expression.to_string();
            assert_eq!(
                Expression::parse(&printed).as_ref(),
                Ok(&expression),
                "{text} was printed as {printed}"
            );
        }
        assert_eq!((invariants.len(), searches.len()), (rules, parameters), "{version}");
    }
}

#[test]
fn the_check_finds_the_faults_of_the_published_search_expressions() {
    let mut found = Vec::new();
    for version in FhirVersion::ALL {
        let types = Definitions::of(version).types().filter(|kind| !kind.is_abstract());
        for (kind, parameter) in
            types.flat_map(|kind| kind.search_parameters().map(move |found| (kind, found)))
        {
            let Some(expression) = parameter.expression() else { continue };
            if let Err(error) = Expression::parse(expression).unwrap().check(kind) {
                found.push(format!("{version} {} {}: {error}", kind.name(), parameter.code()));
            }
        }
    }
    // They also write `as(DateTime)`, `as(Date)` and `as(String)`, but there are system types of these names.
    assert_eq!(
        found,
        [
            "STU3 ConceptMap source-uri: there is no type 'Uri'",
            "STU3 ConceptMap target-uri: there is no type 'Uri'"
        ]
    );
}

/// Larger examples are left out: they are Bundles of what the smaller ones hold, and take most of the time.
const EXAMPLE_BYTES_MAX: u64 = 32 * 1024;

/// Evaluates the invariants of every element of the official examples, as a validator does. What is listed is what the
/// examples are known for: `dom-6` asks for a narrative, the rules with `-0` for names that programs can use.
#[test]
fn invariants_hold_in_the_official_examples() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/suites");
    let (mut broken, mut versions) = (BTreeMap::new(), Vec::new());
    for (version, folder) in
        [(FhirVersion::Stu3, "examples-stu3-pairs/json"), (FhirVersion::R4, "examples-r4-pairs/json")]
    {
        let Ok(files) = std::fs::read_dir(shared.join(folder)) else {
            println!("SKIPPED: no folder {}", shared.join(folder).display());
            continue;
        };
        let mut rules = Rules::default();
        for file in
            files.map(Result::unwrap).filter(|file| file.metadata().unwrap().len() <= EXAMPLE_BYTES_MAX)
        {
            let Some(tree) = read(&file.path()) else { continue };
            let root = Element::resource(&tree, Definitions::of(version));
            rules.check(root, root, root, &mut |key, outcome| {
                *broken.entry(format!("{version} {key}: {outcome}")).or_insert(0) += 1;
            });
        }
        println!("{version}: {} evaluations", rules.evaluations);
        versions.push(format!("{version} "));
    }
    let expected = [
        ("R4 csd-0: false", 12),
        ("R4 dom-6: false", 2603),
        ("R4 pdf-0: false", 6),
        ("R4 sdf-0: false", 155),
        // The logical model `FiveWs` has no base.
        ("R4 sdf-4: false", 1),
        ("R4 spd-0: false", 19),
        ("R4 tst-0: false", 1),
        ("R4 vsd-0: false", 12),
        // STU3 joins two conditions by `|`, which gives two items where they differ.
        ("STU3 ele-1: a condition takes one item, and there are 2", 25_826),
    ];
    let expected = expected.map(|(rule, count)| (rule.to_owned(), count));
    let present =
        BTreeMap::from(expected).into_iter().filter(|(rule, _)| versions.iter().any(|v| rule.starts_with(v)));
    assert_eq!(broken, present.collect());
}

/// Parsed invariants by their text, as every validator will keep them.
#[derive(Default)]
struct Rules {
    parsed: BTreeMap<&'static str, &'static Expression>,
    evaluations: usize,
}

impl Rules {
    /// Checks an element and what is inside it, and tells of each rule that is broken.
    fn check<'a>(
        &mut self,
        element: Element<'a>,
        resource: Element<'a>,
        root: Element<'a>,
        tell: &mut dyn FnMut(&str, &str),
    ) {
        // Two files hold what their version does not know.
        let Some(found) = element.type_def() else { return };
        let definitions = found.definitions();
        // In STU3 `%resource` is never a contained one.
        let stated = if definitions.version() == FhirVersion::Stu3 { root } else { resource };
        let environment = Environment::new(definitions)
            .with_dialect(Dialect::Invariant)
            .with_resource(stated)
            .with_root_resource(root);
        let backbone = element.fields().and_then(Fields::backbone);
        let rules = backbone.into_iter().flat_map(ElementDef::invariants).chain(found.invariants());
        for rule in rules {
            self.evaluations += 1;
            let expression = self.parsed(rule.expression());
            let outcome = expression.evaluate(Item::Element(element), &environment);
            match outcome.and_then(|items| items.to_boolean()) {
                Ok(Some(true) | None) => {}
                Ok(Some(false)) => tell(rule.key(), "false"),
                Err(error) => tell(rule.key(), &error.to_string()),
            }
        }
        let fields = element.fields().unwrap();
        let members = element.value().and_then(Value::as_object).into_iter().flat_map(Object::names);
        let plain = members.map(|name| name.strip_prefix('_').unwrap_or(name));
        let known = plain.filter_map(|name| fields.resolve_json_name(name));
        for name in known.map(|(child, _)| child.name()).collect::<BTreeSet<_>>() {
            let children = self.parsed(name).evaluate(Item::Element(element), &environment).unwrap();
            for child in children.iter().filter_map(Item::as_element) {
                let is_resource = child.value().is_some_and(|value| value.get("resourceType").is_some());
                let resource = if is_resource { *child } else { resource };
                let root = if is_resource && name != "contained" { *child } else { root };
                self.check(*child, resource, root, tell);
            }
        }
    }

    fn parsed(&mut self, text: &'static str) -> &'static Expression {
        let parsed = || &*Box::leak(Box::new(Expression::parse(text).unwrap()));
        self.parsed.entry(text).or_insert_with(parsed)
    }
}

#[test]
fn search_expressions_extract_what_another_engine_extracts() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/suites");
    check_golden(FhirVersion::Stu3, &shared, &shared.join("examples-stu3-pairs/json"));
    match std::env::var_os("FIRELOCK_EXAMPLES_R4") {
        Some(examples) => check_golden(FhirVersion::R4, &shared, Path::new(&examples)),
        None => println!("SKIPPED: FIRELOCK_EXAMPLES_R4 names no folder with the official examples of R4"),
    }
}

/// What another engine extracts from the official examples by each search expression: lines of file, parameter and values.
fn check_golden(version: FhirVersion, shared: &Path, examples: &Path) {
    let name = version.label().to_lowercase();
    let golden = shared.join("search-golden").join(format!("{name}.ndjson"));
    let Ok(lines) = std::fs::read_to_string(&golden) else {
        println!("SKIPPED: no file {}", golden.display());
        return;
    };
    let definitions = Definitions::of(version);
    let exceptions: BTreeSet<&str> =
        GOLDEN_EXCEPTIONS.lines().filter(|line| !line.starts_with('#')).collect();
    let mut expressions: BTreeMap<String, Expression> = BTreeMap::new();
    let mut files: BTreeMap<String, Option<Value>> = BTreeMap::new();
    let mut counts = BTreeMap::new();
    let mut faults = Vec::new();
    for line in lines.lines() {
        let line = parse(line.as_bytes(), &Limits::default()).unwrap();
        let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (file, kind, code) = (text("file"), text("type"), text("code"));
        let tree = files.entry(file.clone()).or_insert_with(|| read(&examples.join(&file)));
        let Some(tree) = tree else {
            *counts.entry("without file").or_insert(0) += 1;
            continue;
        };
        let Some(published) =
            definitions.search_parameter(&kind, &code).and_then(SearchParameterDef::expression)
        else {
            *counts.entry("without parameter").or_insert(0) += 1;
            continue;
        };
        let expression =
            expressions.entry(published.to_owned()).or_insert_with(|| Expression::parse(published).unwrap());
        let environment = Environment::new(definitions).with_dialect(Dialect::Search);
        let found = expression.evaluate(Item::resource(tree, definitions), &environment).unwrap();
        let found: Vec<String> = found.iter().map(printed).collect();
        let wanted: Vec<String> =
            line.get("values").and_then(Value::as_array).unwrap().iter().map(normal).collect();
        let place = format!("{version} {file} {code}");
        if found == wanted {
            *counts.entry("agree").or_insert(0) += 1;
        } else if exceptions.contains(place.as_str()) {
            *counts.entry("listed").or_insert(0) += 1;
        } else {
            faults.push(format!("{place}: {published}\n    wanted {wanted:?}\n    found  {found:?}"));
        }
    }
    println!("{version}: {counts:?}");
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

fn read(path: &Path) -> Option<Value> {
    let text = std::fs::read(path).ok()?;
    Some(parse(&text, &Limits::default()).unwrap())
}

/// An item as the golden lines have it.
fn printed(item: &Item<'_>) -> String {
    match (item.json(), item.system()) {
        (Some(json), _) => normal(json),
        (None, Some(value)) => value.to_string(),
        (None, None) => "null".to_owned(),
    }
}

/// A tree without what JavaScript loses: the digits of numbers.
fn normal(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_f64().to_string(),
        Value::Array(items) => format!("[{}]", items.iter().map(normal).collect::<Vec<_>>().join(",")),
        Value::Object(object) => {
            let members = object.iter().map(|(name, value)| format!("{name}:{}", normal(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}
