//! search: the live resources that match, of one type, of several, or in a compartment.

use fhir_search::{Extractor, Problem, Surroundings};
use rulebook::Failure;
use storage_api::{SearchPage, SearchRequest, StoreError};

use crate::answer::Answer;
use crate::cursor;
use crate::request::{Handling, SearchScope};
use crate::search_contained::{Inside, fitting};
use crate::search_shape::{CURSOR, Shape, Shaped, Total, malformed};
use crate::searchset::Searchset;
use crate::service::{Context, Service, store_failure};

impl Service {
    pub(crate) async fn search(
        &self,
        scope: &SearchScope,
        parameters: Vec<(String, String)>,
        context: &Context,
    ) -> Result<Answer, Failure> {
        let (shape, mut parameters) = Shape::take(parameters)?;
        let in_force = self.in_force();
        let extractor = &*in_force.extractor;
        let types = types(extractor, scope, &shape, &mut parameters)?;
        let sent = parameters.clone();
        if let [only] = types.as_slice() {
            parameters = self.rulebook.search(only, parameters, &context.caller)?;
        }
        let terminology = self.terminology(&parameters).await?;
        let bases = [context.base.as_str()];
        let surroundings = Surroundings { bases: &bases, terminology: &terminology };
        let mut selection = extractor
            .searches(&types, &parameters, surroundings)
            .map_err(|error| Failure::Query(Box::new(error)))?;
        for ignored in selection.ignored.iter_mut().filter(|error| error.problem == Problem::ShapesResults) {
            ignored.problem = Problem::Unsupported;
        }
        // Links repeat what the client wrote, where an API reads it in its own way.
        if parameters != sent {
            selection.used.clone_from(&sent);
        }
        if let SearchScope::Compartment { key, .. } = scope {
            selection.queries.retain_mut(|query| {
                let belongs = extractor.in_compartment(&query.kind, &key.kind, &key.id, &bases);
                query.conditions.extend(belongs.clone());
                belongs.is_some()
            });
        }
        let is_type_search = matches!(scope, SearchScope::Type(_));
        let inside = Inside::of(&shape, &types, is_type_search, extractor, &mut selection.queries)?;
        let Shaped { order, includes, used, ignored } = shape.apply(extractor, &types)?;
        selection.used.extend(used);
        selection.ignored.extend(ignored);
        if scope_has_types(scope)
            && let Some(types) = &shape.types
        {
            selection.used.insert(0, ("_type".to_owned(), types.clone()));
        }
        if let Some(ignored) = selection.ignored.first()
            && context.preferences.handling == Some(Handling::Strict)
        {
            return Err(Failure::Query(Box::new(ignored.clone())));
        }
        let mut answer = Searchset {
            scope,
            shape: &shape,
            used: selection.used,
            ignored: selection.ignored,
            // Of what is asked for the index may not have everything yet.
            incomplete: selection.queries.iter().find_map(|query| in_force.warning(query)),
            count: shape.count.unwrap_or(self.limits.page_default).min(self.limits.page_max),
        };
        if shape.total == Total::Only {
            answer.count = 0;
        }
        if let Some(inside) = &inside {
            inside.expect_no_count(answer.count == 0 || shape.total == Total::Accurate)?;
        }
        let continued = |text: &String| {
            let mark = cursor::read(text, &answer.text(), order.len());
            mark.ok_or_else(|| {
                malformed(CURSOR, text, "a cursor from a link of this server, with its search")
            })
        };
        let mut request = SearchRequest {
            after: shape.cursor.as_ref().map(continued).transpose()?,
            queries: selection.queries,
            order,
            limit: answer.count,
            includes,
            total: answer.count == 0
                || shape.total == Total::Accurate
                || (shape.total == Total::IfKnown && self.rulebook.counts_searches()),
        };
        // An API that judges what is found does so where only the number is asked for too.
        let judges = self.rulebook.judges_searches() && request.after.is_none();
        if judges && answer.count == 0 {
            request.limit = self.limits.page_default;
        }
        let mut page = self.page(&request).await?;
        if judges {
            self.judge_found(&page, &sent)?;
        }
        if answer.count == 0 {
            page = SearchPage { total: page.total, ..SearchPage::default() };
        }
        if answer.count == 0 && page.total.is_none() {
            return Err(Failure::SearchTooCostly);
        }
        let shown = loop {
            let shown = self.shown(&page, inside.as_ref(), context)?;
            let fitting = fitting(&shown, answer.count);
            if answer.count == 0 || fitting >= shown.len() {
                break shown;
            }
            // Several of what one resource contains may match, and a page has no more entries than were asked for.
            request.limit = fitting;
            drop(shown);
            page = self.page(&request).await?;
        };
        self.searchset(&answer, &request, &page, &shown, context)
    }

    /// Lets the rules of the API look at what was found.
    fn judge_found(&self, page: &SearchPage, sent: &[(String, String)]) -> Result<(), Failure> {
        let bodies = page.found.iter().filter_map(|version| version.body.as_ref());
        let found = bodies.map(|body| self.content_of(body)).collect::<Result<Vec<_>, _>>()?;
        self.rulebook.searched(sent, &found)
    }

    async fn page(&self, request: &SearchRequest) -> Result<SearchPage, Failure> {
        self.store.search(request).await.map_err(|error| match error {
            StoreError::TooCostly => Failure::SearchTooCostly,
            other => store_failure(other),
        })
    }
}

/// Whether `_type` has a meaning.
fn scope_has_types(scope: &SearchScope) -> bool {
    matches!(scope, SearchScope::System | SearchScope::Compartment { member: None, .. })
}

/// The types that are searched.
fn types<'a>(
    extractor: &'a Extractor,
    scope: &'a SearchScope,
    shape: &'a Shape,
    parameters: &mut Vec<(String, String)>,
) -> Result<Vec<&'a str>, Failure> {
    if !scope_has_types(scope) {
        // Of one type `_type` is a parameter like any other that is not known.
        parameters.extend(shape.types.iter().map(|types| ("_type".to_owned(), types.clone())));
    }
    match (scope, &shape.types) {
        (SearchScope::Type(name) | SearchScope::Compartment { member: Some(name), .. }, _) => Ok(vec![name]),
        (_, None) => Ok(extractor.types().collect()),
        (_, Some(named)) => {
            let mut types: Vec<&str> = named.split(',').collect();
            types.sort_unstable();
            types.dedup();
            if types.iter().any(|name| extractor.parameters(name).is_none()) {
                return Err(malformed("_type", named, "names of resource types, with commas between them"));
            }
            Ok(types)
        }
    }
}
