//! Applying profiles to a resource.

use std::cell::Cell;

use fhir_definitions::{Fields, TypeDef, TypeKind, TypeRef};
use fhir_model::json::{Object, Value};
use fhir_model::{Reference, Target};
use fhirpath::{Dialect, Element, Environment, Item, Limits};

use super::node::{Expected, Node, Profile, ProfileRule};
use super::slices::{is_decidable, is_extension, matches, slice_of};
use super::value_sets::Membership;
use super::{CORE, Loaded, Profiles};
use crate::finding::Rule;
use crate::place::Place;
use crate::report::{AnyOf, Quoted, Report};
use crate::settings::{Level, Settings};

/// Profiles that call for other profiles are followed to this depth.
const DEPTH_MAX: usize = 32;

/// One evaluation of a rule may take this many steps.
const STEPS_MAX: u64 = 1_000_000;

/// A resource that profiles are applied to.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) resource: &'a Value,
    pub(crate) type_def: TypeDef,
    /// The resource around, if this is a contained one.
    pub(crate) container: Option<&'a Value>,
    pub(crate) place: &'a Place<'a>,
}

impl Profiles {
    /// Applies the profiles that the resource names, as far as they are loaded, and those required for its type.
    pub(crate) fn apply(
        &self,
        subject: Subject<'_>,
        required: &[String],
        settings: &Settings,
        report: &mut Report<'_>,
    ) {
        let named = subject.resource.get("meta").and_then(|meta| meta.get("profile")?.as_array());
        let named = named.unwrap_or_default().iter().filter_map(Value::as_str).map(|url| (url, false));
        let mut applied: Vec<&str> = Vec::new();
        let steps_left = Cell::new(settings.rule_steps_max);
        for (url, is_required) in named.chain(required.iter().map(|url| (url.as_str(), true))) {
            let known =
                self.0.get(url).filter(|_| !self.is_empty_for(subject.type_def.definitions().version()));
            let Some(profile) = known else {
                // Who requires a profile must know that it was not looked at.
                if is_required || (settings.level == Level::Strict && !url.starts_with(CORE)) {
                    let message =
                        format_args!("the profile {} is not known here, so it was not checked", Quoted(url));
                    report.add(Rule::ProfileUnknown, subject.place, message);
                }
                continue;
            };
            let is_of_type = subject.type_def.lineage().any(|found| found.name() == profile.type_name);
            if is_of_type && !applied.contains(&profile.url.as_str()) {
                applied.push(&profile.url);
                Application::new(&self.0, profile, subject, &steps_left, report).run();
            }
        }
    }
}

impl Loaded {
    /// Whether a code, Coding or CodeableConcept is in a value set; none if it is no such thing or has no code.
    pub(super) fn membership(&self, value_set: &str, value: &Value) -> Option<Membership> {
        let set = self.value_sets.get(value_set)?;
        let text = |coding: &Value, name: &str| coding.get(name).and_then(Value::as_str).map(str::to_owned);
        let coding = |coding: &Value| {
            Some(set.membership(
                Some(text(coding, "system").as_deref().unwrap_or_default()),
                &text(coding, "code")?,
            ))
        };
        match value {
            Value::String(code) => Some(set.membership(None, code)),
            Value::Object(object) => match object.get("coding").and_then(Value::as_array) {
                // One coding in the set will do.
                Some(codings) => codings.iter().filter_map(coding).max_by_key(|found| match found {
                    Membership::Out => 0,
                    Membership::Unknown => 1,
                    Membership::In => 2,
                }),
                None => coding(value),
            },
            _ => None,
        }
    }
}

/// One profile on one resource or data type.
struct Application<'a, 'r, 's> {
    loaded: &'a Loaded,
    profile: &'a Profile,
    subject: Subject<'a>,
    environment: Environment<'a>,
    report: &'r mut Report<'s>,
    depth: usize,
}

/// The values of an element, with what they are.
struct Occurrence<'v> {
    value: Option<&'v Value>,
    twin: Option<&'v Value>,
    index: Option<usize>,
    type_ref: TypeRef,
    fields: Fields,
}

