//! Evaluation: nodes to items, in one scope after the other.

mod boundaries;
mod calls;
mod collections;
mod conversions;
mod encodings;
mod fhir;
mod mathematics;
mod operators;
mod sorting;
mod texts;
mod types;

use std::borrow::Cow;

use self::operators::polarity;
use crate::budget::Budget;
use crate::environment::Environment;
use crate::equality::{ItemSet, equal};
use crate::error::EvalError;
use crate::item::{Element, Item};
use crate::syntax::{Node, Step};
use crate::system::System;

/// Items while they are worked on.
pub(crate) type Items<'a> = Vec<Item<'a>>;
pub(crate) type Evaluated<'a> = Result<Items<'a>, EvalError>;

/// Up to this many items are compared with each other rather than hashed.
const FEW_ITEMS: usize = 8;

/// One evaluation of one expression.
pub(crate) struct Evaluator<'a> {
    environment: &'a Environment<'a>,
    context: Item<'a>,
    budget: Budget,
}

/// What `$this`, `$index` and `$total` mean.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'s, 'a> {
    /// One item, or none where a function is called on nothing.
    this: &'s [Item<'a>],
    index: Option<usize>,
    total: Option<&'s [Item<'a>]>,
}

/// Evaluates an expression on a context.
pub(crate) fn evaluate<'a>(
    root: &'a Node,
    context: Item<'a>,
    environment: &'a Environment<'a>,
) -> Evaluated<'a> {
    let budget = Budget::new(environment.limits_now());
    let evaluator = Evaluator { environment, context, budget };
    let scope = Scope { this: std::slice::from_ref(&evaluator.context), index: None, total: None };
    let found = evaluator.node(root, scope);
    environment.spend(evaluator.budget.used());
    found
}

/// The truth value of a collection (FHIRPath, "Singleton Evaluation of Collections").
pub(crate) fn truth(items: &[Item<'_>], at: &'static str) -> Result<Option<bool>, EvalError> {
    match items {
        [] => Ok(None),
        [one] => Ok(Some(match one.system() {
            Some(System::Boolean(value)) => value,
            _ => true,
        })),
        several => Err(EvalError::NotSingleton { at, found: several.len() }),
    }
}

/// The single item of a collection, if there is one.
fn singleton<'i, 'a>(items: &'i [Item<'a>], at: &'static str) -> Result<Option<&'i Item<'a>>, EvalError> {
    match items {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        several => Err(EvalError::NotSingleton { at, found: several.len() }),
    }
}

fn wrong_type(at: &'static str, expected: &'static str, found: &Item<'_>) -> EvalError {
    EvalError::WrongType { at, expected, found: found.type_info().to_string() }
}

fn boolean<'a>(value: bool) -> Items<'a> {
    vec![Item::Value(System::Boolean(value))]
}

fn optional_boolean<'a>(value: Option<bool>) -> Items<'a> {
    value.map(boolean).unwrap_or_default()
}

fn integer<'a>(value: usize) -> Items<'a> {
    vec![Item::Value(System::Integer(i64::try_from(value).unwrap_or(i64::MAX)))]
}

fn value<'a>(value: impl Into<Option<System<'a>>>) -> Items<'a> {
    value.into().map(Item::Value).into_iter().collect()
}

fn text<'a>(text: impl Into<Cow<'a, str>>) -> Items<'a> {
    vec![Item::Value(System::String(text.into()))]
}

impl<'a> Evaluator<'a> {
    fn node(&self, node: &'a Node, scope: Scope<'_, 'a>) -> Evaluated<'a> {
        self.budget.charge(1)?;
        match node {
            Node::Empty => Ok(Items::new()),
            Node::Literal(literal) => Ok(value(literal.borrowed())),
            Node::Variable(name) => self.variable(name),
            Node::This => Ok(scope.this.to_vec()),
            Node::Index => Ok(scope.index.map(integer).unwrap_or_default()),
            Node::Total => Ok(scope.total.unwrap_or_default().to_vec()),
            Node::Path { start, steps } => self.path(start.as_deref(), steps, scope),
            Node::Polarity { sign, operand } => polarity(*sign, &self.node(operand, scope)?),
            Node::Chain { first, rest } => self.chain(first, rest, scope),
            Node::Types { operand, rest } => {
                let items = self.node(operand, scope)?;
                rest.iter().try_fold(items, |items, (operator, wanted)| self.types(*operator, wanted, items))
            }
        }
    }

    /// A node with another `$this`.
    fn node_on(&self, node: &'a Node, item: &Item<'a>, index: usize, scope: Scope<'_, 'a>) -> Evaluated<'a> {
        self.node(node, Scope { this: std::slice::from_ref(item), index: Some(index), total: scope.total })
    }

