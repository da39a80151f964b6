//! The string table that all versions share: every text once, sorted.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

use super::format::NONE;

/// Collects texts in a first pass, when every id is 0, and hands out ids in a second one.
#[derive(Default)]
pub(super) struct Strings {
    ids: BTreeMap<String, u16>,
    is_complete: bool,
}

impl Strings {
    /// The id of a text; ids order as the texts do, by bytes.
    pub(super) fn id(&mut self, text: &str) -> Result<u16> {
        if !self.is_complete {
            self.ids.entry(text.to_owned()).or_default();
            return Ok(0);
        }
        self.ids.get(text).copied().with_context(|| format!("{text:?} was not collected"))
    }

    /// Ends the first pass.
    pub(super) fn complete(&mut self) -> Result<()> {
        ensure!(self.ids.len() < usize::from(NONE), "{} strings: more than an id can name", self.ids.len());
        for (id, place) in self.ids.values_mut().enumerate() {
            *place = u16::try_from(id)?;
        }
        self.is_complete = true;
        Ok(())
    }

    /// The texts, a line feed after each, and the offset of each text and of the end, as little-endian `u32`.
    pub(super) fn pack(&self) -> Result<(String, Vec<u8>)> {
        let mut text = String::new();
        let mut offsets = Vec::new();
        for string in self.ids.keys() {
            offsets.extend(u32::try_from(text.len())?.to_le_bytes());
            text.push_str(string);
            text.push('\n');
        }
        offsets.extend(u32::try_from(text.len())?.to_le_bytes());
        Ok((text, offsets))
    }
}
