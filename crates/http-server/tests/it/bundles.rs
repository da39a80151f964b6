//! Batches: each entry as if it had been sent alone.

use fhir_model::json::Value;

use crate::client::{Request, at, text_at};
use crate::harness::TestServer;

const FLAG: &str = r#"{"resourceType":"Flag","id":"a","status":"active"}"#;
const OTHER: &str = r#"{"resourceType":"Flag","id":"a","status":"inactive"}"#;
const PATIENT: &str = r#"{"resourceType":"Patient","identifier":[{"system":"s","value":"1"}]}"#;

/// Method, URL below the base, a condition as header field and as element, body.
type Single = (&'static str, &'static str, Option<(&'static str, &'static str, &'static str)>, &'static str);

const REQUESTS: [Single; 16] = [
    ("PUT", "Flag/a", None, FLAG),
    ("PUT", "Flag/a", None, FLAG),
    ("PUT", "Flag/a", Some(("If-Match", "ifMatch", "W/\"7\"")), OTHER),
    ("PUT", "Flag/a", Some(("If-None-Match", "ifNoneMatch", "*")), OTHER),
    ("PUT", "Flag/a", Some(("If-Match", "ifMatch", "1")), OTHER),
    ("PUT", "Flag/a", Some(("If-Match", "ifMatch", "W/\"1\"")), OTHER),
    ("GET", "Flag/a", Some(("If-None-Match", "ifNoneMatch", "W/\"2\"")), ""),
    ("GET", "Flag/a/_history/1", None, ""),
    ("PUT", "Flag/b", None, FLAG),
    ("POST", "Patient", Some(("If-None-Exist", "ifNoneExist", "identifier=s|1")), PATIENT),
    ("POST", "Patient", Some(("If-None-Exist", "ifNoneExist", "identifier=s|1")), PATIENT),
    ("POST", "Patient", None, FLAG),
    ("DELETE", "Patient?identifier=s|1", None, ""),
    ("DELETE", "Flag/a", Some(("If-Match", "ifMatch", "W/\"1\"")), ""),
    ("DELETE", "Flag/a", Some(("If-Match", "ifMatch", "W/\"2\"")), ""),
    ("GET", "Flag/a", None, ""),
];

/// Two servers draw the same ids and have the same time, so what they answer can be compared as it is.
#[test]
fn an_entry_is_answered_as_the_single_request() {
    for path in ["/STU3", "/R4"] {
        let (alone, bundled) = (TestServer::start(), TestServer::start());
        for (method, url, condition, body) in REQUESTS {
            let what = format!("{method} {path}/{url}");
            let mut request = Request::new(method, &format!("{path}/{url}")).header("X-Request-Id", "same");
            if let Some((field, _, value)) = condition {
                request = request.header(field, value);
            }
            if !body.is_empty() {
                request = request.header("Content-Type", "application/fhir+json").body(body);
            }
            let single = alone.send(&request);

            let condition = condition
                .map(|(_, element, value)| format!(r#","{element}":"{}""#, value.replace('"', "\\\"")));
            let condition = condition.unwrap_or_default();
            let resource = if body.is_empty() { String::new() } else { format!(r#""resource":{body},"#) };
            let bundle = format!(
                r#"{{"resourceType":"Bundle","type":"batch","entry":[{{{resource}"request":{{"method":"{method}","url":"{url}"{condition}}}}}]}}"#
            );
            let batch = bundled.send(&Request::post(path, bundle).header("X-Request-Id", "same"));
            assert_eq!(batch.status, 200, "{what}");
            let batch = batch.json();
            let response = |name: &str| text_at(&batch, &format!("entry.0.response.{name}"));

            let status = response("status").unwrap_or_default();
            assert_eq!(status.split(' ').next(), Some(single.status.to_string().as_str()), "{what}");
            for (field, element) in [("etag", "etag"), ("location", "location")] {
                assert_eq!(response(element).as_deref(), single.header(field), "{what}: {field}");
            }
            assert_eq!(
                response("lastModified").is_some(),
                single.header("last-modified").is_some(),
                "{what}"
            );
            let shown = at(&batch, "entry.0.resource").or_else(|| at(&batch, "entry.0.response.outcome"));
            let expected: Option<Value> = (!single.body_text().is_empty()).then(|| single.json());
            assert_eq!(shown, expected.as_ref(), "{what}");
        }
    }
}
