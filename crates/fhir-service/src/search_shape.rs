//! The parameters of a search that shape its answer rather than select.

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

/// How a search wants its answer, as it was written.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    pub(crate) count: Option<usize>,
    pub(crate) cursor: Option<String>,
    pub(crate) total: Total,
    /// `_type`.
    pub(crate) types: Option<String>,
    pub(crate) sort: Option<String>,
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
            "_contained" if value != "false" => {
                return unreadable("false: resources inside of others are not searched here");
            }
            "_containedType" if !matches!(value, "container" | "contained") => {
                return unreadable("container or contained");
            }
            "_type" => self.types = Some(value.to_owned()),
            "_sort" => self.sort = Some(value.to_owned()).filter(|value| !value.is_empty()),
            "_contained" | "_containedType" | "_format" | "_pretty" | "_summary" | "_elements" => {}
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

    /// What it means for resources of these types.
    pub(crate) fn apply(&self, extractor: &Extractor, types: &[&str]) -> Result<Shaped, Failure> {
        let refused = |error| Failure::Query(Box::new(error));
        let mut shaped = Shaped::default();
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
        for (name, value) in &self.includes {
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
