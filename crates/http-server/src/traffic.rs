//! Requests by interaction, status and time.

use std::time::Duration;

use hyper::StatusCode;
use rulebook::Interaction;
use storage_api::{Counter, Distribution, Histogram};

/// What was answered since the server started.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    rows: [Row; ROWS],
}

/// One row for each interaction, and one for requests that came to none.
const ROWS: usize = Interaction::ALL.len() + 1;

/// Statuses are counted singly from here...
const STATUS_MIN: usize = 200;
/// ...up to here.
const STATUS_MAX: usize = 511;

#[derive(Debug)]
struct Row {
    statuses: Box<[Counter]>,
    time: Distribution,
}

impl Default for Row {
    fn default() -> Self {
        let statuses = (STATUS_MIN..=STATUS_MAX).map(|_| Counter::default()).collect();
        Self { statuses, time: Distribution::default() }
    }
}

impl Traffic {
    /// Counts an answered request.
    pub(crate) fn count(&self, interaction: Option<Interaction>, status: StatusCode, time: Duration) {
        let Some(row) = self.rows.get(row(interaction)) else { return };
        let index = usize::from(status.as_u16()).checked_sub(STATUS_MIN);
        if let Some(counter) = index.and_then(|index| row.statuses.get(index)) {
            counter.add(1);
        }
        row.time.time(time);
    }

    /// Every count above zero: interaction, status, number.
    pub(crate) fn statuses(&self) -> impl Iterator<Item = (&'static str, usize, u64)> {
        self.rows
            .iter()
            .enumerate()
            .flat_map(|(index, row)| {
                let counts = row.statuses.iter().enumerate();
                counts.map(move |(status, count)| (name(index), STATUS_MIN + status, count.get()))
            })
            .filter(|(_, _, count)| *count > 0)
    }

    /// The times of every interaction that was asked for, in microseconds.
    pub(crate) fn times(&self) -> impl Iterator<Item = (&'static str, Histogram)> {
        let times = self.rows.iter().enumerate().map(|(index, row)| (name(index), row.time.read()));
        times.filter(|(_, histogram)| histogram.count() > 0)
    }
}

fn row(interaction: Option<Interaction>) -> usize {
    let position = |wanted| Interaction::ALL.iter().position(|interaction| *interaction == wanted);
    interaction.and_then(position).unwrap_or(ROWS - 1)
}

fn name(row: usize) -> &'static str {
    Interaction::ALL.get(row).map_or("none", |interaction| interaction.code())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_interaction_and_status() {
        let traffic = Traffic::default();
        traffic.count(Some(Interaction::Update), StatusCode::CONFLICT, Duration::from_micros(70));
        traffic.count(Some(Interaction::Update), StatusCode::CONFLICT, Duration::from_micros(80));
        traffic.count(None, StatusCode::NOT_FOUND, Duration::from_micros(5));
        let statuses: Vec<_> = traffic.statuses().collect();
        assert_eq!(statuses, [("update", 409, 2), ("none", 404, 1)]);
        let times: Vec<_> = traffic.times().map(|(name, times)| (name, times.count(), times.sum)).collect();
        assert_eq!(times, [("update", 2, 150), ("none", 1, 5)]);
    }
}
