//! Referential integrity as a mount's policy, between racing clients.

use std::fs;
use std::sync::Barrier;

use crate::process::{Server, request};

fn flag(id: &str, target: &str) -> String {
    format!(
        r#"{{"resourceType":"Flag","id":"{id}","status":"active","code":{{"text":"x"}},"subject":{{"reference":"{target}"}}}}"#
    )
}

#[test]
fn no_race_leaves_a_reference_to_nothing() {
    const ROUNDS: usize = 30;
    const REFERRING: usize = 3;
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("firelock.toml");
    let mount = "[[mount]]\npath = \"/R4\"\nfhir = \"R4\"\nreferential_integrity = \"check\"\n";
    fs::write(&config, mount).unwrap();
    let data = folder.path().join("data");
    for store in ["sqlite", "memory"] {
        let server = Server::start_with(&data, &["--config", config.to_str().unwrap(), "--store", store]);
        let (mut referred, mut removed) = (0, 0);
        for round in 0..ROUNDS {
            let patient = format!("/R4/Patient/p{round}");
            let body = format!(r#"{{"resourceType":"Patient","id":"p{round}"}}"#);
            assert_eq!(server.put(&patient, &body).status, 201);
            let barrier = Barrier::new(REFERRING + 1);
            let refer = |n: usize| {
                barrier.wait();
                let id = format!("f{round}-{n}");
                server.put(&format!("/R4/Flag/{id}"), &flag(&id, &format!("Patient/p{round}"))).status
            };
            let remove = || {
                barrier.wait();
                request(&server.address, "DELETE", &patient, "", "").status
            };
            let (created, deleted) = std::thread::scope(|scope| {
                let refer = &refer;
                let racers: Vec<_> = (0..REFERRING).map(|n| scope.spawn(move || refer(n))).collect();
                let deletion = scope.spawn(remove);
                let created: Vec<u16> = racers.into_iter().map(|racer| racer.join().unwrap()).collect();
                (created, deletion.join().unwrap())
            });
            assert!(created.iter().all(|status| matches!(status, 201 | 422)), "{created:?}");
            match deleted {
                204 => {
                    removed += 1;
                    assert!(created.iter().all(|status| *status == 422), "{created:?}, and it was deleted");
                }
                409 => {
                    referred += 1;
                    assert!(created.contains(&201), "nobody refers, and it was not deleted");
                    let again = request(&server.address, "DELETE", &patient, "", "");
                    assert_eq!(again.status, 409);
                    assert!(again.body.contains(&format!("Flag/f{round}-")), "{}", again.body);
                }
                other => panic!("a deletion ended with {other}"),
            }
        }
        assert_eq!(referred + removed, ROUNDS, "{store}");
        server.stop();
    }
}
