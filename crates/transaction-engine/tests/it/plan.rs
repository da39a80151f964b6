//! The order of entries, for random Bundles.

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json;
use proptest::collection::vec;
use proptest::prelude::*;
use transaction_engine::{BundleRequest, Phase, Plan, PlanError, Reading};

const PHASES: [Phase; 5] = [Phase::Delete, Phase::Create, Phase::Update, Phase::Read, Phase::Look];

/// A request: method, URL, the phase that FHIR gives it, and what it writes by id.
type Request = (&'static str, &'static str, Phase, Option<&'static str>);

const REQUESTS: [Request; 12] = [
    ("DELETE", "Flag/a", Phase::Delete, Some("Flag/a")),
    ("DELETE", "Flag?identifier=1", Phase::Delete, None),
    ("POST", "Flag", Phase::Create, None),
    ("PUT", "Flag/a", Phase::Update, Some("Flag/a")),
    ("PUT", "http://here/R4/Flag/b", Phase::Update, Some("Flag/b")),
    ("PUT", "Flag?identifier=1", Phase::Update, None),
    ("PATCH", "/Flag/b", Phase::Update, Some("Flag/b")),
    ("GET", "Flag/a", Phase::Read, None),
    ("HEAD", "Flag/b", Phase::Read, None),
    ("GET", "Flag?identifier=1", Phase::Look, None),
    ("GET", "Flag/a/_history/1", Phase::Look, None),
    ("GET", "_history", Phase::Look, None),
];

fn plan(requests: &[(Request, Option<u8>)]) -> Result<Plan, PlanError> {
    let entries: Vec<String> = requests
        .iter()
        .map(|((method, url, ..), full_url)| {
            let full_url = full_url.map(|name| format!(r#""fullUrl":"urn:uuid:{name}","#)).unwrap_or_default();
            format!(
                r#"{{{full_url}"resource":{{"resourceType":"Flag"}},"request":{{"method":"{method}","url":"{url}"}}}}"#
            )
        })
        .collect();
    let bundle =
        format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{}]}}"#, entries.join(","));
    let bundle = json::parse(bundle.as_bytes(), &json::Limits::default()).unwrap();
    let definitions = Definitions::of(FhirVersion::R4);
    let reading = Reading { definitions, base: "http://here/R4", entries_max: 100, patch: true };
    Plan::new(BundleRequest::read(bundle, reading).unwrap().entries)
}

/// The first entry that has what an entry before it has, with that one.
fn first_double<T: PartialEq>(values: &[Option<T>]) -> Option<[usize; 2]> {
    values.iter().enumerate().find_map(|(second, value)| {
        let first = values[..second].iter().position(|other| value.is_some() && other == value)?;
        Some([first, second])
    })
}

proptest! {
    /// Every entry is carried out once, in the order of the phases, and within a phase in that of the request. What
    /// two entries write, or are both called, is found.
    #[test]
    fn entries_are_carried_out_in_the_order_of_phases(
        requests in vec((proptest::sample::select(&REQUESTS[..]), proptest::option::weighted(0.3, 0..4_u8)), 0..8)
    ) {
        let written: Vec<Option<&str>> = requests.iter().map(|((.., written), _)| *written).collect();
        // What is read may be called what is written.
        let called: Vec<Option<u8>> = requests
            .iter()
            .map(|((.., phase, _), name)| name.filter(|_| !matches!(phase, Phase::Read | Phase::Look)))
            .collect();
        match (plan(&requests), first_double(&written), first_double(&called)) {
            (Err(PlanError::SameResource { key, entries }), Some(expected), _) => {
                prop_assert_eq!(entries, expected);
                let key = key.to_string();
                prop_assert_eq!(Some(key.as_str()), written[expected[0]]);
            }
            (Err(PlanError::SameFullUrl { entries, .. }), None, Some(expected)) => {
                prop_assert_eq!(entries, expected);
            }
            (Ok(plan), None, None) => {
                let order: Vec<usize> = plan.in_phases(&PHASES).map(|entry| entry.index).collect();
                let mut expected: Vec<usize> = (0..requests.len()).collect();
                expected.sort_by_key(|place| requests[*place].0.2);
                prop_assert_eq!(order, expected);
                for phase in PHASES {
                    for entry in plan.in_phases(&[phase]) {
                        prop_assert_eq!(entry.phase(), phase);
                        prop_assert_eq!(requests[entry.index].0.2, phase);
                    }
                }
                let sent: Vec<usize> = plan.entries().iter().map(|entry| entry.index).collect();
                prop_assert_eq!(sent, (0..requests.len()).collect::<Vec<_>>());
            }
            (plan, written, called) => prop_assert!(false, "{:?} {:?} {:?}", plan, written, called),
        }
    }
}
