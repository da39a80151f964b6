//! From the text of a query to its meaning (FHIR, search).

mod clauses;
mod contained;
mod error;
mod filter;
mod full_text;
mod hierarchy;
mod near;
mod ordered;
mod room;
mod shape;
mod text;
mod words;

use fhir_definitions::{FhirVersion, SearchType, TypeDef};
use storage_api::{Clause, Condition, Query, Test};

pub use contained::Met;
pub use error::{Problem, QueryError};
pub use shape::Order;

use self::clauses::{DATE, Modifier, clauses, parts};
use self::contained::referred;
use self::filter::{Compared, filter, values_behind};
use self::full_text::has_words;
use self::hierarchy::Way;
use self::ordered::{Prefix, date, moments};
use self::room::{Room, TOO_BROAD};
use self::text::{plain, split};
use crate::contained::contained_name;
use crate::extractor::Extractor;
use crate::full_text::is_full_text;
use crate::parameters::{Parameter, Parameters};
use crate::terminology::{Terminology, Wanted};

/// Parameters of one query at most.
const PARAMETERS_MAX: usize = 64;
/// Values of one parameter at most.
const VALUES_MAX: usize = 200;
/// Bytes of one parameter at most: enough for as many values as are taken.
const VALUE_BYTES_MAX: usize = 64 << 10;
/// Conditions that composite values may come to.
const SPLIT_MAX: usize = 16;

/// Steps that a chain may take.
const STEPS_MAX: usize = 4;

/// Parameters that shape results and select nothing.
const RESULT_PARAMETERS: [&str; 12] = [
    "_contained",
    "_containedType",
    "_count",
    "_elements",
    "_graph",
    "_include",
    "_maxresults",
    "_revinclude",
    "_score",
    "_sort",
    "_summary",
    "_total",
];

/// What a query text is read with.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// Where this server is known under, without a slash at the end.
    pub bases: &'a [&'a str],
    /// What is known of value sets and code systems.
    pub terminology: &'a Terminology,
}

/// What a search of several types comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// What is asked for, of each type.
    pub queries: Vec<Query>,
    /// The parameters that count, as they were written.
    pub used: Vec<(String, String)>,
    /// Those that were passed over.
    pub ignored: Vec<QueryError>,
}

/// The resources that have to be known before a search can be read.
pub fn wanted(pairs: &[(String, String)]) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    let value_set = |value: &str| Wanted::ValueSet(plain(value).into());
    let code_system = |value: &str| clauses::code(value).map(|(system, _)| Wanted::CodeSystem(system.into()));
    for (name, value) in pairs.iter().take(PARAMETERS_MAX) {
        let modifier = name.rsplit(['.', ':']).next().filter(|_| name.contains(':'));
        let values = || split(value, b',').into_iter().take(VALUES_MAX);
        match modifier {
            Some("in" | "not-in") => wanted.extend(values().map(value_set)),
            Some("above" | "below") => wanted.extend(values().filter_map(code_system)),
            None if name == "_filter" => {
                wanted.extend(values_behind(value, &["in", "ni"]).iter().map(|value| value_set(value)));
                let systems = values_behind(value, &["ss", "sb"]);
                wanted.extend(systems.iter().filter_map(|value| code_system(value)));
            }
            _ => {}
        }
    }
    wanted.sort_unstable();
    wanted.dedup();
    wanted
}

/// What a search text comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Understood {
    /// What is asked for.
    pub query: Query,
    /// The parameters that count, as they were written.
    pub used: Vec<(String, String)>,
    /// Those that were passed over.
    pub ignored: Vec<QueryError>,
}

