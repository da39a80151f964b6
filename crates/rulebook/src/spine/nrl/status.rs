//! The life of a pointer: current, then superseded or entered in error, and nothing after that.

use super::rows;
use crate::Failure;

/// The status of a pointer (FHIR, value set document-reference-status).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Current,
    Superseded,
    EnteredInError,
}

/// Something that happens to a pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// It is registered, alone or in the place of another.
    Registered,
    /// A new pointer takes its place.
    Replaced,
    /// Its provider takes it back by PATCH.
    Retracted,
}

impl Status {
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Superseded => "superseded",
            Self::EnteredInError => "entered-in-error",
        }
    }

    /// `None` for a code that the value set does not have.
    pub(super) fn parse(code: &str) -> Option<Self> {
        [Self::Current, Self::Superseded, Self::EnteredInError]
            .into_iter()
            .find(|status| status.code() == code)
    }
}

/// What a pointer's status becomes: from nothing, or from what it was. A pointer that is not
/// current stays as it is.
pub(super) fn next(from: Option<Status>, event: Event) -> Result<Status, Failure> {
    match (from, event) {
        (None, Event::Registered) => Ok(Status::Current),
        (Some(Status::Current), Event::Replaced) => Ok(Status::Superseded),
        (Some(Status::Current), Event::Retracted) => Ok(Status::EnteredInError),
        _ => Err(rows::inactive()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every combination against the published table of changes.
    #[test]
    fn only_the_changes_of_the_table_are_possible() {
        let allowed = [
            ("", "registered", "current"),
            ("current", "replaced", "superseded"),
            ("current", "retracted", "entered-in-error"),
        ];
        let statuses = [None, Some(Status::Current), Some(Status::Superseded), Some(Status::EnteredInError)];
        let events = [
            ("registered", Event::Registered),
            ("replaced", Event::Replaced),
            ("retracted", Event::Retracted),
        ];
        for from in statuses {
            for (name, event) in events {
                let code = from.map_or("", Status::code);
                let row = allowed.iter().find(|row| (row.0, row.1) == (code, name));
                match (next(from, event), row) {
                    (Ok(to), Some(row)) => assert_eq!(to.code(), row.2),
                    (Err(failure), None) => {
                        assert_eq!(failure.to_string(), "DocumentReference status is not 'current'");
                    }
                    (came, row) => panic!("{code:?} {name}: {came:?}, table {row:?}"),
                }
            }
        }
    }

    #[test]
    fn codes_are_read_as_they_are_written() {
        for status in [Status::Current, Status::Superseded, Status::EnteredInError] {
            assert_eq!(Status::parse(status.code()), Some(status));
        }
        for code in ["", "Current", "deleted"] {
            assert_eq!(Status::parse(code), None);
        }
    }
}
