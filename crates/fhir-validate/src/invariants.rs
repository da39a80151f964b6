//! The rules that the base definitions state in FHIRPath, for level `strict`.
//!
//! A pass of its own over the tree: it looks only at what the tables know, and says nothing about the rest. Rules that
//! the walk over the structure checks already ([`CHECKED_ELSEWHERE`]) are left out.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::OnceLock;

use fhir_definitions::{
    Definitions, ElementDef, FhirVersion, Fields, InvariantDef, Severity, TypeDef, TypeKind,
};
use fhir_model::IssueSeverity;
use fhir_model::json::{Object, Value};
use fhirpath::{Dialect, Element, Environment, EvalError, Expression, Host, Item, Limits};

use crate::finding::Rule;
use crate::narrative;
use crate::place::Place;
use crate::report::Report;

/// Keys of the rules that the walk over the structure restates.
const CHECKED_ELSEWHERE: [&str; 10] =
    ["ele-1", "ext-1", "dom-1", "dom-2", "dom-3", "dom-4", "dom-5", "txt-1", "txt-2", "ref-1"];

/// Advice to have a narrative, which a contained resource need not have.
const NARRATIVE_ADVICE: &str = "dom-6";

/// One evaluation may take this many steps: a tenth of a second at most.
const STEPS_MAX: u64 = 1_000_000;

/// All evaluations on one resource may take this many steps together: a second at most. The largest official
/// example, a Bundle of 42 MB, takes 7 million.
const STEPS_IN_ALL_MAX: u64 = 10_000_000;

/// Resources inside resources are followed to this depth, elements in them likewise; the walk over the structure has
/// reported what is deeper.
const DEPTH_MAX: usize = 128;

/// Checks the rules on `resource` and everything inside.
pub(crate) fn check(resource: &Value, definitions: Definitions, report: &mut Report<'_>) {
    let Some(type_def) = type_of(resource, definitions) else { return };
    let steps_left = Cell::new(STEPS_IN_ALL_MAX);
    let mut pass = Pass { definitions, rules: rules(definitions.version()), report, steps_left: &steps_left };
    let (value, twin, element) = (Some(resource), None, None);
    let part = Part { value, twin, element, type_def, fields: type_def.fields() };
    pass.resource(part, None, &Place::root(type_def.name()));
}

struct Pass<'p, 's> {
    definitions: Definitions,
    rules: &'static Rules,
    report: &'p mut Report<'s>,
    /// Shared by all evaluations.
    steps_left: &'p Cell<u64>,
}

/// The parsed rules of a version, by their text.
type Rules = HashMap<&'static str, Expression>;

/// An element of the tree, and what the definitions say about it.
#[derive(Clone, Copy)]
struct Part<'a> {
    value: Option<&'a Value>,
    /// The id and extensions of a primitive.
    twin: Option<&'a Value>,
    element: Option<ElementDef>,
    type_def: TypeDef,
    fields: Fields,
}

impl Pass<'_, '_> {
    /// Checks a resource. `container` is the one around if this is a contained one.
    fn resource(&mut self, part: Part<'_>, container: Option<&Value>, place: &Place<'_>) {
        let Some(value) = part.value else { return };
        let environment = Environment::new(self.definitions)
            .with_dialect(Dialect::Invariant)
            .with_limits(Limits { steps_max: STEPS_MAX, ..Limits::default() })
            .with_allowance(self.steps_left)
            .with_host(&Narratives)
            .with_resource(Element::resource(value, self.definitions))
            .with_root_resource(Element::resource(container.unwrap_or(value), self.definitions));
        self.rules_on(part, place, &environment);
        if let Some(object) = value.as_object() {
            self.object(object, part.fields, value, place, &environment);
        }
    }

