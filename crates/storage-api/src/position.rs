//! Places on the earth and how far they are from each other.

use crate::Number;

/// The mean radius of the earth in metres (IUGG).
const RADIUS: f64 = 6_371_008.8;

/// Degrees that a box around a circle is wider, so that no rounding cuts the circle: about a centimetre.
const MARGIN: f64 = 1e-7;

/// A place on the earth (WGS 84).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    latitude: Number,
    longitude: Number,
}

impl Position {
    /// From degrees; `None` unless the latitude lies within -90 and 90 and the longitude within -180 and 180.
    pub fn new(latitude: f64, longitude: f64) -> Option<Self> {
        let is_on_earth = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
        let (latitude, longitude) = (Number::new(latitude)?, Number::new(longitude)?);
        is_on_earth.then_some(Self { latitude, longitude })
    }

    /// Degrees to the north.
    pub const fn latitude(self) -> Number {
        self.latitude
    }

    /// Degrees to the east.
    pub const fn longitude(self) -> Number {
        self.longitude
    }

    /// The length of the great circle between two places, in metres: the earth taken for a sphere, which is right to
    /// half a percent.
    pub fn metres_to(self, other: Self) -> f64 {
        let [from, to] = [self, other].map(|place| place.latitude.get().to_radians());
        let along = (other.longitude.get() - self.longitude.get()).to_radians();
        let [down, across] = [(to - from) / 2.0, along / 2.0].map(f64::sin);
        let haversine = down * down + from.cos() * to.cos() * across * across;
        2.0 * RADIUS * haversine.sqrt().min(1.0).asin()
    }
}

/// The places that lie no further from a centre than so many metres.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Circle {
    /// The centre.
    pub centre: Position,
    /// How far.
    pub metres: Number,
}

impl Circle {
    /// Whether a place lies in it.
    pub fn contains(&self, place: Position) -> bool {
        self.centre.metres_to(place) <= self.metres.get()
    }

    /// Latitudes, and longitudes in one range or two, between which all its places lie.
    pub fn bounds(&self) -> ([f64; 2], Vec<[f64; 2]>) {
        let (latitude, longitude) = (self.centre.latitude.get(), self.centre.longitude.get());
        let angle = (self.metres.get() / RADIUS).clamp(0.0, core::f64::consts::PI);
        let [south, north] = [latitude - angle.to_degrees() - MARGIN, latitude + angle.to_degrees() + MARGIN];
        let latitudes = [south.max(-90.0), north.min(90.0)];
        if south <= -90.0 || north >= 90.0 {
            // A pole lies in it, and around it every longitude.
            return (latitudes, vec![[-180.0, 180.0]]);
        }
        let width = (angle.sin() / latitude.to_radians().cos()).min(1.0).asin().to_degrees();
        // Near a pole a centimetre is more degrees.
        let width = width + MARGIN / latitude.to_radians().cos();
        let [west, east] = [longitude - width, longitude + width];
        let longitudes = if width >= 180.0 {
            vec![[-180.0, 180.0]]
        } else if west < -180.0 {
            vec![[-180.0, east], [west + 360.0, 180.0]]
        } else if east > 180.0 {
            vec![[-180.0, east - 360.0], [west, 180.0]]
        } else {
            vec![[west, east]]
        };
        (latitudes, longitudes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(latitude: f64, longitude: f64) -> Position {
        Position::new(latitude, longitude).unwrap()
    }

    #[test]
    fn distances_are_those_of_the_sphere() {
        let degree = RADIUS.to_radians();
        for (from, to, metres) in [
            (place(0.0, 0.0), place(0.0, 0.0), 0.0),
            (place(0.0, 0.0), place(1.0, 0.0), degree),
            (place(0.0, 179.5), place(0.0, -179.5), degree),
            (place(90.0, 0.0), place(90.0, 120.0), 0.0),
            (place(0.0, 0.0), place(0.0, 180.0), 180.0 * degree),
            // A sixtieth part of a degree along the parallel of 60 degrees is half of one along the equator.
            (place(60.0, 0.0), place(60.0, 1.0 / 60.0), degree / 120.0),
        ] {
            let found = from.metres_to(to);
            assert!((found - metres).abs() < 0.01, "{from:?} {to:?}: {found} instead of {metres}");
            assert!((found - to.metres_to(from)).abs() < 1e-6);
        }
    }

    #[test]
    fn places_are_on_the_earth() {
        for (latitude, longitude) in [(90.1, 0.0), (0.0, -180.1), (f64::NAN, 0.0), (0.0, f64::INFINITY)] {
            assert_eq!(Position::new(latitude, longitude), None);
        }
        assert!(Position::new(-90.0, 180.0).is_some());
    }

    fn places() -> impl Strategy<Value = Position> {
        let degree = |most: f64| prop_oneof![-most..=most, Just(most), Just(-most), Just(0.0), -1.0..1.0];
        (degree(90.0), degree(180.0)).prop_filter_map("on earth", |(lat, long)| Position::new(lat, long))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn all_of_a_circle_lies_within_its_bounds(
            centre in places(),
            other in places(),
            near in (-0.02..0.02, -0.02..0.02),
            metres in prop_oneof![0.0..5_000.0, 0.0..21_000_000.0],
            touches: bool,
        ) {
            let (lat, long) = (centre.latitude().get() + near.0, centre.longitude().get() + near.1);
            for place in [Some(other), Position::new(lat, long), Some(centre)].into_iter().flatten() {
                // A place on the edge lies in it.
                let metres = if touches { centre.metres_to(place) } else { metres };
                let circle = Circle { centre, metres: Number::new(metres).unwrap() };
                let ([south, north], longitudes) = circle.bounds();
                let (lat, long) = (place.latitude().get(), place.longitude().get());
                let within = south <= lat && lat <= north && longitudes.iter().any(|[w, e]| *w <= long && long <= *e);
                prop_assert!(within || !circle.contains(place), "{:?} {:?}", circle, place);
                prop_assert!(circle.contains(place) || !touches);
            }
        }
    }
}
