use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::folder::Tree;
use super::log::Event;
use super::model::{Disk, FailedSync};
use super::preload::Preload;
use super::survival::Survival;

const ROOT: u64 = 1;
const FILE: u64 = 2;

fn create(path: &str, inode: u64) -> Event {
    Event::Create { path: path.to_owned(), inode }
}

fn write(place: u64, bytes: &str) -> Event {
    Event::Write { inode: FILE, place, bytes: bytes.into() }
}

fn sync(inode: u64) -> [Event; 2] {
    [Event::SyncBegin { inode, sync: 1 }, Event::SyncDone { sync: 1 }]
}

fn disk(events: impl IntoIterator<Item = Event>, failed: FailedSync) -> Disk {
    let mut disk = Disk::empty(ROOT);
    disk.replay(events.into_iter().collect(), failed).unwrap();
    disk
}

fn tree(entries: &[(&str, Option<&str>)]) -> Tree {
    Tree(entries.iter().map(|(path, content)| ((*path).to_owned(), content.map(Into::into))).collect())
}

fn after(disk: &Disk, survival: Survival, seed: u64) -> Tree {
    disk.after_power_loss(survival, &mut StdRng::seed_from_u64(seed))
}

/// What is there when only what was synced is left.
fn check(events: impl IntoIterator<Item = Event>, expected: &[(&str, Option<&str>)]) {
    let disk = disk(events, FailedSync::Lost);
    assert_eq!(after(&disk, Survival::Synced, 0), tree(expected), "{disk:?}");
}

/// Every content that `f` can have.
fn contents(events: impl IntoIterator<Item = Event>, survival: Survival) -> BTreeSet<String> {
    let disk = disk(events, FailedSync::Lost);
    (0..3000)
        .filter_map(|seed| after(&disk, survival, seed).0.remove("f")?)
        .map(|content| String::from_utf8(content).unwrap().replace('\0', "."))
        .collect()
}

fn set(contents: &[&str]) -> BTreeSet<String> {
    contents.iter().map(|content| (*content).to_owned()).collect()
}

/// An empty file that is there for good.
fn empty_file() -> Vec<Event> {
    [vec![create("f", FILE)], sync(ROOT).into()].concat()
}

#[test]
fn content_needs_a_sync_of_its_file_and_a_name_one_of_its_folder() {
    let file = [create("f", FILE), write(0, "abc")];
    check(file.clone(), &[]);
    check(file.iter().cloned().chain(sync(FILE)), &[]);
    check(file.iter().cloned().chain(sync(ROOT)), &[("f", Some(""))]);
    check(file.iter().cloned().chain(sync(ROOT)).chain(sync(FILE)), &[("f", Some("abc"))]);
}

#[test]
fn a_sync_covers_what_was_there_when_it_began() {
    let begin = Event::SyncBegin { inode: FILE, sync: 7 };
    let events = [write(0, "abc"), begin, write(1, "X"), Event::SyncDone { sync: 7 }];
    check(empty_file().into_iter().chain(events.clone()), &[("f", Some("abc"))]);
    let without_end = empty_file().into_iter().chain(events.into_iter().take(3));
    check(without_end, &[("f", Some(""))]);
}

#[test]
fn writes_of_a_failed_sync_are_not_written_again() {
    let failed = [Event::SyncBegin { inode: FILE, sync: 7 }, Event::SyncFailed { sync: 7 }];
    let events: Vec<_> = empty_file()
        .into_iter()
        .chain([write(0, "abc")])
        .chain(failed)
        .chain([write(3, "d")])
        .chain(sync(FILE))
        .collect();
    check(events.clone(), &[("f", Some("\0\0\0d"))]);
    let arrived = disk(events.clone(), FailedSync::Done);
    assert_eq!(after(&arrived, Survival::Synced, 0), tree(&[("f", Some("abcd"))]));
    // Processes see it all the while.
    assert_eq!(disk(events, FailedSync::Lost).live(), tree(&[("f", Some("abcd"))]));
}

#[test]
fn names_wait_for_the_next_sync_when_one_fails() {
    let failed = [Event::SyncBegin { inode: ROOT, sync: 7 }, Event::SyncFailed { sync: 7 }];
    let events = [create("f", FILE)].into_iter().chain(failed);
    check(events.clone(), &[]);
    check(events.chain(sync(ROOT)), &[("f", Some(""))]);
}

#[test]
fn names_come_back_with_their_content() {
    let unlinked = Event::Unlink { path: "f".to_owned() };
    let renamed = Event::Rename { from: "f".to_owned(), to: "g".to_owned() };
    let file = || empty_file().into_iter().chain([write(0, "abc")]).chain(sync(FILE));
    check(file().chain([unlinked.clone()]), &[("f", Some("abc"))]);
    check(file().chain([unlinked.clone()]).chain(sync(ROOT)), &[]);
    check(file().chain([renamed.clone()]), &[("f", Some("abc"))]);
    check(file().chain([renamed]).chain(sync(ROOT)), &[("g", Some("abc"))]);
    // The number of a file that is gone goes to another.
    let again = [unlinked, create("f", FILE), write(0, "new")];
    check(file().chain(again.clone()), &[("f", Some("abc"))]);
    check(file().chain(again).chain(sync(ROOT)).chain(sync(FILE)), &[("f", Some("new"))]);
}

