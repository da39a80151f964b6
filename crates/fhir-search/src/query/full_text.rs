//! Parameters and modifiers that look for words in texts.

use compact_str::format_compact;
use fhir_definitions::SearchType;
use storage_api::{Clause, Condition, Phrase, Test};

use super::Reader;
use super::error::Problem;
use super::words::{Looked, words};
use crate::full_text::NARRATIVE;
use crate::parameters::Parameter;

/// Whether a modifier asks for words in texts.
pub(super) fn has_words(kind: SearchType, modifier: Option<&str>) -> bool {
    match kind {
        SearchType::Token | SearchType::Reference => modifier == Some("text-advanced"),
        SearchType::String => modifier == Some("text"),
        _ => false,
    }
}

impl Reader<'_> {
    /// `_text` and `_content`.
    pub(super) fn full_text(
        &self,
        parameter: &Parameter,
        modifier: Option<&str>,
        value: &str,
    ) -> Result<Vec<Condition>, Problem> {
        if modifier.is_some() {
            return Err(Problem::Modifier);
        }
        if !self.extractor.has_full_text() {
            return Err(Problem::WithoutFullText);
        }
        let field = (parameter.definition().code() == "_text").then_some(NARRATIVE);
        words(value, &|Looked { words, open }| {
            let phrase = Phrase { words: words.clone(), open: *open, field };
            vec![Clause::term(parameter.term(), Test::Words(phrase))]
        })
    }

    /// `:text-advanced`, in R5 `:text` of strings too: words in the texts of a parameter.
    pub(super) fn text_advanced(
        &self,
        parameter: &Parameter,
        value: &str,
    ) -> Result<Vec<Condition>, Problem> {
        let is_string = parameter.definition().search_type() == SearchType::String;
        words(value, &|Looked { words, open }| {
            let phrase = Phrase { words: words.clone(), open: *open, field: None };
            let of_source = |source: &Parameter| {
                let term = source.term();
                let term = if is_string { term.into() } else { format_compact!("{term}:text") };
                Clause::Term { param: term, test: Test::TextWords(phrase.clone()) }
            };
            self.parameters.sources(parameter).map(of_source).collect()
        })
    }
}
