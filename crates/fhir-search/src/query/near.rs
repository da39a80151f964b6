//! `near`: places not further than some distance from another (Location, "Positional searching").
//!
//! STU3 writes `latitude:longitude` and the distance in `near-distance`, later versions all in one.

use fhir_definitions::FhirVersion;
use storage_api::{Circle, Clause, Condition, Number, Position, Test};

use super::Reader;
use super::error::Problem;
use super::text::split;
use crate::parameters::Parameter;

/// Metres that are near where the client does not say.
const METRES: f64 = 10_000.0;

/// Metres in a kilometre, the unit where none is given.
const KILOMETRE: f64 = 1000.0;

const EXPECTED: Problem = Problem::Malformed {
    expected: "latitude|longitude|distance|unit in degrees, such as 53.8|-1.55|11.2|km; units are km, m, [mi_i], [nmi_i], [yd_i] and [ft_i]",
};
const EXPECTED_STU3: Problem = Problem::Malformed {
    expected: "latitude:longitude in degrees, such as 53.8:-1.55, with near-distance beside it",
};
const DISTANCE: Problem = Problem::Malformed {
    expected: "a distance such as 11.2|http://unitsofmeasure.org|km, with near beside it; units are km, m, [mi_i], [nmi_i], [yd_i] and [ft_i]",
};

impl Reader<'_> {
    /// `near`: within a circle around a place.
    pub(super) fn positions(
        &self,
        parameter: &Parameter,
        modifier: Option<&str>,
        value: &str,
        values: &[&str],
    ) -> Result<Vec<Condition>, Problem> {
        match modifier {
            None => {}
            Some("missing") => return self.missing(parameter, value),
            Some(_) => return Err(Problem::Modifier),
        }
        let mut distances = self.beside.iter().filter(|(name, _)| name == "near-distance");
        let distance = distances.next().map(|(_, value)| value.as_str());
        let is_stu3 = self.extractor.definitions().version() == FhirVersion::Stu3;
        let test = |value: &&str| if is_stu3 { near_stu3(value, distance) } else { near(value) };
        let clause = |value| Ok(Clause::term(parameter.term(), test(value)?));
        Ok(vec![Condition::any(values.iter().map(clause).collect::<Result<_, _>>()?)])
    }

    /// `near-distance` says how far `near` reaches.
    pub(super) fn distance(&self, modifier: Option<&str>, value: &str) -> Result<Vec<Condition>, Problem> {
        let count = |code: &str| self.beside.iter().filter(|(name, _)| name == code).count();
        if modifier.is_some() {
            return Err(Problem::Modifier);
        }
        near_distance(value)?;
        if count("near") == 0 || count("near-distance") > 1 { Err(DISTANCE) } else { Ok(Vec::new()) }
    }
}

/// `latitude|longitude|distance|unit`, without the last or the last two.
fn near(value: &str) -> Result<Test, Problem> {
    let parts = split(value, b'|');
    let (latitude, longitude, distance, unit) = match parts.as_slice() {
        [latitude, longitude] => (latitude, longitude, "", ""),
        [latitude, longitude, distance] => (latitude, longitude, *distance, ""),
        [latitude, longitude, distance, unit] => (latitude, longitude, *distance, *unit),
        _ => return Err(EXPECTED),
    };
    let metres = if distance.is_empty() { Some(METRES) } else { metres(distance, unit) };
    circle(latitude, longitude, metres).ok_or(EXPECTED)
}

/// `latitude:longitude`, and the value of `near-distance`.
fn near_stu3(value: &str, distance: Option<&str>) -> Result<Test, Problem> {
    let (latitude, longitude) = value.split_once(':').ok_or(EXPECTED_STU3)?;
    circle(latitude, longitude, Some(distance.map_or(Ok(METRES), near_distance)?)).ok_or(EXPECTED_STU3)
}

/// The metres of `near-distance`: a quantity, perhaps with the prefix for what is not more.
fn near_distance(value: &str) -> Result<f64, Problem> {
    let value = ["le", "eq", "ap"].iter().find_map(|prefix| value.strip_prefix(prefix)).unwrap_or(value);
    let found = match split(value, b'|').as_slice() {
        [number] => metres(number, ""),
        [number, _, unit] => metres(number, unit),
        _ => None,
    };
    found.ok_or(DISTANCE)
}

fn circle(latitude: &str, longitude: &str, metres: Option<f64>) -> Option<Test> {
    let centre = Position::new(number(latitude)?, number(longitude)?)?;
    Some(Test::Near(Circle { centre, metres: Number::new(metres?)? }))
}

fn metres(distance: &str, unit: &str) -> Option<f64> {
    let unit = match unit {
        "" | "km" => KILOMETRE,
        "m" => 1.0,
        "[mi_i]" | "mi" => 1609.344,
        "[nmi_i]" => 1852.0,
        "[yd_i]" => 0.9144,
        "[ft_i]" => 0.3048,
        _ => return None,
    };
    Some(number(distance)? * unit).filter(|metres| *metres >= 0.0)
}

fn number(text: &str) -> Option<f64> {
    let digits: fhir_model::json::Number = text.strip_prefix('+').unwrap_or(text).parse().ok()?;
    Some(digits.to_f64()).filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(test: &Result<Test, Problem>) -> Option<(f64, f64, f64)> {
        let Ok(Test::Near(Circle { centre, metres })) = test else { return None };
        Some((centre.latitude().get(), centre.longitude().get(), metres.get()))
    }

    #[test]
    fn places_and_distances() {
        for (value, expected) in [
            ("53.8|-1.5", Some((53.8, -1.5, 10_000.0))),
            ("53.8|-1.5||mi", Some((53.8, -1.5, 10_000.0))),
            ("53.8|-1.5|2", Some((53.8, -1.5, 2000.0))),
            ("53.8|-1.5|2|m", Some((53.8, -1.5, 2.0))),
            ("-90|180|1|[mi_i]", Some((-90.0, 180.0, 1609.344))),
            ("53.8", None),
            ("53.8|-1.5|2|light-years", None),
            ("53.8|-1.5|-2", None),
            ("53.8|-1.5|x", None),
            ("91|0|1", None),
            ("0|181|1", None),
            ("|0|1", None),
            ("1|2|3|km|5", None),
            ("0|0|1e999", None),
        ] {
            assert_eq!(shown(&near(value)), expected, "{value}");
        }
        for (value, distance, expected) in [
            ("53.8:-1.5", None, Some((53.8, -1.5, 10_000.0))),
            ("53.8:-1.5", Some("2"), Some((53.8, -1.5, 2000.0))),
            ("53.8:-1.5", Some("le2|http://unitsofmeasure.org|m"), Some((53.8, -1.5, 2.0))),
            ("53.8:-1.5", Some("2||m"), Some((53.8, -1.5, 2.0))),
            ("53.8:-1.5", Some("gt2"), None),
            ("53.8:-1.5", Some("2|m"), None),
            ("53.8|-1.5", None, None),
        ] {
            assert_eq!(shown(&near_stu3(value, distance)), expected, "{value} {distance:?}");
        }
    }
}
