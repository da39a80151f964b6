//! Published TestScripts (STU3), played against `/STU3`.
//!
//! The scripts lie beside the project, in `../shared/suites/testscripts-stu3`; without them the test says so and ends.
//! Each script gets a server of its own with empty stores. `fixtures/testscripts/settings.txt` says what a person at a
//! test system would enter or load before, and which tests are wrong in themselves, with the reason.
//!
//! `TESTSCRIPT=NAME cargo test -p http-server --test it testscripts -- --nocapture` plays those whose path has NAME.

mod asserts;
mod paths;
mod player;
mod settings;

use std::path::{Path, PathBuf};

use self::player::{Play, play};
use self::settings::Settings;

fn suite() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/suites/testscripts-stu3")
}

/// Every XML file below a folder that is a TestScript, sorted.
fn scripts(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).expect("a folder of scripts");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("entry").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            scripts(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "xml")
            && std::fs::read_to_string(&path).is_ok_and(|text| text.contains("<TestScript "))
        {
            found.push(path);
        }
    }
}

#[test]
fn published_test_scripts_pass() {
    let suite = suite();
    if !suite.exists() {
        println!("skipped: {} is not there", suite.display());
        return;
    }
    let settings = Settings::read();
    let wanted = std::env::var("TESTSCRIPT").unwrap_or_default();
    let mut paths = Vec::new();
    scripts(&suite, &mut paths);
    let (mut passed, mut excused, mut wrong, mut names) = (0, 0, Vec::new(), Vec::new());
    for path in paths {
        let name = path.strip_prefix(&suite).expect("below the suite").display().to_string();
        if !name.contains(&wanted) {
            continue;
        }
        for Play { test, faults, warnings } in play(&path, &name, &settings) {
            let name = format!("{name}#{test}");
            for warning in warnings {
                println!("warning: {name}: {warning}");
            }
            match (settings.is_excused(&name), faults.as_slice()) {
                (false, []) => passed += 1,
                (true, []) => wrong.push(format!("{name}: passes, so it needs no excuse")),
                (true, _) => excused += 1,
                (false, faults) => wrong.push(format!("{name}: {}", faults.join("; "))),
            }
            names.push(name);
        }
    }
    println!("{passed} tests passed, {excused} are wrong in themselves, {} failed", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    if wanted.is_empty() {
        assert_eq!(names.len(), 171, "tests of the suite");
        let unknown: Vec<_> =
            settings.excused().filter(|name| !names.iter().any(|known| known == name)).collect();
        assert!(unknown.is_empty(), "excuses for what is not there: {unknown:?}");
    }
}
