//! What does the lock core cost per request? Header bytes to precondition, precondition to
//! decision, version to printed id.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use versioning_core::{
    ConditionalFields, Content, Current, EntityTag, Field, FieldError, Head, Intent, LockPolicy,
    Precondition, TagSet, Timestamp, Usage, VersionNumber, VersionScheme, VersionTag, VersionToken, decide,
};

const TOKEN: VersionToken =
    VersionToken { number: VersionNumber::new(41), tag: VersionTag(0x1234_2577_7f7d_27bc) };
const LIVE: Current = Current::Live(Head {
    version: TOKEN,
    at: Timestamp(1_527_264_590_123_456),
    previous_at: Some(Timestamp(1_527_264_580_000_000)),
});
const UPDATE: Intent = Intent::Update(Content::Unseen);

fn read(usage: Usage, field: Field, lines: &[&[u8]]) -> Result<Precondition, FieldError> {
    let mut fields = ConditionalFields::new(usage);
    for line in lines {
        fields.line(field, line)?;
    }
    fields.finish()
}

fn decisions(criterion: &mut Criterion) {
    let named = |scheme| TagSet::one(EntityTag::of(TOKEN, scheme));
    let (fhir, spine) = (LockPolicy::fhir(), LockPolicy::spine());
    let matching = Precondition::NONE.with_if_match(named(VersionScheme::Sequential));
    let matching_opaque = Precondition::NONE.with_if_match(named(VersionScheme::Opaque));
    let stale = Precondition::NONE.with_if_match(TagSet::one(EntityTag::new(true, b"40")));
    let seen = Precondition::NONE.with_if_none_match(named(VersionScheme::Sequential));

    let mut group = criterion.benchmark_group("decide");
    let cases = [
        ("no_precondition", &Precondition::NONE, UPDATE, &fhir),
        ("matching", &matching, UPDATE, &fhir),
        ("matching_opaque", &matching_opaque, UPDATE, &spine),
        ("stale", &stale, UPDATE, &fhir),
        ("not_modified", &seen, Intent::Read, &fhir),
    ];
    for (name, precondition, intent, policy) in cases {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                decide(black_box(precondition), black_box(LIVE), black_box(intent), black_box(policy))
            });
        });
    }
}

fn parse_and_decide(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse_and_decide");
    let (fhir, spine) = (LockPolicy::fhir(), LockPolicy::spine());
    let cases: [(_, &[&[u8]], _); 4] = [
        ("one_tag", &[br#"W/"41""#], &fhir),
        ("one_opaque_tag", &[br#"W/"25777f7d-27bc""#], &spine),
        ("list_of_three", &[br#"W/"39", W/"40", W/"41""#], &fhir),
        ("two_lines", &[br#"W/"40""#, br#"W/"41""#], &fhir),
    ];
    for (name, lines, policy) in cases {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let precondition = read(Usage::Write, Field::IfMatch, black_box(lines))?;
                Ok::<_, FieldError>(decide(&precondition, black_box(LIVE), UPDATE, black_box(policy)))
            });
        });
    }
}

fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    let cases: [(_, _, &[u8]); 3] = [
        ("one_tag", Field::IfMatch, br#"W/"41""#),
        ("any", Field::IfNoneMatch, b"*"),
        ("date", Field::IfModifiedSince, b"Fri, 25 May 2018 16:09:50 GMT"),
    ];
    for (name, field, line) in cases {
        group.bench_function(name, |bencher| {
            bencher.iter(|| read(Usage::Read, field, black_box(&[line])));
        });
    }
}

fn print(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("print");
    for (name, scheme) in [("sequential", VersionScheme::Sequential), ("opaque", VersionScheme::Opaque)] {
        group.bench_function(name, |bencher| bencher.iter(|| black_box(scheme).print(black_box(TOKEN))));
    }
}

criterion_group!(benches, decisions, parse_and_decide, parse, print);
criterion_main!(benches);
