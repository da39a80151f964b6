//! Search parameters that somebody defined on the server: SearchParameter resources, read and compiled.

use core::fmt;

use compact_str::CompactString;
use fhir_definitions::{Definitions, SearchType, TypeDef, resource_types};
use fhir_model::json::{Object, Value as Json};
use fhir_model::object;
use fhirpath::Expression;

use crate::gate::alternatives;

/// Bytes of an expression at most.
const EXPRESSION_BYTES_MAX: usize = 4096;
/// Parts of a composite at most.
const COMPONENTS_MAX: usize = 8;
/// Characters of a code at most.
const CODE_LEN_MAX: usize = 64;

/// What a SearchParameter resource comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Defined {
    /// Resources can be found by it once the index was made anew.
    Custom(Box<CustomParameter>),
    /// It is sound, and changes nothing here, for this reason.
    Without(&'static str),
}

/// A search parameter that was defined on the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomParameter {
    url: String,
    code: CompactString,
    search_type: SearchType,
    /// Sorted by name.
    bases: Vec<TypeDef>,
    targets: Vec<TypeDef>,
    expression: String,
    components: Vec<CustomComponent>,
}

/// A part of a composite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CustomComponent {
    /// The canonical URL of the parameter that it stands for.
    definition: String,
    pub(crate) search_type: SearchType,
    pub(crate) expression: String,
}

/// Why a SearchParameter cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomError {
    /// Where in the resource, as a FHIRPath expression.
    pub path: String,
    /// What is wrong there.
    pub why: String,
}

impl fmt::Display for CustomError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.why)
    }
}

impl core::error::Error for CustomError {}

fn wrong<T>(path: impl Into<String>, why: impl Into<String>) -> Result<T, CustomError> {
    Err(CustomError { path: path.into(), why: why.into() })
}

impl CustomParameter {
    /// Reads a SearchParameter of the FHIR version that the definitions are of. One that is not active is not looked at.
    ///
    /// # Errors
    /// If it could never be used: a code that cannot stand in a query, a base that is no resource type, an expression
    /// that cannot be read or names what the base does not have, or more of something than is taken.
    pub fn read(resource: &Object, definitions: Definitions) -> Result<Defined, CustomError> {
        if text(resource, "status") != Some("active") {
            return Ok(Defined::Without("it is not active"));
        }
        let code = code(resource)?;
        let bases = types(resource, "base", definitions)?;
        if bases.is_empty() {
            return wrong("SearchParameter.base", "name the resource types that it is for");
        }
        let kind = text(resource, "type").unwrap_or_default();
        let Some(search_type) = SearchType::of_code(kind) else {
            return wrong("SearchParameter.type", format!("{kind:?} is not a type of search parameters"));
        };
        let targets = types(resource, "target", definitions)?;
        let url = text(resource, "url").unwrap_or_default().to_owned();
        let Some(expression) = text(resource, "expression").filter(|text| !text.trim().is_empty()) else {
            return Ok(Defined::Without("it has no expression"));
        };
        let bases: Vec<TypeDef> =
            bases.into_iter().filter(|base| base.search_parameter(&code).is_none()).collect();
        if bases.is_empty() {
            return Ok(Defined::Without("its types have a published parameter with this code"));
        }
        // What is not published under the code has a name that stays free for later versions of the standard.
        if code.starts_with('_') {
            return wrong("SearchParameter.code", "codes that begin with _ are those of the standard");
        }
        check_expression("SearchParameter.expression", expression, &bases)?;
        let components = components(resource, search_type, definitions)?;
        let found =
            Self { url, code, search_type, bases, targets, expression: expression.to_owned(), components };
        if search_type == SearchType::Special {
            return Ok(Defined::Without("the server cannot search by its type"));
        }
        Ok(Defined::Custom(Box::new(found)))
    }

    /// A SearchParameter with only what counts: [`Self::read`] makes the same of it.
    pub fn to_resource(&self) -> Object {
        let names =
            |types: &[TypeDef]| types.iter().map(|found| Json::from(found.name())).collect::<Vec<_>>();
        let component = |part: &CustomComponent| {
            let (definition, expression) = (part.definition.as_str(), part.expression.as_str());
            Json::from(object! { "definition": definition, "expression": expression })
        };
        object! {
            "resourceType": "SearchParameter",
            "url": self.url.as_str(),
            "status": "active",
            "code": self.code.as_str(),
            "base": names(&self.bases),
            "type": self.search_type.code(),
            "expression": self.expression.as_str(),
            "target": names(&self.targets),
            "component": self.components.iter().map(component).collect::<Vec<_>>(),
        }
    }

    /// The canonical URL of its definition; empty if it has none.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The name in a query.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Its type.
    pub fn search_type(&self) -> SearchType {
        self.search_type
    }

    /// The resource types that a reference may point to; none means that the definition does not say.
    pub fn targets(&self) -> &[TypeDef] {
        &self.targets
    }

    /// FHIRPath from a resource to its values, as it was written.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// The resource types that have it, each by its name.
    pub fn types(&self) -> impl Iterator<Item = TypeDef> {
        let definitions = self.bases.first().map(|base| base.definitions());
        let all = definitions.into_iter().flat_map(|known| {
            resource_types(known.version()).iter().filter_map(move |name| known.resource_type(name))
        });
        all.filter(|found| self.is_for(*found))
    }

    /// Whether resources of a type have it. A published parameter of the type with the same code comes first.
    pub(crate) fn is_for(&self, found: TypeDef) -> bool {
        self.bases.iter().any(|base| found.is_a(*base)) && found.search_parameter(&self.code).is_none()
    }

