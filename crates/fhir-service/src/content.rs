//! From the bytes of a request to what is stored.

use std::sync::Arc;

use bytes::Bytes;
use fhir_definitions::Definitions;
use fhir_model::json::{self, Object, Value};
use fhir_model::{Id, Resource, xml};
use fhir_search::{CustomParameter, Outgoing};
use rulebook::{ClientId, Failure, Interaction, Warning};
use storage_api::{Body, IndexGeneration, Term};

use crate::binary::{self, BINARY};
use crate::present::Format;
use crate::request::{Content, Encoding};
use crate::ruling::Joint;
use crate::service::{Service, shortened};

/// A resource that was read, and is yet to be given its place.
pub(crate) struct Incoming {
    resource: Resource,
}

impl Service {
    /// Reads a body in its format.
    pub(crate) fn parse(&self, body: &Content) -> Result<Value, Failure> {
        if let Encoding::Tree(resource) = &body.encoding {
            return Ok(Value::clone(resource));
        }
        expect_content(body)?;
        match &body.encoding {
            Encoding::Tree(resource) => Ok(Value::clone(resource)),
            Encoding::Native(content_type) => Err(binary::not_a_resource(content_type)),
            Encoding::Fhir(Format::Json) => {
                json::parse(&body.bytes, &self.limits.json).map_err(Failure::Json)
            }
            Encoding::Fhir(Format::Xml) => {
                let definitions = Definitions::of(self.rulebook.version());
                xml::parse(&body.bytes, definitions, &self.limits.json)
                    .map_err(|error| Failure::Xml(Box::new(error)))
            }
        }
    }

    /// Reads a body that is to be stored under a type.
    /// `id` is the one in the URL, if there is one: native content has none of its own.
    pub(crate) fn incoming(
        &self,
        body: &Content,
        resource_type: &str,
        id: Option<&str>,
    ) -> Result<Incoming, Failure> {
        match &body.encoding {
            Encoding::Native(content_type) if resource_type == BINARY => {
                let wrapped = binary::wrap(content_type, &body.bytes, id, self.rulebook.version());
                Incoming::of(Value::Object(wrapped), resource_type)
            }
            _ => Incoming::of(self.parse(body)?, resource_type),
        }
    }
}

/// Refuses a body without anything in it.
pub(crate) fn expect_content(body: &Content) -> Result<(), Failure> {
    if body.bytes.trim_ascii().is_empty() { Err(Failure::EmptyBody) } else { Ok(()) }
}

/// A resource as it is written.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) body: Body,
    /// What it is found by.
    pub(crate) terms: Arc<[Term]>,
    /// What it must find on this server.
    pub(crate) references: Vec<Outgoing>,
    /// The generation of the terms.
    pub(crate) index: IndexGeneration,
    /// What is compared and written with it, by the rules of the API.
    pub(crate) joint: Option<Box<Joint>>,
    /// What the client should know.
    pub(crate) warnings: Vec<Warning>,
}

impl Service {
    /// Makes of a resource what is written. An absolute reference below `base` is one to this
    /// server.
    pub(crate) fn stored(&self, value: Value, base: &str) -> Result<Prepared, Failure> {
        self.expect_usable(&value)?;
        let in_force = self.in_force();
        let (terms, references) = in_force.indexed(&value, &[base])?;
        let resource = Resource::from_value(value).map_err(Failure::NoResource)?;
        // `Resource` checked that `meta` is an object; what is left is a size that the limits of
        // parsing exclude.
        let stored = resource.stored_body().map_err(|_| Failure::Internal)?;
        let body = Body { bytes: Bytes::from(stored.bytes), splice: stored.splice.to_i64() };
        let index = in_force.generation;
        Ok(Prepared { body, terms: terms.into(), references, index, joint: None, warnings: Vec::new() })
    }

    /// A SearchParameter that could never be used is not stored, where it could come into force.
    fn expect_usable(&self, value: &Value) -> Result<(), Failure> {
        if !self.rulebook.offers(Interaction::Reindex) {
            return Ok(());
        }
        let is_one =
            |object: &&Object| object.get("resourceType").and_then(Value::as_str) == Some("SearchParameter");
        let Some(resource) = value.as_object().filter(is_one) else { return Ok(()) };
        let read = CustomParameter::read(resource, Definitions::of(self.rulebook.version()));
        read.map(drop).map_err(|error| Failure::SearchParameter(Box::new(error)))
    }
}

impl From<Resource> for Incoming {
    fn from(resource: Resource) -> Self {
        Self { resource }
    }
}

impl Incoming {
    /// Checks that a tree is a resource of the URL's type.
    pub(crate) fn of(value: Value, resource_type: &str) -> Result<Self, Failure> {
        let resource = Resource::from_value(value).map_err(Failure::NoResource)?;
        if resource.resource_type().as_str() != resource_type {
            return Err(Failure::WrongType {
                url: resource_type.to_owned(),
                body: resource.resource_type().to_string(),
            });
        }
        Ok(Self { resource })
    }

    pub(crate) fn resource(&self) -> &Resource {
        &self.resource
    }

    pub(crate) fn into_value(self) -> Value {
        self.resource.into_value()
    }

    /// For an update: the body names the same id as the URL, or as the resource that matches.
    pub(crate) fn check_url_id(&self, id: &str) -> Result<(), Failure> {
        match self.resource.id() {
            None => Err(Failure::IdMissing { url: id.to_owned() }),
            Some(body) if body != id => Err(Failure::IdDiffers { url: id.to_owned(), body: shortened(body) }),
            Some(_) => Ok(()),
        }
    }

    /// For a create: the server's id takes the place of any other.
    pub(crate) fn set_new_id(&mut self, id: &Id, client_id: ClientId) -> Result<(), Failure> {
        if let (Some(sent), ClientId::Refused) = (self.resource.id(), client_id) {
            return Err(Failure::ClientAssignedId { id: shortened(sent) });
        }
        self.resource.set_id(id);
        Ok(())
    }
}
