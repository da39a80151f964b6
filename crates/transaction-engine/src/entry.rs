//! One entry of a Bundle of requests.

use core::fmt;

use fhir_definitions::FhirVersion;
use fhir_model::Instant;
use fhir_model::json::{Object, Value};
use storage_api::Key;
use versioning_core::{ConditionalFields, Field, FieldError, HttpDate, Precondition, Usage};

use crate::bundle::Reading;
use crate::sent::Sent;
use crate::target::{Target, pairs, short};

/// `Entry.request.method`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// DELETE
    Delete,
    /// POST
    Post,
    /// PUT
    Put,
    /// PATCH (R4 and later)
    Patch,
    /// GET
    Get,
    /// HEAD (R4 and later)
    Head,
}

impl Method {
    /// As FHIR spells it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Delete => "DELETE",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Get => "GET",
            Self::Head => "HEAD",
        }
    }

    fn named(code: &str) -> Option<Self> {
        [Self::Delete, Self::Post, Self::Put, Self::Patch, Self::Get, Self::Head]
            .into_iter()
            .find(|method| method.code() == code)
    }

    /// Whether it leaves everything as it was.
    pub const fn is_safe(self) -> bool {
        matches!(self, Self::Get | Self::Head)
    }
}

/// The conditions of an entry, as they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// `ifMatch`
    pub if_match: Option<String>,
    /// `ifNoneMatch`
    pub if_none_match: Option<String>,
    /// `ifModifiedSince`
    pub if_modified_since: Option<String>,
    /// `ifNoneExist`
    pub if_none_exist: Option<String>,
}

/// One request of a Bundle.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its place in the Bundle, from 0.
    pub index: usize,
    /// What other entries call its resource.
    pub full_url: Option<String>,
    /// What to do.
    pub method: Method,
    /// To what, as it was written.
    pub url: String,
    /// The same, understood.
    pub target: Target,
    /// The parameters in the URL, decoded.
    pub query: Vec<(String, String)>,
    /// On which conditions.
    pub conditions: Conditions,
    /// The resource that is sent.
    pub resource: Option<Sent>,
}

/// An entry that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryError {
    /// Its place in the Bundle, from 0.
    pub index: usize,
    /// As much of its method and URL as there is, for people.
    pub request: String,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with an entry. `Display` says what to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It is no object, or a part of it has another form than FHIR gives it.
    Form(&'static str),
    /// There is no `request`.
    NoRequest,
    /// `request.method` is missing or none.
    Method(String),
    /// The FHIR version has no such entries.
    MethodOfLater(Method),
    /// `request.url` is missing.
    NoUrl,
    /// An absolute URL outside the API.
    ForeignUrl(String),
    /// Nothing is there.
    NoRoute(String),
    /// No resource type of the FHIR version.
    UnknownType(String),
    /// No id.
    IllegalId(String),
    /// Operations are not carried out in Bundles.
    Operation(String),
    /// A search by POST has no place for its form.
    SearchByPost,
    /// The method does not go with what the URL names.
    NoSuchRequest(Method, String),
    /// A write without resource.
    NoResource(Method),
    /// `ifNoneExist` where nothing is created.
    IfNoneExist(Method),
    /// `ifModifiedSince` where nothing is read.
    IfModifiedSince(Method),
    /// A condition that cannot be understood.
    Condition(FieldError),
    /// `ifModifiedSince` is no instant.
    Instant(String),
    /// A parameter is not percent-encoded UTF-8.
    Encoding(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(place) => write!(f, "{place} has not the form that FHIR gives it."),
            Self::NoRequest => f.write_str("The entry has no request. Add method and url."),
            Self::Method(found) => {
                write!(f, "\"{found}\" is no method: write GET, HEAD, POST, PUT, PATCH or DELETE.")
            }
            Self::MethodOfLater(method) => {
                write!(f, "{} entries exist from FHIR R4 on. Send it as a request of its own.", method.code())
            }
            Self::NoUrl => f.write_str("The entry's request has no url."),
            Self::ForeignUrl(url) => write!(f, "{url} is not below this API. Write a URL relative to it."),
            Self::NoRoute(path) => write!(f, "There is nothing at {path}."),
            Self::UnknownType(name) => {
                write!(
                    f,
                    "{name} is not a resource type of this FHIR version. Type names are case-sensitive."
                )
            }
            Self::IllegalId(id) => {
                write!(
                    f,
                    "\"{id}\" is not a FHIR id: 1 to 64 characters out of letters, digits, '-' and '.'."
                )
            }
            Self::Operation(path) => {
                write!(f, "Operations are not carried out in Bundles: send {path} as a request of its own.")
            }
            Self::SearchByPost => {
                f.write_str("A search in a Bundle is a GET with its parameters in the URL.")
            }
            Self::NoSuchRequest(method, url) => write!(f, "{} is not possible on \"{url}\".", method.code()),
            Self::NoResource(method) => write!(f, "A {} entry needs a resource.", method.code()),
            Self::IfNoneExist(method) => {
                write!(f, "ifNoneExist goes with POST, not with {}.", method.code())
            }
            Self::IfModifiedSince(method) => {
                write!(
                    f,
                    "ifModifiedSince goes with GET and HEAD, not with {}. Write ifMatch.",
                    method.code()
                )
            }
            Self::Condition(error) => write!(f, "{error}."),
            Self::Instant(text) => write!(
                f,
                "ifModifiedSince \"{text}\" cannot be read: write an instant such as 2018-05-25T16:09:50.000Z."
            ),
            Self::Encoding(part) => write!(f, "The parameter \"{part}\" is not percent-encoded UTF-8."),
        }
    }
}

