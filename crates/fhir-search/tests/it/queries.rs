//! What queries mean, judged on resources that they find or do not find.

use fhir_definitions::FhirVersion;
use fhir_model::json::{Limits, parse};
use fhir_search::{Extractor, Order, Problem, QueryError, Surroundings, Terminology, Understood};
use proptest::prelude::*;
use storage_api::{
    Alone, Candidate, Clause, Include, Key, Others, SortBy, SortKey, Term, Timestamp, matches,
};

const BASES: &[&str] = &["http://here/fhir"];

const PATIENT: &str = r#"{"resourceType":"Patient","id":"p","active":true,"gender":"female","birthDate":"1970-05-02",
    "identifier":[{"system":"urn:nhs","value":"943,1","type":{"coding":[{"system":"t","code":"NH"}]}}],
    "name":[{"family":"Neal","given":["Ève","Ann Mary"]}],
    "managingOrganization":{"reference":"Organization/o","identifier":{"system":"ods","value":"RX1"}},
    "generalPractitioner":[{"reference":"http://else/Practitioner/x"}],
    "meta":{"tag":[{"system":"s","code":"c"}],"profile":["http://profiles/a/b"]}}"#;

const OBSERVATION: &str = r#"{"resourceType":"Observation","id":"o","status":"final",
    "code":{"coding":[{"system":"l","code":"bp"}]},"subject":{"reference":"Patient/p"},
    "effectivePeriod":{"start":"2013-03-01","end":"2013-04-30"},
    "valueQuantity":{"value":5.4,"unit":"mg","system":"u","code":"mg"},
    "component":[{"code":{"coding":[{"system":"l","code":"sys"}]},"valueQuantity":{"value":120,"code":"mmHg","system":"u"}},
                 {"code":{"coding":[{"system":"l","code":"dia"}]},"valueQuantity":{"value":80,"code":"mmHg","system":"u"}}]}"#;

/// 2020-01-01T12:00:00Z, when both were written.
const AT: Timestamp = Timestamp(1_577_880_000_000_000);

fn pairs(query: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    query.split('&').filter(|part| !part.is_empty()).map(|part| pair(part).unwrap()).collect()
}

fn terms(resource: &str) -> (Key, Vec<Term>) {
    let tree = parse(resource.as_bytes(), &Limits::default()).unwrap();
    let text = |name: &str| tree.get(name).unwrap().as_str().unwrap().to_owned();
    let key = Key::new(text("resourceType"), text("id"));
    (key, Extractor::of(FhirVersion::R4).terms(&tree, BASES).unwrap())
}

#[track_caller]
fn check(resource: &str, found_by: &[&str], not_found_by: &[&str]) {
    let (key, terms) = terms(resource);
    let candidate = Candidate { key: &key, at: AT, terms: &terms };
    let finds = |query: &str| {
        let understood = Extractor::of(FhirVersion::R4).search(&key.kind, &pairs(query), BASES);
        let understood = understood.unwrap_or_else(|error| panic!("{query}: {error}"));
        assert_eq!(understood.ignored, [], "{query}");
        matches(&understood.query, &candidate, &Alone)
    };
    for query in found_by {
        assert!(finds(query), "{query} should find {key}");
    }
    for query in not_found_by {
        assert!(!finds(query), "{query} should not find {key}");
    }
}

#[test]
fn tokens() {
    let found_by = [
        r"identifier=urn:nhs|943\,1",
        r"identifier=943\,1",
        "identifier=urn:nhs|",
        "identifier=x,urn:nhs|",
        "gender=female",
        "gender=http://hl7.org/fhir/administrative-gender|female",
        "gender:not=male",
        "gender:not=male,other",
        "active=true",
        "deceased=false",
        "_tag=s|c",
        "_tag=c",
        r"identifier:of-type=t|NH|943\,1",
        "identifier:missing=false",
        "phone:missing=true",
        "_id=p",
        "_id=x,p",
        "",
    ];
    let not_found_by = [
        "identifier=urn:nhs|943",
        r"identifier=|943\,1",
        "identifier=other|",
        "gender=|female",
        "gender=FEMALE",
        "gender=femal",
        "gender:not=female",
        "gender:not=male,female",
        "active=false",
        "_tag=s|d",
        r"identifier:of-type=t|MR|943\,1",
        "identifier:missing=true",
        "_id=x",
        "gender=female&active=false",
    ];
    check(PATIENT, &found_by, &not_found_by);
}

