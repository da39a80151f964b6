//! Backups hold one state, whatever happens to the store meanwhile, and come back as they were.

use std::path::Path;

use pollster::block_on;
use storage_api::{
    Commit, Current, Guard, Key, Scope, Store, StoreError, StoredVersion, Timestamp, VersionSelector,
    VersionTag, Write,
};
use storage_sqlite::{
    ArchiveError, ArchiveWriter, BackupProgress, BackupReport, CheckDepth, Durability, Import, Options,
    RestoreError, RestoreOptions, RestoredPartition, SqliteStore, VersionPages, backup, check, restore,
    verify,
};

use crate::checking::fill;
use crate::{all, committed, delete, key, next, open, purge, put, set};

fn back_up(directory: &Path, progress: &mut dyn FnMut(BackupProgress)) -> (Vec<u8>, BackupReport) {
    let mut archive = ArchiveWriter::new(Vec::new()).unwrap();
    let report = backup(directory, "part", &mut archive, progress).unwrap();
    (archive.finish().unwrap().0, report)
}

/// Into `directory`, where the partition must be without a fault.
fn bring_back(bytes: &[u8], directory: &Path, margin: u32, now: i64) -> u64 {
    verify(bytes).unwrap();
    let mut drawn = 0;
    let mut tag = || {
        drawn += 1;
        VersionTag(drawn)
    };
    let mut options = RestoreOptions { margin, now: Timestamp(now), tag: &mut tag };
    let restored = restore(bytes, directory, &mut options).unwrap();
    let report = check(&directory.join("part"), CheckDepth::Pages, &mut |_| ()).unwrap();
    assert!(report.is_whole(), "{:?}", report.faults);
    let [RestoredPartition { name, raised }] = &restored[..] else { panic!("{restored:?}") };
    assert_eq!(name, "part");
    *raised
}

fn history(store: &SqliteStore) -> Vec<StoredVersion> {
    let page = block_on(store.history(&all())).unwrap();
    assert_eq!(page.next, None);
    page.versions
}

fn current(store: &SqliteStore, key: &Key) -> Current {
    block_on(store.read(key)).unwrap().current
}

#[test]
fn a_restored_store_is_the_one_that_was_backed_up() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    fill(&from);
    let (bytes, report) = back_up(&from, &mut |_| ());
    assert_eq!(report, BackupReport { resources: 4, versions: 6, files: 1, claims: 1 });
    assert_eq!(bring_back(&bytes, &to, 0, 0), 0);
    let check_of = |path: &Path| check(path, CheckDepth::Rows, &mut |_| ()).unwrap();
    assert_eq!(check_of(&to.join("part")), check_of(&from));
    let (old, new) = (open(&from, Options::default()), open(&to.join("part"), Options::default()));
    assert_eq!(history(&new), history(&old));
    for id in ["a", "b", "gone", "never"] {
        assert_eq!(current(&new, &key(id)), current(&old, &key(id)), "{id}");
    }
    // The claim holds, and the commit order goes on where it was.
    let claim = Guard::Unclaimed(Scope(1), "k".into());
    let outcome = block_on(new.commit(set(vec![claim.clone()], vec![])));
    assert_eq!(outcome, block_on(old.commit(set(vec![claim], vec![]))));
    assert!(matches!(outcome, Ok(Commit::Lost(_))));
    assert_eq!(put(&new, &key("b"), "3").seq, put(&old, &key("b"), "3").seq);
}

