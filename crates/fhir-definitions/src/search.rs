//! Search parameters, as each resource type has them.

use std::fmt;

use crate::format::{self, ParameterRow, ParameterUseRow};
use crate::tables::{self, Numbers, Tables, number, optional_string, string};
use crate::types::{Definitions, TypeDef};

/// The type of a search parameter (code system `http://hl7.org/fhir/search-param-type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each is the code of that name")]
pub enum SearchType {
    Number,
    Date,
    String,
    Token,
    Reference,
    Composite,
    Quantity,
    Uri,
    Special,
}

impl SearchType {
    const ALL: [Self; 9] = [
        Self::Number,
        Self::Date,
        Self::String,
        Self::Token,
        Self::Reference,
        Self::Composite,
        Self::Quantity,
        Self::Uri,
        Self::Special,
    ];

    fn new(number: u16) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Self::Special)
    }

    /// The type with this FHIR code.
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.code() == code)
    }

    /// The FHIR code.
    pub const fn code(self) -> &'static str {
        format::SEARCH_TYPES[self as usize]
    }
}

/// A search parameter as it applies to one resource type.
#[derive(Clone, Copy)]
pub struct SearchParameterDef {
    tables: &'static Tables,
    row: &'static [u8; ParameterRow::WIDTH],
    expression: u16,
}

impl SearchParameterDef {
    fn new(tables: &'static Tables, used: ParameterUseRow) -> Self {
        Self { tables, row: tables::row(tables.parameters, used.parameter), expression: used.expression }
    }

    fn row(self) -> ParameterRow {
        ParameterRow::unpack(self.row)
    }

    /// The name in a query, such as `birthdate` or `_id`.
    pub fn code(self) -> &'static str {
        string(self.row().code)
    }

    /// Its type.
    pub fn search_type(self) -> SearchType {
        SearchType::new(self.row().kind)
    }

    /// The canonical URL of its definition.
    pub fn url(self) -> &'static str {
        string(self.row().url)
    }

    /// FHIRPath from the resource to its values, reduced to the alternatives for the resource type. As published:
    /// STU3 writes a few type names in the wrong case (`as(DateTime)`). None for parameters that are the
    /// server's own business: `_text`, `_content`, `_filter`, `_query`, and later `_has`, `_list`, `_type`.
    pub fn expression(self) -> Option<&'static str> {
        optional_string(self.expression)
    }

    /// The resource types that a reference may point to, sorted by name; none means that the definition does not say.
    pub fn targets(self) -> impl ExactSizeIterator<Item = TypeDef> {
        TypeDef::list(self.tables, self.tables.list(self.row().targets))
    }

    /// Whether one parameter may have several values separated by commas, where the definition says so.
    pub fn multiple_or(self) -> Option<bool> {
        match self.row().multiple_or {
            0 => None,
            said => Some(said == 2),
        }
    }

    /// The comparators that the definition lists: `eq`, `ne`, .. Most definitions list none and mean all that the type
    /// allows. (No published definition lists modifiers or `multipleAnd`.)
    pub fn comparators(self) -> impl Iterator<Item = &'static str> {
        let bits = self.row().comparators;
        format::COMPARATORS
            .into_iter()
            .enumerate()
            .filter(move |(bit, _)| bits >> bit & 1 == 1)
            .map(|(_, code)| code)
    }

    /// The parts of a composite parameter.
    pub fn components(self) -> impl ExactSizeIterator<Item = ComponentDef> {
        let (parts, _) = self.tables.list(self.row().components).as_chunks::<3>();
        parts.iter().map(move |part| ComponentDef { tables: self.tables, part })
    }
}

impl fmt::Debug for SearchParameterDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SearchParameterDef({} {}: {:?})", self.tables.version, self.code(), self.expression())
    }
}

/// A part of a composite parameter.
#[derive(Clone, Copy)]
pub struct ComponentDef {
    tables: &'static Tables,
    part: &'static [[u8; 2]; 3],
}

impl ComponentDef {
    /// Its type: that of the parameter it names, or, since R5 names several that do not exist, what the elements ask
    /// for.
    pub fn search_type(self) -> SearchType {
        SearchType::new(number(self.part[0]))
    }

    /// The code of the parameter that it names, if that exists.
    pub fn code(self) -> Option<&'static str> {
        let index = number(self.part[1]);
        let row = ParameterRow::unpack(tables::row(self.tables.parameters, index));
        (index != format::NONE).then(|| string(row.code))
    }

    /// FHIRPath from each value of the composite's own expression to the values of this part.
    pub fn expression(self) -> &'static str {
        string(number(self.part[2]))
    }
}

impl fmt::Debug for ComponentDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ComponentDef({}: {})", self.search_type().code(), self.expression())
    }
}

impl TypeDef {
    /// Its search parameters with those of its bases, sorted by code. Only resource types have any.
    pub fn search_parameters(self) -> impl ExactSizeIterator<Item = SearchParameterDef> {
        let tables = self.tables;
        self.uses().iter().map(move |row| SearchParameterDef::new(tables, ParameterUseRow::unpack(row)))
    }

    /// Its search parameter with this code.
    pub fn search_parameter(self, code: &str) -> Option<SearchParameterDef> {
        let code_of = |row| SearchParameterDef::new(self.tables, ParameterUseRow::unpack(row)).code();
        let found = self.uses().binary_search_by(|row| code_of(row).cmp(code)).ok()?;
        self.search_parameters().nth(found)
    }

    fn uses(self) -> &'static [[u8; ParameterUseRow::WIDTH]] {
        let row = self.row();
        tables::range(self.tables.parameter_uses, row.uses_start, row.uses_count)
    }
}

impl Definitions {
    /// The search parameters of a resource type, sorted by code; none for a name that is no resource type. `Resource`
    /// has those that a search across all types allows.
    pub fn search_parameters(self, resource_type: &str) -> impl Iterator<Item = SearchParameterDef> {
        self.type_named(resource_type).into_iter().flat_map(TypeDef::search_parameters)
    }

    /// The search parameter of a resource type with this code.
    pub fn search_parameter(self, resource_type: &str, code: &str) -> Option<SearchParameterDef> {
        self.type_named(resource_type)?.search_parameter(code)
    }
}

/// The strings of a packed list.
pub(crate) fn strings(list: Numbers) -> impl ExactSizeIterator<Item = &'static str> {
    list.iter().map(|id| string(number(*id)))
}
