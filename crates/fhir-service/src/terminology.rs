//! Value sets and code systems that searches ask for, from what is stored.

use fhir_model::json;
use fhir_search::{Extractor, Terminology, Wanted, wanted};
use rulebook::Failure;
use storage_api::{Clause, CodingTest, Condition, Query, SearchRequest, SystemTest, Test};

use crate::service::{Service, store_failure};

/// Value sets and code systems of one search.
const SETS_MAX: usize = 100;
/// Bytes that they have together.
const BYTES_MAX: usize = 64 << 20;

impl Service {
    /// What the parameters of a search need. Of several resources with one URL the first stored counts.
    pub(crate) async fn terminology(&self, parameters: &[(String, String)]) -> Result<Terminology, Failure> {
        let mut terminology = Terminology::default();
        let in_force = self.in_force();
        let wanted = wanted(parameters);
        if wanted.len() > SETS_MAX {
            return Err(Failure::SearchTooCostly);
        }
        let mut room = BYTES_MAX;
        for wanted in wanted {
            let Some(query) = query(&in_force.extractor, &wanted) else { continue };
            let page = self.store.search(&SearchRequest::of(query, 1)).await.map_err(store_failure)?;
            let body = page.found.into_iter().next().and_then(|version| version.body);
            let bytes = body.as_ref().map_or(0, |body| body.bytes.len());
            room = room.checked_sub(bytes).ok_or(Failure::SearchTooCostly)?;
            if let Some(resource) = body.and_then(|body| json::parse(&body.bytes, &self.limits.stored()).ok())
            {
                terminology.insert(wanted, resource);
            }
        }
        Ok(terminology)
    }
}

fn query(extractor: &Extractor, wanted: &Wanted) -> Option<Query> {
    let term = |kind: &str, code: &str, test: Test| {
        let parameter = extractor.parameters(kind)?.get(code)?;
        Some(Condition::any(vec![Clause::term(parameter.term(), test)]))
    };
    let by_url = |kind: &str, url: &str| term(kind, "url", Test::Uri(url.into()));
    match wanted {
        Wanted::CodeSystem(url) => {
            Some(Query { kind: "CodeSystem".into(), conditions: vec![by_url("CodeSystem", url)?] })
        }
        Wanted::ValueSet(name) => {
            let id = name.strip_prefix("ValueSet/").filter(|id| fhir_model::Id::check(id).is_ok());
            let (url, version) =
                name.split_once('|').map_or((name.as_str(), None), |(url, version)| (url, Some(version)));
            let mut conditions = vec![match id {
                Some(id) => Condition::any(vec![Clause::Id(id.into())]),
                None => by_url("ValueSet", url)?,
            }];
            if let Some(version) = version {
                let test = CodingTest { code: Some(version.into()), system: SystemTest::Any };
                conditions.push(term("ValueSet", "version", Test::Token(test))?);
            }
            Some(Query { kind: "ValueSet".into(), conditions })
        }
    }
}
