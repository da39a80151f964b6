//! The records of a backup file, and their bytes.

use crate::blobs::Hash;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// What follows belongs to this partition.
    Partition(PartitionRecord),
    /// A content that is kept in a file; comes before the versions that have it.
    Content {
        hash: Hash,
        bytes: Vec<u8>,
    },
    /// In commit order.
    Version(VersionRecord),
    /// Behind all versions: what it says of a purge holds for those too.
    Resource(ResourceRecord),
    Symbol(SymbolRecord),
    Claim(ClaimRecord),
    /// How many records of each sort there were.
    PartitionEnd(Counts),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PartitionRecord {
    /// The name of its folder.
    pub(crate) name: String,
    /// The place up to which versions were taken, and the newest stamp then.
    pub(crate) newest_seq: i64,
    pub(crate) newest_at: i64,
    pub(crate) index_generation: i64,
}

/// The columns of a row of `version`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VersionRecord {
    pub(crate) seq: i64,
    pub(crate) res: i64,
    pub(crate) ver: i64,
    pub(crate) prev: Option<i64>,
    pub(crate) at: i64,
    pub(crate) tag: i64,
    pub(crate) method: i64,
    pub(crate) request: Vec<u8>,
    pub(crate) codec: i64,
    pub(crate) splice: i64,
    pub(crate) terms: Option<Vec<u8>>,
    pub(crate) body: Option<Vec<u8>>,
}

/// What of a row of `resource` does not follow from its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResourceRecord {
    pub(crate) res: i64,
    pub(crate) kind: i64,
    pub(crate) id: String,
    pub(crate) floor: i64,
}

/// A row of `symbol`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SymbolRecord {
    pub(crate) sym: i64,
    pub(crate) kind: i64,
    pub(crate) text: String,
}

/// A row of `claim`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClaimRecord {
    pub(crate) scope: i64,
    pub(crate) value: Vec<u8>,
    pub(crate) seq: i64,
    pub(crate) count: i64,
    pub(crate) expires: Option<i64>,
}

/// How many records a partition has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) contents: u64,
    pub(crate) versions: u64,
    pub(crate) resources: u64,
    pub(crate) symbols: u64,
    pub(crate) claims: u64,
}

impl Counts {
    pub(crate) fn count(&mut self, record: &Record) {
        match record {
            Record::Content { .. } => self.contents += 1,
            Record::Version(_) => self.versions += 1,
            Record::Resource(_) => self.resources += 1,
            Record::Symbol(_) => self.symbols += 1,
            Record::Claim(_) => self.claims += 1,
            Record::Partition(_) | Record::PartitionEnd(_) => {}
        }
    }
}

impl Record {
    pub(crate) fn tag(&self) -> u8 {
        match self {
            Self::Partition(_) => 1,
            Self::Content { .. } => 2,
            Self::Version(_) => 3,
            Self::Resource(_) => 4,
            Self::Symbol(_) => 5,
            Self::Claim(_) => 6,
            Self::PartitionEnd(_) => 7,
        }
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let mut out = Fields(out);
        match self {
            Self::Partition(partition) => {
                out.bytes(partition.name.as_bytes());
                out.numbers([partition.newest_seq, partition.newest_at, partition.index_generation]);
            }
            Self::Content { hash, bytes } => {
                out.bytes(hash);
                out.bytes(bytes);
            }
            Self::Version(row) => {
                out.numbers([row.seq, row.res, row.ver, row.at, row.tag, row.method, row.codec, row.splice]);
                out.number_if(row.prev);
                out.bytes(&row.request);
                out.bytes_if(row.terms.as_deref());
                out.bytes_if(row.body.as_deref());
            }
            Self::Resource(row) => {
                out.numbers([row.res, row.kind, row.floor]);
                out.bytes(row.id.as_bytes());
            }
            Self::Symbol(row) => {
                out.numbers([row.sym, row.kind]);
                out.bytes(row.text.as_bytes());
            }
            Self::Claim(row) => {
                out.numbers([row.scope, row.seq, row.count]);
                out.number_if(row.expires);
                out.bytes(&row.value);
            }
            Self::PartitionEnd(counts) => out.numbers(
                [counts.contents, counts.versions, counts.resources, counts.symbols, counts.claims]
                    .map(u64::cast_signed),
            ),
        }
    }

