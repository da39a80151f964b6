//! The checks of a token: each with its published words, in the order of the reference
//! implementation. Of two faults the earlier one answers.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fhir_model::json::{Object, Value};
use fhir_model::object;
use rulebook::spine::jwt::{TokenRules, check};
use rulebook::spine::{Directory, JwtTexts, TimeCheck, TokenKeys};
use storage_api::Timestamp;

const USER: &str = "https://fhir.nhs.uk/Id/sds-role-profile-id|387429785309275";
const SYSTEM: &str = "https://fhir.nhs.uk/Id/accredited-system|200000000205";

fn claims() -> Object {
    object! {
        "iss": "https://client.example",
        "aud": "https://server.example",
        "iat": 1_527_264_590_i64,
        "exp": 1_527_264_890_i64,
        "sub": USER,
        "requesting_user": USER,
        "requesting_system": SYSTEM,
        "reason_for_request": "directcare",
        "scope": "user/Flag.read",
        "requesting_organization": "https://fhir.nhs.uk/Id/ods-organization-code|RXA",
    }
}

fn rules(texts: JwtTexts, times: TimeCheck) -> TokenRules<'static> {
    TokenRules {
        texts,
        times,
        keys: None,
        scopes: &["user/Flag.read"],
        scope_alone: false,
        reasons: &["directcare"],
        user_required: true,
        organization_required: true,
    }
}

fn token(claims: &Object) -> String {
    format!("Bearer e30.{}.", URL_SAFE_NO_PAD.encode(claims.to_bytes()))
}

/// The refusal of claims; nothing if they are good.
fn refusal(claims: &Object, rules: &TokenRules<'_>, now_s: i64) -> Option<String> {
    let now = Timestamp(now_s * 1_000_000);
    let checked = check(&token(claims), Some("200000000205"), rules, &Directory::demo(), now);
    checked.err().map(|failure| failure.to_string())
}

/// Faults of a token, earliest first: claim, what it is changed to, and how the refusal begins.
const FAULTS: [(&str, Option<&str>, &str); 14] = [
    ("iss", None, "The mandatory claim iss "),
    ("aud", None, "The mandatory claim aud "),
    ("iat", None, "The mandatory claim iat "),
    ("exp", None, "The mandatory claim exp "),
    ("sub", None, "The mandatory claim sub "),
    ("requesting_user", Some("somebody"), "requesting_user (somebody) and sub ("),
    ("requesting_system", None, "The mandatory claim requesting_system "),
    ("reason_for_request", None, "The mandatory claim reason_for_request "),
    ("scope", None, "The mandatory claim scope "),
    ("requesting_organization", None, "The mandatory claim requesting_organization "),
    ("requesting_system", Some("x"), "requesting_system (x) must be of the form "),
    ("reason_for_request", Some("x"), "reason_for_request (x) must be 'directcare'"),
    ("scope", Some("x"), "Required scopes not found in token (x)"),
    ("requesting_organization", Some("x"), "requesting_organisation (x) must be of the form "),
];

/// Where a claim stands in the order.
fn place(claim: &str) -> usize {
    FAULTS.iter().position(|(name, ..)| *name == claim).expect("a claim")
}

#[test]
fn of_two_faults_the_earlier_one_answers() {
    let rules = rules(JwtTexts::SpineCore, TimeCheck::Off);
    assert_eq!(refusal(&claims(), &rules, 0), None);
    for first in FAULTS {
        for second in FAULTS {
            if first.0 == second.0 && first != second {
                continue;
            }
            let mut broken = claims();
            for (claim, value, _) in [first, second] {
                match value {
                    Some(value) => drop(broken.insert(claim, value)),
                    None => drop(broken.remove(claim)),
                }
            }
            let expected = if place(first.0) <= place(second.0) { first.2 } else { second.2 };
            let refusal = refusal(&broken, &rules, 0).expect("a fault");
            assert!(refusal.starts_with(expected), "{first:?} {second:?}: {refusal}");
        }
    }
}

/// Without a person the system speaks for itself, and is the subject.
#[test]
fn a_system_alone_is_the_subject() {
    for (texts, words) in [
        (
            JwtTexts::SpineCore,
            format!("requesting_system ({SYSTEM}) and sub (somebody) claim's values must match"),
        ),
        (JwtTexts::Nrl230, "requesting_system and sub claim's values must match".to_owned()),
    ] {
        let rules = TokenRules { user_required: false, ..rules(texts, TimeCheck::Off) };
        let mut alone = claims();
        alone.remove("requesting_user");
        alone.insert("sub", "somebody");
        assert_eq!(refusal(&alone, &rules, 0), Some(words));
        alone.insert("sub", SYSTEM);
        assert_eq!(refusal(&alone, &rules, 0), None);
    }
}