#[test]
fn strings_and_uris() {
    let found_by = [
        "family=Neal",
        "family=ne",
        "family=NÉAL",
        "given=eve",
        "given=ann m",
        "family:exact=Neal",
        "family:contains=EA",
        "name=neal",
        "_profile=http://profiles/a/b",
    ];
    let not_found_by =
        ["family=eal", "family:exact=neal", "given=mary", "family:contains=xx", "_profile=http://profiles/a"];
    check(PATIENT, &found_by, &not_found_by);
    let value_set = r#"{"resourceType":"ValueSet","id":"v","url":"http://a.b/c/d","status":"draft"}"#;
    let found_by = ["url=http://a.b/c/d", "url:below=http://a.b/c", "url:above=http://a.b/c/d/e"];
    check(value_set, &found_by, &["url=http://a.b/c", "url:below=http://a", "url:above=http://a.b/c"]);
}

#[test]
fn references() {
    let found_by = [
        "organization=Organization/o",
        "organization=o",
        "organization=http://here/fhir/Organization/o",
        "organization:Organization=o",
        "organization:identifier=ods|RX1",
        "general-practitioner=http://else/Practitioner/x",
    ];
    let not_found_by =
        ["organization=x", "organization:identifier=RX2", "general-practitioner=Practitioner/x"];
    check(PATIENT, &found_by, &not_found_by);
    let found_by = ["patient=p", "patient=Patient/p", "subject=p", "subject:Patient=p", "subject=Patient/p"];
    check(OBSERVATION, &found_by, &["patient=q", "subject:Group=p", "subject=Group/p"]);
}

/// A patient and what refers to it.
struct Ward(Vec<(Key, Vec<Term>)>);