#[test]
fn a_margin_raises_every_number_and_keeps_every_version() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    fill(&from);
    {
        let store = open(&from, Options::default());
        put(&store, &key("purged"), "1");
        put(&store, &key("purged"), "2");
        purge(&store, &key("purged"));
    }
    let (bytes, _) = back_up(&from, &mut |_| ());
    let now = 1_900_000_000_000_000;
    assert_eq!(bring_back(&bytes, &to, 1_000, now), 4);
    let (old, new) = (open(&from, Options::default()), open(&to.join("part"), Options::default()));
    let (before, after) = (history(&old), history(&new));
    assert_eq!(after[..before.len()], before);
    let mut keys = Vec::new();
    for raised in &after[before.len()..] {
        let same = before.iter().rev().find(|version| version.key == raised.key).unwrap();
        assert_eq!(raised.version.number.get(), same.version.number.get() + 1_000);
        assert_ne!(raised.version.tag, same.version.tag);
        assert_eq!((raised.at, raised.previous_at), (Timestamp(now), Some(same.at)));
        assert_eq!(raised.body, same.body);
        keys.push(raised.key.id.as_str());
    }
    keys.sort_unstable();
    assert_eq!(keys, ["a", "b", "gone"]);
    assert_eq!(current(&new, &key("purged")).number().get(), 1_002);
    let purged = current(&new, &key("purged"));
    committed(block_on(new.commit(next(&key("purged"), &purged, Some(vec![b'3']), vec![]))));
    assert_eq!(current(&new, &key("purged")).number().get(), 1_003);
    // An old version is still found by its number, across the gap, and one within it is not.
    let read = |number: u64| {
        let selector = VersionSelector::Number(storage_api::VersionNumber::new(number));
        block_on(new.read_version(&key("a"), selector)).unwrap().map(|version| version.version.number.get())
    };
    assert_eq!([1, 3, 4, 1_002, 1_003, 1_004].map(read), [Some(1), Some(3), None, None, Some(1_003), None]);
    // A backup of what was restored can be restored again.
    drop((old, new));
    let again = directory.path().join("again");
    let (bytes, _) = back_up(&to.join("part"), &mut |_| ());
    assert_eq!(bring_back(&bytes, &again, 10, now), 4);
    delete(&open(&again.join("part"), Options::default()), &key("a"));
    assert!(check(&again.join("part"), CheckDepth::Rows, &mut |_| ()).unwrap().is_whole());
}

#[test]
fn a_backup_is_the_state_at_its_beginning_less_what_is_purged_meanwhile() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    let options = Options { body_inline_max: 100, durability: Durability::Normal, ..Options::default() };
    let store = open(&from, options);
    // More than two pages of one thousand, with each key's versions on several.
    let keys: Vec<Key> = (0..10).map(|id| key(&id.to_string())).collect();
    for round in 0..250 {
        for (index, key) in keys.iter().enumerate() {
            let large = index == 9 && round % 50 == 0;
            put(&store, key, if large { vec![b'x'; 200 + round] } else { vec![b'y'; 10] });
        }
    }
    let before = history(&store);
    let mut pages = 0;
    let (bytes, _) = back_up(&from, &mut |_| {
        pages += 1;
        for key in &keys[..5] {
            put(&store, key, "later");
        }
        if pages == 1 {
            purge(&store, &keys[0]);
            purge(&store, &keys[9]);
            put(&store, &keys[9], "a new life");
        }
        put(&store, &key("new"), "new");
        delete(&store, &keys[8]);
        put(&store, &keys[8], "back");
    });
    assert!(pages >= 3, "{pages} pages");
    bring_back(&bytes, &to, 0, 0);
    let restored = open(&to.join("part"), Options::default());
    let expected: Vec<_> =
        before.into_iter().filter(|version| version.key != keys[0] && version.key != keys[9]).collect();
    assert!(history(&restored) == expected, "the histories differ");
    // Numbers that were purged meanwhile do not come back.
    assert!(current(&restored, &keys[0]).number().get() >= 251);
    assert_eq!(current(&restored, &keys[9]).number().get(), 250);
    assert!(matches!(current(&restored, &key("new")), Current::Absent { .. }));
}

