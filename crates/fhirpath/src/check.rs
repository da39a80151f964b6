//! What the definitions say about an expression without any data: which types each part can have.

use std::cell::Cell;

use fhir_definitions::{Definitions, Fields, Primitive, TypeDef, TypeKind};

use crate::error::CheckError;
use crate::functions::Function;
use crate::item::type_of;
use crate::syntax::{Call, Node, Operator, Step, TypeOperator, TypeSpecifier};
use crate::system::{System, SystemType};

/// `repeat()` is followed this often; deeper levels of a tree have the types of those above.
const REPEAT_ROUNDS: usize = 3;
/// Nodes that are looked at; beyond this, which takes nested calls of `repeat()`, everything is allowed.
const STEPS_MAX: u32 = 100_000;
/// More possible types than this are not told apart.
const TYPES_MAX: usize = 64;

/// The types that the items of a collection can have.
#[derive(Clone, Default)]
struct Types {
    /// Anything at all: the rest tells nothing.
    is_open: bool,
    fields: Vec<Fields>,
    system: Vec<SystemType>,
    /// Whether the order of the items means nothing.
    is_unordered: bool,
}

impl Types {
    fn open() -> Self {
        Self { is_open: true, ..Self::default() }
    }

    fn of(found: TypeDef) -> Self {
        Self { fields: vec![found.fields()], ..Self::default() }
    }

    fn system(found: SystemType) -> Self {
        Self { system: vec![found], ..Self::default() }
    }

    fn add(&mut self, other: Self) {
        self.is_open |= other.is_open;
        self.is_unordered |= other.is_unordered;
        for fields in other.fields {
            if !self.fields.iter().any(|known| is_same(*known, fields)) {
                self.fields.push(fields);
            }
        }
        for system in other.system {
            if !self.system.contains(&system) {
                self.system.push(system);
            }
        }
        if self.fields.len() > TYPES_MAX {
            *self = Self::open();
        }
    }

    /// Whether no item can be a Boolean.
    fn is_never_boolean(&self) -> bool {
        let is_boolean = |fields: &Fields| fields.type_def().primitive() == Some(Primitive::Boolean);
        let is_something = !self.fields.is_empty() || !self.system.is_empty();
        let may_be =
            self.is_open || self.system.contains(&SystemType::Boolean) || self.fields.iter().any(is_boolean);
        is_something && !may_be
    }
}

/// Whether two places allow the same: what is inside a type, or inside one backbone element.
fn is_same(left: Fields, right: Fields) -> bool {
    left.type_def() == right.type_def() && left.backbone() == right.backbone()
}

/// Checks an expression for a context of a type.
pub(crate) fn check(root: &Node, context: TypeDef) -> Result<(), CheckError> {
    let steps_left = Cell::new(STEPS_MAX);
    let checker = Checker { definitions: context.definitions(), context: Types::of(context), steps_left };
    checker.node(root, &checker.context).map(|_| ())
}

struct Checker {
    definitions: Definitions,
    context: Types,
    steps_left: Cell<u32>,
}

type Checked = Result<Types, CheckError>;

impl Checker {
    fn node(&self, node: &Node, this: &Types) -> Checked {
        let Some(left) = self.steps_left.get().checked_sub(1) else { return Ok(Types::open()) };
        self.steps_left.set(left);
        match node {
            Node::Empty => Ok(Types::default()),
            Node::Literal(literal) => Ok(Types::system(System::system_type(literal))),
            Node::Variable(name) if name == "context" => Ok(self.context.clone()),
            Node::Variable(_) | Node::Total => Ok(Types::open()),
            Node::This => Ok(this.clone()),
            Node::Index => Ok(Types::system(SystemType::Integer)),
            Node::Path { start, steps } => self.path(start.as_deref(), steps, this),
            Node::Polarity { operand, .. } => self.node(operand, this),
            Node::Chain { first, rest } => self.chain(first, rest, this),
            Node::Types { operand, rest } => {
                let types = self.node(operand, this)?;
                rest.iter().try_fold(types, |types, (operator, wanted)| self.types(types, *operator, wanted))
            }
        }
    }

    fn chain(&self, first: &Node, rest: &[(Operator, Node)], this: &Types) -> Checked {
        let mut types = self.node(first, this)?;
        for (operator, operand) in rest {
            let other = self.node(operand, this)?;
            match operator {
                Operator::Union => types.add(other),
                Operator::Multiply
                | Operator::Divide
                | Operator::Div
                | Operator::Mod
                | Operator::Add
                | Operator::Subtract => types = Types::open(),
                Operator::Concatenate => types = Types::system(SystemType::String),
                _ => types = Types::system(SystemType::Boolean),
            }
        }
        Ok(types)
    }

    fn path(&self, start: Option<&Node>, steps: &[Step], this: &Types) -> Checked {
        let (mut types, rest) = match (start, steps) {
            (Some(start), steps) => (self.node(start, this)?, steps),
            (None, [Step::Member(name), rest @ ..]) => match named(this, name) {
                Some(types) => (types, rest),
                None => (member(this, name)?, rest),
            },
            (None, steps) => (this.clone(), steps),
        };
        for step in rest {
            types = match step {
                Step::Member(name) => member(&types, name)?,
                Step::Index(index) => {
                    self.node(index, this)?;
                    ordered(types, "[]")?
                }
                Step::Types(operator, wanted) => self.types(types, *operator, wanted)?,
                Step::Call(call) => self.call(call, types, this)?,
            };
        }
        Ok(types)
    }

