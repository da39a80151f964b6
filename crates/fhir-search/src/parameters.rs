//! The search parameters of one resource type, compiled.

use std::sync::Arc;

use compact_str::{CompactString, format_compact};
use fhir_definitions::{Definitions, SearchParameterDef, SearchType, TypeDef};
use fhirpath::Expression;

use crate::custom::CustomParameter;
use crate::definition::Definition;
use crate::full_text;
use crate::gate::Gate;

/// The search parameters of one resource type, sorted by code.
#[derive(Debug)]
pub struct Parameters {
    all: Vec<Parameter>,
    /// What is evaluated: parameters that ask for the same share one.
    pub(crate) rules: Vec<Rule>,
    /// By the name of a member: the rules it opens. Sorted.
    opened: Vec<(&'static str, Vec<usize>)>,
    /// Rules that are always evaluated.
    always: Vec<usize>,
}

/// A search parameter of one resource type.
#[derive(Debug)]
pub struct Parameter {
    definition: Definition,
    rule: Option<usize>,
    only: Option<TypeDef>,
    term: CompactString,
    components: Vec<Component>,
    split: bool,
    union: Vec<&'static str>,
    position: bool,
}

/// A part of a composite parameter.
#[derive(Clone, Debug)]
pub struct Component {
    /// Its type.
    pub search_type: SearchType,
    /// The code of the parameter that it stands for, where the definition names one that exists.
    pub code: Option<&'static str>,
}

/// One expression whose values become terms.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) code: CompactString,
    pub(crate) term: CompactString,
    pub(crate) search_type: SearchType,
    pub(crate) expression: Expression,
    /// The system of bare codes.
    pub(crate) system: Option<&'static str>,
    pub(crate) components: Vec<(SearchType, Expression)>,
    /// Whether its terms are written.
    pub(crate) is_indexed: bool,
    /// Whether it was defined on the server: then nobody tried it on every resource there is.
    pub(crate) is_custom: bool,
    /// Parameters that find their references among these: the terms that say that none is for them, and for which type
    /// references are.
    pub(crate) narrowed: Vec<(CompactString, TypeDef)>,
}

impl Parameter {
    /// Its definition.
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// The name that its terms have.
    pub fn term(&self) -> &str {
        &self.term
    }

    /// The only type that its references point to, where another parameter's terms hold those of other types too.
    pub fn only(&self) -> Option<TypeDef> {
        self.only
    }

    /// Its parts, if it is a composite.
    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// Whether each part of a composite is found under the parameter it stands for: the composite concerns the
    /// resource as a whole, so its parts need not be kept together.
    pub fn is_split(&self) -> bool {
        self.split
    }

    /// Whether it finds places on the earth, whatever its type says: STU3 calls that a token.
    pub fn is_position(&self) -> bool {
        self.position
    }

    /// Whether it says how far another parameter reaches: `near-distance` in STU3.
    pub fn is_distance(&self) -> bool {
        self.definition.code() == "near-distance" && self.term.starts_with("Location.")
    }

    /// Whether it looks for words: `_text` and `_content`. Only an extractor of
    /// [words](crate::Extractor::with_full_text) finds by it.
    pub fn is_full_text(&self) -> bool {
        full_text::is_full_text(self.definition.code())
    }

    /// Whether resources can be found by it, words apart.
    pub fn is_supported(&self) -> bool {
        self.rule.is_some() && (self.definition.search_type() != SearchType::Special || self.position)
    }
}

impl Parameters {
    pub(crate) fn compile(owner: TypeDef, customs: &[Arc<CustomParameter>]) -> Self {
        let mut compiled =
            Self { all: Vec::new(), rules: Vec::new(), opened: Vec::new(), always: Vec::new() };
        for definition in owner.search_parameters() {
            compiled.add(definition, owner);
        }
        compiled.share(owner);
        for custom in customs.iter().filter(|custom| custom.is_for(owner)) {
            compiled.add_custom(custom, owner);
        }
        if customs.is_empty() {
            // These are compiled once, and a transaction holds their names in a hundred thousand terms.
            for rule in &mut compiled.rules {
                rule.term = lasting(std::mem::take(&mut rule.term));
            }
        }
        compiled.all.sort_by(|a, b| a.definition.code().cmp(b.definition.code()));
        compiled.opened.sort_unstable_by_key(|(name, _)| *name);
        compiled
    }

