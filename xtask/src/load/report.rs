//! How figures are printed.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;

/// Times in microseconds, up to ten minutes.
pub(crate) fn histogram() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, 600_000_000, 3)?)
}

/// The whole microseconds of a time, as a histogram takes them.
pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Requests per second and quantiles of their times.
#[expect(clippy::cast_precision_loss, reason = "printed with two digits")]
pub(crate) fn line(name: &str, histogram: &Histogram<u64>, seconds: u64) -> String {
    format!("  {name}  {:.0}/s, {}", histogram.len() as f64 / seconds as f64, quantiles(histogram))
}

/// Quantiles of times, in milliseconds.
#[expect(clippy::cast_precision_loss, reason = "printed with two digits")]
pub(crate) fn quantiles(histogram: &Histogram<u64>) -> String {
    let millis = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1000.0;
    let mut line = "ms".to_owned();
    for (label, quantile) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)] {
        write!(line, "  {label} {:.2}", millis(quantile)).unwrap_or_default();
    }
    write!(line, "  max {:.2}", histogram.max() as f64 / 1000.0).unwrap_or_default();
    line
}

/// `200: 17, 412: 3`
pub(crate) fn listed<K: Display, V: Display>(counts: &BTreeMap<K, V>) -> String {
    let shown: Vec<String> = counts.iter().map(|(name, count)| format!("{name}: {count}")).collect();
    shown.join(", ")
}

/// Things per second.
#[expect(clippy::cast_precision_loss, reason = "printed without digits behind the point")]
pub(crate) fn rate(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64().max(1e-9)
}

/// Mebibytes of a number of bytes.
#[expect(clippy::cast_precision_loss, reason = "printed with one digit")]
pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
