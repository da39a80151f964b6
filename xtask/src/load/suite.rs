//! A folder of generated patients: Bundles as they are sent.
//!
//! Resources keep the bytes that they were published with. What is made here is around them: request elements where
//! a Bundle is a mere collection, other uuids for further copies.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::value::RawValue;

/// What is wrong in a published Bundle, and is sent as it should be.
struct Correction {
    file: &'static str,
    published: &'static str,
    correct: &'static str,
    reason: &'static str,
}

const CORRECTIONS: &[Correction] = &[Correction {
    file: "Bins_Fernando_58.json",
    published: r#""numberOfRepeatsAllowed": 0,"#,
    correct: "",
    reason: "no repeats are said by no numberOfRepeatsAllowed: 0 is no positiveInt",
}];

/// A Bundle that can be sent.
#[derive(Clone)]
pub(crate) struct Bundle {
    pub(crate) name: String,
    pub(crate) is_batch: bool,
    /// Why it is not quite what was published.
    pub(crate) correction: Option<&'static str>,
    pub(crate) text: String,
    /// The types of its resources, in their order.
    pub(crate) types: Vec<String>,
    /// Type and criteria of its If-None-Exist entries, by the place of the entry.
    pub(crate) criteria: BTreeMap<usize, (String, String)>,
    /// The uuids of its `fullUrl`s.
    pub(super) uuids: BTreeSet<String>,
}

#[derive(Deserialize)]
pub(super) struct Published<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow)]
    pub(super) entry: Vec<Entry<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry<'a> {
    pub(super) full_url: Option<String>,
    #[serde(borrow)]
    pub(super) resource: &'a RawValue,
    request: Option<Request>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    if_none_exist: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Named {
    pub(super) resource_type: String,
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) identifier: serde_json::Value,
}

/// Reads every `.json` and `.json.bz2` of a folder: batches first, then by name. `None` if there is no such folder.
pub(crate) fn read(folder: &Path) -> Result<Option<Vec<Bundle>>> {
    if !folder.is_dir() {
        return Ok(None);
    }
    let mut bundles = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_of = |extension: &str| path.extension().is_some_and(|found| found == extension);
        let text = if name.ends_with(".json.bz2") {
            unpacked(&path)?
        } else if is_of("json") {
            std::fs::read_to_string(&path)?
        } else {
            continue;
        };
        let wrong = CORRECTIONS.iter().find(|one| one.file == name && text.contains(one.published));
        let text = wrong.map_or(text.clone(), |wrong| text.replace(wrong.published, wrong.correct));
        let bundle = Bundle::parse(name, text)?;
        bundles.push(Bundle { correction: wrong.map(|wrong| wrong.reason), ..bundle });
    }
    ensure!(!bundles.is_empty(), "there are no Bundles in {}", folder.display());
    bundles.sort_by(|a, b| (!a.is_batch, &a.name).cmp(&(!b.is_batch, &b.name)));
    Ok(Some(bundles))
}

/// The text of a file that bzip2 packed.
fn unpacked(path: &Path) -> Result<String> {
    let output = Command::new("bzip2")
        .args(["--decompress", "--stdout"])
        .arg(path)
        .output()
        .context("bzip2 unpacks the suite (Debian: bzip2)")?;
    ensure!(output.status.success(), "bzip2 cannot read {}", path.display());
    Ok(String::from_utf8(output.stdout)?)
}

impl Bundle {
    fn parse(name: String, text: String) -> Result<Self> {
        let published: Published<'_> = serde_json::from_str(&text).with_context(|| name.clone())?;
        let (mut types, mut criteria, mut uuids) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
        for (place, entry) in published.entry.iter().enumerate() {
            let named: Named = serde_json::from_str(entry.resource.get())?;
            if let Some(query) = entry.request.as_ref().and_then(|request| request.if_none_exist.clone()) {
                criteria.insert(place, (named.resource_type.clone(), query));
            }
            types.push(named.resource_type);
            if let Some(uuid) = entry.full_url.as_deref().and_then(|url| url.strip_prefix("urn:uuid:")) {
                uuids.insert(uuid.to_owned());
            }
        }
        let (is_batch, wrapped) = match published.kind {
            "batch" => (true, None),
            "transaction" => (false, None),
            _ => (false, Some(wrapped(&published, &types)?)),
        };
        Ok(Self { name, is_batch, correction: None, text: wrapped.unwrap_or(text), types, criteria, uuids })
    }

    /// The same with other uuids. Copy 0 is the Bundle itself.
    pub(crate) fn copy(&self, number: u32) -> Self {
        Self { text: renamed(&self.text, &self.uuids, number), ..self.clone() }
    }
}

