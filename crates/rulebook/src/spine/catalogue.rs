//! Spine-ErrorOrWarningCode-1 as data: every concept of the code system, and the rows of the error
//! table of Spine Core ("Error handling"): status, severity, issue type and concept.
//!
//! Displays are those of the code system, version 1.7.0; the pages print some with a full stop or
//! in other words. Where a page and the code system spell a code differently, the constant says
//! which is used.

use fhir_model::{IssueSeverity, IssueType};

use crate::rule::{Rule, RuleCoding};

/// The code system that Spine outcomes draw from. Published examples often print the URL of the
/// value set here; the profile fixes this one.
pub const SYSTEM: &str = "https://fhir.nhs.uk/STU3/CodeSystem/Spine-ErrorOrWarningCode-1";

/// The value set whose URL most published examples have where the code system's belongs.
pub const VALUE_SET: &str = "https://fhir.nhs.uk/STU3/ValueSet/Spine-ErrorOrWarningCode-1";

/// The profile of Spine outcomes: one coding per issue, no `expression`.
pub const PROFILE: &str = "https://fhir.nhs.uk/STU3/StructureDefinition/Spine-OperationOutcome-1";

macro_rules! concepts {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $display:literal;)*) => {
        /// The concepts.
        pub mod concept {
            use super::{RuleCoding, SYSTEM};
            $(
                $(#[$doc])*
                #[doc = concat!("`", $code, "`: ", $display)]
                pub const $name: RuleCoding =
                    RuleCoding { system: SYSTEM, code: $code, display: Some($display) };
            )*
        }

        /// Every concept of the code system, in its order.
        pub const CONCEPTS: &[RuleCoding] = &[$(concept::$name),*];
    };
}

concepts! {
    NO_RECORD_FOUND = "NO_RECORD_FOUND", "No record found";
    PATIENT_NOT_FOUND = "PATIENT_NOT_FOUND", "Patient not found";
    INVALID_NHS_NUMBER = "INVALID_NHS_NUMBER", "Invalid NHS number";
    INVALID_CODE_SYSTEM = "INVALID_CODE_SYSTEM", "Invalid code system";
    INVALID_CODE_VALUE = "INVALID_CODE_VALUE", "Invalid code value";
    INVALID_VALUE = "INVALID_VALUE", "An input field has an invalid value for its type";
    INVALID_IDENTIFIER_SYSTEM = "INVALID_IDENTIFIER_SYSTEM", "Invalid identifier system";
    INVALID_IDENTIFIER_VALUE = "INVALID_IDENTIFIER_VALUE", "Invalid identifier value";
    CONFLICTING_VALUES = "CONFLICTING_VALUES", "Conflicting values have been specified in different fields";
    INVALID_ELEMENT = "INVALID_ELEMENT", "Invalid element";
    AUTHOR_CREDENTIALS_ERROR = "AUTHOR_CREDENTIALS_ERROR", "Author credentials error";
    INVALID_PARAMETER = "INVALID_PARAMETER", "Invalid parameter";
    REQUEST_UNMATCHED = "REQUEST_UNMATCHED", "Request does not match authorisation token";
    MESSAGE_NOT_WELL_FORMED = "MESSAGE_NOT_WELL_FORMED", "Message not well formed";
    NO_PATIENT_CONSENT = "NO_PATIENT_CONSENT", "Patient has not provided consent to share data";
    NO_ORGANISATIONAL_CONSENT = "NO_ORGANISATIONAL_CONSENT", "Organisation has not provided consent to share data";
    BAD_REQUEST = "BAD_REQUEST", "Bad request";
    INVALID_RESOURCE = "INVALID_RESOURCE", "Invalid validation of resource";
    ORGANISATION_NOT_FOUND = "ORGANISATION_NOT_FOUND", "Organisation not found";
    PRACTITIONER_NOT_FOUND = "PRACTITIONER_NOT_FOUND", "Practitioner not found";
    PATIENT_SENSITIVE = "PATIENT_SENSITIVE", "Patient sensitive";
    NO_RELATIONSHIP = "NO_RELATIONSHIP", "No legitimate relationship exists with this patient";
    FHIR_CONSTRAINT_VIOLATION = "FHIR_CONSTRAINT_VIOLATION", "FHIR constraint violated";
    FLAG_ALREADY_SET = "FLAG_ALREADY_SET", "Flag value was already set";
    INVALID_REQUEST_STATE = "INVALID_REQUEST_STATE", "The request exists but is not in an appropriate state for the call to succeed";
    INVALID_REQUEST_TYPE = "INVALID_REQUEST_TYPE", "The type of request is not supported by the API call";
    /// As the code system spells it; answers use [`ACCESS_DENIED_AS_PRINTED`](super::ACCESS_DENIED_AS_PRINTED).
    ACCESS_DENIED = "ACCESS DENIED", "Access has been denied to process this request";
    ASID_CHECK_FAILED = "ASID_CHECK_FAILED", "The sender or receiver's ASID is not authorised for this interaction";
    MISSING_OR_INVALID_HEADER = "MISSING_OR_INVALID_HEADER", "There is a required header missing or invalid";
    ACCESS_DENIED_SSL = "ACCESS_DENIED_SSL", "SSL Protocol or Cipher requirements not met";
    MSG_RESOURCE_ID_FAIL = "MSG_RESOURCE_ID_FAIL", "Client is not permitted to assign an id";
    DUPLICATE_REJECTED = "DUPLICATE_REJECTED", "Create would lead to creation of a duplicate resource";
    RESOURCE_CREATED = "RESOURCE_CREATED", "New resource created";
    RESOURCE_DELETED = "RESOURCE_DELETED", "Resource removed";
    RESOURCE_UPDATED = "RESOURCE_UPDATED", "Resource has been successfully updated";
    INVALID_REQUEST_MESSAGE = "INVALID_REQUEST_MESSAGE", "Invalid request message";
    INTERNAL_SERVER_ERROR = "INTERNAL_SERVER_ERROR", "Unexpected internal server error";
    INVALID_PATIENT_DEMOGRAPHICS = "INVALID_PATIENT_DEMOGRAPHICS", "Invalid patient demographics";
    NOT_IMPLEMENTED = "NOT_IMPLEMENTED", "Not implemented";
    REFERENCE_NOT_FOUND = "REFERENCE_NOT_FOUND", "Reference not found";
    DEPRECATED = "DEPRECATED", "Event message type has been deprecated";
    NO_LONGER_SUPPORTED = "NO_LONGER_SUPPORTED", "Event message type is no longer supported";
    WITHDRAWN = "WITHDRAWN", "Event message type has been withdrawn";
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE", "Unsupported media type";
    PRECONDITION_FAILED = "PRECONDITION_FAILED", "Precondition failed";
}

