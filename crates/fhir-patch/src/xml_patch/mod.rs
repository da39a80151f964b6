//! XML Patch (RFC 5261; its media type is in RFC 7351).

mod apply;
mod dom;
mod error;
mod import;
mod parse;
mod read;
mod select;
mod selector;
mod write;

use self::dom::{Document, NodeId};
pub use self::error::{
    MarkupFault, MarkupFaultKind, SelectorFault, SelectorFaultKind, XmlPatchFault, XmlPatchRefusal,
};
use self::selector::Selector;
use crate::error::{Malformed, NotApplicable};
use crate::limits::Limits;

/// An XML Patch: operations that are applied in order, all of them or none.
///
/// ```
/// use fhir_patch::{Limits, XmlPatch};
///
/// let limits = Limits::default();
/// let patch = br#"<diff xmlns:f="http://hl7.org/fhir"><replace sel="f:Flag/f:status/@value">inactive</replace></diff>"#;
/// let flag = br#"<Flag xmlns="http://hl7.org/fhir"><status value="active"/></Flag>"#;
/// let patched = XmlPatch::parse(patch, &limits)?.apply(flag, &limits)?;
/// assert_eq!(patched, r#"<Flag xmlns="http://hl7.org/fhir"><status value="inactive"/></Flag>"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct XmlPatch {
    patch: Document,
    operations: Vec<Operation>,
}

#[derive(Debug, Clone)]
struct Operation {
    /// `sel` as written.
    path: String,
    selector: Selector,
    kind: OperationKind,
    /// The operation in the patch; what is inside is what to add.
    node: NodeId,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum OperationKind {
    Add(Position),
    AddAttribute {
        prefix: String,
        local: String,
    },
    AddNamespace {
        prefix: String,
    },
    Replace,
    Remove {
        /// White space before and after what is removed goes with it.
        before: bool,
        after: bool,
    },
}

/// Where nodes are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    /// As the last ones inside.
    Append,
    /// As the first ones inside.
    Prepend,
    Before,
    After,
}

impl XmlPatch {
    /// Reads a patch document. Its outermost element is named `diff`, or `patch` as RFC 7351 has it; the operations are
    /// in the same name space, or in none.
    pub fn parse(patch: &[u8], limits: &Limits) -> Result<Self, Malformed<XmlPatchFault>> {
        let whole = |fault| Malformed { operation: None, fault };
        let patch = read::read(patch, limits).map_err(|fault| whole(XmlPatchFault::Markup(fault)))?;
        let operations = parse::operations(&patch, limits)?;
        Ok(Self { patch, operations })
    }

    /// The document after all operations. What no operation touches stays as it is written, apart from white space
    /// inside of tags, line ends and CDATA sections.
    pub fn apply(&self, document: &[u8], limits: &Limits) -> Result<String, NotApplicable<XmlPatchRefusal>> {
        apply::apply(self, document, limits).map(|document| write::write(&document))
    }

    /// The number of operations.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether there is no operation at all.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }
}

#[cfg(test)]
mod tests;
