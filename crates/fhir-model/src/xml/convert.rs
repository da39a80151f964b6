//! From JSON to XML in one step, for what is stored and what is answered.

use std::fmt;

use fhir_definitions::Definitions;

use super::write_error::{XmlWriteError, XmlWriteErrorKind};
use super::writer::write;
use crate::json::{self, JsonError, Limits, Value};

/// Why JSON could not be turned into XML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromJsonError {
    /// It is no JSON, or too large.
    Read(JsonError),
    /// XML cannot hold it.
    Write(XmlWriteError),
}

/// Reads a resource in JSON and appends it as [`write`](super::write) does. On an error `out` is as it was.
pub fn from_json(
    bytes: &[u8],
    definitions: Definitions,
    limits: &Limits,
    out: &mut Vec<u8>,
) -> Result<(), FromJsonError> {
    let Value::Object(resource) = json::parse(bytes, limits).map_err(FromJsonError::Read)? else {
        let kind = XmlWriteErrorKind::NotAResource { found: None, version: definitions.version() };
        return Err(FromJsonError::Write(XmlWriteError { kind, path: String::new() }));
    };
    write(&resource, definitions, out).map_err(FromJsonError::Write)
}

impl fmt::Display for FromJsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(f, "{error}"),
            Self::Write(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for FromJsonError {}
