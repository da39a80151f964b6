//! The conditional request fields, from header lines to a precondition.

use hyper::HeaderMap;
use rulebook::Failure;
use versioning_core::{ConditionalFields, Field, Precondition, Usage};

/// Reads every line of the four fields, as bytes: a value that is not UTF-8 is still a value.
pub(crate) fn precondition(headers: &HeaderMap, usage: Usage) -> Result<Precondition, Failure> {
    let mut fields = ConditionalFields::new(usage);
    for field in Field::ALL {
        for line in headers.get_all(header_name(field)) {
            fields.line(field, line.as_bytes()).map_err(Failure::MalformedField)?;
        }
    }
    fields.finish().map_err(Failure::MalformedField)
}

fn header_name(field: Field) -> hyper::header::HeaderName {
    match field {
        Field::IfMatch => hyper::header::IF_MATCH,
        Field::IfNoneMatch => hyper::header::IF_NONE_MATCH,
        Field::IfModifiedSince => hyper::header::IF_MODIFIED_SINCE,
        Field::IfUnmodifiedSince => hyper::header::IF_UNMODIFIED_SINCE,
    }
}
