//! The bytes of a translog.
//!
//! ```text
//! a generation's file
//!   header      magic "bifotlg1", generation u64, CRC-32 of both u32, zeros u32        24 bytes
//!   frames      one after another
//! a frame
//!   head        length of the payload u32, sequence number u64, synced u64, CRC-32 of these u32
//!   payload     kind u8, version u64, length of the id u16, id, then
//!                 kind 1 (written)             the source, JSON
//!                 kind 2 (written, routed)     length of the routing u16, routing, the source
//!                 kind 3 (deleted)             nothing
//!   tail        CRC-32 of the payload u32
//! checkpoint    two slots of: generation u64, synced u64, counter u64, CRC-32 of these u32, zeros u32
//! ```
//! Numbers are little-endian. `synced` is how much of the generation's file was known to be on disk when the frame was written: what
//! lies before it was acknowledged, so damage there is no torn tail.
//!
//! # Stability
//! Version 1 (in the magic). Other versions are refused.

use std::borrow::Cow;

use crate::document::DocumentId;

pub(super) const MAGIC: &[u8; 8] = b"bifotlg1";
pub(super) const HEADER_LEN: usize = 24;
const HEAD_LEN: usize = 24;
const TAIL_LEN: usize = 4;
/// No request is as large; a length above is damage.
const MAX_PAYLOAD_LEN: usize = 1 << 30;

const WRITTEN: u8 = 1;
const WRITTEN_ROUTED: u8 = 2;
const DELETED: u8 = 3;

/// What was done to a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its place in the history of the index.
    pub seq_no: u64,
    /// The document's version after it.
    pub version: u64,
    /// The document.
    pub id: DocumentId,
    /// What was done.
    pub change: Change<'a>,
}

/// The change of a [`Record`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<'a> {
    /// Added or replaced.
    Written {
        /// As it was given.
        routing: Option<Cow<'a, str>>,
        /// JSON.
        source: Cow<'a, str>,
    },
    /// Removed.
    Deleted,
}

impl Record<'_> {
    /// Appends the frame to `out`; returns its length.
    pub(super) fn write(&self, synced: u64, out: &mut Vec<u8>) -> Option<u32> {
        let start = out.len();
        out.resize(start + HEAD_LEN, 0);
        let (kind, routing, source) = match &self.change {
            Change::Written { routing: None, source } => (WRITTEN, None, &**source),
            Change::Written { routing: Some(routing), source } => (WRITTEN_ROUTED, Some(&**routing), &**source),
            Change::Deleted => (DELETED, None, ""),
        };
        out.push(kind);
        out.extend_from_slice(&self.version.to_le_bytes());
        for text in std::iter::once(self.id.as_str()).chain(routing) {
            out.extend_from_slice(&u16::try_from(text.len()).ok()?.to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        out.extend_from_slice(source.as_bytes());
        let payload = out.get(start + HEAD_LEN..)?;
        let len = u32::try_from(payload.len()).ok().filter(|_| payload.len() <= MAX_PAYLOAD_LEN)?;
        let tail = crc32fast::hash(payload);
        out.extend_from_slice(&tail.to_le_bytes());
        let mut head = Vec::with_capacity(HEAD_LEN);
        head.extend_from_slice(&len.to_le_bytes());
        head.extend_from_slice(&self.seq_no.to_le_bytes());
        head.extend_from_slice(&synced.to_le_bytes());
        head.extend_from_slice(&crc32fast::hash(&head).to_le_bytes());
        out.get_mut(start..start + HEAD_LEN)?.copy_from_slice(&head);
        u32::try_from(out.len() - start).ok()
    }
}

/// A frame that was read.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) record: Record<'static>,
    pub(super) synced: u64,
    /// Head, payload and tail.
    pub(super) len: usize,
}

