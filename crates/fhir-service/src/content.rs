//! From the bytes of a request to what is stored.

use bytes::Bytes;
use fhir_model::{Id, Resource, json};
use rulebook::{ClientId, Failure};
use storage_api::Body;

use crate::Limits;
use crate::service::shortened;

/// A resource that was read, and is yet to be given its place.
pub(crate) struct Incoming {
    resource: Resource,
}

impl Incoming {
    /// Parses a body and checks that it is a resource of the URL's type.
    pub(crate) fn parse(body: &[u8], resource_type: &str, limits: &Limits) -> Result<Self, Failure> {
        if body.trim_ascii().is_empty() {
            return Err(Failure::EmptyBody);
        }
        let value = json::parse(body, &limits.json).map_err(Failure::Json)?;
        let resource = Resource::from_value(value).map_err(Failure::NoResource)?;
        if resource.resource_type().as_str() != resource_type {
            return Err(Failure::WrongType {
                url: resource_type.to_owned(),
                body: resource.resource_type().to_string(),
            });
        }
        Ok(Self { resource })
    }

    /// For an update: the body names the same id as the URL.
    pub(crate) fn with_url_id(self, id: &str) -> Result<Body, Failure> {
        match self.resource.id() {
            None => Err(Failure::IdMissing { url: id.to_owned() }),
            Some(body) if body != id => Err(Failure::IdDiffers { url: id.to_owned(), body: shortened(body) }),
            Some(_) => self.into_body(),
        }
    }

    /// For a create: the server's id takes the place of any other.
    pub(crate) fn with_new_id(mut self, id: &Id, client_id: ClientId) -> Result<Body, Failure> {
        if let (Some(sent), ClientId::Refused) = (self.resource.id(), client_id) {
            return Err(Failure::ClientAssignedId { id: shortened(sent) });
        }
        self.resource.set_id(id);
        self.into_body()
    }

    fn into_body(self) -> Result<Body, Failure> {
        // `Resource` checked that `meta` is an object; what is left is a size that the limits of
        // parsing exclude.
        let stored = self.resource.stored_body().map_err(|_| Failure::Internal)?;
        Ok(Body { bytes: Bytes::from(stored.bytes), splice: stored.splice.to_i64() })
    }
}
