//! What is there after the process ended without closing.

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use pollster::block_on;
use storage_api::Store;
use storage_sqlite::{CheckDepth, OpenError, Options, SqliteStore, check};

use crate::{Steps, all, key, open, put};

const DIRECTORY: &str = "STORAGE_SQLITE_TEST_DIRECTORY";
const CLIENTS: usize = 4;

/// Writes until it is killed, and says what was acknowledged. Runs in a process of its own.
#[test]
#[ignore = "the other tests here start it"]
fn child() {
    let directory = std::env::var(DIRECTORY).unwrap();
    let store = open(Path::new(&directory), Options { body_inline_max: 1_500, ..Options::default() });
    println!("open");
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let store = &store;
            scope.spawn(move || {
                for number in 1_usize.. {
                    put(store, &key(&format!("{client}")), vec![b'x'; 100 * (number % 20)]);
                    // One write, so that lines of several clients do not mix.
                    let line = format!("acknowledged {client} {number}\n");
                    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
                }
            });
        }
    });
}

fn start_child(directory: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crashing::child", "--ignored", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.ends_with("open\n") {
        line.clear();
        assert_ne!(output.read_line(&mut line).unwrap(), 0, "the child ended early");
    }
    (child, output)
}

/// The newest number that each client was told of.
fn acknowledged(output: BufReader<ChildStdout>) -> [usize; CLIENTS] {
    let mut newest = [0; CLIENTS];
    // The last line may be cut.
    for line in output.lines().map_while(Result::ok) {
        let words: Vec<&str> = line.split(' ').collect();
        if let ["acknowledged", client, number] = words[..]
            && let (Ok(client), Ok(number)) = (client.parse::<usize>(), number.parse::<usize>())
        {
            newest[client] = newest[client].max(number);
        }
    }
    newest
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let mut before = [0; CLIENTS];
    for round in 0..5 {
        let (mut child, output) = start_child(directory.path());
        let reader = thread::spawn(move || acknowledged(output));
        thread::sleep(Duration::from_millis(60 + 40 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        let told = reader.join().unwrap();

        // Before anybody has opened it for writing again.
        let report = check(directory.path(), CheckDepth::Rows, &mut |_| ()).unwrap();
        assert_eq!(report.faults, [], "round {round}");
        let store = open(directory.path(), Options::default());
        let mut stored = [0; CLIENTS];
        for (client, stored) in stored.iter_mut().enumerate() {
            let number = block_on(store.read(&key(&format!("{client}")))).unwrap().current.number();
            *stored = usize::try_from(number.get()).unwrap();
        }
        assert!(told.iter().sum::<usize>() > 0, "round {round}: nothing was written");
        for client in 0..CLIENTS {
            let expected = before[client] + told[client];
            let stored = stored[client];
            assert!(
                stored == expected || stored == expected + 1,
                "round {round}: client {client} was told of {expected} versions and {stored} are there"
            );
        }
        before = stored;
        let versions = block_on(store.history(&all())).unwrap().versions;
        assert!(versions.windows(2).all(|pair| pair[0].seq < pair[1].seq && pair[0].at <= pair[1].at));
    }
}

#[test]
fn another_process_is_named_while_it_lives_and_forgotten_when_it_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let (mut child, output) = start_child(directory.path());
    let refused = SqliteStore::open(directory.path(), Options::default(), Steps::new()).err();
    let expected = OpenError::Locked { directory: directory.path().to_path_buf(), holder: Some(child.id()) };
    child.kill().unwrap();
    child.wait().unwrap();
    drop(output);
    assert_eq!(refused, Some(expected));
    put(&open(directory.path(), Options::default()), &key("new"), "1");
}
