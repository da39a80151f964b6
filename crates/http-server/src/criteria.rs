//! Where the criteria of conditional writes and the parameters of searches stand in a request.

use fhir_service::Criteria;
use hyper::HeaderMap;
use hyper::header::CONTENT_TYPE;
use rulebook::{Failure, ParameterProblem};

use crate::query::Query;

const IF_NONE_EXIST: &str = "if-none-exist";

/// Whether a create is conditional.
pub(crate) fn is_conditional_create(headers: &HeaderMap) -> bool {
    headers.contains_key(IF_NONE_EXIST)
}

/// `If-None-Exist`: the query of a search, perhaps behind `?` or `Type?`.
pub(crate) fn if_none_exist(headers: &HeaderMap, resource_type: &str) -> Result<Criteria, Failure> {
    let refused = |problem| Failure::Parameter { name: "If-None-Exist".to_owned(), problem };
    let mut lines = headers.get_all(IF_NONE_EXIST).iter();
    let line = lines.next().map(|line| line.to_str()).transpose();
    let line = line.map_err(|_| refused(ParameterProblem::Encoding))?.unwrap_or_default().trim();
    if lines.next().is_some() {
        return Err(refused(ParameterProblem::Repeated));
    }
    let query = line.strip_prefix(resource_type).filter(|rest| rest.starts_with('?')).unwrap_or(line);
    let query = query.strip_prefix('?').unwrap_or(query);
    Ok(Criteria(Query::parse(Some(query))?.into_pairs()))
}

/// The criteria in a URL: everything but what shapes the layout of the answer. What would shape a search's results is
/// left in, so that it is refused: passed over, it could widen what is written.
pub(crate) fn in_url(query: &mut Query) -> Criteria {
    let (layout, criteria) = std::mem::take(query)
        .into_pairs()
        .into_iter()
        .partition(|(name, _)| matches!(name.as_str(), "_format" | "_pretty"));
    *query = Query::from(layout);
    Criteria(criteria)
}

/// The parameters in the body of a search by POST.
pub(crate) fn in_form(headers: &HeaderMap, body: &[u8]) -> Result<Vec<(String, String)>, Failure> {
    const FORM: &str = "application/x-www-form-urlencoded";
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let sent = headers.get(CONTENT_TYPE).map_or("", |sent| sent.to_str().unwrap_or_default());
    let essence = sent.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case(FORM) {
        return Err(Failure::UnsupportedMediaType { sent: sent.chars().take(200).collect(), offered: FORM });
    }
    let name = "_search".to_owned();
    let text = std::str::from_utf8(body)
        .map_err(|_| Failure::Parameter { name, problem: ParameterProblem::Encoding })?;
    Ok(Query::parse(Some(text.trim()))?.into_pairs())
}
