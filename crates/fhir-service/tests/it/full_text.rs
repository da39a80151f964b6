//! Full text search that is switched on and off: the index follows.

use fhir_service::FullText;

use crate::bench::{Bench, said};

const OFF: FullText = FullText::Off;
const ON: FullText = FullText::On;

fn basic(id: &str, words: &str) -> String {
    format!(r#"{{"resourceType":"Basic","id":"{id}","code":{{"text":"{words}"}}}}"#)
}

fn found(bench: &Bench, words: &str) -> (Vec<String>, String) {
    bench.search("Basic", &[("_content", words)])
}

#[test]
fn words_are_found_from_the_commit_on() {
    let bench = Bench::found_by_words(ON);
    assert_eq!(bench.put("Basic/a", &basic("a", "old words")).status, 201);
    assert_eq!(found(&bench, "old"), (vec!["a".to_owned()], String::new()));
    assert_eq!(bench.put("Basic/a", &basic("a", "new words")).status, 200);
    assert_eq!(found(&bench, "old"), (vec![], String::new()));
    assert_eq!(found(&bench, "\"new words\"").0, ["a"]);
    assert_eq!(bench.delete("Basic/a").status, 204);
    assert_eq!(found(&bench, "words").0, [""; 0]);
}

#[test]
fn a_change_of_the_setting_makes_a_generation() {
    let mut bench = Bench::found_by_words(OFF);
    for n in 0..70 {
        assert_eq!(bench.put(&format!("Basic/b{n}"), &basic(&format!("b{n}"), "some words")).status, 201);
    }
    let (all, said_of) = found(&bench, "words");
    assert!(all.len() == 70 && said_of.contains("full_text"), "passed over, and told: {said_of}");
    let generation = bench.service.index_progress().generation;

    bench.restart_found_by_words(ON);
    assert_eq!(bench.service.index_progress().generation, generation + 1);
    let (few, said_of) = found(&bench, "words");
    assert!(few.is_empty() && said_of.contains("resources may be missing"), "{said_of}");
    // What is written meanwhile is found at once, and other parameters are complete.
    assert_eq!(bench.put("Basic/b3", &basic("b3", "more words")).status, 200);
    assert_eq!(found(&bench, "more").0, ["b3"]);
    assert_eq!(bench.search("Basic", &[("_id", "b5")]), (vec!["b5".to_owned()], String::new()));
    bench.complete();
    let (found_now, said_of) = found(&bench, "some words");
    assert_eq!((found_now.len(), said_of.as_str()), (69, ""));

    // The same setting again begins nothing.
    bench.restart_found_by_words(ON);
    assert!(bench.service.index_progress().is_complete);
    assert_eq!(bench.service.index_progress().generation, generation + 1);

    // Without it the words go, and a later start with it has them all again.
    bench.restart_found_by_words(OFF);
    bench.complete();
    assert!(found(&bench, "words").1.contains("full_text"));
    assert_eq!(bench.put("Basic/b4", &basic("b4", "changed meanwhile")).status, 200);
    bench.restart_found_by_words(ON);
    bench.complete();
    assert_eq!(found(&bench, "meanwhile").0, ["b4"]);
    assert_eq!(found(&bench, "words").0.len(), 69);
}

#[test]
fn the_index_of_words_is_named_while_it_is_made() {
    let mut bench = Bench::found_by_words(OFF);
    assert_eq!(bench.put("Basic/b", &basic("b", "words")).status, 201);
    bench.restart_found_by_words(ON);
    let status = bench.ask(fhir_service::Operation::ReindexStatus);
    assert_eq!(status.status, 202);
    let told = said(&status);
    assert!(told.contains("_content") && !told.contains("Basic._content"), "one name for every type: {told}");
}
