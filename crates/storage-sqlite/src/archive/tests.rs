use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn records() -> Vec<Record> {
    let version = VersionRecord {
        seq: 1,
        res: 2,
        ver: 3,
        prev: None,
        at: -5,
        tag: i64::MIN,
        method: 2,
        request: vec![7; 16],
        codec: 1,
        splice: 9,
        terms: None,
        body: Some(b"{}".to_vec()),
    };
    let tombstone =
        VersionRecord { seq: 2, prev: Some(1), codec: 0, terms: Some(vec![]), body: None, ..version.clone() };
    vec![
        Record::Partition(PartitionRecord {
            name: "R4".to_owned(),
            newest_seq: 2,
            newest_at: 3,
            index_generation: 0,
        }),
        Record::Content { hash: [3; 32], bytes: vec![1, 2, 3] },
        Record::Version(version),
        Record::Version(tombstone),
        Record::Resource(ResourceRecord { res: 2, kind: 1, id: "a".to_owned(), floor: 0 }),
        Record::Symbol(SymbolRecord { sym: 1, kind: 1, text: "Flag".to_owned() }),
        Record::Claim(ClaimRecord { scope: 1, value: b"k".to_vec(), seq: 2, count: 1, expires: Some(8) }),
        Record::PartitionEnd(Counts { contents: 1, versions: 2, resources: 1, symbols: 1, claims: 1 }),
    ]
}

fn archive(records: &[Record]) -> Vec<u8> {
    let mut writer = ArchiveWriter::new(Vec::new()).unwrap();
    for record in records {
        writer.write(record).unwrap();
    }
    let (bytes, length) = writer.finish().unwrap();
    assert_eq!(bytes.len() as u64, length);
    bytes
}

#[test]
fn what_is_written_is_read() {
    let bytes = archive(&records());
    let mut reader = ArchiveReader::new(&bytes[..]).unwrap();
    let mut read = Vec::new();
    while let Some(record) = reader.next().unwrap() {
        read.push(record);
    }
    assert_eq!(read, records());
    let summary = ArchiveSummary { partitions: vec!["R4".to_owned()], versions: 2 };
    assert_eq!(verify(&bytes[..]), Ok(summary));
}

#[test]
fn every_file_that_ends_early_is_refused() {
    let bytes = archive(&records());
    for length in 0..bytes.len() {
        let expected = if length < MAGIC.len() { ArchiveError::NotABackup } else { ArchiveError::Incomplete };
        assert_eq!(verify(&bytes[..length]), Err(expected), "{length} bytes");
    }
}

#[test]
fn every_changed_byte_and_every_added_one_is_noticed() {
    let bytes = archive(&records());
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(verify(&changed[..]).is_err(), "byte {at}");
    }
    assert!(matches!(verify(&[&bytes[..], b"x"].concat()[..]), Err(ArchiveError::Damaged { .. })));
}

#[test]
fn a_newer_format_is_named() {
    let mut bytes = archive(&[]);
    bytes[16] = 2;
    assert_eq!(verify(&bytes[..]), Err(ArchiveError::NewerFormat { found: 2, supported: 1 }));
}

#[test]
fn records_that_make_no_partition_are_refused() {
    let good = records();
    let without_end = &good[..good.len() - 1];
    let without_start = &good[1..];
    let short_of_one = [&good[..3], &good[4..]].concat();
    let twice = [&good[..], &good[..]].concat();
    for records in [without_end, without_start, &short_of_one, &twice] {
        assert!(matches!(verify(&archive(records)[..]), Err(ArchiveError::Damaged { .. })), "{records:?}");
    }
}

#[test]
fn a_name_that_leads_elsewhere_is_refused() {
    for name in ["", "..", ".hidden", "a/b", "/"] {
        let Record::Partition(mut partition) = records().remove(0) else { unreachable!() };
        partition.name = name.to_owned();
        let bytes = archive(&[Record::Partition(partition), Record::PartitionEnd(Counts::default())]);
        assert!(matches!(verify(&bytes[..]), Err(ArchiveError::Damaged { .. })), "{name}");
    }
}

proptest! {
    #[test]
    fn no_bytes_are_a_panic(tag: u8, bytes in vec(any::<u8>(), 0..200)) {
        if let Some(record) = Record::decode(tag, &bytes) {
            let mut again = Vec::new();
            record.encode(&mut again);
            prop_assert_eq!(&again, &bytes);
        }
        prop_assert!(verify(&bytes[..]).is_err());
    }
}