    fn path(&self, start: Option<&'a Node>, steps: &'a [Step], scope: Scope<'_, 'a>) -> Evaluated<'a> {
        let (mut items, rest) = match (start, steps) {
            (Some(start), steps) => (self.node(start, scope)?, steps),
            (None, [Step::Member(name), rest @ ..]) => (self.first_member(name, scope.this)?, rest),
            (None, steps) => (scope.this.to_vec(), steps),
        };
        for step in rest {
            items = match step {
                Step::Member(name) => self.member(name, &items)?,
                Step::Index(index) => self.indexed(items, index, scope)?,
                Step::Types(operator, wanted) => self.types(*operator, wanted, items)?,
                Step::Call(call) => self.call(call, items, scope)?,
            };
        }
        Ok(items)
    }

    /// The name that a path begins with: that of the context's type, or of an element inside it.
    fn first_member(&self, name: &str, this: &[Item<'a>]) -> Evaluated<'a> {
        if let [item @ Item::Element(element)] = this
            && name.starts_with(|first: char| first.is_ascii_uppercase())
            && element.answers_to(name)
        {
            return Ok(vec![item.clone()]);
        }
        self.member(name, this)
    }

    fn member(&self, name: &str, items: &[Item<'a>]) -> Evaluated<'a> {
        let mut out = Items::new();
        for item in items {
            self.members(name, item, &mut out)?;
        }
        self.budget.check_items(out.len())?;
        Ok(out)
    }

    /// The members of one item, charged for the members that it has.
    fn members(&self, name: &str, item: &Item<'a>, out: &mut Items<'a>) -> Result<(), EvalError> {
        let width = item.as_element().map_or(0, Element::width);
        self.budget.charge(width / 16 + 1)?;
        item.members(name, out);
        Ok(())
    }

    fn indexed(&self, mut items: Items<'a>, index: &'a Node, scope: Scope<'_, 'a>) -> Evaluated<'a> {
        let index = self.node(index, scope)?;
        let Some(index) = singleton(&index, "[]")? else { return Ok(Items::new()) };
        match index.system() {
            Some(System::Integer(place)) => Ok(match usize::try_from(place) {
                Ok(place) if place < items.len() => vec![items.swap_remove(place)],
                _ => Items::new(),
            }),
            _ => Err(wrong_type("[]", "an Integer", index)),
        }
    }

    fn variable(&self, name: &'a str) -> Evaluated<'a> {
        if let Some(items) = self.environment.variables.get(name) {
            self.budget.check_items(items.len())?;
            return Ok(items.to_vec());
        }
        let fixed = match name {
            "context" => return Ok(vec![self.context.clone()]),
            "resource" => return Ok(self.resource().map(Item::Element).into_iter().collect()),
            "rootResource" => return Ok(self.root_resource().map(Item::Element).into_iter().collect()),
            "ucum" => "http://unitsofmeasure.org",
            "sct" => "http://snomed.info/sct",
            "loinc" => "http://loinc.org",
            _ => {
                let url = if let Some(id) = name.strip_prefix("vs-") {
                    format!("http://hl7.org/fhir/ValueSet/{id}")
                } else if let Some(id) = name.strip_prefix("ext-") {
                    format!("http://hl7.org/fhir/StructureDefinition/{id}")
                } else {
                    return Err(EvalError::UnknownVariable(name.to_owned()));
                };
                return Ok(text(url));
            }
        };
        Ok(text(fixed))
    }

    fn resource(&self) -> Option<Element<'a>> {
        let context = self.context.as_element().copied().filter(Element::is_resource);
        self.environment.resource.or(context)
    }

    fn root_resource(&self) -> Option<Element<'a>> {
        self.environment.root_resource.or_else(|| self.resource())
    }

    /// The items without those that are equal to an earlier one.
    fn distinct(&self, items: Items<'a>) -> Evaluated<'a> {
        if items.len() <= FEW_ITEMS {
            let mut kept = Items::with_capacity(items.len());
            for item in items {
                if !self.is_among(&item, &kept)? {
                    kept.push(item);
                }
            }
            return Ok(kept);
        }
        Ok(ItemSet::of(&items, &self.budget)?.into_items())
    }

    fn is_among(&self, item: &Item<'_>, items: &[Item<'_>]) -> Result<bool, EvalError> {
        for other in items {
            if equal(item, other, &self.budget)? == Some(true) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