    /// The part of its expression that is for a type.
    pub(crate) fn expression_for(&self, found: TypeDef) -> String {
        expression_for(&self.expression, found)
    }

    pub(crate) fn components(&self) -> &[CustomComponent] {
        &self.components
    }
}

fn text<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Json::as_str)
}

fn list<'a>(object: &'a Object, name: &str) -> &'a [Json] {
    match object.get(name) {
        Some(Json::Array(items)) => items,
        Some(one) => std::slice::from_ref(one),
        None => &[],
    }
}

/// A code that can stand in a query, before `:` and `.`.
fn code(resource: &Object) -> Result<CompactString, CustomError> {
    let code = text(resource, "code").unwrap_or_default();
    let legible = code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if legible && (1..=CODE_LEN_MAX).contains(&code.len()) {
        return Ok(code.into());
    }
    let why = format!("a code has 1 to {CODE_LEN_MAX} letters, digits, '-' and '_'");
    wrong("SearchParameter.code", why)
}

/// The types that a list of codes names. R5 allows targets that are no resource types of the version: they are left out.
fn types(resource: &Object, name: &str, definitions: Definitions) -> Result<Vec<TypeDef>, CustomError> {
    let mut found = Vec::new();
    for (index, item) in list(resource, name).iter().enumerate() {
        let written = item.as_str().unwrap_or_default();
        let known = definitions.type_named(written).filter(|known| {
            known.lineage().any(|base| base.name() == "Resource") && (name == "base" || !known.is_abstract())
        });
        match known {
            Some(known) => found.push(known),
            None if name == "target" && written == "Resource" => {}
            None => {
                let version = definitions.version();
                let why = format!("FHIR {version} has no resource type {written:?}");
                return wrong(format!("SearchParameter.{name}[{index}]"), why);
            }
        }
    }
    found.sort_unstable_by_key(|known| known.name());
    found.dedup();
    Ok(found)
}

/// Of `A.x | B.y` what is for a type, and everything that begins with no type.
fn expression_for(expression: &str, found: TypeDef) -> String {
    let is_for = |alternative: &&str| {
        let start = alternative.trim().trim_start_matches('(');
        let end = start.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(start.len());
        let first = start.get(..end).unwrap_or_default();
        let is_type = first.starts_with(|first: char| first.is_ascii_uppercase());
        !is_type || found.lineage().any(|base| base.name() == first)
    };
    let kept: Vec<&str> = alternatives(expression).into_iter().filter(is_for).map(str::trim).collect();
    kept.join(" | ")
}

fn check_expression(path: &str, expression: &str, bases: &[TypeDef]) -> Result<(), CustomError> {
    if expression.len() > EXPRESSION_BYTES_MAX {
        return wrong(path, format!("an expression has at most {EXPRESSION_BYTES_MAX} bytes"));
    }
    if let Err(error) = Expression::parse(expression) {
        return wrong(path, error.to_string());
    }
    for base in bases {
        let own = expression_for(expression, *base);
        if own.is_empty() {
            return wrong(path, format!("nothing in it is for {}, which is one of the bases", base.name()));
        }
        let checked = Expression::parse(&own).map_err(|error| error.to_string());
        // What an abstract type lacks its descendants may have.
        let checked = checked.and_then(|own| {
            if base.is_abstract() { Ok(()) } else { own.check(*base).map_err(|error| error.to_string()) }
        });
        if let Err(why) = checked {
            return wrong(path, format!("for {}: {why}", base.name()));
        }
    }
    Ok(())
}

fn components(
    resource: &Object,
    search_type: SearchType,
    definitions: Definitions,
) -> Result<Vec<CustomComponent>, CustomError> {
    if search_type != SearchType::Composite {
        return Ok(Vec::new());
    }
    let parts = list(resource, "component");
    if !(2..=COMPONENTS_MAX).contains(&parts.len()) {
        return wrong("SearchParameter.component", format!("a composite has 2 to {COMPONENTS_MAX} parts"));
    }
    let part = |(index, part): (usize, &Json)| {
        let path = |name: &str| format!("SearchParameter.component[{index}].{name}");
        // A reference in STU3, a canonical URL from R4 on.
        let definition = match part.get("definition") {
            Some(Json::Object(reference)) => text(reference, "reference"),
            other => other.and_then(Json::as_str),
        };
        let definition = definition.unwrap_or_default();
        let Some(search_type) = published_type(definition, definitions) else {
            return wrong(path("definition"), format!("{definition:?} is no published search parameter"));
        };
        let expression = part.get("expression").and_then(Json::as_str).unwrap_or_default();
        if expression.len() > EXPRESSION_BYTES_MAX {
            return wrong(
                path("expression"),
                format!("an expression has at most {EXPRESSION_BYTES_MAX} bytes"),
            );
        }
        if let Err(error) = Expression::parse(expression) {
            return wrong(path("expression"), error.to_string());
        }
        let definition = definition.to_owned();
        Ok(CustomComponent { definition, search_type, expression: expression.to_owned() })
    };
    parts.iter().enumerate().map(part).collect()
}

/// The type of the published parameter that a URL, or its end, names.
fn published_type(url: &str, definitions: Definitions) -> Option<SearchType> {
    let plain = url.split('|').next().unwrap_or(url);
    let names =
        |known: &str| known == plain || (!plain.contains(':') && known.ends_with(&format!("/{plain}")));
    let types = resource_types(definitions.version()).iter();
    let mut all = types.flat_map(|name| definitions.search_parameters(name));
    let found = all.find(|known| !plain.is_empty() && names(known.url()))?;
    let usable = !matches!(found.search_type(), SearchType::Composite | SearchType::Special);
    usable.then(|| found.search_type())
}
