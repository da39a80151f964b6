//! The decision table that people read: `fixtures/lock-core/decisions.txt`. `UPDATE_GOLDEN=1`
//! rewrites it.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use versioning_core::{
    Change, Content, Decision, Expect, IfMatchPolicy, Intent, LockPolicy, Refusal, UpdateCreate,
    VersionToken, decide,
};

use crate::domain::{Date, Fields, IfMatch, IfNoneMatch, Previous, State};

const HEADER: &str = "\
# What a request may do, decided by the lock core.
#
# A row is a request, the state of its key and the conditional fields it carries; a column is a
# policy:
#   fhir             If-Match judged when sent, PUT may create, identical content keeps its version
#   fhir-server-ids  the same, but only the server assigns ids
#   fhir-compulsory  as fhir, but a change of a live resource must name the version it replaces
#   spine            If-Match compulsory, server ids, deleted is gone, identical content is a new
#                    version
#
# States: never (no such key), purged (versions 1 to 3 were used), live and deleted (version 2;
# the version before it is a second older), live-1s (version 2; the version before it has the same
# second). Tags name version 2 (\"current\") or another one (\"stale\", \"other\"), dates the second of
# version 2 (\"same\") or the one before. \"any\": with each of the fields that the other rows show.
#
# Decisions: \"write 3 over 2\" is a commit of version 3 that holds only while 2 is the newest;
# \"write 1 over none\" one that holds only while nothing is stored. Everything after \"refuse\" is
# a reason, followed by the version that the refusal shows. \"keep\" is success without a version.
#
# Written by the tests of versioning-core: UPDATE_GOLDEN=1 cargo test -p versioning-core
";

const INTENTS: [(&str, Intent); 6] = [
    ("create", Intent::Create),
    ("update", Intent::Update(Content::Different)),
    ("update-same", Intent::Update(Content::Identical)),
    ("patch", Intent::Patch(Content::Different)),
    ("delete", Intent::Delete),
    ("read", Intent::Read),
];

const STATES: [(&str, State); 5] = [
    ("never", State::Never),
    ("purged", State::Purged),
    ("live", State::Live(Previous::Earlier)),
    ("live-1s", State::Live(Previous::SameSecond)),
    ("deleted", State::Deleted(Previous::Earlier)),
];

fn fields() -> Vec<(&'static str, Fields)> {
    let none = Fields::NONE;
    let if_match = |if_match| Fields { if_match, ..none };
    let if_none_match = |if_none_match| Fields { if_none_match, ..none };
    let unmodified = |unmodified_since| Fields { unmodified_since, ..none };
    vec![
        ("-", none),
        ("If-Match: *", if_match(IfMatch::Any)),
        ("If-Match: current", if_match(IfMatch::Current)),
        ("If-Match: stale", if_match(IfMatch::Stale)),
        ("If-Match: stale, current", if_match(IfMatch::StaleAndCurrent)),
        ("If-None-Match: *", if_none_match(IfNoneMatch::Any)),
        ("If-None-Match: current", if_none_match(IfNoneMatch::Current)),
        ("If-None-Match: other", if_none_match(IfNoneMatch::Other)),
        ("If-Unmodified-Since: before", unmodified(Date::Before)),
        ("If-Unmodified-Since: same", unmodified(Date::Same)),
        ("If-Modified-Since: before", Fields { modified_since: Date::Before, ..none }),
        ("If-Modified-Since: same", Fields { modified_since: Date::Same, ..none }),
    ]
}

/// The rows that say something: If-Modified-Since is for reads, and the state with two versions
/// in a second is for the fields that carry a date.
fn is_shown(state: State, fields: Fields, intent: Intent) -> bool {
    let dated = fields.unmodified_since != Date::None || fields.modified_since != Date::None;
    let reads = fields.modified_since == Date::None || intent == Intent::Read;
    reads && (dated || state != State::Live(Previous::SameSecond))
}