impl<'a, 'r, 's> Application<'a, 'r, 's> {
    fn new(
        loaded: &'a Loaded,
        profile: &'a Profile,
        subject: Subject<'a>,
        steps_left: &'a Cell<u64>,
        report: &'r mut Report<'s>,
    ) -> Self {
        let definitions = subject.type_def.definitions();
        let environment = Environment::new(definitions)
            .with_dialect(Dialect::Invariant)
            .with_limits(Limits { steps_max: STEPS_MAX, ..Limits::default() })
            .with_allowance(steps_left)
            .with_resource(Element::resource(subject.resource, definitions))
            .with_root_resource(Element::resource(
                subject.container.unwrap_or(subject.resource),
                definitions,
            ));
        Self { loaded, profile, subject, environment, report, depth: 0 }
    }

    fn run(mut self) {
        let Subject { resource, type_def, place, .. } = self.subject;
        self.whole(self.profile, resource, type_def.fields(), place);
    }

    /// Applies a whole profile, and what it is based on, to a value.
    fn whole(&mut self, profile: &'a Profile, value: &Value, fields: Fields, place: &Place<'_>) {
        if self.depth >= DEPTH_MAX {
            return;
        }
        self.depth += 1;
        let outer = std::mem::replace(&mut self.profile, profile);
        self.rules(&profile.root, Some(value), None, fields, place);
        if let Some(object) = value.as_object() {
            self.children(&profile.root, object, fields, place);
        }
        let base = profile.base.as_deref().and_then(|base| self.loaded.get(base));
        if let Some(base) = base {
            self.whole(base, value, fields, place);
        }
        self.profile = outer;
        self.depth -= 1;
    }

    /// Checks the elements inside an object.
    fn children(&mut self, node: &'a Node, object: &Object, fields: Fields, place: &Place<'_>) {
        for child in &node.children {
            if self.report.is_full() {
                return;
            }
            self.element(child, &occurrences(child, object, fields), fields, place);
        }
    }