    /// The parameter with this code.
    pub fn get(&self, code: &str) -> Option<&Parameter> {
        let found = self.all.binary_search_by(|known| known.definition.code().cmp(code)).ok()?;
        self.all.get(found)
    }

    /// The parameters whose terms hold a parameter's values: those that it is the union of, or itself.
    pub fn sources<'a>(&'a self, parameter: &'a Parameter) -> impl Iterator<Item = &'a Parameter> {
        let own = parameter.union.is_empty().then_some(parameter);
        own.into_iter().chain(parameter.union.iter().filter_map(|code| self.get(code)))
    }

    /// The name of the terms that say that none of the references that a parameter shares with others is for it.
    pub fn missing_term(&self, parameter: &Parameter) -> Option<CompactString> {
        let (rule, target) = (self.rule(parameter)?, parameter.only()?);
        let code = parameter.definition.code();
        let is_own = |(term, known): &&(CompactString, TypeDef)| {
            *known == target
                && term
                    .strip_suffix(":missing")
                    .and_then(|name| name.split_once('.'))
                    .is_some_and(|(_, own)| own == code)
        };
        rule.narrowed.iter().find(is_own).map(|(term, _)| term.clone())
    }

    /// All of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Parameter> {
        self.all.iter()
    }

    pub(crate) fn rule(&self, parameter: &Parameter) -> Option<&Rule> {
        parameter.rule.and_then(|rule| self.rules.get(rule))
    }

    /// The rules that a member of this name opens.
    pub(crate) fn opened_by(&self, member: &str) -> &[usize] {
        let name = member.strip_prefix('_').unwrap_or(member);
        let found = self.opened.binary_search_by(|(known, _)| (*known).cmp(name));
        found.ok().and_then(|at| self.opened.get(at)).map_or(&[], |(_, rules)| rules)
    }

    pub(crate) fn always(&self) -> &[usize] {
        &self.always
    }

    fn add(&mut self, definition: SearchParameterDef, owner: TypeDef) {
        let components: Vec<Component> = definition
            .components()
            .map(|part| Component { search_type: part.search_type(), code: part.code() })
            .collect();
        let mut parameter = Parameter {
            definition: Definition::Published(definition),
            rule: None,
            only: None,
            term: CompactString::default(),
            split: is_split(definition, owner),
            components,
            union: Vec::new(),
            position: false,
        };
        if let Some((whole, text, only)) = wanted(definition, owner) {
            parameter.rule = self.rule_for(whole, text, owner, parameter.split);
            parameter.only = only;
            parameter.position = is_position(definition.code(), owner);
            if let Some(rule) = parameter.rule.and_then(|rule| self.rules.get_mut(rule)) {
                parameter.term.clone_from(&rule.term);
                rule.narrowed.extend(only.map(|only| (missing_name(owner, definition.code()), only)));
            }
        }
        if parameter.is_full_text() {
            parameter.term = full_text::term_name(owner);
        }
        self.all.push(parameter);
    }

    /// One whose code is that of another one is left out: the first stays.
    fn add_custom(&mut self, custom: &Arc<CustomParameter>, owner: TypeDef) {
        if self.all.iter().any(|known| known.definition.code() == custom.code()) {
            return;
        }
        let part = |part: &crate::custom::CustomComponent| {
            Some((part.search_type, Expression::parse(&part.expression).ok()?))
        };
        let compiled = custom.components().iter().map(part).collect::<Option<Vec<_>>>();
        let text = custom.expression_for(owner);
        let (Ok(expression), Some(components)) = (Expression::parse(&text), compiled) else { return };
        let split = false;
        let code: CompactString = custom.code().into();
        let rule = Rule {
            term: term_name(owner, &code),
            code,
            search_type: custom.search_type(),
            expression,
            system: bound_system(owner, &text),
            components,
            is_indexed: true,
            is_custom: true,
            narrowed: Vec::new(),
        };
        let parts = custom.components().iter();
        let parameter = Parameter {
            definition: Definition::Custom(Arc::clone(custom)),
            only: None,
            term: rule.term.clone(),
            components: parts.map(|part| Component { search_type: part.search_type, code: None }).collect(),
            split,
            union: Vec::new(),
            position: false,
            rule: Some(self.add_rule(rule, &text, owner)),
        };
        self.all.push(parameter);
    }

    /// Parameters that are unions of others get no terms of their own: what changes is written once.
    fn share(&mut self, owner: TypeDef) {
        let union = |parameter: &Parameter| match &parameter.definition {
            Definition::Published(definition) => union_of(*definition, owner),
            Definition::Custom(_) => Vec::new(),
        };
        let unions: Vec<_> = self.all.iter().map(union).collect();
        for (parameter, union) in self.all.iter_mut().zip(unions) {
            if let Some(rule) = parameter.rule.filter(|_| !union.is_empty())
                && let Some(rule) = self.rules.get_mut(rule)
            {
                rule.is_indexed = false;
                parameter.union = union;
            }
        }
    }

    /// The rule of an expression: one that is there already, or a new one.
    fn rule_for(
        &mut self,
        definition: SearchParameterDef,
        text: &'static str,
        owner: TypeDef,
        split: bool,
    ) -> Option<usize> {
        let code = definition.code();
        let search_type =
            if is_position(code, owner) { SearchType::Special } else { definition.search_type() };
        let components = definition
            .components()
            .map(|part| Some((part.search_type(), Expression::parse(part.expression()).ok()?)))
            .collect::<Option<Vec<_>>>()?;
        let expression = Expression::parse(text).ok()?;
        let same = |rule: &Rule| {
            components.is_empty() && rule.search_type == search_type && rule.expression == expression
        };
        if let Some(known) = self.rules.iter().position(same) {
            return Some(known);
        }
        let rule = Rule {
            code: code.into(),
            term: term_name(owner, code),
            search_type,
            expression,
            system: bound_system(owner, text),
            components,
            is_indexed: !split
                && (search_type != SearchType::Special || is_position(code, owner))
                && !(code == "near-distance" && owner.name() == "Location")
                && !is_row(code),
            is_custom: false,
            narrowed: Vec::new(),
        };
        Some(self.add_rule(rule, text, owner))
    }

    fn add_rule(&mut self, rule: Rule, text: &str, owner: TypeDef) -> usize {
        let index = self.rules.len();
        match Gate::of(text, owner) {
            Gate::Open => self.always.push(index),
            Gate::Members(names) => {
                for name in names {
                    self.open(name, index);
                }
            }
        }
        self.rules.push(rule);
        index
    }

    fn open(&mut self, name: &'static str, rule: usize) {
        match self.opened.iter_mut().find(|(known, _)| *known == name) {
            Some((_, rules)) => rules.push(rule),
            None => self.opened.push((name, vec![rule])),
        }
    }
}

