//! `X-Retry-On-Version-Conflict`: how often a lost race is decided again.

use std::collections::BTreeMap;

use crate::client::{Request, Response};
use crate::harness::TestServer;
use crate::mounts::{FHIR_PATHS, parse, stale};

const RACERS: usize = 6;

const FIELD: &str = "X-Retry-On-Version-Conflict";

/// How a client sends its update.
#[derive(Clone, Copy, Debug)]
enum Form {
    Single,
    Transaction,
    Batch,
}

impl Form {
    const ALL: [Self; 3] = [Self::Single, Self::Transaction, Self::Batch];

    fn request(self, target: &str, status: &str, if_match: Option<&str>) -> Request {
        let (path, url) = target.split_at(target.rfind("/Flag/").expect("a Flag"));
        let (url, id) = (&url[1..], target.rsplit('/').next().expect("an id"));
        let flag = format!(r#"{{"resourceType":"Flag","id":"{id}","status":"{status}"}}"#);
        let bundle = |kind| {
            let condition = if_match.map(|tag| format!(r#","ifMatch":"{}""#, tag.replace('"', "\\\"")));
            let condition = condition.unwrap_or_default();
            let bundle = format!(
                r#"{{"resourceType":"Bundle","type":"{kind}","entry":[{{"resource":{flag},"request":{{"method":"PUT","url":"{url}"{condition}}}}}]}}"#
            );
            Request::post(path, bundle)
        };
        match (self, if_match) {
            (Self::Single, None) => Request::put(target, flag.clone()),
            (Self::Single, Some(tag)) => Request::put(target, flag.clone()).if_match(tag),
            (Self::Transaction, _) => bundle("transaction"),
            (Self::Batch, _) => bundle("batch"),
        }
    }

    /// The status of the update.
    fn status(self, response: &Response) -> u16 {
        match self {
            Self::Batch => {
                let status = response.text("entry.0.response.status");
                status.split(' ').next().and_then(|status| status.parse().ok()).expect("a status")
            }
            Self::Single | Self::Transaction => response.status,
        }
    }
}

/// Updates of one Flag that all saw its first version before any of them was committed, with how often each status came.
fn race(path: &str, settings: &str, form: Form, field: Option<&str>, names: bool) -> Vec<(u16, usize)> {
    let server = TestServer::gated(parse(&format!("{path} {} {settings}", &path[1..])), RACERS);
    let (target, etag) = server.flag(path);
    let request = |racer| {
        let request = form.request(&target, &format!("s{racer}"), names.then_some(etag.as_str()));
        match field {
            Some(value) => request.header(FIELD, value),
            None => request,
        }
    };
    let answers = server.race((0..RACERS).map(request).collect());
    let mut statuses = BTreeMap::new();
    for answer in &answers {
        *statuses.entry(form.status(answer)).or_insert(0) += 1;
        if answer.status == 409 && !names {
            assert_eq!(answer.header("retry-after"), Some("1"), "{path} {form:?}: {}", answer.body_text());
        }
    }
    statuses.into_iter().collect()
}

/// Where a client without precondition wants no second try, it hears of the race that it lost.
#[test]
fn a_client_may_want_fewer_tries() {
    for path in FHIR_PATHS {
        for form in Form::ALL {
            let all = vec![(200, RACERS)];
            assert_eq!(race(path, "", form, None, false), all, "{path} {form:?}");
            assert_eq!(race(path, "", form, Some("retry"), false), all, "{path} {form:?}");
            assert_eq!(race(path, "", form, Some("retry; max-retries=100"), false), all, "{path} {form:?}");
            let one = vec![(200, 1), (409, RACERS - 1)];
            assert_eq!(race(path, "", form, Some("retry; max-retries=0"), false), one, "{path} {form:?}");
        }
    }
}

/// The bound of the lock policy is the server's own.
#[test]
fn a_client_does_not_get_more_tries_than_the_policy_allows() {
    for form in Form::ALL {
        for field in [None, Some("retry"), Some("retry; max-retries=100")] {
            let one = vec![(200, 1), (409, RACERS - 1)];
            assert_eq!(race("/R4", "retries=0", form, field, false), one, "{form:?} {field:?}");
        }
    }
}

/// A version that the client named is the only one that it wants replaced, however often it would be tried again; and it
/// is told so, not that there was a race.
#[test]
fn a_precondition_is_never_retried_into_success() {
    for path in FHIR_PATHS {
        for form in Form::ALL {
            for field in [None, Some("retry; max-retries=0"), Some("retry; max-retries=100")] {
                let one = vec![(200, 1), (stale(path), RACERS - 1)];
                assert_eq!(race(path, "", form, field, true), one, "{path} {form:?} {field:?}");
            }
        }
    }
}