impl Entry {
    /// `resource` makes of what stands there the resource that was sent, if it can be one.
    pub(crate) fn read(
        index: usize,
        mut entry: Value,
        resource: impl FnOnce(Value) -> Option<Sent>,
        reading: Reading<'_>,
    ) -> Result<Self, EntryError> {
        Self::parts(index, &mut entry, resource, reading).map_err(|problem| EntryError {
            index,
            request: request_in(&entry),
            problem,
        })
    }

    fn parts(
        index: usize,
        entry: &mut Value,
        resource: impl FnOnce(Value) -> Option<Sent>,
        reading: Reading<'_>,
    ) -> Result<Self, Problem> {
        let Value::Object(entry) = entry else { return Err(Problem::Form("entry")) };
        let resource = match entry.remove("resource") {
            None => None,
            Some(value) => Some(resource(value).ok_or(Problem::Form("resource"))?),
        };
        let full_url = text(entry, "fullUrl")?;
        let request = match entry.get("request") {
            None => return Err(Problem::NoRequest),
            Some(Value::Object(request)) => request,
            Some(_) => return Err(Problem::Form("request")),
        };
        let method = text(request, "method")?.unwrap_or_default();
        let method = Method::named(&method).ok_or_else(|| Problem::Method(short(&method)))?;
        let url = text(request, "url")?.ok_or(Problem::NoUrl)?;
        let (target, mut query) = Target::parse(&url, reading.definitions, reading.base)?;
        if !method.is_safe() {
            // They are no criteria, and a Bundle has one format.
            query.retain(|(name, _)| !matches!(name.as_str(), "_format" | "_pretty"));
        }
        let conditions = Conditions {
            if_match: text(request, "ifMatch")?,
            if_none_match: text(request, "ifNoneMatch")?,
            if_modified_since: text(request, "ifModifiedSince")?,
            if_none_exist: text(request, "ifNoneExist")?,
        };
        let entry = Self { index, full_url, method, url, target, query, conditions, resource };
        entry.check(reading)?;
        Ok(entry)
    }

