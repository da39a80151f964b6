//! What a check of a store says.

use core::fmt;

/// How far a check goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CheckDepth {
    /// What the rows say: every chain of versions, lists, index, files.
    #[default]
    Rows,
    /// The structure of every page of the file too.
    Pages,
}

/// How far a check has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CheckProgress {
    /// Rows looked at.
    pub done: u64,
    /// Rows to look at.
    pub total: u64,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Keys, those only referred to included.
    pub resources: u64,
    /// Versions, tombstones included.
    pub versions: u64,
    /// Deletions among them.
    pub tombstones: u64,
    /// Entries in the index.
    pub terms: u64,
    /// Resources whose words are in the index of words, by each parameter.
    pub documents: u64,
    /// Claims, lapsed ones included.
    pub claims: u64,
    /// Contents in files.
    pub files: u64,
    /// What is wrong, the first [`Self::FAULTS_MAX`].
    pub faults: Vec<CheckFault>,
    /// How much is wrong.
    pub faults_total: u64,
}

impl CheckReport {
    /// So many faults are told one by one.
    pub const FAULTS_MAX: usize = 1_000;

    /// Whether nothing is wrong.
    pub fn is_whole(&self) -> bool {
        self.faults_total == 0
    }

    pub(crate) fn add(&mut self, fault: CheckFault) {
        self.faults_total += 1;
        if self.faults.len() < Self::FAULTS_MAX {
            self.faults.push(fault);
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CheckFault {
    /// A key, a row or a file.
    pub about: String,
    /// What is wrong with it.
    pub problem: Problem,
}

impl fmt::Display for CheckFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.about, self.problem)
    }
}

/// What can be wrong.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Problem {
    /// SQLite found a page damaged.
    Page(String),
    /// A row or file cannot be read.
    Unreadable(String),
    /// A key of a kind without a name.
    KindUnknown,
    /// A version that should be there is not.
    VersionMissing {
        /// Its number.
        number: u64,
        /// The row that should have it.
        row: i64,
    },
    /// A row of another key, a newer one, or one that was passed already.
    ChainBroken {
        /// The row.
        row: i64,
    },
    /// Numbers do not follow each other.
    NumberGap {
        /// The number that should come.
        expected: u64,
        /// The one that does.
        found: u64,
    },
    /// A key without versions does not keep its highest number.
    FloorDisagrees,
    /// The newest state says something else than the newest version.
    HeadDisagrees,
    /// A version is older than the one committed before it.
    StampDecreases,
    /// A deletion with content, or another version without.
    ContentDisagrees,
    /// A version that belongs to no chain.
    Stray,
    /// A version that its kind's list lacks.
    NotListed,
    /// An entry of a kind's list that is no version of that kind.
    ListedWrongly,
    /// The terms of a version cannot be read, or a deletion has some.
    TermsDamaged,
    /// The index lacks a term.
    TermMissing,
    /// The index has so many terms that nothing is found by.
    TermsLeftOver(u64),
    /// The index of words has others than the resource.
    WordsDiffer,
    /// A content's file is not there.
    FileMissing,
    /// A file has another content than its name says.
    FileDamaged,
    /// The count of versions that have a file's content is wrong.
    FileCountDisagrees,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Page(what) => write!(f, "damaged: {what}"),
            Self::Unreadable(what) => write!(f, "cannot be read: {what}"),
            Self::KindUnknown => f.write_str("has a kind without a name"),
            Self::VersionMissing { number, row } => write!(f, "version {number} is missing (row {row})"),
            Self::ChainBroken { row } => {
                write!(f, "its versions lead to row {row}, which is not one of them")
            }
            Self::NumberGap { expected, found } => {
                write!(f, "version {found} comes where version {expected} should be")
            }
            Self::FloorDisagrees => f.write_str("has no versions and does not keep its highest number"),
            Self::HeadDisagrees => f.write_str("its state disagrees with its newest version"),
            Self::StampDecreases => f.write_str("is older than the version committed before it"),
            Self::ContentDisagrees => f.write_str("is a deletion with content, or another version without"),
            Self::Stray => f.write_str("belongs to no resource's versions"),
            Self::NotListed => f.write_str("is missing in the list of its type"),
            Self::ListedWrongly => f.write_str("is in the list of a type that is not its own"),
            Self::TermsDamaged => f.write_str("what its newest version is found by is damaged"),
            Self::TermMissing => f.write_str("is not found by a term that it has"),
            Self::TermsLeftOver(count) => write!(f, "{count} terms belong to nothing"),
            Self::WordsDiffer => f.write_str("is found by other words than it has"),
            Self::FileMissing => f.write_str("the file is missing"),
            Self::FileDamaged => f.write_str("the file has another content than its name says"),
            Self::FileCountDisagrees => f.write_str("the count of its versions is wrong"),
        }
    }
}
