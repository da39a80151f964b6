//! What a person at a test system would enter or load, and which tests are wrong in themselves.

use std::path::Path;

/// One line each: `wrong SCRIPT#TEST: reason`, `load PART: FILE`, `input PART: NAME=VALUE`, `send PART: FILE`. PART is
/// a part of a script's path, FILE is relative to the suite.
pub(super) struct Settings {
    wrong: Vec<(String, String)>,
    lines: Vec<(&'static str, String, String)>,
}

impl Settings {
    pub(super) fn read() -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/testscripts/settings.txt");
        let text = std::fs::read_to_string(file).expect("settings");
        let mut settings = Self { wrong: Vec::new(), lines: Vec::new() };
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (what, rest) = line.split_once(' ').expect("a word");
            let (part, value) = rest.split_once(": ").expect("a colon");
            let kinds = ["load", "input", "send"];
            if let Some(kind) = kinds.into_iter().find(|kind| *kind == what) {
                settings.lines.push((kind, part.to_owned(), value.to_owned()));
            } else {
                assert!(what == "wrong" && value.len() > 20, "a reason: {line}");
                settings.wrong.push((part.to_owned(), value.to_owned()));
            }
        }
        settings
    }

    pub(super) fn is_excused(&self, name: &str) -> bool {
        self.wrong.iter().any(|(known, _)| known == name)
    }

    pub(super) fn excused(&self) -> impl Iterator<Item = &str> {
        self.wrong.iter().map(|(name, _)| name.as_str())
    }

    /// The values of one kind of line for a script.
    pub(super) fn of<'a>(&'a self, kind: &'a str, script: &'a str) -> impl Iterator<Item = &'a str> {
        let own = self.lines.iter().filter(move |(known, part, _)| *known == kind && script.contains(part));
        own.map(|(.., value)| value.as_str())
    }
}
