//! `is`, `as` and `ofType` (FHIRPath, "Types").

use fhir_definitions::{Definitions, TypeDef};

use super::{Evaluated, Evaluator, Items, boolean};
use crate::error::EvalError;
use crate::item::Item;
use crate::syntax::{TypeOperator, TypeSpecifier};
use crate::system::SystemType;

/// The types that a specifier names: `Quantity` is both one of FHIR's and one of the system's.
#[derive(Clone, Copy)]
struct Wanted {
    fhir: Option<TypeDef>,
    system: Option<SystemType>,
}

impl Wanted {
    fn holds(self, item: &Item<'_>) -> bool {
        match item {
            Item::Element(element) => match (self.fhir, element.type_def()) {
                (Some(wanted), Some(found)) => found.is_a(wanted),
                (Some(wanted), None) => element.type_name() == wanted.name(),
                (None, _) => false,
            },
            Item::Value(value) => self.system == Some(value.system_type()),
            Item::Type(_) => false,
        }
    }
}

impl<'a> Evaluator<'a> {
    pub(super) fn types(
        &self,
        operator: TypeOperator,
        specifier: &TypeSpecifier,
        mut items: Items<'a>,
    ) -> Evaluated<'a> {
        self.budget.charge(items.len() + 1)?;
        let wanted = self.wanted(specifier)?;
        let filters = operator == TypeOperator::OfType
            || (operator == TypeOperator::As && self.environment.dialect.is_lenient());
        if !filters && items.len() > 1 {
            return Err(EvalError::NotSingleton { at: operator.name(), found: items.len() });
        }
        if operator == TypeOperator::Is {
            return Ok(items.first().map(|item| boolean(wanted.holds(item))).unwrap_or_default());
        }
        items.retain(|item| wanted.holds(item));
        Ok(items)
    }

    fn wanted(&self, specifier: &TypeSpecifier) -> Result<Wanted, EvalError> {
        let definitions = self.environment.definitions;
        let name = specifier.name.as_str();
        let system = SystemType::named(name);
        let is_lenient = self.environment.dialect.is_lenient();
        let wanted = match specifier.namespace.as_deref() {
            Some("System") => Wanted { fhir: None, system },
            Some(_) => Wanted { fhir: definitions.type_named(name), system: None },
            None if is_lenient => Wanted { fhir: in_any_case(definitions, name), system },
            None => Wanted { fhir: definitions.type_named(name), system },
        };
        let is_known = wanted.fhir.is_some() || wanted.system.is_some();
        // A name outside of the version's types can match nothing in a published expression.
        if is_known || specifier.namespace.as_deref() == Some("System") || is_lenient {
            return Ok(wanted);
        }
        Err(EvalError::UnknownType(name.to_owned()))
    }
}

/// The type of that name, or of that name with a small first letter: STU3 writes `as(DateTime)`.
fn in_any_case(definitions: Definitions, name: &str) -> Option<TypeDef> {
    definitions.type_named(name).or_else(|| {
        let first = name.get(..1)?.to_ascii_lowercase();
        definitions.type_named(&format!("{first}{}", name.get(1..)?))
    })
}
