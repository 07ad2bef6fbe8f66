//! How much of the last generation is known to be on disk.
//!
//! Written after each sync, in turn into one of two slots, and not synced itself: after a crash of the process it is exact, after a loss
//! of power it may be older, which is on the safe side.

use std::os::unix::fs::FileExt;
use std::path::Path;

use super::record::{read_u32, read_u64};
use crate::error::Result;

const FILE: &str = "checkpoint";
const SLOT_LEN: usize = 32;

/// The bytes of a generation's file that are on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Synced {
    pub(super) generation: u64,
    pub(super) end: u64,
}

#[derive(Debug)]
pub(super) struct Checkpoint {
    file: fs_err::File,
    counter: u64,
    last: Synced,
}

impl Checkpoint {
    /// What the file in `folder` says; nothing where there is none or it is damaged.
    pub(super) fn read(folder: &Path) -> Synced {
        let bytes = fs_err::read(folder.join(FILE)).unwrap_or_default();
        slots(&bytes).map(|(_, synced)| synced).unwrap_or_default()
    }

    /// Opens the file for writing.
    pub(super) fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let bytes = fs_err::read(&path).unwrap_or_default();
        let (counter, last) = slots(&bytes).unwrap_or_default();
        let file = fs_err::OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        Ok(Self { file, counter, last })
    }

    /// Notes that so much is on disk, unless more is noted already.
    pub(super) fn advance(&mut self, synced: Synced) -> Result<()> {
        if (synced.generation, synced.end) <= (self.last.generation, self.last.end) {
            return Ok(());
        }
        let counter = self.counter + 1;
        let mut slot = Vec::with_capacity(SLOT_LEN);
        for number in [synced.generation, synced.end, counter] {
            slot.extend_from_slice(&number.to_le_bytes());
        }
        slot.extend_from_slice(&crc32fast::hash(&slot).to_le_bytes());
        slot.extend_from_slice(&[0; 4]);
        self.file.file().write_all_at(&slot, (counter % 2) * SLOT_LEN as u64)?;
        self.counter = counter;
        self.last = synced;
        Ok(())
    }
}

/// The newest whole slot: its counter and what it says.
fn slots(bytes: &[u8]) -> Option<(u64, Synced)> {
    bytes.chunks(SLOT_LEN).filter_map(slot).max_by_key(|(counter, _)| *counter)
}

fn slot(bytes: &[u8]) -> Option<(u64, Synced)> {
    let numbers = bytes.get(..24)?;
    if crc32fast::hash(numbers) != read_u32(bytes, 24)? {
        return None;
    }
    Some((read_u64(numbers, 16)?, Synced { generation: read_u64(numbers, 0)?, end: read_u64(numbers, 8)? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_slot_leaves_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Checkpoint::read(folder.path()), Synced::default());
        let mut checkpoint = Checkpoint::open(folder.path()).unwrap();
        for end in [30, 50, 40, 70] {
            checkpoint.advance(Synced { generation: 2, end }).unwrap();
        }
        assert_eq!(Checkpoint::read(folder.path()), Synced { generation: 2, end: 70 });
        let file = folder.path().join(FILE);
        let mut bytes = fs_err::read(&file).unwrap();
        let newest = bytes.chunks(SLOT_LEN).position(|bytes| slot(bytes).unwrap().1.end == 70).unwrap();
        bytes[newest * SLOT_LEN + 9] ^= 1;
        fs_err::write(&file, &bytes).unwrap();
        assert_eq!(Checkpoint::read(folder.path()), Synced { generation: 2, end: 50 });
        let mut checkpoint = Checkpoint::open(folder.path()).unwrap();
        checkpoint.advance(Synced { generation: 3, end: 1 }).unwrap();
        assert_eq!(Checkpoint::read(folder.path()), Synced { generation: 3, end: 1 });
    }
}
