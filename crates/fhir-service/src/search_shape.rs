//! The parameters of a search that shape its answer rather than select.

use std::collections::HashSet;

use fhir_search::{Extractor, Order, Problem, QueryError};
use rulebook::{Failure, ParameterProblem};
use storage_api::{Include, SortKey};

/// The parameter that carries a place to continue.
pub(crate) const CURSOR: &str = "_cursor";

/// Parameters `_include` and `_revinclude` of one search at most.
const INCLUDES_MAX: usize = 32;

/// What a search wants to know of the number of matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Total {
    /// Where it costs nothing.
    #[default]
    IfKnown,
    /// Nothing.
    None,
    /// The number.
    Accurate,
    /// The number and nothing else.
    Only,
}

/// Whether a search is for resources or for what they contain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Contained {
    /// Resources.
    #[default]
    No,
    /// What they contain.
    Only,
    /// Either.
    Both,
}

/// How a search wants its answer, as it was written.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    pub(crate) count: Option<usize>,
    pub(crate) cursor: Option<String>,
    pub(crate) total: Total,
    /// `_type`.
    pub(crate) types: Option<String>,
    pub(crate) sort: Option<String>,
    pub(crate) contained: Contained,
    /// Whether what is contained is shown by itself instead of what contains it.
    pub(crate) contained_alone: bool,
    includes: Vec<(String, String)>,
    /// What shapes the layout, which is not this crate's: it goes into links as it is.
    pub(crate) layout: Vec<(String, String)>,
}

/// What a shape comes to for resources of some types.
#[derive(Debug, Default)]
pub(crate) struct Shaped {
    pub(crate) order: Vec<SortKey>,
    pub(crate) includes: Vec<Include>,
    /// The parameters that count, as they were written.
    pub(crate) used: Vec<(String, String)>,
    pub(crate) ignored: Vec<QueryError>,
}

impl Shape {
    /// Takes its parameters out of those of a search.
    pub(crate) fn take(parameters: Vec<(String, String)>) -> Result<(Self, Vec<(String, String)>), Failure> {
        let mut shape = Self::default();
        let mut rest = Vec::new();
        let mut seen: Vec<String> = Vec::new();
        for (name, value) in parameters {
            let is_shape = shape.read(&name, &value)?;
            let repeats = matches!(name.split(':').next(), Some("_include" | "_revinclude"));
            if !is_shape {
                rest.push((name, value));
            } else if !repeats && seen.contains(&name) {
                return Err(Failure::Parameter { name, problem: ParameterProblem::Repeated });
            } else {
                seen.push(name);
            }
        }
        Ok((shape, rest))
    }

    /// Reads a parameter; says whether it was one of these.
    fn read(&mut self, name: &str, value: &str) -> Result<bool, Failure> {
        let unreadable = |expected| Err(malformed(name, value, expected));
        match name {
            "_count" => match value.parse() {
                Ok(count) => self.count = Some(count),
                Err(_) => return unreadable("a whole number"),
            },
            CURSOR => self.cursor = Some(value.to_owned()),
            "_total" => match value {
                "none" => self.want(Total::None),
                "accurate" => self.want(Total::Accurate),
                "estimate" => {}
                _ => return unreadable("none, estimate or accurate"),
            },
            "_summary" if value == "count" => self.want(Total::Only),
            "_contained" => match value {
                "false" => {}
                "true" => self.contained = Contained::Only,
                "both" => self.contained = Contained::Both,
                _ => return unreadable("true, false or both"),
            },
            "_containedType" => match value {
                "container" => {}
                "contained" => self.contained_alone = true,
                _ => return unreadable("container or contained"),
            },
            // Passed over, it would leave a search that nobody asked for.
            "_query" => {
                let (parameter, problem) = (name.to_owned(), Problem::Unsupported);
                return Err(Failure::Query(Box::new(QueryError { parameter, problem })));
            }
            "_type" => self.types = Some(value.to_owned()),
            "_sort" => self.sort = Some(value.to_owned()).filter(|value| !value.is_empty()),
            "_format" | "_pretty" | "_summary" | "_elements" => {}
            _ => match name.split(':').next() {
                Some("_include" | "_revinclude") => self.includes.push((name.to_owned(), value.to_owned())),
                _ => return Ok(false),
            },
        }
        if matches!(name, "_format" | "_pretty" | "_summary" | "_elements") {
            self.layout.push((name.to_owned(), value.to_owned()));
        }
        Ok(true)
    }

    fn want(&mut self, total: Total) {
        if self.total != Total::Only {
            self.total = total;
        }
    }

    /// Containers are of any type, so they have no other values in common.
    fn apply_contained(&self, shaped: &mut Shaped) -> Result<(), Failure> {
        let text = match self.contained {
            Contained::No => return Ok(()),
            Contained::Only => "true",
            Contained::Both => "both",
        };
        shaped.used.push(("_contained".to_owned(), text.to_owned()));
        if self.contained_alone {
            shaped.used.push(("_containedType".to_owned(), "contained".to_owned()));
        }
        let is_row = |key: &str| matches!(key.trim().trim_start_matches('-'), "_id" | "_lastUpdated");
        match self.sort.as_deref().filter(|sort| !sort.split(',').all(is_row)) {
            Some(sort) => {
                Err(malformed("_sort", sort, "_id or _lastUpdated where _contained is true or both"))
            }
            None => Ok(()),
        }
    }

    /// What it means for resources of these types.
    pub(crate) fn apply(&self, extractor: &Extractor, types: &[&str]) -> Result<Shaped, Failure> {
        let refused = |error| Failure::Query(Box::new(error));
        let mut shaped = Shaped::default();
        self.apply_contained(&mut shaped)?;
        if let Some(sort) = &self.sort {
            let Order { keys, used, ignored } = extractor.order(types, sort).map_err(refused)?;
            if !used.is_empty() {
                shaped.used.push(("_sort".to_owned(), used.join(",")));
            }
            (shaped.order, shaped.ignored) = (keys, ignored);
        }
        if self.includes.len() > INCLUDES_MAX {
            let problem = Problem::TooMany { max: INCLUDES_MAX };
            return Err(refused(QueryError { parameter: "_include".to_owned(), problem }));
        }
        let mut seen = HashSet::new();
        // One that is written again means nothing more.
        for (name, value) in self.includes.iter().filter(|include| seen.insert(*include)) {
            match extractor.includes(types, name, value) {
                Ok(includes) => {
                    shaped.includes.extend(includes);
                    shaped.used.push((name.clone(), value.clone()));
                }
                Err(error) => match error.problem {
                    Problem::Unknown | Problem::Unsupported | Problem::Empty => shaped.ignored.push(error),
                    _ => return Err(refused(error)),
                },
            }
        }
        Ok(shaped)
    }
}

pub(crate) fn malformed(name: &str, value: &str, expected: &'static str) -> Failure {
    let value = value.chars().take(80).collect();
    Failure::Parameter { name: name.to_owned(), problem: ParameterProblem::Malformed { value, expected } }
}
