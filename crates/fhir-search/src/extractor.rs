//! From a resource to its terms.

use std::cell::Cell;
use std::sync::{Arc, OnceLock};

use fhir_definitions::{Definitions, FhirVersion, TypeDef, resource_types};
use fhir_model::json::{Object, Value as Json};
use fhirpath::{Collection, Dialect, Environment, EvalError, Item};
use storage_api::{Term, Value};

use crate::custom::CustomParameter;
use crate::error::ExtractError;
use crate::full_text::full_text;
use crate::parameters::{Parameters, Rule, bound_system, compile};
use crate::values::{Place, side_terms, values};

/// Raised with every change of what terms a resource has: stores that have others are indexed anew. A test tells when it
/// was forgotten.
const REVISION: u64 = 5;

/// Steps that all custom parameters together may take on one resource: a few milliseconds.
const CUSTOM_STEPS_MAX: u64 = 50_000;

/// Items and bytes that the expression of one may make.
const CUSTOM_LIMITS: fhirpath::Limits =
    fhirpath::Limits { steps_max: CUSTOM_STEPS_MAX, items_max: 10_000, text_bytes_max: 1 << 16 };

/// The search parameters of one FHIR version, each type's compiled when it is first asked for.
#[derive(Debug)]
pub struct Extractor {
    definitions: Definitions,
    customs: Vec<Arc<CustomParameter>>,
    /// Answers for types that have no custom parameter.
    published: Option<&'static Extractor>,
    /// Sorted by name.
    types: Vec<(&'static str, OnceLock<Option<Parameters>>)>,
    /// Whether resources are found by their words.
    full_text: bool,
}

impl Extractor {
    /// The published parameters of a version.
    pub fn of(version: FhirVersion) -> &'static Self {
        static ALL: [OnceLock<Extractor>; 4] = [const { OnceLock::new() }; 4];
        let [stu3, r4, r4b, r5] = &ALL;
        let cell = match version {
            FhirVersion::Stu3 => stu3,
            FhirVersion::R4 => r4,
            FhirVersion::R4b => r4b,
            FhirVersion::R5 => r5,
        };
        cell.get_or_init(|| Self::new(Definitions::of(version)))
    }

    fn new(definitions: Definitions) -> Self {
        let mut types: Vec<_> =
            resource_types(definitions.version()).iter().map(|name| (*name, OnceLock::new())).collect();
        types.sort_unstable_by_key(|(name, _)| *name);
        Self { definitions, customs: Vec::new(), published: None, types, full_text: false }
    }

    /// The published parameters of a version and others that were defined on the server. Of several with one code and
    /// type the first counts, behind a published one.
    pub fn with_custom(version: FhirVersion, customs: Vec<CustomParameter>) -> Self {
        let published = Self::of(version);
        let customs: Vec<Arc<CustomParameter>> = customs.into_iter().map(Arc::new).collect();
        let has_custom = |name: &str| {
            let found = published.definitions.resource_type(name);
            found.is_some_and(|found| customs.iter().any(|custom| custom.is_for(found)))
        };
        let names = published.types.iter().map(|(name, _)| *name).filter(|name| has_custom(name));
        let types = names.map(|name| (name, OnceLock::new())).collect();
        Self {
            definitions: published.definitions,
            customs,
            published: Some(published),
            types,
            full_text: false,
        }
    }

    /// The same, and whether resources are found by their words, through `_text` and `_content`; otherwise they are not.
    #[must_use]
    pub fn with_full_text(self, full_text: bool) -> Self {
        Self { full_text, ..self }
    }

    /// Whether resources are found by their words.
    pub fn has_full_text(&self) -> bool {
        self.full_text
    }

    /// The parameters that were defined on the server.
    pub fn customs(&self) -> impl ExactSizeIterator<Item = &CustomParameter> {
        self.customs.iter().map(AsRef::as_ref)
    }

    /// Tells apart what makes other terms of the same resources, custom parameters and words apart: it changes with the published
    /// parameters and with the program.
    pub fn fingerprint(&self) -> u64 {
        static ALL: [OnceLock<u64>; 4] = [const { OnceLock::new() }; 4];
        let [stu3, r4, r4b, r5] = &ALL;
        let cell = match self.definitions.version() {
            FhirVersion::Stu3 => stu3,
            FhirVersion::R4 => r4,
            FhirVersion::R4b => r4b,
            FhirVersion::R5 => r5,
        };
        *cell.get_or_init(|| self.published_fingerprint())
    }

