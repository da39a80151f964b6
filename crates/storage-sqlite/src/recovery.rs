//! Making sure of what an earlier process left.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

/// Read and written at a time.
const STEP_BYTES: usize = 1 << 20;

/// Writes the log again where it lies, byte for byte, and syncs it.
///
/// A process that is killed leaves commits that it did not live to sync, or whose sync failed. SQLite takes them for
/// committed, clients read them, and new commits stand behind them in the log; if they then vanish with the power,
/// so does everything behind them. A sync alone would not help where one has failed before: the system counts those
/// pages as written. Until the log is whole nobody has seen anything of this, so it does no harm to be killed here.
pub(crate) fn renew(log: &Path) -> io::Result<()> {
    let mut file = match OpenOptions::new().read(true).write(true).open(log) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut step = vec![0; STEP_BYTES];
    let mut place = 0;
    loop {
        let length = file.read(&mut step)?;
        let Some(content) = step.get(..length).filter(|content| !content.is_empty()) else { break };
        file.seek(SeekFrom::Start(place))?;
        file.write_all(content)?;
        place += length as u64;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_the_same_afterwards_and_none_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        renew(&log).unwrap();
        assert!(!log.exists());
        for length in [0, 1, STEP_BYTES - 1, STEP_BYTES, 3 * STEP_BYTES + 5] {
            let content: Vec<u8> = (0..length).map(|at| (at % 251).to_le_bytes()[0]).collect();
            std::fs::write(&log, &content).unwrap();
            renew(&log).unwrap();
            assert!(std::fs::read(&log).unwrap() == content, "{length} bytes");
        }
    }
}