impl Extractor {
    /// Reads the criteria of a conditional write. Everything must be understood and something must select, because a
    /// criterion that is passed over widens what is written.
    pub fn criteria(
        &self,
        resource_type: &str,
        pairs: &[(String, String)],
        bases: &[&str],
    ) -> Result<Query, QueryError> {
        for (name, _) in pairs {
            let along = self.goes_along(resource_type, name).then_some(Problem::OfOthers);
            if let Some(problem) = no_criterion(name).or(along) {
                return Err(QueryError { parameter: shortened(name), problem });
            }
        }
        let understood = self.read(resource_type, pairs, bases)?;
        let whole = |problem| QueryError { parameter: String::new(), problem };
        if let Some(ignored) = understood.ignored.into_iter().next() {
            return Err(ignored);
        }
        let query = understood.query;
        if query.conditions.is_empty() {
            return Err(whole(Problem::NoCriterion));
        }
        let mut clauses = query.conditions.iter().flat_map(|condition| &condition.any);
        if clauses.any(|clause| matches!(clause, Clause::Id(id) if fhir_model::Id::check(id).is_err())) {
            // Nothing has it, so it would never find what it made.
            let problem = Problem::Malformed { expected: "the id of a resource, without its type" };
            return Err(QueryError { parameter: "_id".to_owned(), problem });
        }
        if !query.conditions.iter().any(is_selective) {
            return Err(whole(Problem::NotSelective));
        }
        Ok(query)
    }

    /// Whether a parameter goes along a hierarchy of resources.
    fn goes_along(&self, resource_type: &str, name: &str) -> bool {
        let Some((code, "above" | "below")) = name.split_once(':') else { return false };
        let parameter = self.parameters(resource_type).and_then(|parameters| parameters.get(code));
        parameter.is_some_and(|known| known.definition().search_type() == SearchType::Reference)
    }

    /// Reads a search. Parameters that are not known and parameters without value are passed over, and named; what is
    /// known and wrong is an error. Parameters that shape results are the caller's to take out before.
    pub fn search(
        &self,
        resource_type: &str,
        pairs: &[(String, String)],
        bases: &[&str],
    ) -> Result<Understood, QueryError> {
        self.read(resource_type, pairs, bases)
    }

    /// Reads a search of several types. A parameter counts if all of them have it.
    pub fn searches(
        &self,
        types: &[&str],
        pairs: &[(String, String)],
        surroundings: Surroundings<'_>,
    ) -> Result<Selection, QueryError> {
        let query = |kind: &&str| Query { kind: (*kind).into(), conditions: Vec::new() };
        let queries = types.iter().map(query).collect();
        let mut selection = Selection { queries, used: Vec::new(), ignored: Vec::new() };
        let room = Room::default();
        if pairs.len() > PARAMETERS_MAX {
            let problem = Problem::TooMany { max: PARAMETERS_MAX };
            return Err(QueryError { parameter: String::new(), problem });
        }
        for (name, value) in pairs {
            let of_type = |kind: &&str| {
                let parameters = self.parameters(kind).ok_or(Problem::Unknown)?;
                Reader::new(self, parameters, surroundings, &room).beside(pairs).conditions(name, value)
            };
            match types.iter().map(of_type).collect::<Result<Vec<_>, _>>() {
                Ok(conditions) => {
                    for (query, conditions) in selection.queries.iter_mut().zip(conditions) {
                        query.conditions.extend(conditions);
                    }
                    selection.used.push((name.clone(), value.clone()));
                }
                Err(problem) => {
                    let error = QueryError { parameter: shortened(name), problem };
                    match problem {
                        Problem::Unknown
                        | Problem::Unsupported
                        | Problem::WithoutFullText
                        | Problem::Empty
                        | Problem::ShapesResults => selection.ignored.push(error),
                        _ => return Err(error),
                    }
                }
            }
        }
        Ok(selection)
    }

    /// What a resource of a type must meet to belong to the compartment of another; none if it cannot. That resource
    /// itself always belongs.
    pub fn in_compartment(
        &self,
        resource_type: &str,
        of: &str,
        id: &str,
        bases: &[&str],
    ) -> Option<Condition> {
        let compartment = self.definitions().compartment(of)?;
        let parameters = self.parameters(resource_type)?;
        let surroundings = Surroundings { bases, terminology: &Terminology::default() };
        let room = Room::default();
        let reader = Reader::new(self, parameters, surroundings, &room);
        let mut any = Vec::new();
        for code in compartment.parameters(self.definitions().resource_type(resource_type)?) {
            for condition in reader.conditions(code, &format!("{of}/{id}")).unwrap_or_default() {
                any.extend(condition.any);
            }
        }
        if resource_type == of {
            any.push(Clause::Id(id.into()));
        }
        (!any.is_empty()).then(|| Condition::any(any))
    }

