//! Reading what an earlier process left: whole generations, a torn tail, damage.
//!
//! A crash while a frame is written leaves a tail that no one was told is safe: it is cut. Damage to what was acknowledged must never
//! be taken for such a tail. Three witnesses say what was acknowledged: a generation that is not the last was on disk as a whole
//! before the next was begun; the checkpoint holds how much of the last one was; and every frame holds how much was when it was written.

use std::path::{Path, PathBuf};

use super::checkpoint::Synced;
use super::record::{self, HEADER_LEN, MAGIC, Record, read_frame};
use crate::error::{Error, Result};

pub(super) fn file_name(generation: u64) -> String {
    format!("generation-{generation:012}.tlog")
}

/// The generations in a folder, oldest first.
pub(super) fn generations(folder: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let number = name.strip_prefix("generation-").and_then(|name| name.strip_suffix(".tlog"));
        if let Some(generation) = number.and_then(|number| number.parse().ok()) {
            found.push((generation, path));
        }
    }
    found.sort();
    Ok(found)
}

/// What a generation holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scanned {
    /// Where the last whole frame ends; 0 when not even the header is whole.
    pub(super) end: u64,
    /// What lies after it, to be cut.
    pub(super) torn: u64,
    pub(super) num_records: u64,
    pub(super) max_seq_no: Option<u64>,
}

/// Walks a generation's frames and hands the record of each to `visit`.
///
/// * `synced`: `None` for a generation that is not the last.
///
/// # Errors
/// `Corrupt`, naming the file and the offset, for damage to what was acknowledged; `Io`; whatever `visit` says.
pub(super) fn scan(
    file: &Path,
    generation: u64,
    synced: Option<Synced>,
    mut visit: impl FnMut(Record<'static>) -> Result<()>,
) -> Result<Scanned> {
    let bytes = fs_err::read(file)?;
    let is_last = synced.is_some();
    let acknowledged = synced.filter(|synced| synced.generation == generation).map_or(0, |synced| synced.end);
    let mut scanned = Scanned::default();
    if !bytes.starts_with(&record::header(generation)) {
        // The file was made and nothing in it acknowledged: the machine stopped in between.
        let is_torn = is_last && acknowledged <= HEADER_LEN as u64 && !holds_frame_after(&bytes, 0);
        if is_torn && (bytes.len() <= HEADER_LEN || bytes.iter().all(|byte| *byte == 0)) {
            scanned.torn = bytes.len() as u64;
            return Ok(scanned);
        }
        if bytes.len() >= MAGIC.len() && !bytes.starts_with(MAGIC) && bytes.starts_with(b"bifotlg") {
            return Err(
                Error::unsupported("is a translog of another version; use the Bifocal that wrote it").in_file(file)
            );
        }
        return Err(damaged(file, 0));
    }
    let mut at = HEADER_LEN;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(frame) = read_frame(rest) else {
            let offset = at as u64;
            if !is_last || offset < acknowledged || is_known_synced_later(&bytes, at) {
                return Err(damaged(file, offset));
            }
            scanned.torn = rest.len() as u64;
            break;
        };
        scanned.max_seq_no = scanned.max_seq_no.max(Some(frame.record.seq_no));
        scanned.num_records += 1;
        visit(frame.record)?;
        at += frame.len;
    }
    scanned.end = at as u64;
    if scanned.end < acknowledged && scanned.torn == 0 {
        // Frames that were acknowledged are gone with the file's end.
        return Err(damaged(file, scanned.end));
    }
    Ok(scanned)
}

/// Whether a frame after `at` knows that the bytes at `at` were on disk.
fn is_known_synced_later(bytes: &[u8], at: usize) -> bool {
    frames_after(bytes, at).any(|synced| synced > at as u64)
}

fn holds_frame_after(bytes: &[u8], at: usize) -> bool {
    frames_after(bytes, at).next().is_some()
}

/// The `synced` of every whole frame that begins after `at`, wherever it begins.
fn frames_after(bytes: &[u8], at: usize) -> impl Iterator<Item = u64> {
    let mut next = at + 1;
    std::iter::from_fn(move || {
        while next < bytes.len() {
            let frame = bytes.get(next..).and_then(read_frame);
            next += frame.as_ref().map_or(1, |frame| frame.len);
            if let Some(frame) = frame {
                return Some(frame.synced);
            }
        }
        None
    })
}

fn damaged(file: &Path, offset: u64) -> Error {
    let text = format!(
        "is damaged at byte {offset}, in what was acknowledged; restore the index from a copy, or move the file away and lose what follows"
    );
    Error::corrupt(text).in_file(file)
}
