//! The form in which a client gets an answer.

use bytes::Bytes;
use fhir_definitions::Definitions;
use fhir_model::json::{self, Value};
use fhir_model::xml;
pub use rulebook::Format;
use rulebook::{Failure, Success};

use crate::answer::{Answer, Payload};
use crate::binary;
use crate::service::Service;
use crate::subset::{Subset, cut};

/// How a client wants to see resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presentation {
    /// In which format.
    pub format: Format,
    /// With line breaks and indentation.
    pub pretty: bool,
    /// Which part.
    pub subset: Subset,
    /// A Binary in its own form rather than as a resource.
    pub native: bool,
}

impl Service {
    /// Puts an answer into the form asked for. Stored JSON as it is costs nothing; everything else
    /// is parsed and printed again.
    pub fn present(&self, answer: Answer, presentation: &Presentation, trace: &str) -> Answer {
        if *presentation == Presentation::default() {
            return answer;
        }
        let Some(Payload::Json(bytes)) = &answer.payload else { return answer };
        let shown = answer.status == Success::Shown.status(true);
        if presentation.native
            && shown
            && let Some(payload) = binary::unwrap(bytes, self.rulebook.version(), &self.limits)
        {
            return Answer { payload: Some(payload), ..answer };
        }
        match self.formed(bytes, presentation) {
            Ok(payload) => Answer { payload: Some(payload), ..answer },
            Err(failure) => {
                // An outcome can always be given in every format.
                let plain = Presentation { subset: Subset::Whole, ..*presentation };
                let refusal = self.refuse(&failure, trace);
                let Some(Payload::Json(bytes)) = &refusal.payload else { return refusal };
                match self.formed(bytes, &plain) {
                    Ok(payload) => Answer { payload: Some(payload), ..refusal },
                    Err(_) => refusal,
                }
            }
        }
    }

    fn formed(&self, bytes: &[u8], presentation: &Presentation) -> Result<Payload, Failure> {
        let version = self.rulebook.version();
        let Ok(Value::Object(mut resource)) = json::parse(bytes, &self.limits.stored()) else {
            return Err(Failure::Internal);
        };
        cut(&mut resource, &presentation.subset, version);
        let mut out = Vec::with_capacity(bytes.len());
        match (presentation.format, presentation.pretty) {
            (Format::Json, false) => resource.write(&mut out),
            (Format::Json, true) => resource.write_pretty(&mut out),
            (Format::Xml, pretty) => {
                let definitions = Definitions::of(version);
                let written = if pretty {
                    xml::write_pretty(&resource, definitions, &mut out)
                } else {
                    xml::write(&resource, definitions, &mut out)
                };
                written.map_err(|error| Failure::NotRepresentable { why: error.to_string() })?;
            }
        }
        let bytes = Bytes::from(out);
        Ok(match presentation.format {
            Format::Json => Payload::Json(bytes),
            Format::Xml => Payload::Xml(bytes),
        })
    }
}