#[test]
fn a_folder_is_there_when_every_name_above_it_is() {
    let made = |path: &str, inode| Event::MakeFolder { path: path.to_owned(), inode };
    let events = || [made("a", 3), made("a/b", 4), create("a/b/f", FILE)].into_iter().chain(sync(4));
    check(events(), &[]);
    check(events().chain(sync(3)), &[]);
    check(events().chain(sync(ROOT)), &[("a", None)]);
    check(events().chain(sync(3)).chain(sync(ROOT)), &[("a", None), ("a/b", None), ("a/b/f", Some(""))]);
}

#[test]
fn any_set_of_unsynced_writes_may_be_left() {
    let events = empty_file().into_iter().chain([write(0, "a"), write(1, "b"), write(2, "c")]);
    let expected = set(&["", "a", ".b", "..c", "ab", "a.c", ".bc", "abc"]);
    assert_eq!(contents(events, Survival::Writes), expected);
}

#[test]
fn every_sector_may_be_left_as_it_was_at_a_moment_of_its_own() {
    let start = empty_file().into_iter().chain([write(0, "aabb")]).chain(sync(FILE));
    // The first two bytes change twice, the last two once, in one write that a tear may cut.
    let events = start.chain([write(0, "ccdd"), write(0, "e")]);
    let expected = set(&["aabb", "aadd", "ccbb", "ccdd", "ecbb", "ecdd"]);
    assert_eq!(contents(events.clone(), Survival::Sectors(2)), expected);
    assert_eq!(contents(events, Survival::Sectors(4)), set(&["aabb", "ccdd", "ecdd"]));
}

#[test]
fn sizes_have_moments_too() {
    let start = empty_file().into_iter().chain([write(0, "aabb")]).chain(sync(FILE));
    let events = start.chain([Event::Truncate { inode: FILE, size: 1 }, write(2, "cc")]);
    let found = contents(events, Survival::Sectors(2));
    // Not cut, cut, and cut and grown again; what grew without its content is empty.
    for expected in ["aabb", "a", "a.cc", "a...", "aacc", "a.bb"] {
        assert!(found.contains(expected), "{expected} is missing: {found:?}");
    }
    assert!(found.iter().all(|content| content.len() == 4 || content.len() == 1), "{found:?}");
}

#[test]
fn everything_is_what_processes_saw() {
    let disk = disk(empty_file().into_iter().chain([write(0, "abc"), write(1, "X")]), FailedSync::Lost);
    assert_eq!(after(&disk, Survival::Everything, 0), disk.live());
    assert_eq!(disk.live(), tree(&[("f", Some("aXc"))]));
    assert_eq!(disk.unsynced(), 2);
}

#[test]
fn a_change_that_was_not_recorded_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for (name, content) in [
        ("same", "abc"),
        ("longer", "abc"),
        ("shorter", "abc"),
        ("other", "abc"),
        ("gone", "abc"),
        ("old", "abc"),
    ] {
        fs::write(path(name), content).unwrap();
    }
    let mut disk = Disk::of(folder.path()).unwrap();
    assert_eq!(disk.missed(folder.path()).unwrap(), []);
    fs::write(path("longer"), "abcd").unwrap();
    fs::write(path("shorter"), "ab").unwrap();
    fs::write(path("other"), "aXc").unwrap();
    fs::write(path("new"), "abc").unwrap();
    fs::create_dir(path("folder")).unwrap();
    fs::remove_file(path("gone")).unwrap();
    fs::rename(path("old"), path("renamed")).unwrap();
    let missed = disk.missed(folder.path()).unwrap();
    assert_eq!(missed.len(), 8, "{missed:?}");
    disk.replay(missed, FailedSync::Lost).unwrap();
    assert_eq!(disk.missed(folder.path()).unwrap(), []);
    // It is not durable by being noticed.
    let before = tree(&[
        ("gone", Some("abc")),
        ("longer", Some("abc")),
        ("old", Some("abc")),
        ("other", Some("abc")),
        ("same", Some("abc")),
        ("shorter", Some("abc")),
    ]);
    assert_eq!(after(&disk, Survival::Synced, 0), before);
    before.write(folder.path()).unwrap();
    assert_eq!(Disk::of(folder.path()).unwrap().live(), before);
}

/// The library in front of ordinary programs: nothing escapes it, and only `sync` makes anything durable.
#[cfg(target_os = "linux")]
#[test]
fn the_recorder_sees_what_programs_do() {
    let folder = tempfile::tempdir().unwrap();
    let (data, beside) = (folder.path().join("data"), folder.path().join("beside"));
    fs::create_dir(&data).unwrap();
    fs::create_dir(&beside).unwrap();
    let mut recorder = Preload::build().unwrap().record(&data, &beside).unwrap();
    let mut run = |script: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).current_dir(&data);
        recorder.attach(&mut shell);
        assert!(shell.status().unwrap().success(), "{script}");
        assert_eq!(recorder.absorb(FailedSync::Lost).unwrap(), 0, "{script}");
        let synced = after(recorder.disk(), Survival::Synced, 0);
        (recorder.disk().live(), synced)
    };
    let script =
        "mkdir sub; echo first > sub/a; echo second >> sub/a; echo gone > b; rm b; : > sub/c; mv sub/c d";
    let live = tree(&[("d", Some("")), ("sub", None), ("sub/a", Some("first\nsecond\n"))]);
    assert_eq!(run(script), (live.clone(), Tree::default()));
    assert_eq!(run("sync sub/a sub"), (live.clone(), Tree::default()));
    assert_eq!(run("sync ."), (live.clone(), live));
    let (live, synced) = run("echo third > d; rm sub/a; rmdir sub");
    assert_eq!(live, tree(&[("d", Some("third\n"))]));
    assert_eq!(synced, tree(&[("d", Some("")), ("sub", None), ("sub/a", Some("first\nsecond\n"))]));
}