    fn published_fingerprint(&self) -> u64 {
        let version = self.definitions.version();
        let mut hash = Fnv::default();
        hash.add(&REVISION.to_le_bytes());
        for owner in resource_types(version).iter().filter_map(|name| self.definitions.resource_type(name)) {
            hash.add(owner.name().as_bytes());
            for known in owner.search_parameters() {
                hash.add(known.code().as_bytes());
                hash.add(known.search_type().code().as_bytes());
                let expression = known.expression().unwrap_or_default();
                hash.add(expression.as_bytes());
                // Codes get the system of their binding.
                hash.add(bound_system(owner, expression).unwrap_or_default().as_bytes());
                for part in known.components() {
                    hash.add(part.search_type().code().as_bytes());
                    hash.add(part.expression().as_bytes());
                }
            }
        }
        hash.0
    }

    /// The definitions that the parameters come from.
    pub fn definitions(&self) -> Definitions {
        self.definitions
    }

    /// The parameters of a resource type; none for a name that is no resource type.
    pub fn parameters(&self, resource_type: &str) -> Option<&Parameters> {
        let Ok(found) = self.types.binary_search_by(|(name, _)| (*name).cmp(resource_type)) else {
            return self.published?.parameters(resource_type);
        };
        let (name, cell) = self.types.get(found)?;
        cell.get_or_init(|| compile(self.definitions, name, &self.customs)).as_ref()
    }

    /// The resource types.
    pub fn types(&self) -> impl ExactSizeIterator<Item = &'static str> {
        resource_types(self.definitions.version()).iter().copied()
    }

    /// What a resource is found by: sorted, without doubles; empty if its type is not known.
    ///
    /// An absolute reference below one of `bases` (without a slash at their ends) is one to this server.
    pub fn terms(&self, resource: &Json, bases: &[&str]) -> Result<Vec<Term>, ExtractError> {
        let mut terms = Vec::new();
        if let Some((object, parameters)) = self.known(resource) {
            let (published, custom): (Vec<&Rule>, Vec<&Rule>) =
                due(object, parameters).into_iter().partition(|rule| !rule.is_custom);
            self.published_terms(&published, resource, bases, &mut terms)?;
            if !custom.is_empty() {
                let context = Item::resource(resource, self.definitions);
                self.custom_terms(&custom, &context, bases, &mut terms);
            }
            if let Some(Json::Array(contained)) = object.get("contained") {
                let container = object.get("resourceType").and_then(Json::as_str).unwrap_or_default();
                for inner in contained {
                    self.contained_terms(container, inner, bases, &mut terms)?;
                }
            }
            let named = object.get("resourceType").and_then(Json::as_str).unwrap_or_default();
            if self.full_text
                && let Some(owner) = self.definitions.resource_type(named)
            {
                terms.extend(full_text(object, owner));
            }
        }
        terms.sort_unstable();
        terms.dedup();
        Ok(terms)
    }

    /// A resource of a known type, with the parameters of that.
    pub(crate) fn known<'a>(&'a self, resource: &'a Json) -> Option<(&'a Object, &'a Parameters)> {
        let object = resource.as_object()?;
        Some((object, self.parameters(object.get("resourceType").and_then(Json::as_str)?)?))
    }

    pub(crate) fn published_terms(
        &self,
        rules: &[&Rule],
        resource: &Json,
        bases: &[&str],
        terms: &mut Vec<Term>,
    ) -> Result<(), ExtractError> {
        let environment = Environment::new(self.definitions).with_dialect(Dialect::Search);
        let context = Item::resource(resource, self.definitions);
        terms.reserve(2 * rules.len());
        rules.iter().try_for_each(|rule| rule.extract(&context, &environment, bases, terms))
    }

    /// What somebody defined must not keep resources from being written: a parameter that cannot be evaluated on this one
    /// gives nothing.
    fn custom_terms(&self, rules: &[&Rule], context: &Item<'_>, bases: &[&str], terms: &mut Vec<Term>) {
        let allowance = Cell::new(CUSTOM_STEPS_MAX);
        let environment = Environment::new(self.definitions)
            .with_dialect(Dialect::Search)
            .with_limits(CUSTOM_LIMITS)
            .with_allowance(&allowance);
        for rule in rules {
            let before = terms.len();
            if rule.extract(context, &environment, bases, terms).is_err() {
                terms.truncate(before);
            }
        }
    }

    /// What a parameter selects in a resource, as JSON; none if the resource or the parameter is not known.
    pub fn selected(&self, resource: &Json, code: &str) -> Option<Result<Vec<Json>, ExtractError>> {
        let parameters = self.parameters(resource.get("resourceType")?.as_str()?)?;
        let parameter = parameters.get(code)?;
        let rule = parameters.rule(parameter)?;
        let environment = Environment::new(self.definitions).with_dialect(Dialect::Search);
        let context = Item::resource(resource, self.definitions);
        let found = rule.evaluate(context, &environment);
        Some(found.map(|items| {
            let only = parameter.only().map(TypeDef::name);
            let kept =
                items.iter().filter(|item| only.is_none_or(|only| crate::values::points_to(item, only)));
            kept.filter_map(json_of).collect()
        }))
    }
}