/// `ACCESS_DENIED` with the underscore of the pages, which the code system does not have.
pub const ACCESS_DENIED_AS_PRINTED: RuleCoding =
    RuleCoding { code: "ACCESS_DENIED", ..concept::ACCESS_DENIED };

/// What the error table of Spine Core prints otherwise than the code system has it.
pub mod pages {
    /// The consent of organisations, in the page's spelling.
    pub const NO_ORGANISATION_CONSENT: &str = "NO_ORGANISATION_CONSENT";

    /// Codes with the displays that the page prints for them.
    pub const DISPLAYS: &[(&str, &str)] = &[
        ("INVALID_NHS_NUMBER", "NHS number invalid"),
        ("ORGANISATION_NOT_FOUND", "Organisation record not found"),
        ("PATIENT_NOT_FOUND", "Patient record not found"),
        ("PRACTITIONER_NOT_FOUND", "Practitioner record not found"),
        ("INVALID_REQUEST_MESSAGE", "Invalid Request Message"),
        ("INVALID_RESOURCE", "Invalid validation of resource."),
        ("INVALID_PARAMETER", "Invalid parameter."),
        ("REFERENCE_NOT_FOUND", "Referenced resource not found."),
        ("DUPLICATE_REJECTED", "Create would lead to creation of a duplicate resource."),
        ("MSG_RESOURCE_ID_FAIL", "Client is not permitted to assign an id."),
        ("BAD_REQUEST", "Bad request."),
        ("MISSING_OR_INVALID_HEADER", "There is a required header missing or invalid."),
        ("NOT_IMPLEMENTED", "FHIR resource or operation not implemented at server"),
        ("INTERNAL_SERVER_ERROR", "Unexpected internal server error."),
        ("RESOURCE_CREATED", "New resource created."),
        ("RESOURCE_DELETED", "Resource removed."),
        ("RESOURCE_UPDATED", "Resource has been successfully updated."),
        ("DEPRECATED", "Event message type has been deprecated."),
        ("NO_LONGER_SUPPORTED", "Event message type is no longer supported."),
        ("WITHDRAWN", "Event message type has been withdrawn."),
    ];
}

/// A row of an error table.
const fn row(status: u16, severity: IssueSeverity, issue: IssueType, coding: RuleCoding) -> Rule {
    Rule { status, severity, issue, coding }
}

macro_rules! rows {
    ($($name:ident = $status:literal, $severity:ident, $issue:ident, $coding:expr;)*) => {
        /// The rows of the error table of Spine Core.
        pub mod rows {
            use super::{IssueSeverity, IssueType, Rule, concept, row};
            $(
                #[doc = concat!("`", stringify!($name), "`, ", stringify!($status))]
                pub const $name: Rule = row($status, IssueSeverity::$severity, IssueType::$issue, $coding);
            )*
        }

        /// Every row of the error table, under the name of its constant.
        pub const ROWS: &[(&str, Rule)] = &[$((stringify!($name), rows::$name)),*];
    };
}

