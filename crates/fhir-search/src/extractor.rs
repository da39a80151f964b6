//! From a resource to its terms.

use std::sync::OnceLock;

use fhir_definitions::{Definitions, FhirVersion, TypeDef, resource_types};
use fhir_model::json::Value as Json;
use fhirpath::{Collection, Dialect, Environment, Item};
use storage_api::{Term, Value};

use crate::error::ExtractError;
use crate::parameters::{Parameters, Rule, compile};
use crate::values::{Place, side_terms, values};

/// The search parameters of one FHIR version, each type's compiled when it is first asked for.
#[derive(Debug)]
pub struct Extractor {
    definitions: Definitions,
    /// Sorted by name.
    types: Vec<(&'static str, OnceLock<Option<Parameters>>)>,
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
        Self { definitions, types }
    }

    /// The definitions that the parameters come from.
    pub fn definitions(&self) -> Definitions {
        self.definitions
    }

    /// The parameters of a resource type; none for a name that is no resource type.
    pub fn parameters(&self, resource_type: &str) -> Option<&Parameters> {
        let found = self.types.binary_search_by(|(name, _)| (*name).cmp(resource_type)).ok()?;
        let (name, cell) = self.types.get(found)?;
        cell.get_or_init(|| compile(self.definitions, name)).as_ref()
    }

    /// The resource types, sorted by name.
    pub fn types(&self) -> impl ExactSizeIterator<Item = &'static str> {
        self.types.iter().map(|(name, _)| *name)
    }

    /// What a resource is found by: sorted, without doubles; empty if its type is not known.
    ///
    /// An absolute reference below one of `bases` (without a slash at their ends) is one to this server.
    pub fn terms(&self, resource: &Json, bases: &[&str]) -> Result<Vec<Term>, ExtractError> {
        let Some((object, parameters)) = resource.as_object().and_then(|object| {
            let named = object.get("resourceType").and_then(Json::as_str)?;
            Some((object, self.parameters(named)?))
        }) else {
            return Ok(Vec::new());
        };
        let mut due: Vec<usize> = parameters.always().to_vec();
        for name in object.names() {
            due.extend_from_slice(parameters.opened_by(name));
        }
        due.sort_unstable();
        due.dedup();
        let environment = Environment::new(self.definitions).with_dialect(Dialect::Search);
        let context = Item::resource(resource, self.definitions);
        let mut terms = Vec::with_capacity(2 * due.len());
        for rule in due.into_iter().filter_map(|rule| parameters.rules.get(rule)) {
            if rule.is_indexed {
                rule.extract(&context, &environment, bases, &mut terms)?;
            }
        }
        terms.sort_unstable();
        terms.dedup();
        Ok(terms)
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
        let failed = |error| ExtractError { parameter: self.code, error };
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
        for item in &*self.evaluate(context.clone(), environment)? {
            if self.components.is_empty() {
                values(item, &place, &mut |value| terms.push(Term { param: self.term.clone(), value }));
                side_terms(item, &place, &self.term, terms);
            } else {
                self.combine(item, environment, bases, terms)?;
            }
        }
        Ok(())
    }

    /// A term for every combination of the parts' values.
    fn combine(
        &self,
        root: &Item<'_>,
        environment: &Environment<'_>,
        bases: &[&str],
        terms: &mut Vec<Term>,
    ) -> Result<(), ExtractError> {
        let mut rows: Vec<Vec<Value>> = vec![Vec::with_capacity(self.components.len())];
        for (search_type, expression) in &self.components {
            let failed = |error| ExtractError { parameter: self.code, error };
            let version = environment.definitions().version();
            let place = Place { search_type: *search_type, system: None, bases, version };
            let mut parts = Vec::new();
            for item in &*expression.evaluate(root.clone(), environment).map_err(failed)? {
                values(item, &place, &mut |value| parts.push(value));
            }
            rows = rows.iter().flat_map(|row| parts.iter().map(|part| with(row, part))).collect();
        }
        terms.extend(
            rows.into_iter().map(|row| Term { param: self.term.clone(), value: Value::Composite(row) }),
        );
        Ok(())
    }
}

fn with(row: &[Value], part: &Value) -> Vec<Value> {
    row.iter().chain([part]).cloned().collect()
}
