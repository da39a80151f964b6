//! Input that is made to cost: deep, wide, repeated, or full of faults. Each ends soon and says why.

use std::time::{Duration, Instant};

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{DEPTH_CEILING, Limits, Object, Value, parse};
use fhir_validate::{Finding, Level, Rule, Settings, validate};

/// Far above what any of these takes, also without optimisation on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

fn run(tree: &Value) -> Vec<Finding> {
    let start = Instant::now();
    let findings = validate(tree, Definitions::of(FhirVersion::R4), &Settings::default());
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    findings
}

fn read(text: &str) -> Value {
    let limits = Limits { bytes_max: usize::MAX, depth_max: DEPTH_CEILING, ..Limits::default() };
    parse(text.as_bytes(), &limits).unwrap_or_else(|error| panic!("{error}"))
}

fn rules(findings: &[Finding]) -> Vec<Rule> {
    findings.iter().map(|finding| finding.rule).collect()
}

/// As deep as the parser lets through, on a stack as small as any thread has.
#[test]
fn deep_nesting() {
    let deep = |open: &str, close: &str, levels: usize| {
        format!(
            "{{\"resourceType\":\"Patient\",\"extension\":[{}{}]}}",
            open.repeat(levels),
            close.repeat(levels)
        )
    };
    let levels = DEPTH_CEILING / 2 - 2;
    let text = deep("{\"url\":\"http://a.org/x\",\"extension\":[", "]}", levels);
    let bundles = format!(
        "{}{{\"resourceType\":\"Basic\",\"code\":{{\"text\":\"x\"}}}}{}",
        "{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"entry\":[{\"resource\":"
            .repeat(DEPTH_CEILING / 3 - 2),
        "}]}".repeat(DEPTH_CEILING / 3 - 2)
    );
    let found = std::thread::Builder::new()
        .stack_size(2 * 1024 * 1024)
        .spawn(move || [run(&read(&text)), run(&read(&bundles))].map(|findings| rules(&findings)))
        .expect("a thread starts")
        .join()
        .expect("the stack suffices");
    assert!(found.iter().all(|rules| rules.contains(&Rule::TooDeep)), "{found:?}");
}

#[test]
fn very_many_unknown_members() {
    let wide: Object = (0..200_000).map(|number| (format!("m{number}"), Value::Null)).collect_members();
    let findings = run(&Value::Object(wide));
    assert_eq!(rules(&findings), [Rule::TooManyMembers]);
    assert_eq!(findings[0].expression, "Patient");
}

/// Building an object member by member searches it each time; the parser does not.
trait CollectMembers {
    fn collect_members(self) -> Object;
}