    fn element(
        &mut self,
        node: &'a Node,
        occurrences: &[Occurrence<'_>],
        fields: Fields,
        parent: &Place<'_>,
    ) {
        // The name in paths: a choice has no type.
        let known = fields.resolve_json_name(&node.name);
        let place = parent.child(known.map_or(node.name.as_str(), |(element, _)| element.name()));
        self.count(node, occurrences.len(), None, parent, &place);
        let mut counts = vec![0_usize; node.slices.len()];
        for occurrence in occurrences {
            let place = occurrence.index.map_or(place, |index| place.item(index));
            self.value(node, occurrence, &place);
            let slice = occurrence.value.and_then(|value| slice_of(node, value, self.loaded));
            match slice.and_then(|index| Some((counts.get_mut(index)?, node.slices.get(index)?))) {
                Some((count, slice)) => {
                    *count += 1;
                    self.value(&slice.node, occurrence, &place);
                }
                None => self.outside(node, &place),
            }
        }
        for (slice, count) in node.slices.iter().zip(counts) {
            if is_decidable(node, slice) {
                self.count(&slice.node, count, Some(&slice.name), parent, &place);
            }
        }
    }

    /// Checks how often an element or slice occurs.
    fn count(
        &mut self,
        node: &Node,
        count: usize,
        slice: Option<&str>,
        parent: &Place<'_>,
        place: &Place<'_>,
    ) {
        let url = &self.profile.url;
        let what = match slice {
            Some(slice) => format!("{} of the slice {slice}", node.name),
            None => node.name.clone(),
        };
        let max = node.max.unwrap_or(usize::MAX);
        if count < node.min {
            let message = match node.min {
                1 => format!("the profile {url} wants the element {what}: add it"),
                min => format!(
                    "the profile {url} wants at least {min} of the element {what}: add {}",
                    min - count
                ),
            };
            self.report.add(Rule::ProfileMissing, parent, message);
        } else if count > max {
            let message = match max {
                0 => format!("the profile {url} does not allow the element {what}: remove it"),
                max => format!(
                    "the profile {url} allows at most {max} of the element {what}: remove {}",
                    count - max
                ),
            };
            self.report.add(Rule::ProfileForbidden, place, message);
        }
    }

    /// An item that belongs to no slice, where every item must.
    fn outside(&mut self, node: &Node, place: &Place<'_>) {
        let is_closed = node.slicing.as_ref().is_some_and(|slicing| slicing.is_closed);
        if is_closed && node.slices.iter().all(|slice| is_decidable(node, slice)) {
            let names: Vec<&str> = node.slices.iter().map(|slice| slice.name.as_str()).collect();
            let message = format_args!(
                "the profile {} allows only certain items here: make it one of {}, or remove it",
                self.profile.url,
                AnyOf(&names)
            );
            self.report.add(Rule::ProfileSlice, place, message);
        }
    }

    /// Checks one value of an element.
    fn value(&mut self, node: &'a Node, occurrence: &Occurrence<'_>, place: &Place<'_>) {
        let Occurrence { value, twin, type_ref, fields, .. } = *occurrence;
        if node.max == Some(0) {
            // It has been said that it should not be there.
            return;
        }
        self.types(node, type_ref, place);
        self.rules(node, value, twin, fields, place);
        let Some(value) = value else { return };
        self.expected(node, value, place);
        self.binding(node, value, type_ref, place);
        self.targets(node, value, place);
        if let Some(object) = value.as_object() {
            self.children(node, object, fields, place);
        }
        self.conforms(node, value, fields, place);
    }

    fn types(&mut self, node: &Node, type_ref: TypeRef, place: &Place<'_>) {
        let Some(types) = &node.types else { return };
        if !types.iter().any(|name| name == type_ref.name()) {
            let names: Vec<&str> = types.iter().map(String::as_str).collect();
            let message = format_args!(
                "the profile {} does not allow the type {} here: write {}",
                self.profile.url,
                type_ref.name(),
                AnyOf(&names)
            );
            self.report.add(Rule::ProfileType, place, message);
        }
    }

    fn expected(&mut self, node: &Node, value: &Value, place: &Place<'_>) {
        let (wanted, fits, verb) = match &node.expected {
            None => return,
            Some(Expected::Fixed(wanted)) => (wanted, value == wanted, "is"),
            Some(Expected::Pattern(wanted)) => (wanted, matches(value, wanted), "has at least"),
        };
        if !fits {
            let (wanted, found) = (wanted.to_string(), value.to_string());
            let message = format_args!(
                "by the profile {} this {verb} {}, not {}: correct it",
                self.profile.url,
                Cut(&wanted),
                Cut(&found)
            );
            self.report.add(Rule::ProfileValue, place, message);
        }
    }

    fn binding(&mut self, node: &Node, value: &Value, type_ref: TypeRef, place: &Place<'_>) {
        let Some(binding) = &node.binding else { return };
        let (url, value_set) = (&self.profile.url, &binding.value_set);
        let is_coded = matches!(type_ref.name(), "Coding" | "CodeableConcept");
        match self.loaded.membership(value_set, value) {
            Some(Membership::In | Membership::Unknown) => {}
            Some(Membership::Out) if !binding.is_required => {
                let message = format_args!(
                    "the profile {url} prefers a code of the value set {value_set}: use another only if none of its \
                     codes fits"
                );
                self.report.add(Rule::ProfileCodeOther, place, message);
            }
            // Without a code, an extension may say why there is none; and nothing is said of sets nobody knows.
            None if !binding.is_required
                || !is_coded
                || value.get("extension").is_some()
                || !self.loaded.value_sets.contains_key(value_set) => {}
            Some(Membership::Out) | None => {
                let message = format_args!(
                    "the profile {url} wants a code of the value set {value_set}: choose one of its codes"
                );
                self.report.add(Rule::ProfileCode, place, message);
            }
        }
    }

    /// Checks the type that a literal reference, or one to a contained resource, points to.
    fn targets(&mut self, node: &Node, value: &Value, place: &Place<'_>) {
        let Some(targets) = &node.targets else { return };
        let reference = match value.get("reference") {
            Some(inner @ Value::Object(_)) => inner.get("reference"),
            other => other,
        };
        let Some(text) = reference.and_then(Value::as_str) else { return };
        let Some(found) = self.target_type(text) else { return };
        if !targets.contains(&found) {
            let names: Vec<&str> = targets.iter().map(String::as_str).collect();
            let message = format_args!(
                "the profile {} does not allow a reference to the type {found}: refer to {}",
                self.profile.url,
                AnyOf(&names)
            );
            self.report.add(Rule::ProfileTarget, place, message);
        }
    }

    fn target_type(&self, text: &str) -> Option<String> {
        let reference = Reference::parse(text).ok()?;
        if reference.target != Target::Contained {
            let known = self.subject.type_def.definitions().resource_type(reference.resource_type()?)?;
            return Some(known.name().to_owned());
        }
        let around = self.subject.container.unwrap_or(self.subject.resource);
        let contained = around.get("contained").and_then(Value::as_array).unwrap_or_default();
        let has_id = |item: &&Value| item.get("id").and_then(Value::as_str) == reference.fragment;
        let found = contained.iter().find(has_id)?;
        found.get("resourceType").and_then(Value::as_str).map(str::to_owned)
    }

    /// Applies the first of the profiles that a type names and that is loaded. For an extension, the one with its url.
    fn conforms(&mut self, node: &'a Node, value: &Value, fields: Fields, place: &Place<'_>) {
        let url = value.get("url").and_then(Value::as_str).filter(|_| is_extension(&node.name));
        let wanted = |profile: &&String| url.is_none_or(|url| url == profile.as_str());
        let found = node.profiles.iter().filter(wanted).find_map(|profile| self.loaded.get(profile));
        if let Some(profile) = found {
            self.whole(profile, value, fields, place);
        }
    }

    fn rules(
        &mut self,
        node: &'a Node,
        value: Option<&Value>,
        twin: Option<&Value>,
        fields: Fields,
        place: &Place<'_>,
    ) {
        for rule in &node.rules {
            self.rule(rule, Element::new(value, twin, fields), place);
        }
    }

    fn rule(&mut self, rule: &ProfileRule, focus: Element<'_>, place: &Place<'_>) {
        let found = rule.expression.evaluate(Item::Element(focus), &self.environment);
        match found.and_then(|found| found.to_boolean()) {
            Ok(Some(true) | None) => {}
            Ok(Some(false)) => {
                let message =
                    format_args!("{} (rule {} of the profile {})", rule.human, rule.key, self.profile.url);
                self.report.add_with(rule.severity, Rule::ProfileInvariant, place, message);
            }
            Err(error) => {
                let message = format_args!("rule {} was not checked: {error}", rule.key);
                self.report.add(Rule::InvariantUnchecked, place, message);
            }
        }
    }
}

/// A printed value, cut for a sentence.
struct Cut<'a>(&'a str);

