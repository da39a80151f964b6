//! Searchsets as transcripts show them.

use std::fmt::Write as _;

use fhir_model::json::Value;

use crate::client::{Request, Response, at, text_at};

/// A request that stores a resource where it says.
pub(crate) fn put(resource: &str, base: &str) -> Request {
    let tree = fhir_model::json::parse(resource.as_bytes(), &fhir_model::json::Limits::default());
    let tree = tree.expect("@put and JSON on one line");
    let text = |name| text_at(&tree, name).expect("resourceType and id");
    Request::put(&format!("{base}/{}/{}", text("resourceType"), text("id")), resource)
}

/// The entries of a searchset: the mode, and what it is, by its full URL where it has one.
fn entries(bundle: &Value) -> Vec<(String, String)> {
    let entry = |n: usize| {
        let text = |path: &str| text_at(bundle, &format!("entry.{n}.{path}"));
        let kind = text("resource.resourceType")?;
        let shown = if let Some(url) = text("fullUrl") {
            let (around, id) = url.rsplit_once('/')?;
            let parent = around.rsplit('/').next()?;
            if id.contains('#') { format!("{parent}/{id}") } else { format!("{kind}/{id}") }
        } else {
            let issue = |n: usize| text(&format!("resource.issue.{n}.diagnostics"));
            (0..).map_while(issue).collect::<Vec<_>>().join(" / ")
        };
        Some((text("search.mode").unwrap_or_default(), shown))
    };
    (0..).map_while(entry).collect()
}

/// What matches, as a transcript says it.
pub(crate) fn found(response: &Response) -> String {
    if response.status != 200 {
        return "no searchset".to_owned();
    }
    let entries = entries(&response.json());
    let matches: Vec<String> =
        entries.into_iter().filter(|(mode, _)| mode == "match").map(|(_, shown)| shown).collect();
    if matches.is_empty() { "nothing".to_owned() } else { matches.join(" ") }
}

/// A searchset or an outcome in a few lines; none for anything else.
pub(crate) fn in_brief(response: &Response) -> Option<String> {
    let bundle = fhir_model::json::parse(&response.body, &fhir_model::json::Limits::default()).ok()?;
    if text_at(&bundle, "resourceType").as_deref() == Some("OperationOutcome") {
        let issue = ["severity", "code", "details.coding.0.code", "diagnostics"]
            .map(|name| text_at(&bundle, &format!("issue.0.{name}")).unwrap_or_default());
        return at(&bundle, "issue.1").is_none().then(|| format!("< {}\n", issue.join(" ")));
    }
    text_at(&bundle, "type").filter(|kind| kind == "searchset")?;
    let mut out = String::new();
    for n in 0.. {
        let Some(relation) = text_at(&bundle, &format!("link.{n}.relation")) else { break };
        let url = text_at(&bundle, &format!("link.{n}.url")).expect("a URL");
        writeln!(out, "< {relation}: {url}").expect("write to a string");
    }
    if let Some(total) = at(&bundle, "total") {
        writeln!(out, "< total: {total}").expect("write to a string");
    }
    for (mode, shown) in entries(&bundle) {
        writeln!(out, "< {mode} {shown}").expect("write to a string");
    }
    Some(out)
}
