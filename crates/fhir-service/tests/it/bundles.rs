//! Random transactions over a few resources, compared with [`crate::bundle_model`].

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use fhir_model::json::Value;
use fhir_service::{Answer, Content, Operation, ReferentialIntegrity};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::bench::{Bench, json_of, key_of, said};
use crate::bundle_model::{Answered, Entry, Link, Name, Sent, State, Stored, Tag, named, transact};

/// Ids and identifiers of which there are any.
const FEW: u8 = 3;

fn few() -> impl Strategy<Value = u8> {
    0..FEW
}

fn name() -> impl Strategy<Value = Name> {
    prop_oneof![3 => few().prop_map(Name::Id), 2 => few().prop_map(Name::Identifier)]
}

fn tag() -> impl Strategy<Value = Tag> {
    prop_oneof![8 => Just(Tag::None), 1 => Just(Tag::Any), 2 => (1..4_u64).prop_map(Tag::Version)]
}

fn link() -> impl Strategy<Value = Link> {
    prop_oneof![
        4 => Just(Link::None),
        4 => (0..6_usize).prop_map(Link::Entry),
        1 => few().prop_map(Link::Id),
        1 => few().prop_map(Link::Identifier)
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    (proptest::option::weighted(0.7, few()), any::<bool>(), link())
        .prop_map(|(identifier, is_active, link)| Sent { identifier, is_active, link })
}

fn entry() -> impl Strategy<Value = Entry> {
    prop_oneof![
        2 => (name(), tag()).prop_map(|(name, tag)| Entry::Delete(name, tag)),
        3 => (proptest::option::of(few()), sent()).prop_map(|(criterion, sent)| Entry::Create(criterion, sent)),
        4 => (name(), tag(), sent()).prop_map(|(name, tag, sent)| Entry::Update(name, tag, sent)),
        1 => few().prop_map(Entry::Read)
    ]
}

/// A store with resources of one case only: their ids and identifiers begin with its number.
struct World<'a> {
    bench: &'a Bench,
    case: u64,
    /// What the server calls what the model calls so.
    ids: BTreeMap<String, String>,
}

