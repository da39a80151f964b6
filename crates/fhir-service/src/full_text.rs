//! Full text search: whether resources are found by their words.

/// Whether `_text` and `_content` find resources by their words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FullText {
    /// They do not, and writes do nothing for it.
    #[default]
    Off,
    /// They do: what is written is found at once.
    On,
}
