//! Bars that show how far a command has come. On a terminal only.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar behind a name; `numbers` is what stands behind the bar, as a template.
pub(crate) fn bar(name: &str, numbers: &str) -> ProgressBar {
    let bar = ProgressBar::new(0).with_prefix(name.to_owned());
    if let Ok(style) = ProgressStyle::with_template(&format!("{{prefix}} {{bar:40}} {numbers}")) {
        bar.set_style(style);
    }
    bar
}