#[test]
fn times_are_compared_where_they_are_checked() {
    let strict = rules(JwtTexts::SpineCore, TimeCheck::Strict);
    let (issued, expires) = (1_527_264_590, 1_527_264_890);
    for (now_s, good) in [
        (issued, true),
        (expires, true),
        (issued - 60, true),
        (expires + 60, true),
        (issued - 61, false),
        (expires + 61, false),
    ] {
        assert_eq!(refusal(&claims(), &strict, now_s).is_none(), good, "{now_s}");
    }
    let mut long = claims();
    long.insert("exp", expires + 1);
    assert!(refusal(&long, &strict, issued).is_some());
    assert_eq!(refusal(&long, &rules(JwtTexts::SpineCore, TimeCheck::Off), issued), None);
}

/// A token that begins later is not good yet, where times are compared.
#[test]
fn a_beginning_counts_where_it_is_sent() {
    let strict = rules(JwtTexts::SpineCore, TimeCheck::Strict);
    let issued = 1_527_264_590;
    for (begins, now_s, good) in [
        (Value::from(issued), issued, true),
        (Value::from(issued + 100), issued, false),
        (Value::from(issued + 100), issued + 40, true),
        (Value::from("soon"), issued, false),
    ] {
        let mut claims = claims();
        claims.insert("nbf", begins);
        assert_eq!(refusal(&claims, &strict, now_s).is_none(), good, "{now_s}");
        assert_eq!(refusal(&claims, &rules(JwtTexts::SpineCore, TimeCheck::Off), now_s), None);
    }
}

/// Times at the ends of what a number can be are compared like any others.
#[test]
fn absurd_times_are_refused() {
    let strict = rules(JwtTexts::SpineCore, TimeCheck::Strict);
    for (issued, expires) in
        [(i64::MIN, i64::MAX), (i64::MAX, i64::MIN), (0, i64::MAX), (i64::MIN, 1_527_264_890)]
    {
        let mut odd = claims();
        odd.insert("iat", issued);
        odd.insert("exp", expires);
        assert!(refusal(&odd, &strict, 1_527_264_590).is_some(), "{issued} {expires}");
    }
    for time in ["1.5e9", "9223372036854775808", "0x10", "", " "] {
        let mut odd = claims();
        odd.insert("exp", time);
        assert!(refusal(&odd, &strict, 1_527_264_590).is_some(), "{time}");
    }
}

/// Of two claims of one name nobody can tell which one counts.
#[test]
fn a_claim_that_is_there_twice_is_refused() {
    let rules = rules(JwtTexts::SpineCore, TimeCheck::Off);
    let text = String::from_utf8(claims().to_bytes()).expect("text");
    let twice = text.replacen('{', "{\"scope\":\"user/Consent.write\",", 1);
    let token = format!("Bearer e30.{}.", URL_SAFE_NO_PAD.encode(twice));
    let refused = check(&token, None, &rules, &Directory::demo(), Timestamp(0)).unwrap_err();
    assert_eq!(refused.to_string(), "The Authorisation header must be supplied as a valid JWT.");
    let long = format!("Bearer e30.{}.", URL_SAFE_NO_PAD.encode(format!("{text}{}", " ".repeat(20_000))));
    assert!(check(&long, None, &rules, &Directory::demo(), Timestamp(0)).is_err());
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep =
        format!("Bearer e30.{}.", URL_SAFE_NO_PAD.encode(text.replacen('{', &format!("{{\"x\":{deep},"), 1)));
    assert!(check(&deep, None, &rules, &Directory::demo(), Timestamp(0)).is_err());
}

/// Whatever stands in the header field is answered, and never with a panic.
#[test]
fn nonsense_is_refused() {
    let rules = rules(JwtTexts::SpineCore, TimeCheck::Off);
    for field in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer a",
        "a.b",
        "..",
        "a.b.c.d",
        "Bearer \u{fffd}.\u{fffd}.",
        "x.W10.",
        "x.bnVsbA.",
    ] {
        let refused = check(field, None, &rules, &Directory::demo(), Timestamp(0)).unwrap_err();
        assert!(!refused.to_string().is_empty(), "{field}");
    }
    let mut odd = claims();
    odd.insert("scope", Value::from(7_i64));
    assert!(refusal(&odd, &rules, 0).expect("refused").starts_with("The mandatory claim scope "));
}

