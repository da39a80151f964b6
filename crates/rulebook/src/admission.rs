//! Who asks: what a rulebook is shown of a request's head, and what it makes of it.

use storage_api::Timestamp;

use crate::Interaction;

/// The head of a request, as far as a rulebook reads it. It holds no body.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// What is asked for.
    pub interaction: Interaction,
    /// The resource type in the URL, if there is one.
    pub resource_type: Option<&'a str>,
    /// The operation in the URL, without `$`, if there is one.
    pub operation: Option<&'a str>,
    /// The header fields that [`Rulebook::request_fields`](crate::Rulebook::request_fields) names,
    /// each line with the name as it is listed there. A value that is no text is empty.
    pub fields: &'a [(&'static str, String)],
    /// The time of day.
    pub now: Timestamp,
}

impl RequestHead<'_> {
    /// The value of a header field without the blanks around it; the first line of several.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| *known == name).map(|(_, value)| value.trim())
    }
}

/// Who asks, as far as the API has a notion of it. Nothing is known of callers of a plain API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The system that sends the request.
    pub system: Option<String>,
    /// The organisation on whose behalf.
    pub organization: Option<String>,
    /// The person who uses the system.
    pub user: Option<String>,
    /// The patient, where it is the patient who asks.
    pub patient: Option<String>,
    /// Why they ask.
    pub reason: Option<String>,
    /// The caller's own name for the request.
    pub message: Option<String>,
    /// What the caller says the request is, where the API has names for that.
    pub interaction: Option<String>,
    /// What the caller's token allows; nothing where there was no token.
    pub scopes: Option<Vec<String>>,
}

/// One entry of a Bundle of requests, as far as it matters for whether its sender may ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryHead<'a> {
    /// What is asked for.
    pub interaction: Interaction,
    /// The resource type in the URL, if there is one.
    pub resource_type: Option<&'a str>,
}