    /// `None` if the bytes are none of ours.
    pub(crate) fn decode(tag: u8, bytes: &[u8]) -> Option<Self> {
        let mut rest = Rest(bytes);
        let record = match tag {
            1 => {
                let name = rest.text()?;
                // It becomes a folder, so it must not lead elsewhere.
                if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
                    return None;
                }
                let [newest_seq, newest_at, index_generation] = rest.numbers()?;
                Self::Partition(PartitionRecord { name, newest_seq, newest_at, index_generation })
            }
            2 => Self::Content { hash: rest.bytes()?.try_into().ok()?, bytes: rest.bytes()?.to_vec() },
            3 => {
                let [seq, res, ver, at, tag, method, codec, splice] = rest.numbers()?;
                let prev = rest.number_if().ok()?;
                let request = rest.bytes()?.to_vec();
                let terms = rest.bytes_if().ok()?;
                let body = rest.bytes_if().ok()?;
                Self::Version(VersionRecord {
                    seq,
                    res,
                    ver,
                    prev,
                    at,
                    tag,
                    method,
                    request,
                    codec,
                    splice,
                    terms,
                    body,
                })
            }
            4 => {
                let [res, kind, floor] = rest.numbers()?;
                Self::Resource(ResourceRecord { res, kind, floor, id: rest.text()? })
            }
            5 => {
                let [sym, kind] = rest.numbers()?;
                Self::Symbol(SymbolRecord { sym, kind, text: rest.text()? })
            }
            6 => {
                let [scope, seq, count] = rest.numbers()?;
                let expires = rest.number_if().ok()?;
                Self::Claim(ClaimRecord { scope, value: rest.bytes()?.to_vec(), seq, count, expires })
            }
            7 => {
                let counts: [i64; 5] = rest.numbers()?;
                let [contents, versions, resources, symbols, claims] = counts.map(i64::cast_unsigned);
                Self::PartitionEnd(Counts { contents, versions, resources, symbols, claims })
            }
            _ => return None,
        };
        rest.0.is_empty().then_some(record)
    }
}

/// Numbers have 8 bytes, bytes their length before them, what may be missing a byte that says so.
struct Fields<'a>(&'a mut Vec<u8>);

impl Fields<'_> {
    fn numbers<const N: usize>(&mut self, numbers: [i64; N]) {
        self.0.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    }

    fn number_if(&mut self, number: Option<i64>) {
        self.0.push(u8::from(number.is_some()));
        if let Some(number) = number {
            self.numbers([number]);
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend((bytes.len() as u64).to_le_bytes());
        self.0.extend_from_slice(bytes);
    }

    fn bytes_if(&mut self, bytes: Option<&[u8]>) {
        self.0.push(u8::from(bytes.is_some()));
        if let Some(bytes) = bytes {
            self.bytes(bytes);
        }
    }
}

/// Something else is there than a value that may be missing.
struct Nonsense;

/// The same read back; `None` where something else is there.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn number(&mut self) -> Option<i64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(i64::from_le_bytes(*number))
    }

    fn numbers<const N: usize>(&mut self) -> Option<[i64; N]> {
        let mut numbers = [0; N];
        for number in &mut numbers {
            *number = self.number()?;
        }
        Some(numbers)
    }

    fn is_there(&mut self) -> Option<bool> {
        let (there, rest) = self.0.split_first()?;
        self.0 = rest;
        (*there <= 1).then_some(*there == 1)
    }

    fn number_if(&mut self) -> Result<Option<i64>, Nonsense> {
        if self.is_there().ok_or(Nonsense)? { self.number().ok_or(Nonsense).map(Some) } else { Ok(None) }
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn bytes_if(&mut self) -> Result<Option<Vec<u8>>, Nonsense> {
        if !self.is_there().ok_or(Nonsense)? {
            return Ok(None);
        }
        self.bytes().ok_or(Nonsense).map(|bytes| Some(bytes.to_vec()))
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }
}