    fn read(
        &self,
        resource_type: &str,
        pairs: &[(String, String)],
        bases: &[&str],
    ) -> Result<Understood, QueryError> {
        let surroundings = Surroundings { bases, terminology: &Terminology::default() };
        let selection = self.searches(&[resource_type], pairs, surroundings)?;
        let Selection { queries, used, ignored } = selection;
        let none = || Query { kind: resource_type.into(), conditions: Vec::new() };
        Ok(Understood { query: queries.into_iter().next().unwrap_or_else(none), used, ignored })
    }
}

/// Names are quoted in answers.
fn shortened(name: &str) -> String {
    name.chars().take(100).collect()
}

/// Why a parameter has no place in criteria. Of a chain, a list, a value set or a filter of these other resources decide
/// what it finds, and those may change without a version of the resource itself. What words find is a matter of how texts
/// are read.
fn no_criterion(name: &str) -> Option<Problem> {
    let (code, modifier) = name.split_once(':').map_or((name, None), |(code, rest)| (code, Some(rest)));
    let depends_on_others = name.contains('.')
        || name.starts_with("_has:")
        || matches!(name, "_list" | "_filter")
        || matches!(modifier, Some("in" | "not-in"));
    if is_full_text(code) {
        Some(Problem::NotInCriteria)
    } else {
        depends_on_others.then_some(Problem::OfOthers)
    }
}

/// Whether an index answers a condition with few resources.
fn is_selective(condition: &Condition) -> bool {
    let selects = |clause: &Clause| match clause {
        Clause::Id(_) => true,
        Clause::Updated(_)
        | Clause::Refers { .. }
        | Clause::Referred { .. }
        | Clause::Part { .. }
        | Clause::All(_) => false,
        Clause::Term { test, .. } => selects(test),
    };
    !condition.negated && condition.any.iter().all(selects)
}

fn selects(test: &Test) -> bool {
    match test {
        Test::Token(test) => test.code.is_some(),
        Test::Text { .. } | Test::Reference(_) | Test::Date(_) | Test::Uri(_) => true,
        Test::Composite(parts) => parts.first().is_some_and(selects),
        _ => false,
    }
}

/// Reads parameters of one type.
struct Reader<'a> {
    extractor: &'a Extractor,
    parameters: &'a Parameters,
    surroundings: Surroundings<'a>,
    /// References that were followed to get here.
    steps: usize,
    /// The parameters of the same search, where no reference was followed.
    beside: &'a [(String, String)],
    /// What the search may still come to.
    room: &'a Room,
    /// What a parameter means that has no modifier.
    unmodified: Modifier,
}

impl<'a> Reader<'a> {
    fn new(
        extractor: &'a Extractor,
        parameters: &'a Parameters,
        surroundings: Surroundings<'a>,
        room: &'a Room,
    ) -> Self {
        let (steps, beside, unmodified) = (0, &[][..], Modifier::None);
        Self { extractor, parameters, surroundings, steps, beside, room, unmodified }
    }

    fn beside(self, beside: &'a [(String, String)]) -> Self {
        Self { beside, ..self }
    }
}