impl<I: Iterator<Item = (String, Value)>> CollectMembers for I {
    fn collect_members(self) -> Object {
        let members: Vec<String> = self.map(|(name, value)| format!("\"{name}\":{value}")).collect();
        match read(&format!("{{\"resourceType\":\"Patient\",{}}}", members.join(","))) {
            Value::Object(object) => object,
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_fault_in_every_item_of_a_long_list() {
    let items = vec!["{\"x\":1}"; 100_000].join(",");
    let findings = run(&read(&format!("{{\"resourceType\":\"Patient\",\"name\":[{items}]}}")));
    assert_eq!(findings.len(), 101);
    assert_eq!(findings[100].rule, Rule::TooManyFindings);
    assert_eq!(findings[99].expression, "Patient.name[99].x");
}

#[test]
fn no_findings_at_all_may_be_asked_for() {
    let settings = Settings { findings_max: 0, ..Settings::default() };
    let found = validate(
        &read("{\"resourceType\":\"Patient\",\"x\":1}"),
        Definitions::of(FhirVersion::R4),
        &settings,
    );
    assert_eq!(rules(&found), [Rule::TooManyFindings]);
}

#[test]
fn many_contained_resources_and_many_references_to_them() {
    let count = 10_000;
    let contained: Vec<String> = (0..count)
        .map(|number| format!("{{\"resourceType\":\"Organization\",\"id\":\"o{number}\",\"name\":\"x\"}}"))
        .collect();
    let references: Vec<String> =
        (0..count).map(|number| format!("{{\"organization\":{{\"reference\":\"#o{number}\"}}}}")).collect();
    let text = format!(
        "{{\"resourceType\":\"Patient\",\"contained\":[{}],\"contact\":[{}]}}",
        contained.join(","),
        references.join(",")
    );
    assert_eq!(run(&read(&text)), []);
}

#[test]
fn long_texts() {
    let long = "a".repeat(1024 * 1024 + 1);
    let findings =
        run(&read(&format!("{{\"resourceType\":\"Patient\",\"name\":[{{\"family\":\"{long}\"}}]}}")));
    assert_eq!(rules(&findings), [Rule::StringTooLong]);
    let name = "n".repeat(5_000_000);
    let findings =
        run(&read(&format!("{{\"resourceType\":\"Patient\",\"{name}\":\"{name}\",\"gender\":\"{name}\"}}")));
    assert_eq!(rules(&findings), [Rule::UnknownElement, Rule::CodeUnknown]);
    assert!(
        findings.iter().all(|finding| finding.expression.len() < 200 && finding.message.len() < 300),
        "{findings:?}"
    );
}

#[test]
fn narratives_made_to_cost() {
    let narrative = |inside: &str| {
        let div = Value::from(format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">a{inside}</div>"));
        let text =
            format!("{{\"resourceType\":\"Patient\",\"text\":{{\"status\":\"generated\",\"div\":{div}}}}}");
        rules(&run(&read(&text)))
    };
    assert_eq!(narrative(&format!("{}{}", "<p>".repeat(100_000), "</p>".repeat(100_000))), []);
    assert_eq!(narrative(&"<p>".repeat(100_000)), [Rule::NarrativeMalformed]);
    assert_eq!(narrative(&"&lt;".repeat(100_000)), []);
    assert_eq!(narrative(&"<script/>".repeat(100_000)), [Rule::NarrativeActive]);
    let attributes: Vec<String> = (0..50_000).map(|number| format!(" a{number}='x'")).collect();
    assert!(narrative(&format!("<p{}/>", attributes.concat())).contains(&Rule::NarrativeMalformed));
    assert_eq!(narrative(&format!("<p title=\"{}\"/>", "&amp;".repeat(100_000))), []);
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;\">]>";
    let text = format!(
        "{{\"resourceType\":\"Patient\",\"text\":{{\"status\":\"generated\",\"div\":{}}}}}",
        Value::from(format!("{bomb}<div xmlns=\"http://www.w3.org/1999/xhtml\">&b;</div>"))
    );
    assert_eq!(rules(&run(&read(&text))), [Rule::NarrativeMalformed]);
}

/// Names that all begin a choice make every member look at those before it.
#[test]
fn an_object_full_of_choices() {
    let r5 = Definitions::of(FhirVersion::R5);
    let element = r5.type_named("ElementDefinition").expect("every version has it");
    let members: Vec<String> = element
        .fields()
        .json_names()
        .filter(|(_, element, _)| element.is_choice())
        .flat_map(|(name, ..)| [format!("\"{name}\":0"), format!("\"_{name}\":{{}}")])
        .collect();
    assert!(members.len() > 300);
    let one = format!("{{{}}}", members.join(","));
    let text = format!(
        "{{\"resourceType\":\"StructureDefinition\",\"snapshot\":{{\"element\":[{}]}}}}",
        vec![one; 50].join(",")
    );
    let start = Instant::now();
    let settings = Settings { findings_max: usize::MAX, ..Settings::default() };
    let findings = validate(&read(&text), r5, &settings);
    assert!(findings.len() > 15_000, "{}", findings.len());
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
}

/// Rules that look at the whole resource from each of its parts end, and say that they did.
#[test]
fn rules_made_to_cost() {
    let instance = "{\"key\":\"a\",\"structureType\":{\"code\":\"Patient\"},\"title\":\"x\",\
                    \"containedInstance\":[{\"instanceReference\":\"a\"}]}";
    let instances = vec![instance; 3_000].join(",");
    let text =
        format!("{{\"resourceType\":\"ExampleScenario\",\"status\":\"draft\",\"instance\":[{instances}]}}");
    let settings = Settings { level: Level::Strict, findings_max: usize::MAX, ..Settings::default() };
    let start = Instant::now();
    let findings = validate(&read(&text), Definitions::of(FhirVersion::R5), &settings);
    assert!(start.elapsed() < 3 * PATIENCE, "{:?}", start.elapsed());
    let unchecked = findings.iter().filter(|finding| finding.rule == Rule::InvariantUnchecked).count();
    assert!((1..100).contains(&unchecked), "{unchecked}");
}