fn policies() -> [(&'static str, LockPolicy); 4] {
    let fhir = LockPolicy::fhir();
    [
        ("fhir", fhir),
        ("fhir-server-ids", LockPolicy { update_create: UpdateCreate::Refused, ..fhir }),
        ("fhir-compulsory", LockPolicy { if_match: IfMatchPolicy::Compulsory, ..fhir }),
        ("spine", LockPolicy::spine()),
    ]
}

fn table() -> String {
    let policies = policies();
    let mut table = String::from(HEADER);
    for (intent_name, intent) in INTENTS {
        table.push('\n');
        push_row(&mut table, ["request", "state", "fields"], policies.map(|(name, _)| name.to_owned()));
        for (state_name, state) in STATES {
            let rows: Vec<_> = fields()
                .into_iter()
                .filter(|(_, fields)| is_shown(state, *fields, intent))
                .map(|(name, fields)| (name, policies.map(|(_, policy)| cell(state, fields, intent, policy))))
                .collect();
            let Some((_, first)) = rows.first() else { continue };
            if rows.len() > 1 && rows.iter().all(|(_, cells)| cells == first) {
                push_row(&mut table, [intent_name, state_name, "any"], first.clone());
                continue;
            }
            for (fields_name, cells) in rows {
                push_row(&mut table, [intent_name, state_name, fields_name], cells);
            }
        }
    }
    table
}

fn push_row(table: &mut String, [intent, state, fields]: [&str; 3], [a, b, c, d]: [String; 4]) {
    writeln!(table, "{intent:<11}  {state:<7}  {fields:<27} | {a:<27} | {b:<27} | {c:<27} | {d}")
        .expect("strings take everything");
}

fn cell(state: State, fields: Fields, intent: Intent, policy: LockPolicy) -> String {
    let precondition = fields.precondition(state.version(), policy.scheme);
    words(decide(&precondition, state.current(), intent, &policy))
}

fn words(decision: Decision) -> String {
    match decision {
        Decision::Write { expect, next, change } => {
            let change = match change {
                Change::Created => "create",
                Change::Updated => "update",
                Change::Restored => "restore",
                Change::Deleted => "delete",
            };
            match expect {
                Expect::Exactly(number) => format!("write {next} over {number}, {change}"),
                Expect::Absent { floor } if floor.get() == 0 => format!("write {next} over none, {change}"),
                Expect::Absent { floor } => format!("write {next} over none/{floor}, {change}"),
            }
        }
        Decision::Show(head) => format!("show {}", head.version.number),
        Decision::Keep(Some(head)) => format!("keep {}", head.version.number),
        Decision::Keep(None) => String::from("keep"),
        Decision::NotModified(head) => format!("not-modified {}", head.version.number),
        Decision::Refuse(refusal) => format!("refuse {}", reason(refusal)),
    }
}

fn reason(refusal: Refusal) -> String {
    let with = |name: &str, version: VersionToken| format!("{name} {}", version.number);
    let maybe = |name: &str, version: Option<VersionToken>| match version {
        Some(version) => with(name, version),
        None => String::from(name),
    };
    match refusal {
        Refusal::IfMatchMissing(version) => maybe("if-match-missing", version),
        Refusal::Stale(version) => with("stale", version),
        Refusal::NothingToMatch(version) => maybe("nothing-to-match", version),
        Refusal::Exists(version) => with("exists", version),
        Refusal::NamedByIfNoneMatch(version) => with("named", version),
        Refusal::ModifiedSince(version) => with("modified-since", version),
        Refusal::NotFound => String::from("not-found"),
        Refusal::Gone(version) => with("gone", version),
        Refusal::CreateNotAllowed => String::from("create-not-allowed"),
        Refusal::IdTaken => String::from("id-taken"),
        Refusal::Contended { attempts } => format!("contended {attempts}"),
    }
}

#[test]
fn the_table_is_the_one_that_is_published() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/lock-core/decisions.txt");
    let table = table();
    if env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("the folder can be made");
        fs::write(&path, &table).expect("the table can be written");
    }
    let published = fs::read_to_string(&path).expect("fixtures/lock-core/decisions.txt is there");
    for (number, (expected, found)) in published.lines().zip(table.lines()).enumerate() {
        assert_eq!(expected, found, "line {} differs; UPDATE_GOLDEN=1 rewrites the table", number + 1);
    }
    assert_eq!(published.lines().count(), table.lines().count(), "UPDATE_GOLDEN=1 rewrites the table");
}