impl Reader<'_> {
    /// What one parameter asks for: all of these.
    fn conditions(&self, name: &str, value: &str) -> Result<Vec<Condition>, Problem> {
        let conditions = self.understood(name, value)?;
        self.room.take(conditions.iter().map(|condition| condition.any.len()).sum())?;
        Ok(conditions)
    }

    fn understood(&self, name: &str, value: &str) -> Result<Vec<Condition>, Problem> {
        let (code, modifier) = name.split_once(':').map_or((name, None), |(code, rest)| (code, Some(rest)));
        if RESULT_PARAMETERS.contains(&code) {
            return Err(Problem::ShapesResults);
        }
        if value.len() > VALUE_BYTES_MAX {
            return Err(Problem::TooLong { max: VALUE_BYTES_MAX });
        }
        if let Some(rest) = name.strip_prefix("_has:") {
            return self.backwards(rest, value);
        }
        if let Some((first, rest)) = name.split_once('.') {
            return self.forwards(first, rest, value);
        }
        let parameter = match self.parameters.get(code).filter(|_| !matches!(code, "_list" | "_filter")) {
            Some(parameter) => parameter,
            None if matches!(name, "_list" | "_filter") && !value.is_empty() => {
                return if name == "_list" { listed(value) } else { filter(self, value) };
            }
            None if matches!(code, "_has" | "_list" | "_type" | "_filter") => {
                return Err(Problem::Unsupported);
            }
            None => return Err(Problem::Unknown),
        };
        if value.is_empty() {
            return Err(Problem::Empty);
        }
        if parameter.is_full_text() {
            return self.full_text(parameter, modifier, value);
        }
        let values = split(value, b',');
        if values.len() > VALUES_MAX {
            return Err(Problem::TooMany { max: VALUES_MAX });
        }
        if values.contains(&"") {
            return Err(Problem::Malformed { expected: "a value on each side of a comma" });
        }
        match code {
            "_id" => ids(modifier, &values),
            "_lastUpdated" => updated(modifier, &values),
            _ if !parameter.is_supported() => Err(Problem::Unsupported),
            _ if parameter.is_distance() => self.distance(modifier, value),
            _ if parameter.is_position() => self.positions(parameter, modifier, value, &values),
            _ if parameter.definition().search_type() == SearchType::Composite => {
                self.composite(parameter, modifier, &values)
            }
            _ => self.plain(parameter, modifier, value, &values),
        }
    }

    /// `subject:Patient.name`: what a reference leads to meets the rest.
    fn forwards(&self, first: &str, rest: &str, value: &str) -> Result<Vec<Condition>, Problem> {
        let (code, stated) = first.split_once(':').map_or((first, None), |(code, name)| (code, Some(name)));
        let parameter = self.parameters.get(code).ok_or(Problem::Unknown)?;
        if parameter.definition().search_type() != SearchType::Reference || !parameter.is_supported() {
            return Err(Problem::Unsupported);
        }
        let targets: Vec<TypeDef> = match (stated, parameter.only()) {
            (Some(name), _) => match self.type_modifier(parameter, name)? {
                Modifier::Type(target) => vec![target],
                _ => return Err(Problem::Modifier),
            },
            (None, Some(only)) => vec![only],
            (None, None) => parameter.definition().targets().collect(),
        };
        if targets.is_empty() {
            return Err(Problem::TypeNeeded);
        }
        let mut any = Vec::new();
        let mut refused = Problem::Unknown;
        for target in targets {
            // A type that does not have the parameter is not meant.
            match self.step(target.name(), rest, value) {
                Ok(query) => {
                    for source in self.parameters.sources(parameter) {
                        let owner = source.term().split('.').next().unwrap_or_default();
                        any.extend(referred(owner, target.name(), source.term(), &query.conditions));
                        let query = Box::new(query.clone());
                        let named = self.extractor.naming(target).map(Box::new);
                        any.push(Clause::Refers { param: source.term().into(), query, named });
                    }
                }
                Err(TOO_BROAD) => return Err(TOO_BROAD),
                Err(problem) if refused == Problem::Unknown => refused = problem,
                Err(_) => {}
            }
        }
        if any.is_empty() || !matches!(refused, Problem::Unknown | Problem::Modifier) {
            return Err(refused);
        }
        Ok(vec![Condition::any(any)])
    }

    /// `_has:Observation:patient:code`: something that meets the rest refers to the resource.
    fn backwards(&self, rest: &str, value: &str) -> Result<Vec<Condition>, Problem> {
        const EXPECTED: &str = "a name such as _has:Observation:patient:code";
        let malformed = Problem::Malformed { expected: EXPECTED };
        let (kind, rest) = rest.split_once(':').ok_or(malformed)?;
        let (code, rest) = rest.split_once(':').ok_or(malformed)?;
        let parameters = self.extractor.parameters(kind).ok_or(Problem::Unknown)?;
        let parameter = parameters.get(code).ok_or(Problem::Unknown)?;
        if parameter.definition().search_type() != SearchType::Reference || !parameter.is_supported() {
            return Err(Problem::Unsupported);
        }
        let query = Box::new(self.step(kind, rest, value)?);
        // Only references that may lead to this type name resources of it.
        let own = self.kind().filter(|own| parameter.definition().targets().any(|target| target == *own));
        let named = own.and_then(|own| self.extractor.naming(own)).map(Box::new);
        let any = parameters.sources(parameter).map(|source| Clause::Referred {
            param: source.term().into(),
            query: query.clone(),
            named: named.clone(),
        });
        Ok(vec![Condition::any(any.collect())])
    }

    /// What a parameter means on the resources at the other end of a reference.
    fn step(&self, kind: &str, name: &str, value: &str) -> Result<Query, Problem> {
        if self.steps == STEPS_MAX {
            return Err(Problem::TooDeep { max: STEPS_MAX });
        }
        self.room.take(1)?;
        let parameters = self.extractor.parameters(kind).ok_or(Problem::Unknown)?;
        let reader = Reader { parameters, steps: self.steps + 1, beside: &[], ..*self };
        Ok(Query { kind: kind.into(), conditions: reader.conditions(name, value)? })
    }

    fn plain(
        &self,
        parameter: &Parameter,
        modifier: Option<&str>,
        value: &str,
        values: &[&str],
    ) -> Result<Vec<Condition>, Problem> {
        let kind = parameter.definition().search_type();
        if modifier == Some("missing") {
            return self.missing(parameter, value);
        }
        if kind == SearchType::Token
            && let Some(codes) = modifier.and_then(ByCodes::named)
        {
            return self.by_codes(parameter, codes, values);
        }
        if kind == SearchType::Reference
            && let Some(way @ ("above" | "below")) = modifier
        {
            let way = if way == "above" { Way::Above } else { Way::Below };
            return self.along_hierarchy(parameter, way, values);
        }
        if self.is_r5() && has_words(kind, modifier) {
            return self.text_advanced(parameter, value);
        }
        let negated = modifier == Some("not") && kind == SearchType::Token;
        let modifier = match modifier {
            None => self.unmodified,
            Some(_) if negated => Modifier::None,
            Some("exact") => Modifier::Exact,
            // Of URIs since R5.
            Some("contains") if kind != SearchType::Uri || self.is_r5() => Modifier::Contains,
            Some("below") => Modifier::Below,
            Some("above") => Modifier::Above,
            Some("identifier") => Modifier::Identifier,
            Some("of-type") => Modifier::OfType,
            Some("text") => Modifier::Text,
            Some("code-text") if self.is_r5() => Modifier::Text,
            Some(name) => self.type_modifier(parameter, name)?,
        };
        let mut any = Vec::with_capacity(values.len());
        for value in values {
            for source in self.parameters.sources(parameter) {
                any.extend(clauses(parameter, source, modifier, value, self.surroundings.bases)?);
            }
        }
        Ok(vec![Condition { any, negated }])
    }

    /// The type whose parameters these are.
    fn kind(&self) -> Option<TypeDef> {
        let names = self.parameters.iter().filter_map(|parameter| parameter.term().split_once('.'));
        names.map(|(name, _)| name).next().and_then(|name| self.extractor.definitions().resource_type(name))
    }

    fn is_r5(&self) -> bool {
        self.extractor.definitions().version() == FhirVersion::R5
    }

    /// What a comparison in a filter compares. The last parameter of a chain says it.
    fn type_of(&self, name: &str) -> Result<Compared, Problem> {
        self.room.take(1)?;
        let (code, rest) = name.split_once('.').map_or((name, None), |(code, rest)| (code, Some(rest)));
        let parameter = self.parameters.get(code).ok_or(Problem::Unknown)?;
        let definition = parameter.definition();
        if let Some(rest) = rest {
            if self.steps == STEPS_MAX {
                return Err(Problem::TooDeep { max: STEPS_MAX });
            }
            let targets = definition.targets().filter_map(|target| self.extractor.parameters(target.name()));
            let mut refused = Problem::Unknown;
            for parameters in targets {
                match (Reader { parameters, steps: self.steps + 1, ..*self }).type_of(rest) {
                    Ok(compared) => return Ok(compared),
                    Err(problem @ (TOO_BROAD | Problem::TooDeep { .. })) => return Err(problem),
                    Err(problem) => refused = problem,
                }
            }
            return Err(refused);
        }
        Ok(match definition.search_type() {
            SearchType::String => Compared::Text,
            // A moment has nothing to overlap with.
            SearchType::Date if code != "_lastUpdated" => Compared::Date,
            SearchType::Date | SearchType::Number | SearchType::Quantity => Compared::Ordered,
            _ => Compared::Named,
        })
    }

    /// A token that is one of the codes that a value set or a place in a hierarchy stands for.
    fn by_codes(
        &self,
        parameter: &Parameter,
        by: ByCodes,
        values: &[&str],
    ) -> Result<Vec<Condition>, Problem> {
        let terminology = self.surroundings.terminology;
        let mut any = Vec::new();
        for value in values {
            let codes = match by {
                ByCodes::In | ByCodes::NotIn => {
                    terminology.value_set(self.extractor.definitions(), &plain(value))
                }
                ByCodes::Above | ByCodes::Below => {
                    let expected = Problem::Malformed { expected: "system|code" };
                    let (system, code) = clauses::code(value).ok_or(expected)?;
                    terminology.subsumed(&system, &code, by == ByCodes::Above)
                }
            };
            let codes = codes.map_err(Problem::Codes)?;
            self.room.expect(any.len() + codes.len())?;
            for code in codes {
                let sources = self.parameters.sources(parameter);
                any.extend(sources.map(|source| Clause::term(source.term(), Test::Token(code.clone()))));
            }
        }
        Ok(vec![Condition { any, negated: by == ByCodes::NotIn }])
    }

    /// `:missing=true` and `:missing=false`.
    fn missing(&self, parameter: &Parameter, value: &str) -> Result<Vec<Condition>, Problem> {
        let negated = match value {
            "true" => true,
            "false" => false,
            _ => return Err(Problem::Malformed { expected: "true or false" }),
        };
        let mut any = Vec::new();
        for source in self.parameters.sources(parameter) {
            any.push(Clause::term(source.term(), Test::Present));
            if source.definition().search_type() == SearchType::Reference {
                any.push(Clause::term(contained_name(source.term(), ""), Test::Present));
            }
        }
        // The terms of `subject` alone do not tell whether there is a `patient`.
        let Some(marker) = self.parameters.missing_term(parameter) else {
            return Ok(vec![Condition { any, negated }]);
        };
        let there = [Condition::any(any), Condition::none(vec![Clause::term(marker, Test::Present)])];
        Ok(if negated { vec![Condition::none(vec![Clause::All(there.into())])] } else { there.into() })
    }

    /// `subject:Patient`.
    fn type_modifier(&self, parameter: &Parameter, name: &str) -> Result<Modifier, Problem> {
        let definition = parameter.definition();
        let target = self.extractor.definitions().resource_type(name);
        let is_target = |target: &TypeDef| {
            definition.targets().len() == 0 || definition.targets().any(|known| known == *target)
        };
        target
            .filter(|target| definition.search_type() == SearchType::Reference && is_target(target))
            .map(Modifier::Type)
            .ok_or(Problem::Modifier)
    }

    /// A composite whose parts are kept together is one test. Of the others each part is a condition, and of several
    /// values every choice of one part from each must hold somewhere: (a and b) or (c and d) is (a or c) and (a or d)
    /// and (b or c) and (b or d).
    fn composite(
        &self,
        parameter: &Parameter,
        modifier: Option<&str>,
        values: &[&str],
    ) -> Result<Vec<Condition>, Problem> {
        if modifier.is_some() {
            return Err(Problem::Modifier);
        }
        let mut conditions: Vec<Vec<Clause>> = vec![Vec::new()];
        let choices = values
            .iter()
            .flat_map(|value| self.parameters.sources(parameter).map(move |source| (source, value)));
        for (source, value) in choices {
            let parts = self.composite_parts(source, value)?;
            if conditions.len() * parts.len() > SPLIT_MAX {
                return Err(Problem::TooMany { max: SPLIT_MAX.ilog2() as usize });
            }
            let with = |clauses: &Vec<Clause>, part: &Vec<Clause>| [&clauses[..], &part[..]].concat();
            conditions =
                conditions.iter().flat_map(|clauses| parts.iter().map(|part| with(clauses, part))).collect();
        }
        Ok(conditions.into_iter().map(Condition::any).collect())
    }

    /// What one value asks for: all of these, each under the parameter it stands for, or the one test of parts that
    /// are kept together.
    fn composite_parts(&self, parameter: &Parameter, value: &str) -> Result<Vec<Vec<Clause>>, Problem> {
        let tests = parts(parameter, value, self.surroundings.bases)?;
        if !parameter.is_split() {
            let together = rows(&tests).into_iter().map(Test::Composite);
            return Ok(vec![together.map(|test| Clause::term(parameter.term(), test)).collect()]);
        }
        let own =
            parameter.components().iter().map(|part| part.code.and_then(|code| self.parameters.get(code)));
        own.zip(tests)
            .map(|(own, tests)| {
                let own = own.ok_or(Problem::Unsupported)?;
                Ok(tests.into_iter().map(|test| Clause::term(own.term(), test)).collect())
            })
            .collect()
    }
}