/// The rules that may give something for a resource, in order.
pub(crate) fn due<'a>(object: &Object, parameters: &'a Parameters) -> Vec<&'a Rule> {
    let mut due: Vec<usize> = parameters.always().to_vec();
    for name in object.names() {
        due.extend_from_slice(parameters.opened_by(name));
    }
    due.sort_unstable();
    due.dedup();
    let rules = due.into_iter().filter_map(|rule| parameters.rules.get(rule));
    rules.filter(|rule| rule.is_indexed).collect()
}

fn json_of(item: &Item<'_>) -> Option<Json> {
    match item {
        Item::Element(element) => element.value().cloned(),
        Item::Value(fhirpath::System::Boolean(value)) => Some(Json::Bool(*value)),
        Item::Value(value) => Some(Json::String(value.to_string().into())),
        Item::Type(_) => None,
    }
}

impl Rule {
    fn evaluate<'a>(
        &'a self,
        context: Item<'a>,
        environment: &'a Environment<'a>,
    ) -> Result<Collection<'a>, ExtractError> {
        let failed = |error| ExtractError { parameter: self.code.clone(), error };
        self.expression.evaluate(context, environment).map_err(failed)
    }

    fn extract(
        &self,
        context: &Item<'_>,
        environment: &Environment<'_>,
        bases: &[&str],
        terms: &mut Vec<Term>,
    ) -> Result<(), ExtractError> {
        let version = environment.definitions().version();
        let place = Place { search_type: self.search_type, system: self.system, bases, version };
        let items = self.evaluate(context.clone(), environment)?;
        self.mark_missing(&items, context, terms);
        let mut left = COMBINATIONS_MAX;
        for item in &*items {
            if self.components.is_empty() {
                values(item, &place, &mut |value| terms.push(Term { param: self.term.clone(), value }));
                side_terms(item, &place, &self.term, terms);
            } else {
                self.combine(item, environment, bases, &mut left, terms)?;
            }
        }
        Ok(())
    }

    /// A term for every combination of the parts' values, as long as there is room for them.
    fn combine(
        &self,
        root: &Item<'_>,
        environment: &Environment<'_>,
        bases: &[&str],
        left: &mut usize,
        terms: &mut Vec<Term>,
    ) -> Result<(), ExtractError> {
        let mut rows: Vec<Vec<Value>> = vec![Vec::with_capacity(self.components.len())];
        for (search_type, expression) in &self.components {
            let failed = |error| ExtractError { parameter: self.code.clone(), error };
            let version = environment.definitions().version();
            let place = Place { search_type: *search_type, system: None, bases, version };
            let mut parts = Vec::new();
            for item in &*expression.evaluate(root.clone(), environment).map_err(failed)? {
                values(item, &place, &mut |value| parts.push(value));
            }
            if rows.len().saturating_mul(parts.len()) > *left {
                return Err(failed(EvalError::TooManyItems { items_max: COMBINATIONS_MAX }));
            }
            rows = rows.iter().flat_map(|row| parts.iter().map(|part| with(row, part))).collect();
        }
        *left -= rows.len();
        terms.extend(
            rows.into_iter().map(|row| Term { param: self.term.clone(), value: Value::Composite(row) }),
        );
        Ok(())
    }
}

fn with(row: &[Value], part: &Value) -> Vec<Value> {
    row.iter().chain([part]).cloned().collect()
}

/// Terms that one parameter whose parts are combined with each other may give for a resource: a small body may ask for
/// millions.
const COMBINATIONS_MAX: usize = 10_000;

/// FNV-1a: the same on every machine and for ever.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().chain(&[0xff]) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