impl World<'_> {
    fn id(&self, id: u8) -> String {
        format!("c{}-{}", self.case, named(id))
    }

    fn identifier(&self, identifier: u8) -> String {
        format!("c{}-{identifier}", self.case)
    }

    fn url(&self, name: Name) -> String {
        match name {
            Name::Id(id) => format!("Patient/{}", self.id(id)),
            Name::Identifier(identifier) => format!("Patient?identifier=s|{}", self.identifier(identifier)),
        }
    }

    fn resource(&self, id: Option<u8>, sent: &Sent) -> String {
        let mut text = r#"{"resourceType":"Patient""#.to_owned();
        if let Some(id) = id {
            write!(text, r#","id":"{}""#, self.id(id)).unwrap();
        }
        if let Some(identifier) = sent.identifier {
            write!(text, r#","identifier":[{{"system":"s","value":"{}"}}]"#, self.identifier(identifier))
                .unwrap();
        }
        write!(text, r#","active":{}"#, sent.is_active).unwrap();
        let reference = match sent.link {
            Link::None => None,
            Link::Entry(entry) => Some(format!("urn:uuid:{entry}")),
            Link::Id(id) => Some(self.url(Name::Id(id))),
            Link::Identifier(identifier) => Some(self.url(Name::Identifier(identifier))),
        };
        if let Some(reference) = reference {
            write!(text, r#","link":[{{"other":{{"reference":"{reference}"}}}}]"#).unwrap();
        }
        text + "}"
    }

    fn entry(&self, place: usize, entry: &Entry) -> String {
        let (method, url, condition, resource) = match entry {
            Entry::Delete(name, tag) => ("DELETE", self.url(*name), if_match(*tag), None),
            Entry::Create(criterion, sent) => {
                let criterion = criterion.map(|criterion| {
                    format!(r#","ifNoneExist":"identifier=s|{}""#, self.identifier(criterion))
                });
                ("POST", "Patient".to_owned(), criterion.unwrap_or_default(), Some(self.resource(None, sent)))
            }
            Entry::Update(name, tag, sent) => {
                let id = if let Name::Id(id) = name { Some(*id) } else { None };
                ("PUT", self.url(*name), if_match(*tag), Some(self.resource(id, sent)))
            }
            Entry::Read(id) => ("GET", self.url(Name::Id(*id)), String::new(), None),
        };
        let resource =
            resource.map(|resource| format!(r#""fullUrl":"urn:uuid:{place}","resource":{resource},"#));
        let resource = resource.unwrap_or_default();
        format!(r#"{{{resource}"request":{{"method":"{method}","url":"{url}"{condition}}}}}"#)
    }

    fn send(&self, entries: &[Entry]) -> Answer {
        let entries: Vec<String> =
            entries.iter().enumerate().map(|(place, entry)| self.entry(place, entry)).collect();
        let entries = entries.join(",");
        let bundle = format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{entries}]}}"#);
        self.bench.ask(Operation::Bundle(Content::json(bundle)))
    }

    /// What the model calls a resource that the server calls so.
    fn model_id(&self, id: &str) -> String {
        let found = self.ids.iter().find(|(_, known)| *known == id);
        found.map_or_else(|| format!("unknown {id}"), |(name, _)| name.clone())
    }

    /// Compares the answer to an entry, and learns what a new resource is called.
    fn check_entry(&mut self, entry: &Value, expected: &Answered) {
        let response = entry.get("response").unwrap();
        let text = |name: &str| response.get(name).and_then(Value::as_str);
        let status = text("status").unwrap().split(' ').next().unwrap();
        assert_eq!(status, expected.status.to_string());
        if let Some(version) = expected.version {
            assert_eq!(text("etag"), Some(format!("W/\"{version}\"").as_str()));
        }
        let Some(name) = &expected.id else { return };
        let location = text("location").unwrap().split("/_history/").next().unwrap();
        let id = location.rsplit('/').next().unwrap().to_owned();
        if expected.status == 201 {
            self.ids.entry(name.clone()).or_insert_with(|| id.clone());
        }
        assert_eq!(self.ids.get(name), Some(&id), "{name}");
    }

    /// What is stored, in the words of the model.
    fn check_state(&self, expected: &State) {
        for (name, stored) in expected {
            let key = format!("Patient/{}", self.ids.get(name).unwrap());
            let answer = self.bench.ask(Operation::Read(key_of(&key)));
            let version = answer.etag.as_ref().map(ToString::to_string);
            assert_eq!(version, Some(stored.version.to_string()), "{name}");
            assert_eq!(answer.status, if stored.content.is_some() { 200 } else { 410 }, "{name}");
            if stored.content.is_some() {
                assert_eq!(&self.stored(&json_of(&answer), stored.version), stored, "{name}");
            }
        }
        // Nothing else is there, and what is there is found.
        for identifier in 0..FEW {
            let value = format!("s|{}", self.identifier(identifier));
            let (found, _) = self.bench.search("Patient", &[("identifier", &value)]);
            let mut found: Vec<String> = found.iter().map(|id| self.model_id(id)).collect();
            found.sort();
            let fits = |stored: &Stored| {
                stored.content.as_ref().is_some_and(|content| content.identifier == Some(identifier))
            };
            let wanted: Vec<&String> =
                expected.iter().filter(|(_, stored)| fits(stored)).map(|(name, _)| name).collect();
            assert_eq!(found.iter().collect::<Vec<_>>(), wanted, "with the identifier {identifier}");
        }
    }

    fn stored(&self, patient: &Value, version: u64) -> Stored {
        let first = |name: &str| patient.get(name).and_then(|list| list.at(0));
        let identifier =
            first("identifier").and_then(|identifier| identifier.get("value")).and_then(Value::as_str);
        let reference =
            first("link").and_then(|link| link.get("other")).and_then(|other| other.get("reference"));
        let link =
            reference.and_then(Value::as_str).map(|reference| match reference.strip_prefix("Patient/") {
                Some(id) => format!("Patient/{}", self.model_id(id)),
                None => reference.to_owned(),
            });
        let content = crate::bundle_model::Content {
            identifier: identifier.map(|text| text.rsplit('-').next().unwrap().parse().unwrap()),
            is_active: patient.get("active").and_then(Value::as_bool).unwrap(),
            link,
        };
        Stored { version, content: Some(content) }
    }
}

fn if_match(tag: Tag) -> String {
    match tag {
        Tag::None => String::new(),
        Tag::Any => r#","ifMatch":"*""#.to_owned(),
        Tag::Version(version) => format!(r#","ifMatch":"W/\"{version}\"""#),
    }
}

/// Sends one transaction after the other, and compares each with the model. Gives how many went well.
fn check(bench: &Bench, case: u64, transactions: &[Vec<Entry>]) -> usize {
    let ids = (0..FEW).map(|id| (named(id), format!("c{case}-{}", named(id)))).collect();
    let mut world = World { bench, case, ids };
    let mut state = State::new();
    let mut done = 0;
    for (number, entries) in transactions.iter().enumerate() {
        let answer = world.send(entries);
        match transact(&state, &format!("new-{number}"), entries) {
            Ok((after, answers)) => {
                assert_eq!(answer.status, 200, "{}", said(&answer));
                let response = json_of(&answer);
                let shown = response.get("entry").and_then(Value::as_array).unwrap_or_default();
                assert_eq!(shown.len(), answers.len(), "an answer to each entry");
                for (entry, expected) in shown.iter().zip(&answers) {
                    world.check_entry(entry, expected);
                }
                state = after;
                done += 1;
            }
            Err(wrong) => {
                assert!((400..500).contains(&answer.status), "{wrong:?}: {}", said(&answer));
                if let [status] = Vec::from_iter(wrong)[..] {
                    assert_eq!(answer.status, status, "{}", said(&answer));
                }
            }
        }
        world.check_state(&state);
    }
    done
}

#[test]
fn transactions_come_to_what_their_entries_come_to_one_after_the_other() {
    static CASE: AtomicU64 = AtomicU64::new(0);
    static DONE: AtomicU64 = AtomicU64::new(0);
    /// Stores, and cases on each: a store that holds many cases is slow to search.
    const STORES: u32 = 3;
    const CASES: u32 = 100;
    let transactions = vec(vec(entry(), 0..8), 1..5);
    for _ in 0..STORES {
        let bench = Bench::new(ReferentialIntegrity::Off);
        let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
        TestRunner::new(config)
            .run(&transactions, |transactions| {
                let done = check(&bench, CASE.fetch_add(1, Ordering::Relaxed), &transactions);
                DONE.fetch_add(done as u64, Ordering::Relaxed);
                Ok(())
            })
            .unwrap_or_else(|failure| panic!("{failure}"));
    }
    let done = DONE.load(Ordering::Relaxed);
    assert!(done > u64::from(STORES * CASES / 2), "only {done} transactions went well: the run shows little");
}