/// A modifier that stands for codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ByCodes {
    In,
    NotIn,
    Above,
    Below,
}

impl ByCodes {
    fn named(modifier: &str) -> Option<Self> {
        Some(match modifier {
            "in" => Self::In,
            "not-in" => Self::NotIn,
            "above" => Self::Above,
            "below" => Self::Below,
            _ => return None,
        })
    }
}

/// `_list`: the resources that a List has as items. Lists that a server would have to make up are not known.
fn listed(value: &str) -> Result<Vec<Condition>, Problem> {
    let expected = Problem::Malformed { expected: "the id of a List" };
    let id = value.strip_prefix("List/").unwrap_or(value);
    fhir_model::Id::check(id).map_err(|_| expected)?;
    let list = Query { kind: "List".into(), conditions: vec![Condition::any(vec![Clause::Id(id.into())])] };
    Ok(vec![Condition::any(vec![Clause::Referred {
        param: "List.item".into(),
        query: Box::new(list),
        named: None,
    }])])
}

/// Every choice of one test for each part.
fn rows(parts: &[Vec<Test>]) -> Vec<Vec<Test>> {
    parts.iter().fold(vec![Vec::new()], |rows, tests| {
        let with = |row: &Vec<Test>, test: &Test| row.iter().chain([test]).cloned().collect();
        rows.iter().flat_map(|row| tests.iter().map(|test| with(row, test)).collect::<Vec<_>>()).collect()
    })
}

fn ids(modifier: Option<&str>, values: &[&str]) -> Result<Vec<Condition>, Problem> {
    let any = values.iter().map(|value| Clause::Id(plain(value))).collect();
    match modifier {
        None => Ok(vec![Condition::any(any)]),
        Some("not") => Ok(vec![Condition::none(any)]),
        Some(_) => Err(Problem::Modifier),
    }
}

fn updated(modifier: Option<&str>, values: &[&str]) -> Result<Vec<Condition>, Problem> {
    if modifier.is_some() {
        return Err(Problem::Modifier);
    }
    let mut any = Vec::new();
    for value in values {
        let malformed = Problem::Malformed { expected: DATE };
        let (prefix, text) = Prefix::take(value).ok_or(malformed)?;
        let spans = moments(prefix, date(text).ok_or(malformed)?);
        any.extend(spans.into_iter().map(Clause::Updated));
    }
    Ok(vec![Condition::any(any)])
}