/// Reads the frame at the beginning of `bytes`; `None` for what is none, is damaged, or goes on after the end.
pub(super) fn read_frame(bytes: &[u8]) -> Option<Frame> {
    let (len, seq_no, synced) = read_head(bytes)?;
    let payload = bytes.get(HEAD_LEN..HEAD_LEN.checked_add(len)?)?;
    let tail = read_u32(bytes, HEAD_LEN.checked_add(len)?)?;
    if crc32fast::hash(payload) != tail {
        return None;
    }
    let kind = *payload.first()?;
    let version = read_u64(payload, 1)?;
    let (id, rest) = read_text(payload.get(9..)?)?;
    let (routing, rest) = match kind {
        WRITTEN | DELETED => (None, rest),
        WRITTEN_ROUTED => {
            let (routing, rest) = read_text(rest)?;
            (Some(Cow::Owned(routing.to_string())), rest)
        }
        _ => return None,
    };
    let change = match kind {
        DELETED => Change::Deleted,
        _ => Change::Written { routing, source: Cow::Owned(std::str::from_utf8(rest).ok()?.to_string()) },
    };
    Some(Frame { record: Record { seq_no, version, id: id.into(), change }, synced, len: HEAD_LEN + len + TAIL_LEN })
}

/// Length of the payload, sequence number, synced.
fn read_head(bytes: &[u8]) -> Option<(usize, u64, u64)> {
    let head = bytes.get(..HEAD_LEN - 4)?;
    if crc32fast::hash(head) != read_u32(bytes, HEAD_LEN - 4)? {
        return None;
    }
    let len = usize::try_from(read_u32(head, 0)?).ok().filter(|len| *len <= MAX_PAYLOAD_LEN)?;
    Some((len, read_u64(head, 4)?, read_u64(head, 12)?))
}

fn read_text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let len = usize::from(u16::from_le_bytes(bytes.get(..2)?.try_into().ok()?));
    let text = std::str::from_utf8(bytes.get(2..2 + len)?).ok()?;
    Some((text, bytes.get(2 + len..)?))
}

pub(super) fn header(generation: u64) -> [u8; HEADER_LEN] {
    let mut bytes = [0; HEADER_LEN];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..16].copy_from_slice(&generation.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..16]);
    bytes[16..20].copy_from_slice(&crc.to_le_bytes());
    bytes
}

pub(super) fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

pub(super) fn read_u64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record() -> impl Strategy<Value = Record<'static>> {
        let change = prop_oneof![
            (proptest::option::of(".{0,40}"), ".{0,200}").prop_map(|(routing, source)| Change::Written {
                routing: routing.map(Cow::Owned),
                source: Cow::Owned(source)
            }),
            Just(Change::Deleted),
        ];
        (any::<u64>(), any::<u64>(), ".{1,60}", change).prop_map(|(seq_no, version, id, change)| Record {
            seq_no,
            version,
            id: id.into(),
            change,
        })
    }

    proptest! {
        #[test]
        fn a_frame_is_read_as_it_was_written(record in record(), synced: u64, rest: Vec<u8>) {
            let mut bytes = Vec::new();
            let len = record.write(synced, &mut bytes).unwrap() as usize;
            prop_assert_eq!(len, bytes.len());
            bytes.extend(rest);
            let frame = read_frame(&bytes).unwrap();
            prop_assert_eq!((&frame.record, frame.synced, frame.len), (&record, synced, len));
            for end in 0..len {
                prop_assert!(read_frame(&bytes[..end]).is_none());
            }
        }

        #[test]
        fn any_flipped_bit_is_seen(record in record(), place: prop::sample::Index, bit in 0..8_u8) {
            let mut bytes = Vec::new();
            record.write(7, &mut bytes).unwrap();
            let place = place.index(bytes.len());
            bytes[place] ^= 1 << bit;
            prop_assert!(read_frame(&bytes).is_none());
        }

        #[test]
        fn noise_is_no_frame_and_no_panic(bytes: Vec<u8>) {
            prop_assert!(read_frame(&bytes).is_none());
        }
    }
}
