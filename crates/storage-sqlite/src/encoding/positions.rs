//! Positions as bytes: in bands of latitude, and in each by longitude, so that a circle is a few ranges.

use storage_api::{Circle, Number, Position, sort_number, sorted_number};

/// Bands in a degree of latitude: each is 28 kilometres wide.
const BANDS: f64 = 4.0;

/// A circle that touches more bands is one range.
const RANGES_MAX: u16 = 64;

/// What stands behind the tag of a position.
pub(super) fn encode(place: Position) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(18);
    bytes.extend(band(place.latitude().get()).to_be_bytes());
    bytes.extend(sort_number(place.longitude()));
    bytes.extend(sort_number(place.latitude()));
    bytes
}

/// The other way round.
pub(super) fn decode(bytes: &[u8]) -> Option<Position> {
    let (_, rest) = bytes.split_first_chunk::<2>()?;
    let (longitude, rest) = rest.split_first_chunk()?;
    let latitude = sorted_number(rest.try_into().ok()?)?;
    Position::new(latitude.get(), sorted_number(*longitude)?.get())
}

/// From where to where the positions of a circle lie, each end included, as what they begin with.
pub(super) fn ranges(circle: &Circle) -> Vec<(Vec<u8>, Vec<u8>)> {
    let ([south, north], longitudes) = circle.bounds();
    let (first, last) = (band(south), band(north));
    if last.saturating_sub(first) >= RANGES_MAX {
        return vec![(first.to_be_bytes().to_vec(), last.to_be_bytes().to_vec())];
    }
    let end = |band: u16, longitude: f64| {
        let longitude = Number::new(longitude).map(sort_number).unwrap_or_default();
        [&band.to_be_bytes()[..], &longitude[..]].concat()
    };
    let in_band = |band: u16| longitudes.iter().map(move |[west, east]| (end(band, *west), end(band, *east)));
    (first..=last).flat_map(in_band).collect()
}

/// The band that a latitude lies in.
fn band(latitude: f64) -> u16 {
    let raised = ((latitude + 90.0) * BANDS).floor().clamp(0.0, 180.0 * BANDS);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it lies within 0 and 720")]
    let band = raised as u16;
    band
}
