use super::*;
use crate::json::{Limits, parse};
use crate::{StoredBody, object};

const AT: Instant = Instant::from_micros(1_000_000);

#[track_caller]
fn check(bundle: BundleWriter, expected: &str) {
    let printed = bundle.finish();
    assert_eq!(String::from_utf8_lossy(&printed), expected.replace('\n', ""));
    let tree = parse(&printed, &Limits::default()).unwrap();
    assert_eq!(tree.to_bytes(), printed, "it is compact JSON");
}

#[test]
fn an_empty_bundle_has_no_entry_member() {
    check(
        BundleWriter::start(Vec::new(), &BundleHead::new(BundleType::TransactionResponse)),
        r#"{"resourceType":"Bundle","type":"transaction-response"}"#,
    );
}

#[test]
fn a_history_page_has_every_element_in_order() {
    let flag = object! { "resourceType": "Flag", "id": "1", "status": "active" };
    let stored = StoredBody::from_tree(&flag).unwrap();
    let links = [Link { relation: "self", url: "u?a=\"1\"" }, Link { relation: "next", url: "v" }];
    let head = BundleHead {
        id: Some("b"),
        last_updated: Some(AT),
        total: Some(u64::MAX),
        links: &links,
        ..BundleHead::new(BundleType::History)
    };
    let mut bundle = BundleWriter::start(Vec::new(), &head);
    let body =
        Content::Stored { body: &stored.bytes, splice: stored.splice, version_id: "2", last_updated: AT };
    let updated = Entry {
        full_url: Some("https://a.org/Flag/1"),
        resource: Some(body),
        request: Some(EntryRequest { method: "PUT", url: "Flag/1", ..EntryRequest::default() }),
        response: Some(EntryResponse {
            status: "200",
            location: Some("Flag/1/_history/2"),
            etag: Some("W/\"2\""),
            last_modified: Some(AT),
            outcome: None,
        }),
        search: None,
    };
    bundle.entry(&updated).unwrap();
    let deleted = EntryRequest { method: "DELETE", url: "Flag/1", ..EntryRequest::default() };
    bundle.entry(&Entry { request: Some(deleted), ..Entry::default() }).unwrap();
    assert_eq!(bundle.entries(), 2);
    check(
        bundle,
        r#"{"resourceType":"Bundle","id":"b","meta":{"lastUpdated":"1970-01-01T00:00:01.000Z"},"type":"history",
"total":18446744073709551615,"link":[{"relation":"self","url":"u?a=\"1\""},{"relation":"next","url":"v"}],
"entry":[{"fullUrl":"https://a.org/Flag/1","resource":{"resourceType":"Flag","id":"1",
"meta":{"versionId":"2","lastUpdated":"1970-01-01T00:00:01.000Z"},"status":"active"},
"request":{"method":"PUT","url":"Flag/1"},
"response":{"status":"200","location":"Flag/1/_history/2","etag":"W/\"2\"","lastModified":"1970-01-01T00:00:01.000Z"}},
{"request":{"method":"DELETE","url":"Flag/1"}}]}"#,
    );
}

#[test]
fn a_searchset_and_a_transaction_use_the_other_elements() {
    let mut bundle = BundleWriter::start(b"".to_vec(), &BundleHead::new(BundleType::Searchset));
    let flag = object! { "resourceType": "Flag" };
    let found =
        Entry { resource: Some(Content::Tree(&flag)), search: Some(SearchMode::Match), ..Entry::default() };
    bundle.entry(&found).unwrap();
    let request = EntryRequest {
        method: "POST",
        url: "Flag",
        if_none_match: Some("W/\"1\""),
        if_modified_since: Some(AT),
        if_match: Some("W/\"2\""),
        if_none_exist: Some("identifier=1"),
    };
    let outcome = Content::Printed(br#"{"resourceType":"OperationOutcome"}"#);
    let response = EntryResponse { status: "404", outcome: Some(outcome), ..EntryResponse::default() };
    bundle.entry(&Entry { request: Some(request), response: Some(response), ..Entry::default() }).unwrap();
    check(
        bundle,
        r#"{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"resourceType":"Flag"},"search":{"mode":"match"}},
{"request":{"method":"POST","url":"Flag","ifNoneMatch":"W/\"1\"","ifModifiedSince":"1970-01-01T00:00:01.000Z",
"ifMatch":"W/\"2\"","ifNoneExist":"identifier=1"},
"response":{"status":"404","outcome":{"resourceType":"OperationOutcome"}}}]}"#,
    );
}

#[test]
fn a_damaged_body_leaves_the_bundle_as_it_was() {
    let mut bundle = BundleWriter::start(Vec::new(), &BundleHead::new(BundleType::History));
    let damaged =
        Content::Stored { body: b"{}", splice: Splice::Meta { at: 9 }, version_id: "1", last_updated: AT };
    let entry = Entry { full_url: Some("u"), resource: Some(damaged), ..Entry::default() };
    assert_eq!(bundle.entry(&entry), Err(SpliceError::NoPlace { at: 9 }));
    let sound = Entry { full_url: Some("v"), ..Entry::default() };
    bundle.entry(&sound).unwrap();
    assert_eq!(bundle.entry(&entry), Err(SpliceError::NoPlace { at: 9 }));
    assert_eq!(bundle.entries(), 1);
    check(bundle, r#"{"resourceType":"Bundle","type":"history","entry":[{"fullUrl":"v"}]}"#);
}

#[test]
fn codes_are_read_as_they_are_printed() {
    for &bundle_type in BundleType::ALL {
        assert_eq!(bundle_type.code().parse(), Ok(bundle_type));
    }
    for &mode in SearchMode::ALL {
        assert_eq!(mode.code().parse(), Ok(mode));
    }
}