    /// Checks what stands in an object. `resource` is the resource that it is part of.
    fn object(
        &mut self,
        object: &Object,
        fields: Fields,
        resource: &Value,
        place: &Place<'_>,
        environment: &Environment<'_>,
    ) {
        if place.depth() > DEPTH_MAX {
            return;
        }
        for (key, value) in object.iter() {
            if self.report.is_full() {
                return;
            }
            let name = key.strip_prefix('_').unwrap_or(key);
            let is_twin = name != key;
            // A twin is looked at together with its value.
            if is_twin && object.contains(name) {
                continue;
            }
            let Some((element, type_ref)) = fields.resolve_json_name(name) else { continue };
            let place = place.child(element.name());
            let part = Part {
                value: (!is_twin).then_some(value),
                twin: if is_twin { Some(value) } else { twin_of(object, name, element) },
                element: Some(element),
                type_def: type_ref.profile().unwrap_or_else(|| type_ref.type_def()),
                fields: element.fields_as(type_ref),
            };
            self.member(part, resource, &place, environment);
        }
    }

    /// Checks each value of a member.
    fn member(&mut self, part: Part<'_>, resource: &Value, place: &Place<'_>, environment: &Environment<'_>) {
        let lists = [part.value, part.twin].map(|side| side.and_then(Value::as_array));
        let Some(length) = lists.iter().flatten().map(|list| list.len()).max() else {
            return self.one(part, resource, place, environment);
        };
        for index in 0..length {
            let [value, twin] = lists.map(|list| list.and_then(|list| list.get(index)));
            let not_null = |side: Option<_>| side.filter(|value: &&Value| !value.is_null());
            let item = Part { value: not_null(value), twin: not_null(twin), ..part };
            self.one(item, resource, &place.item(index), environment);
        }
    }

    /// Checks one value, and what stands inside.
    fn one(&mut self, part: Part<'_>, resource: &Value, place: &Place<'_>, environment: &Environment<'_>) {
        if part.type_def.kind() != TypeKind::Resource {
            self.rules_on(part, place, environment);
            if let Some(object) = part.value.or(part.twin).and_then(Value::as_object) {
                self.object(object, part.fields, resource, place, environment);
            }
            return;
        }
        let Some(type_def) = part.value.and_then(|value| type_of(value, self.definitions)) else { return };
        let is_contained = part.element.is_some_and(|element| element.name() == "contained");
        let nested = Part { type_def, fields: type_def.fields(), ..part };
        self.resource(nested, is_contained.then_some(resource), place);
    }

    /// Evaluates the rules of the type and of the element.
    fn rules_on(&mut self, part: Part<'_>, place: &Place<'_>, environment: &Environment<'_>) {
        let is_contained = part.element.is_some_and(|element| element.name() == "contained");
        for rule in part.type_def.invariants().chain(part.element.into_iter().flat_map(rules_of)) {
            let is_advice = is_contained && rule.key() == NARRATIVE_ADVICE;
            if !is_advice && !CHECKED_ELSEWHERE.contains(&rule.key()) {
                self.rule(rule, part, place, environment);
            }
        }
    }

    fn rule(&mut self, rule: InvariantDef, part: Part<'_>, place: &Place<'_>, environment: &Environment<'_>) {
        if self.steps_left.get() == 0 {
            return;
        }
        let Some(expression) = self.rules.get(rule.expression()) else { return };
        let focus = Item::Element(Element::new(part.value, part.twin, part.fields));
        let found = expression.evaluate(focus, environment).and_then(|found| found.to_boolean());
        match found {
            // An empty result says nothing, so it is no breach.
            Ok(Some(true) | None) => {}
            Ok(Some(false)) => {
                let severity = match rule.severity() {
                    Severity::Error => IssueSeverity::Error,
                    Severity::Warning => IssueSeverity::Warning,
                };
                let message = format_args!("{} (rule {})", rule.human().trim_end(), rule.key());
                self.report.add_with(severity, Rule::Invariant, place, message);
            }
            Err(error) => self.unchecked(rule, &error, place),
        }
    }

    /// Reports that a rule has no result: it costs too much, or what is published is no rule for this value.
    #[cold]
    fn unchecked(&mut self, rule: InvariantDef, error: &EvalError, place: &Place<'_>) {
        let message = format_args!("rule {} was not checked: {error}", rule.key());
        self.report.add(Rule::InvariantUnchecked, place, message);
        if self.steps_left.get() == 0 {
            self.report.add(
                Rule::InvariantUnchecked,
                place,
                "the rules cost too much on a resource of this size: those on later elements were not checked",
            );
        }
    }
}

