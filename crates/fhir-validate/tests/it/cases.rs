//! One small resource per sort of fault, with exactly what is found in it: `cases/*.txt`.
//!
//! A case is a title behind `== `, the versions (`all` or some of them), the resource, a line `--`, and the findings
//! as `expression: rule: sentence`. Files whose names start with `strict` are validated at that level. `FIRELOCK_REWRITE=1 cargo test -p fhir-validate --test it cases` writes what is
//! found into the files; the difference is then for a person to judge.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{Limits, parse};
use fhir_validate::{Finding, Level, Rule, Settings, validate};

struct Case {
    title: String,
    level: Level,
    versions: Vec<FhirVersion>,
    versions_text: String,
    resource: String,
    expected: Vec<String>,
}

/// The rules that no small resource can break; `hostile.rs` has them.
const ELSEWHERE: [Rule; 4] =
    [Rule::TooDeep, Rule::TooManyMembers, Rule::TooManyFindings, Rule::StringTooLong];

#[test]
fn every_case_gives_exactly_its_findings() {
    let mut seen = BTreeSet::new();
    let mut faults = Vec::new();
    for file in files() {
        let text = fs::read_to_string(&file).expect("the case file is readable");
        let is_strict = file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("strict"));
        let cases = read(&text, if is_strict { Level::Strict } else { Level::Structure });
        assert!(!cases.is_empty(), "{} has no case", file.display());
        if std::env::var_os("FIRELOCK_REWRITE").is_some() {
            fs::write(&file, rewritten(&text, &cases)).expect("the case file is writable");
            continue;
        }
        for case in &cases {
            for &version in &case.versions {
                let found = run(case, version);
                let lines: Vec<String> = found.iter().map(|finding| line(finding, version)).collect();
                if lines != case.expected {
                    let (found, expected) = (lines.join("\n  "), case.expected.join("\n  "));
                    faults.push(format!(
                        "{} ({version}): found\n  {found}\nexpected\n  {expected}",
                        case.title
                    ));
                }
                if found.len() == 1 {
                    seen.insert(found[0].rule);
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    if std::env::var_os("FIRELOCK_REWRITE").is_none() {
        let missing: Vec<&Rule> =
            Rule::ALL.iter().filter(|rule| !seen.contains(rule) && !ELSEWHERE.contains(rule)).collect();
        assert!(missing.is_empty(), "no case has exactly one finding of {missing:?}");
    }
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cases");
    let entries = fs::read_dir(folder).expect("the folder of cases is there");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("it is readable").path()).collect();
    files.sort();
    files
}

fn run(case: &Case, version: FhirVersion) -> Vec<Finding> {
    let tree = parse(case.resource.as_bytes(), &Limits::default())
        .unwrap_or_else(|error| panic!("{}: {error}", case.title));
    validate(&tree, Definitions::of(version), &Settings { level: case.level, ..Settings::default() })
}

/// A finding as it stands in the files, the version's name replaced.
fn line(finding: &Finding, version: FhirVersion) -> String {
    let message = finding.message.replace(&format!("FHIR {version} "), "FHIR {version} ");
    format!("{}: {}: {message}", finding.expression, finding.rule)
}

fn read(text: &str, level: Level) -> Vec<Case> {
    let blocks = text.split("\n== ").skip(1);
    blocks.map(|block| read_case(block, level).unwrap_or_else(|| panic!("malformed case: {block}"))).collect()
}

fn read_case(block: &str, level: Level) -> Option<Case> {
    let (title, rest) = block.split_once('\n')?;
    let (versions_text, rest) = rest.split_once('\n')?;
    let (resource, expected) = rest.split_once("\n--\n")?;
    let versions = match versions_text {
        "all" => FhirVersion::ALL.to_vec(),
        some => some.split(' ').map(|label| label.parse().ok()).collect::<Option<Vec<_>>>()?,
    };
    let expected = expected.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    Some(Case {
        title: title.to_owned(),
        level,
        versions,
        versions_text: versions_text.to_owned(),
        resource: resource.to_owned(),
        expected,
    })
}

/// The file with what is found in the first version of each case.
fn rewritten(text: &str, cases: &[Case]) -> String {
    let mut out = text.split("\n== ").next().unwrap_or_default().to_owned();
    for case in cases {
        let _ = write!(out, "\n== {}\n{}\n{}\n--\n", case.title, case.versions_text, case.resource);
        for finding in run(case, case.versions[0]) {
            let _ = writeln!(out, "{}", line(&finding, case.versions[0]));
        }
    }
    out
}