#[test]
fn a_content_that_is_not_what_it_is_named_after_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let from = directory.path().join("from");
    fill(&from);
    let files: Vec<_> = std::fs::read_dir(from.join("blobs")).unwrap().map(|entry| entry.unwrap()).collect();
    std::fs::write(files[0].path(), "something else").unwrap();
    let (bytes, _) = back_up(&from, &mut |_| ());
    let mut options = RestoreOptions { margin: 0, now: Timestamp(0), tag: &mut || VersionTag(1) };
    let outcome = restore(&bytes[..], &directory.path().join("to"), &mut options);
    assert!(matches!(outcome, Err(RestoreError::Archive(ArchiveError::Damaged { .. }))), "{outcome:?}");
}

#[test]
fn writes_that_pass_over_numbers_are_faults_unless_a_restore_made_them() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    fill(&from);
    let (bytes, _) = back_up(&from, &mut |_| ());
    bring_back(&bytes, &to, 7, 0);
    let file = rusqlite::Connection::open(to.join("part").join("store.db")).unwrap();
    let changed = file.execute("UPDATE version SET request = zeroblob(16) WHERE ver > 7", []).unwrap();
    assert_eq!(changed, 3);
    drop(file);
    let report = check(&to.join("part"), CheckDepth::Rows, &mut |_| ()).unwrap();
    // Behind the fault nothing is followed, so what comes before it is stray as well.
    let gaps = report.faults.iter().filter(|fault| fault.to_string().contains("should be")).count();
    assert_eq!(gaps, 3, "{:?}", report.faults);
}

#[test]
fn a_claim_made_later_is_not_in_the_backup() {
    let directory = tempfile::tempdir().unwrap();
    let from = directory.path().join("from");
    fill(&from);
    let store = open(&from, Options::default());
    let mut done = false;
    let (bytes, report) = back_up(&from, &mut |_| {
        if !std::mem::replace(&mut done, true) {
            let guards = vec![Guard::Unclaimed(Scope(1), "later".into())];
            let claim = Write::Claim { scope: Scope(1), value: "later".into(), expires: None };
            let mut write = next(&key("a"), &current(&store, &key("a")), Some(vec![4]), vec![]);
            write.guards.extend(guards);
            write.writes.push(claim);
            committed(block_on(store.commit(write)));
        }
    });
    assert!(done);
    assert_eq!(report.claims, 1);
    bring_back(&bytes, &directory.path().join("to"), 0, 0);
}

#[test]
fn pages_of_a_store_in_use_make_the_same_store() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    let store = open(&from, Options { durability: Durability::Normal, ..Options::default() });
    for _ in 0..1_100 {
        put(&store, &key("a"), "a");
        put(&store, &key("b"), "b");
    }
    put(&store, &key("large"), vec![b'x'; 2 << 20]);
    delete(&store, &key("a"));
    let before = history(&store);
    let mut pages = VersionPages::open(&from).unwrap();
    let mut import = Import::create(&to).unwrap();
    let mut count = 0;
    while let Some(page) = pages.next_page().unwrap() {
        count += 1;
        for version in &page {
            import.version(version).unwrap();
        }
        put(&store, &key("later"), "later");
        if count == 1 {
            purge(&store, &key("b"));
        }
    }
    assert!(count >= 2, "{count} pages");
    let floors: Result<(), StoreError> = pages.floors(&mut |key, floor| {
        import.floor(&key, floor).unwrap();
        Ok(())
    });
    floors.unwrap();
    import.finish().unwrap();
    let report = check(&to, CheckDepth::Pages, &mut |_| ()).unwrap();
    assert!(report.is_whole(), "{:?}", report.faults);
    let made = open(&to, Options::default());
    // Places in the commit order close up where something is gone; all else is kept.
    let content = |versions: Vec<StoredVersion>| -> Vec<StoredVersion> {
        let kept = versions.into_iter().filter(|version| version.key != key("b"));
        kept.map(|version| StoredVersion { seq: storage_api::Seq(0), ..version }).collect()
    };
    assert!(content(history(&made)) == content(before), "the histories differ");
    assert_eq!(current(&made, &key("b")).number().get(), 1_100);
    assert_eq!(current(&made, &key("later")), Current::NEVER);
}
