//! The entry point: a parsed expression.

use std::fmt;
use std::str::FromStr;

use fhir_definitions::TypeDef;

use crate::check::check;
use crate::environment::Environment;
use crate::error::{CheckError, EvalError, ParseError};
use crate::evaluate::evaluate;
use crate::item::{Collection, Item};
use crate::parser::parse;
use crate::syntax::{Node, Step};

/// A FHIRPath expression, parsed once and evaluated as often as wanted, on any FHIR version.
///
/// Two expressions are equal when they say the same: white space, comments and needless parentheses do not count.
/// `Display` prints the canonical form.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    root: Node,
}

impl Expression {
    /// Parses an expression. It has at most 64 KiB and a bounded depth of nesting; the names of functions, their
    /// numbers of arguments and literal patterns are checked here, the names of elements and types are not.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        parse(text).map(|root| Self { root })
    }

    /// Evaluates the expression on a context. The result borrows the tree, the expression and the environment.
    pub fn evaluate<'a>(
        &'a self,
        context: Item<'a>,
        environment: &'a Environment<'a>,
    ) -> Result<Collection<'a>, EvalError> {
        evaluate(&self.root, context, environment).map(Collection)
    }

    /// Checks the names of elements and types against the definitions, without any data, for a context of this type.
    /// Where the definitions leave a type open, everything is allowed. Evaluation does not need this: there, unknown
    /// elements are simply not found.
    ///
    /// ```
    /// use fhir_definitions::{Definitions, FhirVersion};
    /// use fhirpath::{CheckError, Expression};
    ///
    /// let patient = Definitions::of(FhirVersion::R4).type_named("Patient").unwrap();
    /// let expression = Expression::parse("Patient.name.where(use = 'usual').givne").unwrap();
    /// let (name, inside) = ("givne".into(), "HumanName".into());
    /// assert_eq!(expression.check(patient), Err(CheckError::UnknownElement { name, inside }));
    /// ```
    pub fn check(&self, context: TypeDef) -> Result<(), CheckError> {
        check(&self.root, context)
    }

    /// The path without its last step, and the name in that step: where something can be added that is not there yet.
    /// None if the expression does not end with the name of an element.
    ///
    /// ```
    /// use fhirpath::Expression;
    ///
    /// let path = Expression::parse("Patient.contact[0].name").unwrap();
    /// let (parent, name) = path.split_member().unwrap();
    /// assert_eq!((parent.to_string().as_str(), name), ("Patient.contact[0]", "name"));
    /// assert_eq!(Expression::parse("Patient.name.first()").unwrap().split_member(), None);
    /// ```
    pub fn split_member(&self) -> Option<(Self, &str)> {
        let Node::Path { start, steps } = &self.root else { return None };
        let (last, rest) = steps.split_last()?;
        let Step::Member(name) = last else { return None };
        let root = match (start, rest) {
            (None, []) => Node::This,
            (Some(start), []) => (**start).clone(),
            (start, rest) => Node::Path { start: start.clone(), steps: rest.to_vec() },
        };
        Some((Self { root }, name))
    }
}

impl FromStr for Expression {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.root)
    }
}