/// Parameters that the store's own row answers.
fn is_row(code: &str) -> bool {
    matches!(code, "_id" | "_lastUpdated")
}

/// Whether a parameter finds places on the earth (Location, search parameter `near`).
fn is_position(code: &str, owner: TypeDef) -> bool {
    owner.name() == "Location" && code == "near"
}

/// The name of the terms that say that no reference is for a parameter.
pub(crate) fn missing_name(owner: TypeDef, code: &str) -> CompactString {
    format_compact!("{}.{code}:missing", owner.name())
}

/// The name of a parameter's terms: those that every resource has are found across types.
fn term_name(owner: TypeDef, code: &str) -> CompactString {
    if code.starts_with('_') { code.into() } else { format_compact!("{}.{code}", owner.name()) }
}

/// The same name, of which copies take no memory of their own. It is never freed.
fn lasting(name: CompactString) -> CompactString {
    if name.is_heap_allocated() {
        CompactString::const_new(Box::leak(name.into_string().into_boxed_str()))
    } else {
        name
    }
}

/// The parameter and the expression whose terms hold a parameter's values, and the type that it is restricted to.
///
/// `subject.where(resolve() is Patient)` is found in the terms of `subject`, if there is a parameter for them: what a
/// reference points to is part of its term.
fn wanted(
    definition: SearchParameterDef,
    owner: TypeDef,
) -> Option<(SearchParameterDef, &'static str, Option<TypeDef>)> {
    let text = definition.expression()?;
    let restricted = || {
        let (path, target) = text.strip_suffix(')')?.split_once(".where(resolve() is ")?;
        let target = owner.definitions().resource_type(target)?;
        let whole = owner
            .search_parameters()
            .find(|other| other.search_type() == SearchType::Reference && other.expression() == Some(path))?;
        Some((whole, whole.expression()?, Some(target)))
    };
    if definition.search_type() == SearchType::Reference
        && let Some(found) = restricted()
    {
        return Some(found);
    }
    Some((definition, text, None))
}

