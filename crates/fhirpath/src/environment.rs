//! What an evaluation may use beside the expression and its context.

use std::cell::Cell;
use std::collections::BTreeMap;

use fhir_definitions::Definitions;
use fhir_model::json::Value;

use crate::item::{Collection, Element, Item};
use crate::temporal::DateTime;

/// How much one evaluation may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Steps: about one for each item that any part of the expression looks at.
    pub steps_max: u64,
    /// Items in one collection.
    pub items_max: usize,
    /// Bytes in one text that the expression builds.
    pub text_bytes_max: usize,
}

impl Default for Limits {
    /// 5 million steps, 1 million items, 1 MiB of text: the worst expressions that we know end within two seconds.
    fn default() -> Self {
        Self { steps_max: 5_000_000, items_max: 1_000_000, text_bytes_max: 1024 * 1024 }
    }
}

/// How expressions are read where the published ones differ from the standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// By the standard.
    #[default]
    Standard,
    /// For the invariants of the base definitions: `as` filters a collection, and `Boolean` means `boolean` too.
    Invariant,
    /// For search parameters: as for invariants, and `resolve()` follows no reference but gives the type that the
    /// reference states, so that `resolve() is Patient` needs no other resource.
    Search,
}

impl Dialect {
    /// Whether `as` filters, and the case of type names does not matter.
    pub(crate) const fn is_lenient(self) -> bool {
        matches!(self, Self::Invariant | Self::Search)
    }
}

/// What an expression can ask the program that evaluates it. Every answer has a default: nothing is known.
pub trait Host {
    /// The resource that a reference, not to a contained resource, points to.
    fn resolve(&self, reference: &str) -> Option<&Value> {
        let _ = reference;
        None
    }

    /// Whether a code, Coding or CodeableConcept is in a value set.
    fn member_of(&self, coded: &Item<'_>, value_set: &str) -> Result<Option<bool>, String> {
        let _ = (coded, value_set);
        Ok(None)
    }

    /// Whether a code subsumes another one.
    fn subsumes(&self, ancestor: &Item<'_>, descendant: &Item<'_>) -> Result<Option<bool>, String> {
        let _ = (ancestor, descendant);
        Ok(None)
    }

    /// Whether an element conforms to a profile.
    fn conforms_to(&self, element: &Item<'_>, profile: &str) -> Result<Option<bool>, String> {
        let _ = (element, profile);
        Ok(None)
    }

    /// Whether the XHTML of a narrative keeps the rules.
    fn html_checks(&self, html: &str) -> Option<bool> {
        let _ = html;
        None
    }
}

/// A host that knows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHost;

impl Host for NoHost {}

/// Everything that an evaluation may use beside the expression and its context.
#[derive(Clone)]
pub struct Environment<'a> {
    pub(crate) definitions: Definitions,
    pub(crate) dialect: Dialect,
    pub(crate) limits: Limits,
    pub(crate) allowance: Option<&'a Cell<u64>>,
    pub(crate) host: &'a dyn Host,
    pub(crate) now: Option<DateTime>,
    pub(crate) resource: Option<Element<'a>>,
    pub(crate) root_resource: Option<Element<'a>>,
    pub(crate) variables: BTreeMap<String, Collection<'a>>,
}

impl<'a> Environment<'a> {
    /// The definitions of a version, and nothing else: the standard dialect, default limits, no clock, no host.
    pub fn new(definitions: Definitions) -> Self {
        Self {
            definitions,
            dialect: Dialect::default(),
            limits: Limits::default(),
            allowance: None,
            host: &NoHost,
            now: None,
            resource: None,
            root_resource: None,
            variables: BTreeMap::new(),
        }
    }

    /// How the published expressions are read.
    #[must_use]
    pub fn with_dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// How much one evaluation may do.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Steps that many evaluations share: each takes what it used, and none takes more than is left. For those who
    /// evaluate many expressions on what one client sent.
    #[must_use]
    pub fn with_allowance(mut self, steps_left: &'a Cell<u64>) -> Self {
        self.allowance = Some(steps_left);
        self
    }

    /// Who answers `resolve()`, `memberOf()`, `conformsTo()` and the like.
    #[must_use]
    pub fn with_host(mut self, host: &'a dyn Host) -> Self {
        self.host = host;
        self
    }

    /// The moment that `now()`, `today()` and `timeOfDay()` tell: a date and time with an offset.
    #[must_use]
    pub fn with_now(mut self, now: DateTime) -> Self {
        self.now = Some(now);
        self
    }

    /// `%resource`: the resource that holds the context. Without it, the context if that is a resource. In STU3 a
    /// contained resource does not count: there it is the container.
    #[must_use]
    pub fn with_resource(mut self, resource: Element<'a>) -> Self {
        self.resource = Some(resource);
        self
    }

    /// `%rootResource`: the container, if `%resource` is a contained resource; contained references are looked up
    /// in it. Without it, `%resource`.
    #[must_use]
    pub fn with_root_resource(mut self, resource: Element<'a>) -> Self {
        self.root_resource = Some(resource);
        self
    }

    /// Sets a `%variable`; it hides a predefined one of the same name.
    #[must_use]
    pub fn with_variable(mut self, name: impl Into<String>, items: Collection<'a>) -> Self {
        self.variables.insert(name.into(), items);
        self
    }

    /// The definitions in use.
    pub const fn definitions(&self) -> Definitions {
        self.definitions
    }

    /// The limits of one evaluation from here.
    pub(crate) fn limits_now(&self) -> Limits {
        let left = self.allowance.map_or(u64::MAX, Cell::get);
        Limits { steps_max: self.limits.steps_max.min(left), ..self.limits }
    }

    /// Takes the steps that an evaluation used from those that are shared.
    pub(crate) fn spend(&self, steps: u64) {
        if let Some(allowance) = self.allowance {
            allowance.set(allowance.get().saturating_sub(steps));
        }
    }
}