impl Others for Ward {
    fn one(&self, key: &Key, passes: &mut dyn FnMut(&Candidate<'_>) -> bool) -> bool {
        self.0.iter().any(|(other, terms)| other == key && passes(&Candidate { key: other, at: AT, terms }))
    }

    fn any(&self, kind: &str, passes: &mut dyn FnMut(&Candidate<'_>) -> bool) -> bool {
        self.0.iter().any(|(key, terms)| key.kind == kind && passes(&Candidate { key, at: AT, terms }))
    }
}

#[test]
fn chains() {
    let organization = r#"{"resourceType":"Organization","id":"o","name":"Ward"}"#;
    let ward = Ward([PATIENT, OBSERVATION, organization].map(terms).to_vec());
    let found = |query: &str| {
        let (kind, text) = query.split_once('?').unwrap();
        let understood = search(kind, text).unwrap_or_else(|error| panic!("{query}: {error}"));
        assert_eq!(understood.ignored, [], "{query}");
        ward.any(kind, &mut |candidate| matches(&understood.query, candidate, &ward))
    };
    for query in [
        "Observation?patient.family=neal",
        "Observation?subject.family=neal",
        "Observation?subject:Patient.family:exact=Neal",
        "Observation?patient.organization.name=ward",
        "Observation?patient._id=p",
        "Patient?_has:Observation:patient:code=bp",
        "Patient?_has:Observation:patient:code:not=x",
        "Patient?organization.name=ward&gender=female",
        "Organization?_has:Patient:organization:family=neal",
        "Organization?_has:Patient:organization:_has:Observation:patient:code=bp",
    ] {
        assert!(found(query), "{query}");
    }
    for query in [
        "Observation?patient.family=other",
        "Observation?subject:Group.code=x",
        "Observation?patient.organization.name=other",
        "Patient?_has:Observation:patient:code=x",
        "Patient?_has:Condition:patient:code=bp",
        "Patient?organization.name=ward&gender=male",
    ] {
        assert!(!found(query), "{query}");
    }
    let problem = |query: &str| {
        let (kind, text) = query.split_once('?').unwrap();
        search(kind, text)
            .map(|found| found.ignored.first().map(|error| error.problem))
            .map_err(|e| e.problem)
    };
    for query in ["Observation?patient.nonsense=1", "Observation?nonsense.name=1", "Patient?_has:X:y:z=1"] {
        assert_eq!(problem(query), Ok(Some(Problem::Unknown)), "{query}");
    }
    assert_eq!(problem("Observation?code.text=1"), Ok(Some(Problem::Unsupported)));
    assert_eq!(problem("Observation?subject:Practitioner.name=1"), Err(Problem::Modifier));
    assert!(matches!(problem("Patient?_has:Observation=1"), Err(Problem::Malformed { .. })));
    assert!(matches!(problem("Observation?patient.birthdate=x"), Err(Problem::Malformed { .. })));
    let long = format!("Location?{}name=x", "partof.".repeat(5));
    assert_eq!(problem(&long), Err(Problem::TooDeep { max: 4 }));
}

#[test]
fn dates() {
    let found_by = [
        "date=2013",
        "date=ge2013-03",
        "date=gt2013-04-01",
        "date=lt2013-04-01",
        "date=sa2013-02",
        "date=eb2013-05-01",
        "date=ne2013-04",
        "date=ap2013-05-01",
        "date=ge2013-01-01&date=le2013-12-31",
        "_lastUpdated=2020-01-01",
        "_lastUpdated=ge2020-01-01T12:00:00Z",
        "_lastUpdated=lt2020-01-02",
    ];
    let not_found_by = [
        "date=2013-04",
        "date=sa2013-03",
        "date=eb2013-04",
        "date=gt2013-04-30",
        "date=ne2013",
        "date=ap2014",
        "_lastUpdated=gt2020-01-01",
        "_lastUpdated=ne2020",
    ];
    check(OBSERVATION, &found_by, &not_found_by);
    check(
        PATIENT,
        &["birthdate=1970-05-02", "birthdate=1970-05"],
        &["birthdate=1970-05-02T10:00Z", "birthdate=1971"],
    );
}

#[test]
fn quantities_and_composites() {
    let found_by = [
        "value-quantity=5.4|u|mg",
        "value-quantity=5.4||mg",
        "value-quantity=5.4",
        "value-quantity=gt5|u|mg",
        "value-quantity=ap5|u|mg",
        "component-code-value-quantity=sys$120",
        "component-code-value-quantity=sys$gt100",
        "component-code-value-quantity=l|dia$80|u|mmHg",
        "combo-code=bp",
        "combo-code=l|dia",
        "combo-code:not=x",
        "combo-code:missing=false",
        "combo-value-quantity=5.4",
        "combo-value-quantity=80",
        "combo-code-value-quantity=bp$5.4",
        "combo-code-value-quantity=x$1,sys$120",
        "code-value-quantity=bp$5.4||mg",
        "code-value-quantity=x$1,bp$5.4",
    ];
    let not_found_by = [
        "value-quantity=5.4|u|g",
        "value-quantity=5.45",
        "component-code-value-quantity=sys$80",
        "component-code-value-quantity=dia$gt100",
        "combo-code=x",
        "combo-code:not=sys",
        "combo-code:missing=true",
        "combo-code-value-quantity=sys$80",
        "combo-code-value-quantity=bp$80",
        "combo-code-value-quantity=sys$5.4",
        "code-value-quantity=bp$7",
        "code-value-quantity=bp$1,x$5.4",
    ];
    check(OBSERVATION, &found_by, &not_found_by);
}

const CONDITION: &str = r#"{"resourceType":"Condition","id":"c","subject":{"reference":"Patient/p"},
    "code":{"coding":[{"system":"l","code":"bp","display":"Blood pressure, raised"}],"text":"Hypertonie"},
    "clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]},
    "onsetDateTime":"2013-04-02","recorder":{"display":"Dr Neal"}}"#;

/// What people read of a code, value sets that the version defines, and filters.
#[test]
fn texts_sets_and_filters() {
    let set = "http://hl7.org/fhir/ValueSet/condition-clinical";
    let found_by = [
        "code:text=blood",
        "code:text=hyper",
        "code:text=x,HYPERTONIE",
        &format!("clinical-status:in={set}"),
        "_filter=code eq l|bp",
        "_filter=code eq bp and onset-date ge 2013-04",
        "_filter=code eq x or (onset-date lt 2014 and subject re Patient/p)",
        "_filter=not (code eq x)",
        "_filter=code ne x",
        r#"_filter=onset-date eq "2013-04-02""#,
        "_filter=code pr true and asserter pr false",
        &format!("_filter=clinical-status in {set}"),
    ];
    let not_found_by = [
        "code:text=pressure",
        "code:text=bp",
        &format!("clinical-status:not-in={set}"),
        &format!("code:in={set}"),
        "_filter=code eq x",
        "_filter=code eq bp and onset-date ge 2014",
        "_filter=not (code eq bp or code eq x)",
        "_filter=code ne bp",
        "_filter=code pr false",
    ];
    check(CONDITION, &found_by, &not_found_by);
    let found_by = ["_filter=family sw ne", r#"_filter=given eq "Ann Mary""#, "_filter=name co ea"];
    check(PATIENT, &found_by, &["_filter=family sw ea", "_filter=given eq ann"]);
    for bad in [
        "code eq",
        "code",
        "onset-date po ge2013",
        "onset-date po x",
        "onset-date ew 2013",
        "_lastUpdated po 2013",
        "code eq \"\\x\"",
        "(code eq x",
        "code eq x)",
        "code is x",
        "code po x",
        "family ew x",
        "not code eq x",
        "code eq \"x",
        "code[system eq x].y eq z",
        "code:text eq x",
        "_filter eq x",
        &"(".repeat(1000),
        &format!("code eq a{}", " and code eq a".repeat(100)),
    ] {
        let error = search("Condition", &format!("_filter={bad}")).unwrap_err();
        let is_clear = matches!(
            error.problem,
            Problem::Malformed { .. } | Problem::TooMany { .. } | Problem::TooDeep { .. }
        );
        assert!(is_clear, "{bad}: {error:?}");
    }
}

#[test]
fn what_people_read_of_references_and_words_in_r5() {
    let condition = r#"{"resourceType":"Condition","id":"c","subject":{"reference":"Patient/p","display":"Eve Neal"},
        "code":{"text":"Blood pressure, raised"}}"#;
    let tree = parse(condition.as_bytes(), &Limits::default()).unwrap();
    let extractor = Extractor::of(FhirVersion::R5);
    let terms = extractor.terms(&tree, BASES).unwrap();
    let key = Key::new("Condition", "c");
    for (query, expected) in [
        ("subject:text=eve", true),
        ("subject:text=neal", false),
        ("code:code-text=blood", true),
        ("code:text-advanced=raised pressure", true),
        ("code:text-advanced=raised temperature", false),
        ("code:text-advanced=temperature OR (raised AND pressure)", true),
        ("code:text-advanced=press", false),
        ("code:text-advanced=press*", true),
        ("code:text-advanced=\"pressure raised\"", true),
        ("code:text-advanced=\"raised pressure\"", false),
        ("subject:text-advanced=neal", true),
    ] {
        let understood = extractor.search("Condition", &pairs(query), BASES).unwrap();
        let candidate = Candidate { key: &key, at: AT, terms: &terms };
        assert_eq!(matches(&understood.query, &candidate, &Alone), expected, "{query}");
    }
}

#[test]
fn words_in_strings_in_r5() {
    let patient = r#"{"resourceType":"Patient","id":"p","name":[{"family":"van der Berg","given":["Ève"]}]}"#;
    let tree = parse(patient.as_bytes(), &Limits::default()).unwrap();
    let key = Key::new("Patient", "p");
    for (query, expected) in [
        ("family:text=berg", true),
        ("family:text=berg der", true),
        ("name:text=eve berg", true),
        ("family:text=ber", false),
        ("family:text=berg NOT van", false),
    ] {
        let extractor = Extractor::of(FhirVersion::R5);
        let terms = extractor.terms(&tree, BASES).unwrap();
        let understood = extractor.search("Patient", &pairs(query), BASES).unwrap();
        let candidate = Candidate { key: &key, at: AT, terms: &terms };
        assert_eq!(matches(&understood.query, &candidate, &Alone), expected, "{query}");
        let older = Extractor::of(FhirVersion::R4).search("Patient", &pairs(query), BASES);
        assert_eq!(older.map_err(|error| error.problem), Err(Problem::Modifier), "{query}");
    }
}

/// Values are compared without case, from left to right, and by the names that systems have in filters.
#[test]
fn filters_as_the_standard_has_them() {
    let found_by = [
        "_filter=given eq \"ann mary\"",
        "_filter=family eq NEAL",
        "_filter=family ew al",
        "_filter=not (family ew e)",
        "_filter=family ne x",
        r#"_filter=family eq "Ne\u0061l""#,
        "_filter=family eq neal or family eq x and family eq neal",
    ];
    let not_found_by = [
        "_filter=family ew ne",
        "_filter=family ne neal",
        "_filter=family eq neal or family eq neal and family eq x",
        "_filter=not (family eq neal) and family pr true",
    ];
    check(PATIENT, &found_by, &not_found_by);
    let loinc = CONDITION.replace("\"l\"", "\"http://loinc.org\"");
    check(
        &loinc,
        &["_filter=code eq loinc|bp", "_filter=code eq http://loinc.org|bp"],
        &["_filter=code eq snomed|bp"],
    );
    let period = CONDITION.replace(
        "\"onsetDateTime\":\"2013-04-02\"",
        "\"onsetPeriod\":{\"start\":\"2013-04-02\",\"end\":\"2013-06\"}",
    );
    let found_by = [
        "_filter=onset-date po 2013-05",
        "_filter=onset-date po 2013",
        "_filter=onset-date po 2013-04-02",
        "_filter=onset-date co 2013-05",
        "_filter=onset-date ne 2013-05",
        "_filter=not (onset-date po 2014)",
    ];
    let not_found_by = [
        "_filter=onset-date po 2013-07",
        "_filter=onset-date po 2013-04-01",
        "_filter=onset-date co 2013",
        "_filter=abatement-date ne 2013",
        "_filter=abatement-date po 2013",
    ];
    check(&period, &found_by, &not_found_by);
}

/// What an index can answer stays what an index can answer.
#[test]
fn filters_are_conditions() {
    let shape = |filter: &str| {
        let found = search("Condition", &format!("_filter={filter}")).unwrap().query.conditions;
        found.iter().map(|condition| (condition.any.len(), condition.negated)).collect::<Vec<_>>()
    };
    for (filter, expected) in [
        ("code eq a", &[(1, false)][..]),
        ("code eq a and onset-date ge 2013", &[(1, false), (2, false)]),
        ("code eq a or code eq b", &[(2, false)]),
        ("code eq a or code eq b or code eq c", &[(3, false)]),
        ("(code eq a or code eq b) and not (code eq c)", &[(2, false), (1, true)]),
        ("code ne a", &[(1, true)]),
        ("code eq a and code eq b or code eq c", &[(2, false)]),
    ] {
        assert_eq!(shape(filter), expected, "{filter}");
    }
}

/// What a few bytes stand for is bounded.
#[test]
fn searches_that_come_to_too_much() {
    let problem = |kind: &str, query: &str| search(kind, query).unwrap_err().problem;
    let broad = Problem::TooBroad { max: 50_000 };
    let subjects = "subject.".repeat(4);
    assert_eq!(problem("Task", &format!("{subjects}_tag=a")), broad);
    assert_eq!(problem("Task", &format!("_filter={subjects}_tag eq a")), broad);
    let deep = format!("_filter={}nothing eq a", "subject.".repeat(40));
    assert!(matches!(problem("Task", &deep), Problem::TooDeep { .. } | Problem::TooBroad { .. }));
    assert!(search("Task", "subject.subject._tag=a").is_ok());
    assert!(search("Task", "subject:Patient.general-practitioner.name=a").is_ok());
    let levels = |count: usize| format!("url:above=http:/{}", "/a".repeat(count));
    assert!(search("ValueSet", &levels(60)).is_ok());
    assert_eq!(problem("ValueSet", &levels(70)), Problem::TooDeep { max: 64 });
    let versions = |count: usize| format!("instantiates-canonical:above=http://a|1{}", ".1".repeat(count));
    assert!(search("CarePlan", &versions(60)).is_ok());
    assert_eq!(problem("CarePlan", &versions(70)), Problem::TooDeep { max: 64 });
    let set = "http://hl7.org/fhir/ValueSet/condition-clinical";
    let sets = |count: usize| format!("clinical-status:in={}", vec![set; count].join(","));
    assert!(search("Condition", &sets(2)).is_ok());
    let all: Vec<String> = (0..60).map(|_| sets(200)).collect();
    assert_eq!(problem("Condition", &all.join("&")), broad);
}

/// What comes along, and in which order.
#[test]
fn shapes() {
    let extractor = Extractor::of(FhirVersion::R4);
    let shown = |types: &[&str], name: &str, value: &str| {
        let includes = extractor.includes(types, name, value).map_err(|error| error.problem)?;
        let show = |include: &Include| {
            format!("{} {} {}", include.kind, include.param, include.target.as_deref().unwrap_or("*"))
        };
        Ok(includes.iter().map(show).collect::<Vec<_>>())
    };
    let observations = |value: &str| shown(&["Observation"], "_include", value);
    assert_eq!(observations("Observation:subject").unwrap(), ["Observation Observation.subject *"]);
    assert_eq!(observations("Observation:patient").unwrap(), ["Observation Observation.subject Patient"]);
    assert_eq!(observations("Observation:subject:Group").unwrap(), ["Observation Observation.subject Group"]);
    assert_eq!(observations("*"), observations("Observation:*"));
    assert!(observations("*").unwrap().len() > 5);
    assert_eq!(
        shown(&["Patient"], "_revinclude:iterate", "Provenance:target").unwrap(),
        ["Provenance Provenance.target *"]
    );
    let malformed = |value: &str| matches!(observations(value), Err(Problem::Malformed { .. }));
    assert!(["Observation", "Observation:", ":subject", "a:b:c:d"].into_iter().all(malformed));
    assert_eq!(observations("Nothing:subject"), Err(Problem::Unknown));
    assert_eq!(observations("Observation:nothing"), Err(Problem::Unknown));
    assert_eq!(observations("Observation:subject:Nothing"), Err(Problem::Unknown));
    assert_eq!(observations("Observation:code"), Err(Problem::Unsupported));
    assert_eq!(shown(&["Patient"], "_include:often", "Patient:link"), Err(Problem::Modifier));
    assert!(shown(&["Patient"], "_revinclude", "*").is_err());

    let order = extractor.order(&["Patient", "Person"], "-name,_lastUpdated,_id,x,link").unwrap();
    let Order { keys: order, used, ignored } = order;
    assert_eq!(
        (order.len(), used),
        (4, ["-name", "_lastUpdated", "_id", "link"].map(str::to_owned).to_vec())
    );
    assert!(
        matches!(&order[0], SortKey { by: SortBy::Params(params), descending: true } if params.len() == 2)
    );
    assert_eq!((&order[1].by, &order[2].by), (&SortBy::Updated, &SortBy::Id));
    assert_eq!(ignored.len(), 1, "{ignored:?}");
    for bad in ["", "-", "a,,b", "a,b,c,d,e,f,g,h,i"] {
        assert!(extractor.order(&["Patient"], bad).is_err(), "{bad}");
    }
}

/// A parameter counts if every type has it.
#[test]
fn several_types_at_once() {
    let extractor = Extractor::of(FhirVersion::R4);
    let terminology = Terminology::default();
    let surroundings = Surroundings { bases: BASES, terminology: &terminology };
    let read = |query: &str| extractor.searches(&["Patient", "Person"], &pairs(query), surroundings).unwrap();
    let both = read("name=a&_id=b&language=de");
    assert_eq!(both.queries.iter().map(|query| query.conditions.len()).collect::<Vec<_>>(), [2, 2]);
    let ignored: Vec<_> = both.ignored.iter().map(|error| error.parameter.as_str()).collect();
    assert_eq!(ignored, ["language"]);

    let belongs = |kind: &str, of: &str| extractor.in_compartment(kind, of, "p", BASES);
    assert_eq!(belongs("Observation", "Patient").unwrap().any.len(), 2);
    assert!(belongs("Patient", "Patient").unwrap().any.contains(&Clause::Id("p".into())));
    assert_eq!(belongs("Medication", "Patient"), None);
    assert_eq!(belongs("Observation", "Observation"), None);
}

fn criteria(kind: &str, query: &str) -> Result<(), Problem> {
    let read = Extractor::of(FhirVersion::R4).criteria(kind, &pairs(query), BASES);
    read.map(|_| ()).map_err(|error| error.problem)
}

fn search(kind: &str, query: &str) -> Result<Understood, QueryError> {
    Extractor::of(FhirVersion::R4).search(kind, &pairs(query), BASES)
}

/// A typo must not turn into "everyone".
#[test]
fn criteria_are_strict() {
    for (query, problem) in [
        ("", Problem::NoCriterion),
        ("identifer=1", Problem::Unknown),
        ("identifier=1&identifer=1", Problem::Unknown),
        ("Identifier=1", Problem::Unknown),
        ("identifier=", Problem::Empty),
        ("identifier=1&_count=1", Problem::ShapesResults),
        ("identifier=1&_sort=name", Problem::ShapesResults),
        ("identifier=1&_include=x", Problem::ShapesResults),
        ("identifier=1&_summary=true", Problem::ShapesResults),
        ("identifier=1&_elements=id", Problem::ShapesResults),
        ("identifier=1&_total=none", Problem::ShapesResults),
        ("_text=x&identifier=1", Problem::NotInCriteria),
        ("_list=x&identifier=1", Problem::OfOthers),
        ("_filter=gender eq male&identifier=1", Problem::OfOthers),
        ("gender:in=http://hl7.org/fhir/ValueSet/administrative-gender&identifier=1", Problem::OfOthers),
        ("general-practitioner.name=x&identifier=1", Problem::OfOthers),
        ("_has:Observation:patient:code=x", Problem::OfOthers),
        ("_id=Patient/1", Problem::Malformed { expected: "the id of a resource, without its type" }),
        ("_id=a_b&identifier=1", Problem::Malformed { expected: "the id of a resource, without its type" }),
        ("gender:not=male", Problem::NotSelective),
        ("family=neal", Problem::NotSelective),
        ("family:contains=neal", Problem::NotSelective),
        ("birthdate=gt1970", Problem::NotSelective),
        ("identifier=urn:nhs|", Problem::NotSelective),
        ("_lastUpdated=2020", Problem::NotSelective),
        ("identifier:missing=false", Problem::NotSelective),
    ] {
        assert_eq!(criteria("Patient", query), Err(problem), "{query}");
    }
    for query in [
        "identifier=1",
        "_id=p",
        "family:exact=Neal",
        "birthdate=1970-05-02",
        "organization=o",
        "_tag=a&family=x",
    ] {
        assert_eq!(criteria("Patient", query), Ok(()), "{query}");
    }
}

#[test]
fn what_is_wrong_is_an_error_and_what_is_not_known_is_passed_over() {
    for query in [
        "Patient?birthdate=x",
        "Patient?birthdate=xx1970",
        "Patient?birthdate=1970-13",
        "Patient?identifier=|",
        "Patient?identifier=a|b|c",
        "Patient?gender=a,,b",
        "Observation?value-quantity=x",
        "Observation?value-quantity=1|a",
        "Observation?value-quantity=1|a|",
        "Observation?patient=Group/1",
        "Observation?patient=a b",
        "Observation?component-code-value-quantity=a",
        "Observation?component-code-value-quantity=a$b",
    ] {
        let (kind, text) = query.split_once('?').unwrap();
        let error = search(kind, text).unwrap_err();
        assert!(matches!(error.problem, Problem::Malformed { .. }), "{query}: {error:?}");
        assert!(error.to_string().contains(&error.parameter), "{error}");
    }
    let problem = |kind: &str, query: &str| search(kind, query).unwrap_err().problem;
    for query in [
        "gender:exact=x",
        "family:below=x",
        "organization:Patient=1",
        "identifier:within=x",
        "identifier:code-text=x",
        "gender:=x",
        "_id:exact=x",
    ] {
        assert_eq!(problem("Patient", query), Problem::Modifier, "{query}");
    }
    let many = format!("gender=a{}", ",a".repeat(10_000));
    assert_eq!(problem("Patient", &many), Problem::TooMany { max: 200 });
    assert_eq!(problem("Patient", &"gender=a&".repeat(100)), Problem::TooMany { max: 64 });
    let composites = "code-value-quantity=a$1,a$1,a$1,a$1,a$1";
    assert_eq!(problem("Observation", composites), Problem::TooMany { max: 4 });

    let understood = search("Patient", "gender=male&nonsense=1&family=").unwrap();
    assert_eq!(understood.query.conditions.len(), 1);
    assert_eq!(understood.used, pairs("gender=male"));
    let ignored: Vec<_> =
        understood.ignored.iter().map(|error| (error.parameter.as_str(), error.problem)).collect();
    assert_eq!(ignored, [("nonsense", Problem::Unknown), ("family", Problem::Empty)]);
}

fn a_name() -> impl Strategy<Value = String> {
    let known = ["identifier", "family", "birthdate", "organization", "_id", "_lastUpdated", "gender"];
    let known = proptest::sample::select(known.to_vec()).prop_map(str::to_owned);
    let modifier = "(:(exact|not|missing|below|of-type|identifier|Patient|x))?";
    (prop_oneof![known, "[a-z_:.-]{0,12}"], modifier).prop_map(|(name, modifier)| name + &modifier)
}

proptest! {
    /// Whatever is sent is read or refused; what is accepted as criteria means the same as a search.
    #[test]
    fn any_text_is_read_or_refused(name in a_name(), value in r"[a-z0-9|,$\\/:.é-]{0,16}") {
        let pairs = [(name, value)];
        let extractor = Extractor::of(FhirVersion::R4);
        let searched = extractor.search("Patient", &pairs, BASES);
        if let Ok(query) = extractor.criteria("Patient", &pairs, BASES) {
            prop_assert_eq!(searched.map(|understood| understood.query), Ok(query));
        }
    }
}