    fn check(&self, reading: Reading<'_>) -> Result<(), Problem> {
        let method = self.method;
        let is_known = match method {
            Method::Patch => reading.patch,
            Method::Head => reading.definitions.version() != FhirVersion::Stu3,
            _ => true,
        };
        if !is_known {
            return Err(Problem::MethodOfLater(method));
        }
        let possible = match (&self.target, method) {
            (Target::Type(_), Method::Post) => self.query.is_empty(),
            (Target::Type(_) | Target::Instance(_), Method::Put | Method::Patch | Method::Delete) => {
                matches!(self.target, Target::Type(_)) != self.query.is_empty()
            }
            (Target::Base, Method::Get | Method::Head) => !self.url.is_empty(),
            (_, Method::Get | Method::Head) => true,
            _ => false,
        };
        if !possible {
            return Err(Problem::NoSuchRequest(method, short(&self.url)));
        }
        if matches!(method, Method::Post | Method::Put | Method::Patch) && self.resource.is_none() {
            return Err(Problem::NoResource(method));
        }
        if self.conditions.if_none_exist.is_some() && method != Method::Post {
            return Err(Problem::IfNoneExist(method));
        }
        if let Some(query) = self.if_none_exist() {
            pairs(query)?;
        }
        // A write that ignored it would overwrite what the client wanted to keep.
        if self.conditions.if_modified_since.is_some() && !method.is_safe() {
            return Err(Problem::IfModifiedSince(method));
        }
        Ok(())
    }

    /// The request in short, for people.
    pub fn label(&self) -> String {
        format!("{} {}", self.method.code(), short(&self.url))
    }

    /// The resource that it names by type and id.
    pub fn key(&self) -> Option<&Key> {
        match &self.target {
            Target::Instance(key) | Target::InstanceHistory(key) | Target::Version(key, _) => Some(key),
            _ => None,
        }
    }

    /// The criteria that name what it writes: in the URL, or in `ifNoneExist`.
    pub fn criteria(&self) -> Option<Vec<(String, String)>> {
        match (&self.target, self.method) {
            // It was read before; criteria that are none are refused.
            (Target::Type(_), Method::Post) => Some(pairs(self.if_none_exist()?).unwrap_or_default()),
            (Target::Type(_), Method::Put | Method::Patch | Method::Delete) => Some(self.query.clone()),
            _ => None,
        }
    }

    /// The query of `ifNoneExist`, which may stand behind `?` or `[type]?`.
    fn if_none_exist(&self) -> Option<&str> {
        let sent = self.conditions.if_none_exist.as_deref()?.trim();
        let named = self.target.resource_type().and_then(|name| sent.strip_prefix(name));
        Some(named.filter(|rest| rest.starts_with('?')).unwrap_or(sent).trim_start_matches('?'))
    }

    /// What must hold of the version that is there. `lenient` accepts bare tokens on writes.
    pub fn precondition(&self, lenient: bool) -> Result<Precondition, Problem> {
        let usage = match (self.method.is_safe(), lenient) {
            (true, _) => Usage::Read,
            (false, false) => Usage::Write,
            (false, true) => Usage::LenientWrite,
        };
        let mut fields = ConditionalFields::new(usage);
        let mut line = |field, text: Option<&String>| {
            text.map_or(Ok(()), |text| fields.line(field, text.as_bytes()).map_err(Problem::Condition))
        };
        line(Field::IfMatch, self.conditions.if_match.as_ref())?;
        line(Field::IfNoneMatch, self.conditions.if_none_match.as_ref())?;
        let precondition = fields.finish().map_err(Problem::Condition)?;
        let Some(since) = &self.conditions.if_modified_since else { return Ok(precondition) };
        let instant: Instant = since.parse().map_err(|_| Problem::Instant(short(since)))?;
        Ok(precondition.with_if_modified_since(HttpDate(instant.micros().div_euclid(1_000_000))))
    }
}

/// The request of an entry in short, as far as it can be read.
fn request_in(entry: &Value) -> String {
    let part = |name| entry.get("request").and_then(|request| request.get(name)).and_then(Value::as_str);
    match (part("method"), part("url")) {
        (None, None) => "no request".to_owned(),
        (method, url) => format!("{} {}", short(method.unwrap_or("?")), short(url.unwrap_or("?"))),
    }
}

/// A member that is a string, if it is there.
fn text(object: &Object, name: &'static str) -> Result<Option<String>, Problem> {
    match object.get(name) {
        None => Ok(None),
        Some(value) => value.as_str().map(|text| Some(text.to_owned())).ok_or(Problem::Form(name)),
    }
}