/// The rules on an element; one that repeats the content of another is under the same rules.
fn rules_of(element: ElementDef) -> impl Iterator<Item = InvariantDef> {
    element.content_reference().into_iter().chain([element]).flat_map(ElementDef::invariants)
}

/// The id and extensions of a primitive that has rules of its own; for the others nothing asks for them.
fn twin_of<'a>(object: &'a Object, name: &str, element: ElementDef) -> Option<&'a Value> {
    let has_rules = rules_of(element).any(|rule| !CHECKED_ELSEWHERE.contains(&rule.key()));
    let mut members = object.iter().filter(|_| has_rules);
    members.find(|(member, _)| member.strip_prefix('_') == Some(name)).map(|(_, twin)| twin)
}

fn type_of(value: &Value, definitions: Definitions) -> Option<TypeDef> {
    definitions.resource_type(value.get("resourceType")?.as_str()?)
}

/// Answers `htmlChecks()`; knows no terminology and follows no references.
struct Narratives;

impl Host for Narratives {
    fn html_checks(&self, html: &str) -> Option<bool> {
        Some(narrative::faults_in(html).is_empty())
    }
}

/// The rules of a version, parsed when it is first validated strictly.
fn rules(version: FhirVersion) -> &'static Rules {
    static RULES: [OnceLock<Rules>; 4] = [const { OnceLock::new() }; 4];
    let [stu3, r4, r4b, r5] = &RULES;
    let slot = match version {
        FhirVersion::Stu3 => stu3,
        FhirVersion::R4 => r4,
        FhirVersion::R4b => r4b,
        FhirVersion::R5 => r5,
    };
    slot.get_or_init(|| parse_all(Definitions::of(version)))
}

fn parse_all(definitions: Definitions) -> Rules {
    let mut rules = Rules::new();
    for type_def in definitions.types() {
        let mut add = |rule: InvariantDef| {
            if !rules.contains_key(rule.expression())
                && let Ok(expression) = Expression::parse(rule.expression())
            {
                rules.insert(rule.expression(), expression);
            }
        };
        type_def.invariants().for_each(&mut add);
        for_each_element(type_def.fields(), &mut |element| element.invariants().for_each(&mut add));
    }
    rules
}

/// Calls `visit` for every element inside, at every depth; what a content reference refers to is visited where it is.
fn for_each_element(fields: Fields, visit: &mut impl FnMut(ElementDef)) {
    for element in fields.elements() {
        visit(element);
        if let Some(children) = element.children().filter(|_| element.content_reference().is_none()) {
            for_each_element(children, visit);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn every_rule(version: FhirVersion) -> Vec<InvariantDef> {
        let mut found = Vec::new();
        for type_def in Definitions::of(version).types() {
            found.extend(type_def.invariants());
            for_each_element(type_def.fields(), &mut |element| found.extend(element.invariants()));
        }
        found
    }

    #[test]
    fn every_rule_of_every_version_is_parsed() {
        for version in FhirVersion::ALL {
            for rule in every_rule(version) {
                assert!(rules(version).contains_key(rule.expression()), "{version} {}", rule.key());
            }
        }
        let count = FhirVersion::ALL.map(|version| rules(version).len());
        assert!(count.iter().all(|count| *count > 100), "{count:?}");
    }

    /// The rules that are left out are those that the walk restates, and no others that share a key with them.
    #[test]
    fn keys_that_are_left_out_are_used_once() {
        for version in FhirVersion::ALL {
            for key in CHECKED_ELSEWHERE {
                let rules = every_rule(version);
                let meanings: BTreeSet<&str> =
                    rules.iter().filter(|rule| rule.key() == key).map(|rule| rule.human()).collect();
                assert!(meanings.len() <= 2, "{version} {key}: {meanings:?}");
            }
        }
    }
}