rows! {
    INVALID_NHS_NUMBER = 400, Error, Value, concept::INVALID_NHS_NUMBER;
    INVALID_PATIENT_DEMOGRAPHICS = 400, Error, BusinessRule, concept::INVALID_PATIENT_DEMOGRAPHICS;
    ORGANISATION_NOT_FOUND = 404, Error, NotFound, concept::ORGANISATION_NOT_FOUND;
    PATIENT_NOT_FOUND = 404, Error, NotFound, concept::PATIENT_NOT_FOUND;
    PRACTITIONER_NOT_FOUND = 404, Error, NotFound, concept::PRACTITIONER_NOT_FOUND;
    NO_RECORD_FOUND = 404, Error, NotFound, concept::NO_RECORD_FOUND;
    REQUEST_UNMATCHED = 400, Error, Invalid, concept::REQUEST_UNMATCHED;
    NO_PATIENT_CONSENT = 403, Error, Forbidden, concept::NO_PATIENT_CONSENT;
    NO_ORGANISATIONAL_CONSENT = 403, Error, Forbidden, concept::NO_ORGANISATIONAL_CONSENT;
    ACCESS_DENIED = 403, Error, Forbidden, super::ACCESS_DENIED_AS_PRINTED;
    ACCESS_DENIED_SSL = 403, Error, Forbidden, concept::ACCESS_DENIED_SSL;
    ASID_CHECK_FAILED = 403, Error, Forbidden, concept::ASID_CHECK_FAILED;
    AUTHOR_CREDENTIALS_ERROR = 401, Fatal, Forbidden, concept::AUTHOR_CREDENTIALS_ERROR;
    INVALID_REQUEST_MESSAGE = 400, Error, Value, concept::INVALID_REQUEST_MESSAGE;
    INVALID_IDENTIFIER_SYSTEM = 400, Error, Value, concept::INVALID_IDENTIFIER_SYSTEM;
    INVALID_IDENTIFIER_VALUE = 400, Error, Value, concept::INVALID_IDENTIFIER_VALUE;
    INVALID_CODE_SYSTEM = 400, Error, CodeInvalid, concept::INVALID_CODE_SYSTEM;
    INVALID_CODE_VALUE = 400, Error, CodeInvalid, concept::INVALID_CODE_VALUE;
    INVALID_ELEMENT = 400, Error, Value, concept::INVALID_ELEMENT;
    INVALID_RESOURCE = 422, Error, Invalid, concept::INVALID_RESOURCE;
    INVALID_PARAMETER = 422, Error, Invalid, concept::INVALID_PARAMETER;
    REFERENCE_NOT_FOUND = 422, Error, Invalid, concept::REFERENCE_NOT_FOUND;
    DUPLICATE_REJECTED = 422, Error, Duplicate, concept::DUPLICATE_REJECTED;
    MSG_RESOURCE_ID_FAIL = 405, Error, Forbidden, concept::MSG_RESOURCE_ID_FAIL;
    BAD_REQUEST = 400, Error, Invalid, concept::BAD_REQUEST;
    MISSING_OR_INVALID_HEADER = 400, Error, Invalid, concept::MISSING_OR_INVALID_HEADER;
    MISSING_OR_INVALID_TOKEN = 400, Error, Structure, concept::MISSING_OR_INVALID_HEADER;
    MESSAGE_NOT_WELL_FORMED = 400, Error, Structure, concept::MESSAGE_NOT_WELL_FORMED;
    NOT_IMPLEMENTED = 501, Error, NotSupported, concept::NOT_IMPLEMENTED;
    INTERNAL_SERVER_ERROR = 500, Error, Exception, concept::INTERNAL_SERVER_ERROR;
    RESOURCE_CREATED = 201, Information, Informational, concept::RESOURCE_CREATED;
    RESOURCE_DELETED = 200, Information, Informational, concept::RESOURCE_DELETED;
    RESOURCE_UPDATED = 200, Information, Informational, concept::RESOURCE_UPDATED;
    DEPRECATED = 202, Information, Informational, concept::DEPRECATED;
    NO_LONGER_SUPPORTED = 202, Information, Informational, concept::NO_LONGER_SUPPORTED;
    WITHDRAWN = 400, Error, Invalid, concept::WITHDRAWN;
    FORBIDDEN_TRANSITION = 422, Error, BusinessRule, concept::INVALID_RESOURCE;
}

/// What the Spine Security Proxy answers before an API is reached: status and issue type; it has no
/// codes. Those of 403, 405 and 415 are the API's here, and the last two take a proxy.
pub const PROXY: &[(u16, IssueType)] = &[
    (403, IssueType::Forbidden),
    (405, IssueType::NotSupported),
    (415, IssueType::NotSupported),
    (502, IssueType::Transient),
    (504, IssueType::Transient),
];
