//! Whether the index of words has exactly the words that version rows keep.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use rusqlite::Connection;
use storage_api::FIELDS;

use crate::encoding::Entry;
use crate::words::{documents, resource_of, row_of};

/// What the index should have: for each of its rows the sum of what its words come to, each with its field and its place
/// in it.
#[derive(Default)]
pub(crate) struct ExpectedWords(HashMap<i64, u64>);

impl ExpectedWords {
    /// How many rows.
    pub(crate) fn rows(&self) -> u64 {
        self.0.len() as u64
    }

    /// Adds those of a live resource.
    pub(crate) fn add(&mut self, res: i64, entries: &[Entry]) {
        for (param, fields) in documents(entries) {
            self.0.insert(row_of(param, res), sum(&fields));
        }
    }

    /// The resources for which the index has others, sorted.
    pub(crate) fn differing(mut self, connection: &Connection) -> rusqlite::Result<Vec<i64>> {
        // What belongs to this connection alone can be made where the file is only read.
        connection
            .execute_batch("CREATE VIRTUAL TABLE temp.word_places USING fts5vocab (main, words, instance)")?;
        let mut statement =
            connection.prepare("SELECT doc, term, col = 'second', offset FROM temp.word_places")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let term = row.get_ref(1)?.as_bytes().map_err(|_| rusqlite::Error::InvalidQuery)?;
            let place = place(term, usize::from(row.get::<_, bool>(2)?), row.get(3)?);
            let sum = self.0.entry(row.get(0)?).or_default();
            *sum = sum.wrapping_sub(place);
        }
        let mut differing: Vec<i64> =
            self.0.into_iter().filter(|(_, sum)| *sum != 0).map(|(row, _)| resource_of(row)).collect();
        differing.sort_unstable();
        differing.dedup();
        Ok(differing)
    }
}

fn sum(fields: &[String; FIELDS]) -> u64 {
    let mut sum = 0_u64;
    for (field, words) in fields.iter().enumerate() {
        for (offset, word) in (0_i64..).zip(words.split_ascii_whitespace()) {
            sum = sum.wrapping_add(place(word.as_bytes(), field, offset));
        }
    }
    sum
}

fn place(word: &[u8], field: usize, offset: i64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (word, field, offset).hash(&mut hasher);
    hasher.finish()
}
