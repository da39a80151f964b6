//! The path that every request takes does not allocate: counted, not believed.

use std::hint::black_box;

use allocation_counter::measure;
use versioning_core::{ConditionalFields, Current, Field, LockPolicy, Precondition, Usage, decide};

use crate::domain::{Fields, INTENTS, Previous, State, policies};

fn read(lines: &[&[u8]]) -> Precondition {
    let mut fields = ConditionalFields::new(Usage::Write);
    for line in lines {
        fields.line(Field::IfMatch, line).expect("the line is well formed");
    }
    fields.finish().expect("the field is well formed")
}

/// The counter counts: a list has to be kept somewhere.
#[test]
fn a_list_of_tags_allocates() {
    let counted = measure(|| {
        black_box(read(&[br#"W/"1", W/"2""#]));
    });
    assert!(counted.count_total > 0);
}

#[test]
fn no_decision_allocates() {
    for policy in policies() {
        for state in State::ALL {
            for fields in Fields::all() {
                let precondition = fields.precondition(state.version(), policy.scheme);
                let counted = measure(|| {
                    for intent in INTENTS {
                        black_box(decide(&precondition, state.current(), intent, &policy));
                    }
                });
                assert_eq!(counted.count_total, 0, "{state:?} {fields:?} {policy:?}");
            }
        }
    }
}

#[test]
fn reading_one_tag_and_deciding_does_not_allocate() {
    let live = State::Live(Previous::Earlier).current();
    let longest_printed = br#"W/"18446744073709551615""#.as_slice();
    for line in
        [br#"W/"2""#.as_slice(), br#""2""#, br#"W/"25777f7d-27bc""#, longest_printed, b"*", b"2", b"\"2"]
    {
        for policy in [LockPolicy::fhir(), LockPolicy::spine()] {
            let counted = measure(|| read_and_decide(line, live, &policy));
            assert_eq!(counted.count_total, 0, "{}", line.escape_ascii());
        }
    }
}

fn read_and_decide(line: &[u8], current: Current, policy: &LockPolicy) {
    let mut fields = ConditionalFields::new(Usage::Write);
    if fields.line(Field::IfMatch, line).is_err() {
        return;
    }
    let Ok(precondition) = fields.finish() else { return };
    for intent in INTENTS {
        black_box(decide(&precondition, current, intent, policy));
    }
}