/// Where keys are configured a token must be signed by one of them, with an algorithm of that key.
#[test]
fn signatures_are_verified_where_keys_are_known() {
    let [own, other] = [0, 1].map(|_| rcgen::KeyPair::generate().expect("a key"));
    let mut keys = TokenKeys::default();
    keys.add_pem(own.public_key_pem().as_bytes()).expect("a public key");
    assert!(keys.add_pem(b"no key").is_err());
    let rules = TokenRules { keys: Some(&keys), ..rules(JwtTexts::SpineCore, TimeCheck::Off) };
    let body = URL_SAFE_NO_PAD.encode(claims().to_bytes());
    let sign = |key: &rcgen::KeyPair| {
        let key = jsonwebtoken::EncodingKey::from_ec_pem(key.serialize_pem().as_bytes()).expect("a key");
        let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","typ":"JWT"}"#);
        let message = format!("{head}.{body}");
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, jsonwebtoken::Algorithm::ES256);
        format!("{message}.{}", signature.expect("signed"))
    };
    let refusal = |token: &str| {
        let checked = check(token, None, &rules, &Directory::demo(), Timestamp(0));
        checked.err().map(|failure| failure.to_string())
    };
    let good = sign(&own);
    assert_eq!(refusal(&good), None);
    let changed = good.replacen(&body[..8], "eyJpc3Mi0", 1);
    let unsigned = format!("{}.{body}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#));
    for bad in [sign(&other), changed, unsigned, format!("{good}x")] {
        let why = refusal(&bad).expect("refused");
        assert!(why.contains("is not signed"), "{why}");
    }
}

/// A token says nothing of how it is to be verified that could make it good: neither the algorithm, nor a key that it
/// brings along, nor one that it points to.
#[test]
fn a_token_does_not_choose_how_it_is_verified() {
    let [own, other] = [0, 1].map(|_| rcgen::KeyPair::generate().expect("a key"));
    let mut keys = TokenKeys::default();
    keys.add_pem(own.public_key_pem().as_bytes()).expect("a public key");
    let body = URL_SAFE_NO_PAD.encode(claims().to_bytes());
    let message = |header: &str| format!("{}.{body}", URL_SAFE_NO_PAD.encode(header));
    let sign = |header: &str, key: &rcgen::KeyPair| {
        let key = jsonwebtoken::EncodingKey::from_ec_pem(key.serialize_pem().as_bytes()).expect("a key");
        let message = message(header);
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, jsonwebtoken::Algorithm::ES256);
        format!("{message}.{}", signature.expect("signed"))
    };
    // What is said besides does not matter.
    for header in [r#"{"alg":"ES256"}"#, r#"{"typ":"JWT","alg":"ES256","kid":"../../key"}"#] {
        assert!(keys.signed(&sign(header, &own)), "{header}");
        assert!(!keys.signed(&sign(header, &other)), "{header}");
    }
    // The public key as the secret of a symmetric algorithm.
    let pem = own.public_key_pem();
    for secret in [pem.as_bytes(), own.public_key_raw()] {
        let secret = jsonwebtoken::EncodingKey::from_secret(secret);
        let message = message(r#"{"alg":"HS256","typ":"JWT"}"#);
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &secret, jsonwebtoken::Algorithm::HS256);
        assert!(!keys.signed(&format!("{message}.{}", signature.expect("signed"))));
    }
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"NONE"}"#,
        r#"{"alg":""}"#,
        r#"{"alg":"ES384"}"#,
        r#"{"alg":"RS256"}"#,
        r#"{"alg":"EdDSA"}"#,
        r#"{"typ":"JWT"}"#,
        r#"{"alg":"none","alg":"ES256"}"#,
        r#"{"alg":"ES256","alg":"none"}"#,
        r#"{"alg":"ES256","crit":["b64"],"b64":false}"#,
        r#"{"alg":"ES256","crit":[]}"#,
        "[]",
        "",
    ] {
        assert!(!keys.signed(&sign(header, &own)), "{header}");
        assert!(!keys.signed(&format!("{}.", message(header))), "{header}");
    }
    // A signature of the same claims under another header.
    let good = sign(r#"{"alg":"ES256"}"#, &own);
    let signature = good.rsplit('.').next().unwrap_or_default();
    assert!(!keys.signed(&format!("{}.{signature}", message(r#"{"alg":"ES256","typ":"JWT"}"#))));
    assert!(!keys.signed(&format!("{good}=")));
    assert!(!TokenKeys::default().signed(&good), "without a key nothing is signed");
}

/// A file that would be read as a key that verifies nothing is refused when the server starts.
#[test]
fn only_one_public_key_is_a_key() {
    let key = rcgen::KeyPair::generate().expect("a key");
    let (public, private) = (key.public_key_pem(), key.serialize_pem());
    let parameters = rcgen::CertificateParams::new(vec!["spine.example".to_owned()]).expect("parameters");
    let certificate = parameters.self_signed(&key).expect("a certificate").pem();
    for (what, text) in [
        ("a private key", private.clone()),
        ("a certificate", certificate),
        ("two keys", format!("{public}{public}")),
        ("a private key behind the public one", format!("{public}{private}")),
        ("half a key", public.chars().take(60).collect()),
        ("nothing", String::new()),
    ] {
        assert!(TokenKeys::default().add_pem(text.as_bytes()).is_err(), "{what}");
    }
    assert!(TokenKeys::default().add_pem(&[0xff, 0xfe]).is_err());
    assert!(TokenKeys::default().add_pem(format!("a comment\n{public}").as_bytes()).is_ok());
}
