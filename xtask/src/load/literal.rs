//! The resources of Bundles one by one, with literal references in place of urns and conditional ones.

use std::collections::BTreeMap;

use anyhow::Result;

use super::suite::{Bundle, Named, Published, renamed};

/// A resource of a Bundle, as it would be sent by itself.
pub(crate) struct Single {
    /// `Type/id`.
    pub(crate) key: String,
    pub(crate) text: String,
}

/// The resources of Bundles with the ids that they were published with, and with references to these. Batches, whose
/// resources all patients share, are taken once; of the others there are `copies`.
pub(crate) fn singles(bundles: &[Bundle], copies: u32) -> Result<Vec<Single>> {
    let mut shared = BTreeMap::new();
    for bundle in bundles.iter().filter(|bundle| bundle.is_batch) {
        identified(&bundle.text, &mut shared)?;
    }
    let mut singles = Vec::new();
    for copy in 0..copies.max(1) {
        for bundle in bundles.iter().filter(|bundle| copy == 0 || !bundle.is_batch) {
            literal(&renamed(&bundle.text, &bundle.uuids, copy), &shared, &mut singles)?;
        }
    }
    Ok(singles)
}

/// Which `Type/id` a conditional reference means, for every identifier of every resource.
fn identified(text: &str, keys: &mut BTreeMap<String, String>) -> Result<()> {
    let published: Published<'_> = serde_json::from_str(text)?;
    for entry in &published.entry {
        let named: Named = serde_json::from_str(entry.resource.get())?;
        let Some(id) = named.id else { continue };
        for identifier in named.identifier.as_array().into_iter().flatten() {
            let (Some(system), Some(value)) = (identifier["system"].as_str(), identifier["value"].as_str())
            else {
                continue;
            };
            let kind = &named.resource_type;
            keys.insert(format!("{kind}?identifier={system}|{value}"), format!("{kind}/{id}"));
        }
    }
    Ok(())
}

fn literal(text: &str, shared: &BTreeMap<String, String>, singles: &mut Vec<Single>) -> Result<()> {
    let published: Published<'_> = serde_json::from_str(text)?;
    let mut keys = BTreeMap::new();
    let mut found = Vec::new();
    for entry in &published.entry {
        let named: Named = serde_json::from_str(entry.resource.get())?;
        let Some(id) = named.id else { continue };
        let key = format!("{}/{id}", named.resource_type);
        if let Some(url) = &entry.full_url {
            keys.insert(url.clone(), key.clone());
        }
        found.push((key, entry.resource.get()));
    }
    for (key, resource) in found {
        let text = referring(resource, |reference| {
            let reference = reference.as_str();
            keys.get(reference).or_else(|| shared.get(reference)).cloned()
        });
        singles.push(Single { key, text });
    }
    Ok(())
}

/// The text with every `"reference"` replaced that `other` knows another for. A member is found by its text: a string
/// that quotes one has a backslash in it.
fn referring(text: &str, other: impl Fn(&String) -> Option<String>) -> String {
    const NAME: &str = "\"reference\"";
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(NAME) {
        let (before, after) = rest.split_at(at + NAME.len());
        out.push_str(before);
        rest = after;
        let Some(open) = rest.find('"').filter(|open| rest[..*open].trim() == ":") else { continue };
        let Some(length) = rest[open + 1..].find('"') else { continue };
        let value = rest[open + 1..open + 1 + length].to_owned();
        out.push_str(&rest[..=open]);
        out.push_str(&other(&value).unwrap_or(value));
        rest = &rest[open + 1 + length..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::super::suite::tests::bundles;
    use super::*;

    #[test]
    fn single_resources_refer_literally() {
        let singles = singles(&bundles(), 2).unwrap();
        let keys: Vec<&str> = singles.iter().map(|single| single.key.as_str()).collect();
        assert_eq!(keys.len(), 5);
        assert_eq!(keys[0], "Organization/1");
        assert_eq!(keys[4], "Encounter/9e3779b1-0000-4000-8000-00000000000b");
        let encounter: serde_json::Value = serde_json::from_str(&singles[4].text).unwrap();
        assert_eq!(encounter["subject"]["reference"], "Patient/9e3779b1-0000-4000-8000-00000000000a");
        assert_eq!(encounter["serviceProvider"]["reference"], "Organization/1");
    }
}