/// The parameters that a parameter is the union of: between them they have each of its alternatives
/// once. `Observation.combo-code` is `code` and `component-code`.
fn union_of(definition: SearchParameterDef, owner: TypeDef) -> Vec<&'static str> {
    let mut left = alternatives(definition);
    if left.len() < 2 {
        return Vec::new();
    }
    let whole = left.len();
    let mut parts: Vec<_> = owner
        .search_parameters()
        .filter(|other| other.search_type() == definition.search_type() && is_alike(*other, definition))
        .map(|other| (other.code(), alternatives(other)))
        .filter(|(_, texts)| !texts.is_empty() && texts.len() < whole)
        .collect();
    // The largest first, so that as few as possible are asked.
    parts.sort_by_key(|(code, texts)| (core::cmp::Reverse(texts.len()), *code));
    let mut union = Vec::new();
    for (code, texts) in parts {
        if texts.iter().all(|text| left.contains(text)) {
            left.retain(|text| !texts.contains(text));
            union.push(code);
        }
    }
    // The parts of a part that is a union itself would have to be looked for in turn.
    let is_plain =
        |code: &&str| owner.search_parameter(code).is_some_and(|part| union_of(part, owner).is_empty());
    if left.is_empty() && union.iter().all(is_plain) { union } else { Vec::new() }
}

/// The alternatives of an expression that has nothing but paths between its bars.
fn alternatives(definition: SearchParameterDef) -> Vec<&'static str> {
    let Some(text) = definition.expression() else { return Vec::new() };
    let texts: Vec<_> = text.split(" | ").collect();
    let is_whole = |text: &&str| text.matches('(').count() == text.matches(')').count();
    if texts.iter().all(is_whole) { texts } else { Vec::new() }
}

/// Whether the parts of two composites are the same; parameters of other types have none.
fn is_alike(one: SearchParameterDef, other: SearchParameterDef) -> bool {
    one.components()
        .map(|part| (part.search_type(), part.expression()))
        .eq(other.components().map(|part| (part.search_type(), part.expression())))
}

/// Whether a composite can be asked for part by part: it concerns the whole resource, and every part is the value of
/// a parameter of its own.
fn is_split(definition: SearchParameterDef, owner: TypeDef) -> bool {
    let is_same = |part: fhir_definitions::ComponentDef| {
        let Some(whole) = part.code().and_then(|code| owner.search_parameter(code)) else { return false };
        let own = whole.expression().unwrap_or_default();
        whole.search_type() == part.search_type()
            && (own == format!("{}.{}", owner.name(), part.expression())
                || own.contains(&format!("({} as", part_path(owner, part.expression())))
                || own.starts_with(&format!("{}.", part_path(owner, part.expression()))))
    };
    definition.search_type() == SearchType::Composite
        && definition.expression() == Some(owner.name())
        && definition.components().all(is_same)
}

/// `Observation.value` of `value.as(Quantity)`.
fn part_path(owner: TypeDef, part: &str) -> String {
    let path = part.split(['.', '(']).next().unwrap_or(part);
    format!("{}.{path}", owner.name())
}

/// The one system of a plain path to a code that is bound to codes of a single system.
pub(crate) fn bound_system(owner: TypeDef, text: &str) -> Option<&'static str> {
    let mut fields = owner.fields();
    let mut found = None;
    let (first, path) = text.split_once('.')?;
    if first != owner.name() {
        return None;
    }
    for name in path.split('.') {
        let element = fields.element(name)?;
        let inside = element.types().next()?;
        found = Some((element, inside));
        fields = element.fields_as(inside);
    }
    let (element, inside) = found.filter(|(_, inside)| inside.name() == "code")?;
    let _ = inside;
    let mut groups = element.binding()?.value_set().codes()?.groups();
    match (groups.next(), groups.next()) {
        (Some(only), None) => only.system(),
        _ => None,
    }
}

/// The parameters of a type.
pub(crate) fn compile(
    definitions: Definitions,
    resource_type: &str,
    customs: &[Arc<CustomParameter>],
) -> Option<Parameters> {
    definitions.resource_type(resource_type).map(|owner| Parameters::compile(owner, customs))
}
