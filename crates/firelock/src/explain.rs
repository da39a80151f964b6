//! `firelock explain`

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use fhir_definitions::FhirVersion;
use fhir_service::StoredIndex;
use storage_api::Query;
use storage_sqlite::{Explainer, Explanation};

use crate::cli::{ExplainArguments, ServeArguments};
use crate::config::Config;
use crate::mounts;

pub(crate) fn run(arguments: ExplainArguments) -> Result<ExitCode> {
    let ExplainArguments { search, mount, data, config, limit } = arguments;
    let config = Config::load(ServeArguments { data, config, ..ServeArguments::default() })?;
    let paths = || config.mounts.iter().map(|known| known.path.as_str()).collect::<Vec<_>>();
    let known = config.mounts.iter().find(|known| known.path == mount);
    let version = known.with_context(|| format!("no API is at {mount}; there are {:?}", paths()))?.version;
    let explainer = Explainer::open(&mounts::partition(&config.data, &mount)?)
        .with_context(|| format!("cannot open the store of {mount}"))?;
    let index = StoredIndex::read(&explainer.index()?, version);
    let (resource_type, pairs) = parse(&search, version)?;
    let bases = index.bases();
    let understood = index.extractor().search(resource_type, &pairs, &bases)?;
    for ignored in &understood.ignored {
        say!("passed over: {ignored}");
    }
    if let Some(param) = index.incomplete(&understood.query) {
        say!("incomplete: the index of {param} is being made; resources may be missing");
    }
    print_query(&understood.query);
    let explanation = explainer.explain(&understood.query, limit.max(1))?;
    print_statements(&explanation);
    print_found(&explanation);
    match index.extractor().criteria(resource_type, &pairs, &bases) {
        Err(error) => say!("\nas criteria of a conditional write: refused. {error}"),
        Ok(query) => print_criteria(&index, &query, &explanation),
    }
    Ok(ExitCode::SUCCESS)
}

/// `Observation?code=x`, percent-encoded or not.
fn parse(search: &str, version: FhirVersion) -> Result<(&str, Vec<(String, String)>)> {
    let (resource_type, query) = search.split_once('?').unwrap_or((search, ""));
    ensure!(
        fhir_definitions::is_resource_type(version, resource_type),
        "{resource_type:?} is not a resource type of FHIR {version}; write Type?parameter=value"
    );
    let pairs = form_urlencoded::parse(query.as_bytes());
    Ok((resource_type, pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect()))
}

fn print_query(query: &Query) {
    say!("query: {} of which", query.kind);
    for condition in &query.conditions {
        let (first, next) = if condition.negated { ("none of", "nor") } else { ("one of", "or") };
        for (index, clause) in condition.any.iter().enumerate() {
            say!("  {} {clause:?}", if index == 0 { first } else { next });
        }
        if condition.any.is_empty() {
            say!("  {first} nothing");
        }
    }
    if query.conditions.is_empty() {
        say!("  all");
    }
}

fn print_statements(explanation: &Explanation) {
    for statement in &explanation.statements {
        say!("\ncandidates of {}:", statement.kind);
        say!("  {}", statement.sql);
        say!("  with {}", statement.bound.join(", "));
        for step in &statement.plan {
            say!("  plan: {step}");
        }
        match statement.looked_at {
            0 => say!("  each that passes is found"),
            1 => say!("  each that passes is looked at for 1 more condition"),
            more => say!("  each that passes is looked at for {more} more conditions"),
        }
    }
    if explanation.statements.is_empty() {
        say!("\nno statement: the store never had what is asked for");
    }
}

fn print_found(explanation: &Explanation) {
    let keys: Vec<String> = explanation.found.iter().map(ToString::to_string).collect();
    let more = if explanation.more { " and more" } else { "" };
    say!("\nfound: {}{more}", if keys.is_empty() { "nothing".to_owned() } else { keys.join(", ") });
}

/// What each conditional write would do with what is found.
fn print_criteria(index: &StoredIndex, query: &Query, explanation: &Explanation) {
    say!("\nas criteria of a conditional write:");
    if let Some(param) = index.incomplete(query) {
        say!("  refused with 503 until the index of {param} is complete");
        return;
    }
    match &explanation.found[..] {
        [] => say!("  create and update make a new resource; patch finds none; delete does nothing"),
        [one] if !explanation.more => {
            say!("  create answers with {one}; update, patch and delete touch {one}");
        }
        _ => say!("  refused with 412: several match"),
    }
}
