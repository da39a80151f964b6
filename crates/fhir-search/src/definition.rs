//! What defines a search parameter: the standard, or somebody on this server.

use std::sync::Arc;

use fhir_definitions::{SearchParameterDef, SearchType, TypeDef};

use crate::custom::CustomParameter;

/// The definition of a search parameter.
#[derive(Clone, Debug)]
pub enum Definition {
    /// One of the standard.
    Published(SearchParameterDef),
    /// One that was defined on the server.
    Custom(Arc<CustomParameter>),
}

impl Definition {
    /// The name in a query.
    pub fn code(&self) -> &str {
        match self {
            Self::Published(known) => known.code(),
            Self::Custom(custom) => custom.code(),
        }
    }

    /// Its type.
    pub fn search_type(&self) -> SearchType {
        match self {
            Self::Published(known) => known.search_type(),
            Self::Custom(custom) => custom.search_type(),
        }
    }

    /// The canonical URL of its definition.
    pub fn url(&self) -> &str {
        match self {
            Self::Published(known) => known.url(),
            Self::Custom(custom) => custom.url(),
        }
    }

    /// FHIRPath from a resource to its values.
    pub fn expression(&self) -> Option<&str> {
        match self {
            Self::Published(known) => known.expression(),
            Self::Custom(custom) => Some(custom.expression()),
        }
    }

    /// The resource types that a reference may point to; none means that the definition does not say.
    pub fn targets(&self) -> impl ExactSizeIterator<Item = TypeDef> + use<> {
        let targets: Vec<TypeDef> = match self {
            Self::Published(known) => known.targets().collect(),
            Self::Custom(custom) => custom.targets().to_vec(),
        };
        targets.into_iter()
    }
}