impl std::fmt::Display for Cut<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.chars().nth(200).is_some() { write!(f, "{}", Quoted(self.0)) } else { f.write_str(self.0) }
    }
}

/// What stands in an object for a node.
fn occurrences<'v>(node: &Node, object: &'v Object, fields: Fields) -> Vec<Occurrence<'v>> {
    let mut found = Vec::new();
    for (key, value) in object.iter() {
        let name = key.strip_prefix('_').unwrap_or(key);
        let is_twin = name != key;
        if !name.starts_with(node.name.as_str()) || (is_twin && object.contains(name)) {
            continue;
        }
        let Some((element, type_ref)) = fields.resolve_json_name(name) else { continue };
        if name != node.name && element.name() != node.name {
            continue;
        }
        let (value, twin) = if is_twin { (None, Some(value)) } else { (Some(value), twin_of(object, name)) };
        let inner = |value: Option<&Value>| inner_fields(element.fields_as(type_ref), type_ref, value);
        let lists = [value, twin].map(|side| side.and_then(Value::as_array));
        match lists.iter().flatten().map(|list| list.len()).max() {
            None => found.push(Occurrence { value, twin, index: None, type_ref, fields: inner(value) }),
            Some(length) => found.extend((0..length).map(|index| {
                let [value, twin] =
                    lists.map(|list| list.and_then(|list| list.get(index)).filter(|item| !item.is_null()));
                Occurrence { value, twin, index: Some(index), type_ref, fields: inner(value) }
            })),
        }
    }
    found
}

fn twin_of<'v>(object: &'v Object, name: &str) -> Option<&'v Value> {
    object.iter().find(|(member, _)| member.strip_prefix('_') == Some(name)).map(|(_, twin)| twin)
}

/// What may stand inside a value: for a resource, what its own type says.
fn inner_fields(fields: Fields, type_ref: TypeRef, value: Option<&Value>) -> Fields {
    if type_ref.type_def().kind() != TypeKind::Resource {
        return fields;
    }
    let named = value.and_then(|value| value.get("resourceType")?.as_str());
    let definitions = type_ref.type_def().definitions();
    named.and_then(|name| definitions.resource_type(name)).map_or(fields, TypeDef::fields)
}
