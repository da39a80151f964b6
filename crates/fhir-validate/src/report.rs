//! [`Report`]: the findings so far, up to a limit.

use std::collections::BTreeMap;
use std::fmt;

use fhir_model::IssueSeverity;

use crate::finding::{Finding, Rule};
use crate::place::Place;
use crate::settings::Settings;

/// Values from the resource are cut to this many characters where a sentence quotes them.
const QUOTED_CHARS_MAX: usize = 60;

/// The findings so far.
pub(crate) struct Report<'s> {
    findings: Vec<Finding>,
    findings_max: usize,
    severities: &'s BTreeMap<Rule, IssueSeverity>,
}

impl<'s> Report<'s> {
    pub(crate) fn new(settings: &'s Settings) -> Self {
        let Settings { findings_max, severities, .. } = settings;
        Self { findings: Vec::new(), findings_max: *findings_max, severities }
    }

    /// Whether the limit is reached and looking further is useless.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.findings.len() > self.findings_max
    }

    /// Adds a finding; the first one beyond the limit only says that the list is cut.
    #[cold]
    pub(crate) fn add(&mut self, rule: Rule, place: &Place<'_>, message: impl fmt::Display) {
        self.push(rule.severity(), rule, place.to_string(), message.to_string());
    }

    /// The same where the definition says how bad it is.
    #[cold]
    pub(crate) fn add_with(
        &mut self,
        severity: IssueSeverity,
        rule: Rule,
        place: &Place<'_>,
        message: impl fmt::Display,
    ) {
        self.push(severity, rule, place.to_string(), message.to_string());
    }

    /// The same for what is no resource, and so has no place.
    #[cold]
    pub(crate) fn add_nowhere(&mut self, rule: Rule, message: impl fmt::Display) {
        self.push(rule.severity(), rule, String::new(), message.to_string());
    }

    fn push(&mut self, severity: IssueSeverity, rule: Rule, expression: String, message: String) {
        let severity = self.severities.get(&rule).copied().unwrap_or(severity);
        if self.findings.len() < self.findings_max {
            self.findings.push(Finding { severity, rule, expression, message });
        } else if !self.is_full() {
            let rule = Rule::TooManyFindings;
            let message = format!(
                "only the first {} findings are listed: correct them and validate again",
                self.findings_max
            );
            self.findings.push(Finding {
                severity: rule.severity(),
                rule,
                expression: String::new(),
                message,
            });
        }
    }

    pub(crate) fn into_findings(self) -> Vec<Finding> {
        self.findings
    }
}

/// A text from the resource, quoted: control characters escaped, long ones cut.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(QUOTED_CHARS_MAX) {
            Some((end, _)) => write!(f, "{:?}..", self.0.get(..end).unwrap_or_default()),
            None => write!(f, "{:?}", self.0),
        }
    }
}

/// Names in a sentence: `a, b or c`.
pub(crate) struct AnyOf<'a>(pub(crate) &'a [&'a str]);

impl fmt::Display for AnyOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().enumerate() {
            let before = match index {
                0 => "",
                _ if index + 1 == self.0.len() => " or ",
                _ => ", ",
            };
            write!(f, "{before}{name}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_cut_and_says_so() {
        let settings = Settings { findings_max: 2, ..Settings::default() };
        let mut report = Report::new(&settings);
        for number in 0..5 {
            assert_eq!(report.is_full(), number > 2);
            report.add(Rule::Format, &Place::root("Flag"), format_args!("fault {number}"));
        }
        let found: Vec<_> = report.into_findings().into_iter().map(|finding| finding.to_string()).collect();
        let cut = "only the first 2 findings are listed: correct them and validate again";
        assert_eq!(found, ["Flag: fault 0", "Flag: fault 1", cut]);
    }

    #[test]
    fn quotations_are_escaped_and_cut() {
        assert_eq!(Quoted("a\"\u{1}").to_string(), r#""a\"\u{1}""#);
        let long = "\u{e9}".repeat(70);
        assert_eq!(Quoted(&long).to_string(), format!("\"{}\"..", "\u{e9}".repeat(60)));
        assert_eq!(AnyOf(&["a", "b", "c"]).to_string(), "a, b or c");
        assert_eq!(AnyOf(&["a"]).to_string(), "a");
    }
}
