//! Methods, paths and query strings.

use super::chance::Chance;

/// Where the server answers by default.
const MOUNTS: [&str; 8] = ["/R4", "/R4", "/STU3", "/R4B", "/R5", "/spine/STU3", "/flags/STU3", "/nrl/STU3"];

/// Types that every version has.
const TYPES: [&str; 7] = ["Patient", "Observation", "Flag", "Basic", "Binary", "Bundle", "DocumentReference"];

/// Types that only some versions have, or none.
const ODD_TYPES: [&str; 5] = ["Sequence", "SubscriptionStatus", "Unknown", "patient", "Resource"];

/// Few, so that requests meet what others made.
const IDS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "0", "A-b.9"];

/// Ids that nothing has or can have.
const ODD_IDS: [&str; 6] = [
    "never",
    "a_b",
    "caf%C3%A9",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "%00",
];

const VERSIONS: [&str; 16] = [
    "1",
    "1",
    "2",
    "3",
    "4",
    "9",
    "17",
    "0",
    "-1",
    "01",
    "1.0",
    "18446744073709551615",
    "18446744073709551616",
    "25777f7d-27bc",
    "%F0%9F%94%A5",
    "W%2F%221%22",
];

/// What a request is about.
pub(crate) struct Target {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    /// The type and the id that a body for this target should have.
    pub(crate) kind: &'static str,
    pub(crate) id: &'static str,
}

/// A method and a target, most often such as belong together.
pub(crate) fn target(chance: &mut Chance) -> Target {
    let mount = if chance.percent(98) { chance.one_of(&MOUNTS) } else { "/R6" };
    let kind = if chance.percent(93) { chance.one_of(&TYPES) } else { chance.one_of(&ODD_TYPES) };
    let id = if chance.percent(93) { chance.one_of(&IDS) } else { chance.one_of(&ODD_IDS) };
    let (methods, mut path): (&[&str], String) = match chance.below(100) {
        0..42 => (&["PUT", "PUT", "PUT", "GET", "GET", "HEAD", "DELETE"], format!("{mount}/{kind}/{id}")),
        42..44 => (&["GET"], format!("{mount}/{kind}/{id}/$diff")),
        44..46 => (&["PATCH"], format!("{mount}/{kind}")),
        46..57 => (&["POST"], format!("{mount}/{kind}")),
        57..61 => (&["GET"], format!("{mount}/{kind}/{id}/_history")),
        61..67 => (&["GET", "HEAD"], format!("{mount}/{kind}/{id}/_history/{}", chance.one_of(&VERSIONS))),
        67..71 => (&["POST"], format!("{mount}/{kind}/$validate")),
        71..75 => (&["POST"], format!("{mount}/{kind}/{id}/$validate")),
        75..77 => (&["GET"], format!("{mount}/{kind}/_history")),
        77..79 => (&["GET"], format!("{mount}/_history")),
        79..81 => (&["GET"], format!("{mount}/metadata")),
        81..84 => (&["OPTIONS", "POST", "GET"], mount.to_owned()),
        84..86 => (&["GET"], chance.one_of(&["/healthz", "/readyz", "/metrics"]).to_owned()),
        86..88 => (&["POST", "GET"], format!("{mount}/{kind}/_search")),
        88..95 => (&["PATCH"], format!("{mount}/{kind}/{id}")),
        _ => (&["GET", "POST", "PUT"], odd_path(chance, mount)),
    };
    if chance.percent(5) {
        bend(chance, &mut path);
    }
    if chance.percent(25) {
        path.push('?');
        path.push_str(&query(chance));
    }
    let method = if chance.percent(88) { chance.one_of(methods) } else { any_method(chance) };
    Target { method, path, kind, id }
}

/// A method, known or not; all are tokens (RFC 9110 9.1). CONNECT is missing: its target is no path.
fn any_method(chance: &mut Chance) -> &'static str {
    chance.one_of(&[
        "GET",
        "HEAD",
        "PUT",
        "POST",
        "DELETE",
        "PATCH",
        "OPTIONS",
        "TRACE",
        "get",
        "BREW",
        "M-SEARCH",
        "!#$%&'*+-.^_`|~",
    ])
}

fn odd_path(chance: &mut Chance, mount: &str) -> String {
    const PIECES: [&str; 22] = [
        "/",
        "//",
        "/.",
        "/..",
        "/%2e%2e",
        "/_history",
        "/$validate",
        "/$everything",
        "/metadata",
        "/Patient",
        "/a",
        "/%",
        "/%zz",
        "/%ff",
        "/%C3",
        "/;x=y",
        "/:",
        "/@",
        "/_search",
        "/Patient/",
        "/%2F",
        "/*",
    ];
    let mut path = if chance.percent(70) { mount.to_owned() } else { "/".to_owned() };
    for _ in 0..=chance.below(6) {
        path.push_str(chance.one_of(&PIECES));
    }
    path
}

/// Changes a path and leaves it one that a request line can carry.
fn bend(chance: &mut Chance, path: &mut String) {
    match chance.below(5) {
        0 => path.push('/'),
        1 => path.push_str(&"x".repeat(chance.below(10_000))),
        2 => path.push_str(&"/a".repeat(chance.below(200))),
        3 => {
            let at = 1 + chance.below(path.len());
            if path.is_char_boundary(at) {
                path.insert_str(at, &format!("%{:02X}", chance.below(256)));
            }
        }
        _ => {
            let at = path.len() - chance.below(path.len());
            path.truncate(at.max(1));
        }
    }
}

fn query(chance: &mut Chance) -> String {
    const NAMES: [&str; 24] = [
        "_text",
        "_content",
        "_content",
        "_format",
        "_format",
        "_pretty",
        "_summary",
        "_elements",
        "_count",
        "_count",
        "_since",
        "_at",
        "_sort",
        "_page",
        "mode",
        "profile",
        "fromVersion",
        "toVersion",
        "_id",
        "unknown",
        "",
        "%5Fcount",
        "%ff",
        "a%00b",
    ];
    const VALUES: [&str; 43] = [
        "%28one%20or%20two%29%20and%20not%20three",
        "%22one%20two%22*",
        "one*%2Ctwo",
        "not%20%28",
        "%27%29%20OR%20words%20MATCH%20%28%22",
        "json",
        "xml",
        "application/fhir+json",
        "application/fhir%2Bxml",
        "html",
        "true",
        "false",
        "text",
        "data",
        "count",
        "0",
        "1",
        "2",
        "3",
        "-1",
        "99999999999999999999",
        "1e3",
        "2020-01-01",
        "2999",
        "2026-01-01T00:00:00Z",
        "2018-05-25T16:09:50.123%2B01:00",
        "0000-00-00",
        "9999-12-31T23:59:60Z",
        "10000",
        "ge2020",
        "name,id",
        "Patient.name",
        ",,,",
        "name.given",
        "create",
        "update",
        "full",
        "terminology",
        "-_lastUpdated",
        "",
        "%",
        "%C3%28",
        "1%2C2",
    ];
    let mut query = String::new();
    for number in 0..=chance.below(4) {
        if number > 0 {
            query.push(chance.one_of(&['&', '&', '&', ';']));
        }
        query.push_str(chance.one_of(&NAMES));
        if chance.percent(90) {
            query.push('=');
            query.push_str(chance.one_of(&VALUES));
        }
        if chance.percent(2) {
            query.push_str(&"y".repeat(chance.below(9_000)));
        }
    }
    query
}
