//! Everything that a server has of some types, read by searches, and what refers to what.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::target::Target;
use super::wire::Wire;

/// What a walk found.
#[derive(Default)]
pub(crate) struct Walked {
    /// Every `Type/id`.
    pub(crate) keys: BTreeSet<String>,
    /// Literal references within the server: who refers to what.
    references: Vec<(String, String)>,
    /// References that should have been replaced: who has `urn:` and conditional ones.
    unreplaced: Vec<(String, String)>,
}

/// Reads all resources of these types.
pub(crate) async fn walk(target: &Target, types: &BTreeSet<String>) -> Result<Walked> {
    let mut wire = Wire::connect(&target.authority).await?;
    let mut walked = Walked::default();
    for kind in types {
        let mut place = Some(format!("/{kind}?_count=1000"));
        while let Some(page) = place.take() {
            let seen = wire.send(&target.get(&page), true).await?;
            ensure!(seen.status == 200, "GET {page}: {} {}", seen.status, seen.shown());
            let bundle: Value = serde_json::from_slice(&seen.body)?;
            for entry in bundle["entry"].as_array().into_iter().flatten() {
                walked.take(&entry["resource"], target)?;
            }
            place = next(&bundle, target);
        }
    }
    Ok(walked)
}

/// The place of the next page.
fn next(bundle: &Value, target: &Target) -> Option<String> {
    let links = bundle["link"].as_array()?;
    let url = links.iter().find(|link| link["relation"] == "next")?["url"].as_str()?;
    let base = format!("{}{}", target.authority, target.path);
    let start = url.find(&base)? + base.len();
    Some(url[start..].to_owned())
}

impl Walked {
    fn take(&mut self, resource: &Value, target: &Target) -> Result<()> {
        let kind = resource["resourceType"].as_str().context("no resourceType")?;
        if kind == "OperationOutcome" {
            return Ok(());
        }
        let key = format!("{kind}/{}", resource["id"].as_str().context("no id")?);
        self.references_of(resource, &key, target);
        self.keys.insert(key);
        Ok(())
    }

    fn references_of(&mut self, value: &Value, key: &str, target: &Target) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    match value {
                        Value::String(reference) if name == "reference" => {
                            self.refer(reference, key, target);
                        }
                        _ => self.references_of(value, key, target),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.references_of(item, key, target)),
            _ => {}
        }
    }

    fn refer(&mut self, reference: &str, key: &str, target: &Target) {
        let base = format!("http://{}{}/", target.authority, target.path);
        let reference = reference.strip_prefix(&base).unwrap_or(reference);
        if reference.starts_with("urn:") || reference.contains('?') {
            self.unreplaced.push((key.to_owned(), reference.to_owned()));
        } else if !reference.starts_with('#') && !reference.contains("://") {
            let end = reference.find("/_history/").unwrap_or(reference.len());
            self.references.push((key.to_owned(), reference[..end].to_owned()));
        }
    }

    /// Every reference of these resources must have been replaced, and lead to something that is there. How many
    /// do.
    pub(crate) fn ensure_resolved(&self, of: &BTreeSet<String>) -> Result<usize> {
        let references = || self.references.iter().filter(|(key, _)| of.contains(key));
        let dangling = references().filter(|(_, reference)| !self.keys.contains(reference));
        let unreplaced = self.unreplaced.iter().filter(|(key, _)| of.contains(key));
        let faults: Vec<_> = dangling.chain(unreplaced).collect();
        let named: Vec<String> = faults
            .iter()
            .take(5)
            .map(|(key, reference)| format!("\n  {key} refers to {reference}"))
            .collect();
        ensure!(faults.is_empty(), "{} references do not resolve:{}", faults.len(), named.concat());
        Ok(references().count())
    }

    /// How many there are of each type.
    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for key in &self.keys {
            let kind = key.split('/').next().unwrap_or_default();
            *counts.entry(kind.to_owned()).or_default() += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn walked(resources: &[Value]) -> Walked {
        let target = Target { authority: "h:1".to_owned(), path: "/R4".to_owned() };
        let mut walked = Walked::default();
        for resource in resources {
            walked.take(resource, &target).unwrap();
        }
        walked
    }

    #[test]
    fn references_resolve_or_are_named() {
        let patient = json!({"resourceType": "Patient", "id": "a"});
        let refers = |reference: &str| {
            let other = json!({"resourceType": "Basic", "id": "b", "x": [{"reference": reference}]});
            let walked = walked(&[patient.clone(), other]);
            assert!(walked.ensure_resolved(&BTreeSet::new()).is_ok());
            walked.ensure_resolved(&walked.keys).map_err(|error| error.to_string())
        };
        for (fine, resolved) in [
            ("Patient/a", 1),
            ("Patient/a/_history/1", 1),
            ("http://h:1/R4/Patient/a", 1),
            ("#x", 0),
            ("http://other/Patient/z", 0),
        ] {
            assert_eq!(refers(fine), Ok(resolved), "{fine}");
        }
        for wrong in ["Patient/c", "http://h:1/R4/Patient/c", "urn:uuid:a", "Patient?identifier=a"] {
            let told = refers(wrong).unwrap_err();
            assert!(told.contains("Basic/b refers to"), "{wrong}: {told}");
        }
    }

    #[test]
    fn the_next_page_is_a_place_behind_the_base() {
        let target = Target { authority: "h:1".to_owned(), path: "/R4".to_owned() };
        let bundle = json!({"link": [{"relation": "self", "url": "http://h:1/R4/Patient"},
            {"relation": "next", "url": "http://h:1/R4/Patient?_count=2&cursor=x"}]});
        assert_eq!(next(&bundle, &target).as_deref(), Some("/Patient?_count=2&cursor=x"));
        assert_eq!(next(&json!({}), &target), None);
    }
}