    fn types(&self, mut types: Types, operator: TypeOperator, specifier: &TypeSpecifier) -> Checked {
        let system = SystemType::named(&specifier.name);
        let found = match specifier.namespace.as_deref() {
            Some("System") => None,
            _ => self.definitions.type_named(&specifier.name),
        };
        if found.is_none() && system.is_none() && specifier.namespace.as_deref() != Some("System") {
            return Err(CheckError::UnknownType(specifier.name.clone()));
        }
        if operator == TypeOperator::Is {
            return Ok(Types::system(SystemType::Boolean));
        }
        if types.is_open {
            return Ok(Types {
                fields: found.map(TypeDef::fields).into_iter().collect(),
                ..Types::default()
            });
        }
        types.fields.retain(|fields| found.is_some_and(|found| type_of(*fields).is_a(found)));
        types.system.retain(|other| system == Some(*other));
        Ok(types)
    }

    fn call(&self, call: &Call, input: Types, this: &Types) -> Checked {
        use Function as F;
        let at = call.function.name();
        match call.function {
            F::Where
            | F::All
            | F::Exists
            | F::Select
            | F::Repeat
            | F::Sort
            | F::Aggregate
            | F::Trace
            | F::Iif => {
                return self.call_on_items(call, input);
            }
            _ => {}
        }
        let mut arguments = Vec::new();
        for argument in &call.arguments {
            arguments.push(self.node(argument, this)?);
        }
        match call.function {
            F::First | F::Last | F::Tail | F::Skip | F::Take => ordered(input, at),
            F::Single | F::Distinct | F::Intersect | F::Exclude => Ok(input),
            F::Union | F::Combine => {
                let mut types = input;
                for other in arguments {
                    types.add(other);
                }
                Ok(types)
            }
            F::Children | F::Descendants => Ok(Types { is_unordered: true, ..Types::open() }),
            F::Extension => {
                let found = self.definitions.type_named("Extension");
                Ok(found.map_or_else(Types::open, Types::of))
            }
            F::Empty
            | F::AllTrue
            | F::AnyTrue
            | F::AllFalse
            | F::AnyFalse
            | F::SubsetOf
            | F::SupersetOf
            | F::IsDistinct
            | F::Not
            | F::HasValue
            | F::HasExtension => Ok(Types::system(SystemType::Boolean)),
            F::Count | F::Length | F::IndexOf => Ok(Types::system(SystemType::Integer)),
            _ => Ok(Types::open()),
        }
    }

    /// Functions whose arguments are evaluated on each item of the input.
    fn call_on_items(&self, call: &Call, input: Types) -> Checked {
        let mut arguments = Vec::new();
        for argument in &call.arguments {
            arguments.push(self.node(argument, &input)?);
        }
        match (call.function, arguments.as_mut_slice()) {
            (Function::Exists | Function::All, _) => Ok(Types::system(SystemType::Boolean)),
            (Function::Select, [projected]) => Ok(std::mem::take(projected)),
            (Function::Repeat, [projected]) => {
                let mut types = std::mem::take(projected);
                for _ in 0..REPEAT_ROUNDS {
                    if let Some(projection) = call.arguments.first() {
                        let deeper = self.node(projection, &types)?;
                        types.add(deeper);
                    }
                }
                Ok(types)
            }
            (Function::Sort, _) => Ok(Types { is_unordered: false, ..input }),
            (Function::Aggregate, _) => Ok(Types::open()),
            (Function::Iif, [criterion, branches @ ..]) => {
                if criterion.is_never_boolean() {
                    return Err(CheckError::NoCondition { at: "iif" });
                }
                let mut types = Types::default();
                for branch in branches {
                    types.add(std::mem::take(branch));
                }
                Ok(types)
            }
            _ => Ok(input),
        }
    }
}

fn ordered(types: Types, at: &'static str) -> Checked {
    if types.is_unordered { Err(CheckError::Unordered { at }) } else { Ok(types) }
}

/// The types that a path may begin with by name: `Patient`, or a base such as `Resource`.
fn named(this: &Types, name: &str) -> Option<Types> {
    let is_named = |fields: &&Fields| {
        fields.backbone().is_none() && fields.type_def().lineage().any(|base| base.name() == name)
    };
    let fields: Vec<Fields> = this.fields.iter().filter(is_named).copied().collect();
    (!fields.is_empty()).then(|| Types { fields, ..Types::default() })
}

/// The types of an element. It must be known in one of the types at least.
fn member(types: &Types, name: &str) -> Checked {
    if types.is_open {
        return Ok(Types::open());
    }
    let mut found = Types::default();
    let mut is_known = types.fields.is_empty() && types.system.is_empty();
    for fields in &types.fields {
        if is_open_resource(*fields) {
            return Ok(Types::open());
        }
        let Some(element) = fields.element(name) else { continue };
        is_known = true;
        for type_ref in element.types() {
            let kind = type_ref.type_def();
            found.add(match kind.name().strip_prefix("System.").and_then(SystemType::named) {
                Some(system) => Types::system(system),
                None => Types { fields: vec![element.fields_as(type_ref)], ..Types::default() },
            });
        }
    }
    if is_known {
        return Ok(found);
    }
    let fields = types.fields.iter().map(|fields| match fields.backbone() {
        Some(backbone) => backbone.path().to_string(),
        None => fields.type_def().name().to_owned(),
    });
    let system = types.system.iter().map(|system| system.name().to_owned());
    let inside = fields.chain(system).collect::<Vec<_>>().join(" or ");
    Err(CheckError::UnknownElement { name: name.to_owned(), inside })
}

/// A place for any resource.
fn is_open_resource(fields: Fields) -> bool {
    let found = fields.type_def();
    fields.backbone().is_none() && found.kind() == TypeKind::Resource && found.is_abstract()
}
