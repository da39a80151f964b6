//! The text format of Prometheus (exposition format 0.0.4).

use std::collections::BTreeSet;
use std::fmt::Write as _;

use storage_api::{Histogram, Metric, MetricValue};

/// Writes metrics, each family headed once.
#[derive(Default)]
pub(crate) struct Exposition {
    families: Vec<Family>,
    known: BTreeSet<&'static str>,
}

/// All values of one name stand together, whoever gave them.
struct Family {
    name: &'static str,
    help: &'static str,
    kind: &'static str,
    lines: String,
}

impl Exposition {
    /// Adds a value with its labels, written as `name="value"` and separated by commas.
    pub(crate) fn add(&mut self, metric: &Metric, labels: &str) {
        let kind = match metric.value {
            MetricValue::Counter(_) => "counter",
            MetricValue::Gauge(_) => "gauge",
            MetricValue::Histogram(_) => "histogram",
        };
        if self.known.insert(metric.name) {
            let (name, help) = (metric.name, metric.help);
            self.families.push(Family { name, help, kind, lines: String::new() });
        }
        let Some(family) = self.families.iter_mut().find(|family| family.name == metric.name) else { return };
        match &metric.value {
            MetricValue::Counter(value) | MetricValue::Gauge(value) => {
                line(&mut family.lines, metric.name, "", labels, *value);
            }
            MetricValue::Histogram(value) => histogram(&mut family.lines, metric.name, labels, value),
        }
    }

    pub(crate) fn finish(self) -> String {
        let mut text = String::new();
        for Family { name, help, kind, lines } in self.families {
            // Writing to a string does not fail.
            let _ = write!(text, "# HELP firelock_{name} {help}\n# TYPE firelock_{name} {kind}\n{lines}");
        }
        text
    }
}

fn line(out: &mut String, name: &str, suffix: &str, labels: &str, value: u64) {
    let _ = if labels.is_empty() {
        writeln!(out, "firelock_{name}{suffix} {value}")
    } else {
        writeln!(out, "firelock_{name}{suffix}{{{labels}}} {value}")
    };
}

fn histogram(out: &mut String, name: &str, labels: &str, value: &Histogram) {
    let comma = if labels.is_empty() { "" } else { "," };
    let mut below = 0;
    for (n, count) in value.buckets.iter().enumerate() {
        below += count;
        let bound = Histogram::bound(n).map_or_else(|| "+Inf".to_owned(), |bound| bound.to_string());
        line(out, name, "_bucket", &format!("{labels}{comma}le=\"{bound}\""), below);
    }
    line(out, name, "_sum", labels, value.sum);
    line(out, name, "_count", labels, value.count());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_headed_once_and_buckets_add_up() {
        let mut exposition = Exposition::default();
        let counter = |value| Metric { name: "a_total", help: "A.", value: MetricValue::Counter(value) };
        let mut buckets = [0; Histogram::BUCKETS];
        (buckets[0], buckets[1], buckets[24]) = (1, 2, 3);
        let times = Histogram { buckets, sum: 9 };
        exposition.add(&counter(1), "mount=\"/R4\"");
        exposition.add(&Metric { name: "t", help: "T.", value: MetricValue::Histogram(times) }, "");
        exposition.add(&counter(2), "mount=\"/R5\"");
        let text = exposition.finish();
        assert!(text.starts_with(
            "# HELP firelock_a_total A.\n# TYPE firelock_a_total counter\n\
             firelock_a_total{mount=\"/R4\"} 1\nfirelock_a_total{mount=\"/R5\"} 2\n# HELP firelock_t T.\n"
        ));
        assert!(text.contains("firelock_t_bucket{le=\"1\"} 1\nfirelock_t_bucket{le=\"2\"} 3\n"));
        assert!(text.ends_with("firelock_t_bucket{le=\"+Inf\"} 6\nfirelock_t_sum 9\nfirelock_t_count 6\n"));
    }
}
