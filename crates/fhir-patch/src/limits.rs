//! How much one patch may ask for, and the budget that it draws on while it is applied.

use fhir_model::json::{DEPTH_CEILING, Value};

/// Limits on one patch and on what it makes of a document.
///
/// A patch is small and what it can ask for is not: copying the whole document into itself doubles it each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Operations in one patch.
    pub operations_max: usize,
    /// Levels of nesting in the result. At most [`DEPTH_CEILING`] in JSON, whatever is set here.
    pub depth_max: usize,
    /// Values in the document and in everything that is put into it, together.
    pub nodes_max: usize,
    /// Bytes of text in the document and in everything that is put into it, together.
    pub bytes_max: usize,
    /// Steps of all operations together: about one for each value, member or item that is looked at or moved.
    pub steps_max: u64,
}

impl Default for Limits {
    /// 10 000 operations, 100 levels, 2 million values, 32 MiB, 20 million steps (below a second).
    fn default() -> Self {
        Self {
            operations_max: 10_000,
            depth_max: 100,
            nodes_max: 2_000_000,
            bytes_max: 32 * 1024 * 1024,
            steps_max: 20_000_000,
        }
    }
}

/// Which limit a patch has met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exceeded {
    /// [`Limits::depth_max`]
    Depth {
        /// The levels allowed.
        depth_max: usize,
    },
    /// [`Limits::nodes_max`]
    Nodes {
        /// The values allowed.
        nodes_max: usize,
    },
    /// [`Limits::bytes_max`]
    Bytes {
        /// The bytes allowed.
        bytes_max: usize,
    },
    /// [`Limits::steps_max`]
    Steps {
        /// The steps allowed.
        steps_max: u64,
    },
}

impl std::fmt::Display for Exceeded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Depth { depth_max } => write!(f, "the result would have more than {depth_max} levels"),
            Self::Nodes { nodes_max } => write!(f, "the result would have more than {nodes_max} values"),
            Self::Bytes { bytes_max } => write!(f, "the result would have more than {bytes_max} bytes"),
            Self::Steps { steps_max } => write!(f, "the patch takes more than {steps_max} steps"),
        }
    }
}

/// What a value takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) nodes: usize,
    pub(crate) bytes: usize,
    /// Objects and arrays one inside the other; 0 for anything else.
    pub(crate) depth: usize,
}

impl Size {
    pub(crate) fn of(value: &Value) -> Self {
        match value {
            Value::Null | Value::Bool(_) => Self { nodes: 1, bytes: 5, depth: 0 },
            Value::Number(number) => Self { nodes: 1, bytes: number.as_str().len(), depth: 0 },
            Value::String(text) => Self { nodes: 1, bytes: text.len() + 2, depth: 0 },
            Value::Array(items) => items.iter().map(Self::of).fold(Self::default(), Self::join).nested(),
            Value::Object(object) => {
                let members = object.iter().map(|(name, value)| {
                    let size = Self::of(value);
                    Self { bytes: size.bytes + name.len() + 3, ..size }
                });
                members.fold(Self::default(), Self::join).nested()
            }
        }
    }

    fn join(self, other: Self) -> Self {
        Self {
            nodes: self.nodes + other.nodes,
            bytes: self.bytes + other.bytes + 1,
            depth: self.depth.max(other.depth),
        }
    }

    fn nested(self) -> Self {
        Self { nodes: self.nodes + 1, bytes: self.bytes + 2, depth: self.depth + 1 }
    }
}

/// What is left of the [`Limits`] while a patch is applied.
#[derive(Debug)]
pub(crate) struct Budget {
    limits: Limits,
    nodes: usize,
    bytes: usize,
    steps: u64,
}

impl Budget {
    /// The budget for a document of that size, which is charged to it.
    pub(crate) fn new(limits: &Limits, document: Size) -> Result<Self, Exceeded> {
        let limits = Limits { depth_max: limits.depth_max.min(DEPTH_CEILING), ..*limits };
        let mut budget = Self { limits, nodes: 0, bytes: 0, steps: 0 };
        budget.put(document, 0)?;
        Ok(budget)
    }

    /// Charges work.
    pub(crate) fn step(&mut self, steps: usize) -> Result<(), Exceeded> {
        self.steps = self.steps.saturating_add(steps as u64);
        let steps_max = self.limits.steps_max;
        if self.steps > steps_max { Err(Exceeded::Steps { steps_max }) } else { Ok(()) }
    }

    /// Charges the walk over, or the shifting of, so many items, which are cheap each.
    pub(crate) fn walk(&mut self, items: usize) -> Result<(), Exceeded> {
        self.step(1 + items / 16)
    }

    /// Charges a walk over the whole document.
    pub(crate) fn walk_document(&mut self) -> Result<(), Exceeded> {
        self.walk(self.nodes)
    }

    /// Charges something that is put below so many objects and arrays. What is taken out is not given back, so that
    /// the budget also bounds the work.
    pub(crate) fn put(&mut self, size: Size, levels_above: usize) -> Result<(), Exceeded> {
        let Limits { nodes_max, bytes_max, .. } = self.limits;
        self.nodes = self.nodes.saturating_add(size.nodes);
        self.bytes = self.bytes.saturating_add(size.bytes);
        self.check_depth(size, levels_above)?;
        if self.nodes > nodes_max {
            return Err(Exceeded::Nodes { nodes_max });
        }
        if self.bytes > bytes_max {
            return Err(Exceeded::Bytes { bytes_max });
        }
        Ok(())
    }

    /// Checks the depth only: what is moved inside a document makes it no larger.
    pub(crate) fn check_depth(&self, size: Size, levels_above: usize) -> Result<(), Exceeded> {
        let depth_max = self.limits.depth_max;
        let is_too_deep = size.depth.saturating_add(levels_above) > depth_max;
        if is_too_deep { Err(Exceeded::Depth { depth_max }) } else { Ok(()) }
    }
}