/// The Bundle as a transaction that creates each of its resources.
fn wrapped(published: &Published<'_>, types: &[String]) -> Result<String> {
    let entries: Vec<String> = published
        .entry
        .iter()
        .zip(types)
        .map(|(entry, kind)| {
            let url = entry.full_url.as_ref().map(serde_json::to_string).transpose()?;
            let url = url.map(|url| format!(r#""fullUrl":{url},"#)).unwrap_or_default();
            let resource = entry.resource.get();
            Ok(format!(r#"{{{url}"resource":{resource},"request":{{"method":"POST","url":"{kind}"}}}}"#))
        })
        .collect::<Result<_>>()?;
    Ok(format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{}]}}"#, entries.join(",")))
}

/// The text with each of `uuids` replaced by one of the copy.
pub(super) fn renamed(text: &str, uuids: &BTreeSet<String>, copy: u32) -> String {
    const LENGTH: usize = 36;
    if copy == 0 {
        return text.to_owned();
    }
    let mut renamed = String::with_capacity(text.len());
    let mut done = 0;
    let mut at = 0;
    while let Some(hyphen) = text.as_bytes()[at..].iter().position(|byte| *byte == b'-') {
        let hyphen = at + hyphen;
        at = hyphen + 1;
        let candidate = hyphen.checked_sub(8).filter(|start| *start >= done);
        let Some(uuid) = candidate.and_then(|start| text.get(start..start + LENGTH)) else { continue };
        if uuids.contains(uuid) {
            renamed.push_str(&text[done..hyphen - 8]);
            renamed.push_str(&of_copy(uuid, copy));
            done = hyphen - 8 + LENGTH;
            at = done;
        }
    }
    renamed.push_str(&text[done..]);
    renamed
}

/// A uuid whose first group differs by the copy's number, multiplied so that all of its bits do.
fn of_copy(uuid: &str, copy: u32) -> String {
    let (first, rest) = uuid.split_at(8);
    match u32::from_str_radix(first, 16) {
        Ok(first) => format!("{:08x}{rest}", first ^ copy.wrapping_mul(0x9E37_79B1)),
        Err(_) => uuid.to_owned(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const PATIENT: &str = r#"{"resourceType":"Bundle","type":"collection","entry":[
        {"fullUrl":"urn:uuid:00000000-0000-4000-8000-00000000000a","resource":{"resourceType":"Patient",
         "id":"00000000-0000-4000-8000-00000000000a","multipleBirthInteger":1.50}},
        {"fullUrl":"urn:uuid:00000000-0000-4000-8000-00000000000b","resource":{"resourceType":"Encounter",
         "id":"00000000-0000-4000-8000-00000000000b",
         "subject" : {"reference" : "urn:uuid:00000000-0000-4000-8000-00000000000a"},
         "serviceProvider":{"reference":"Organization?identifier=s|1"}}}]}"#;
    const ORGANIZATION: &str = r#"{"resourceType":"Bundle","type":"batch","entry":[
        {"fullUrl":"urn:uuid:00000000-0000-4000-8000-00000000000c","resource":{"resourceType":"Organization",
         "id":"1","identifier":[{"system":"s","value":"1"}]},
         "request":{"method":"POST","url":"Organization","ifNoneExist":"identifier=s|1"}}]}"#;

    pub(in crate::load) fn bundles() -> Vec<Bundle> {
        [ORGANIZATION, PATIENT].map(|text| Bundle::parse("a".to_owned(), text.to_owned()).unwrap()).to_vec()
    }

    #[test]
    fn a_collection_becomes_a_transaction_with_the_same_bytes() {
        let [batch, patient] = &bundles()[..] else { panic!("two") };
        assert_eq!(batch.criteria[&0], ("Organization".to_owned(), "identifier=s|1".to_owned()));
        assert_eq!(batch.text, ORGANIZATION);
        let parsed: serde_json::Value = serde_json::from_str(&patient.text).unwrap();
        assert_eq!(parsed["type"], "transaction");
        assert_eq!(parsed["entry"][1]["request"]["url"], "Encounter");
        assert!(patient.text.contains("1.50"));
    }

    #[test]
    fn a_copy_has_uuids_of_its_own() {
        let patient = &bundles()[1];
        let copy = patient.copy(1);
        assert_eq!(copy.text.matches("9e3779b1-0000-4000-8000-00000000000a").count(), 3);
        assert_eq!(copy.text.matches("9e3779b1-0000-4000-8000-00000000000b").count(), 2);
        assert_eq!(copy.text.matches("00000000-0000").count(), 0);
        assert_eq!(patient.copy(0).text, patient.text);
    }
}
