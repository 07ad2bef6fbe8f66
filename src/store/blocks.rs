//! What an index refuses by its settings (`index.blocks.*`).

use crate::schema::Settings;

/// A block, in the order in which Elasticsearch lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Block {
    /// `blocks.read_only`: nothing changes.
    ReadOnly,
    /// `blocks.read`: no document is read.
    Read,
    /// `blocks.write`: no document is written.
    Write,
    /// `blocks.metadata`: neither told nor changed.
    Metadata,
    /// `blocks.read_only_allow_delete`: nothing changes, but the index may go.
    ReadOnlyAllowDelete,
}

/// What a request is about to do with an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reads documents.
    Read,
    /// Writes documents.
    Write,
    /// Tells mapping, settings and the like.
    MetadataRead,
    /// Changes them.
    MetadataWrite,
    /// Deletes the index.
    Delete,
}

impl Block {
    /// Every block.
    pub const ALL: [Block; 5] =
        [Block::ReadOnly, Block::Read, Block::Write, Block::Metadata, Block::ReadOnlyAllowDelete];

    /// Its name below `index.blocks`.
    pub fn name(self) -> &'static str {
        match self {
            Block::ReadOnly => "read_only",
            Block::Read => "read",
            Block::Write => "write",
            Block::Metadata => "metadata",
            Block::ReadOnlyAllowDelete => "read_only_allow_delete",
        }
    }

    /// Elasticsearch's number of it.
    pub fn id(self) -> u8 {
        match self {
            Block::ReadOnly => 5,
            Block::Read => 7,
            Block::Write => 8,
            Block::Metadata => 9,
            Block::ReadOnlyAllowDelete => 12,
        }
    }

    /// Elasticsearch's words for it.
    pub fn description(self) -> &'static str {
        match self {
            Block::ReadOnly => "index read-only (api)",
            Block::Read => "index read (api)",
            Block::Write => "index write (api)",
            Block::Metadata => "index metadata (api)",
            Block::ReadOnlyAllowDelete => {
                "disk usage exceeded flood-stage watermark, index has read-only-allow-delete block"
            }
        }
    }

    /// What it stops, as the cluster's state lists it.
    pub fn levels(self) -> &'static [&'static str] {
        match self {
            Block::ReadOnly | Block::ReadOnlyAllowDelete => &["write", "metadata_write"],
            Block::Read => &["read"],
            Block::Write => &["write"],
            Block::Metadata => &["metadata_read", "metadata_write"],
        }
    }

    /// Whether it stops an access.
    pub fn stops(self, access: Access) -> bool {
        match access {
            Access::Read => self == Block::Read,
            Access::Write => matches!(self, Block::ReadOnly | Block::Write | Block::ReadOnlyAllowDelete),
            Access::MetadataRead => self == Block::Metadata,
            Access::MetadataWrite => matches!(self, Block::ReadOnly | Block::Metadata | Block::ReadOnlyAllowDelete),
            Access::Delete => matches!(self, Block::ReadOnly | Block::Metadata),
        }
    }

    /// As an answer says it.
    pub fn told(self) -> String {
        let status = if self == Block::ReadOnlyAllowDelete { "TOO_MANY_REQUESTS" } else { "FORBIDDEN" };
        format!("[{status}/{}/{}];", self.id(), self.description())
    }

    fn is_set(self, settings: &Settings) -> bool {
        settings.other(&format!("blocks.{}", self.name())) == Some("true")
    }
}

/// The blocks of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Blocks([bool; 5]);

impl Blocks {
    /// Those that the settings ask for.
    pub fn of(settings: &Settings) -> Self {
        Self(Block::ALL.map(|block| block.is_set(settings)))
    }

    /// Each that is there.
    pub fn iter(self) -> impl Iterator<Item = Block> {
        Block::ALL.into_iter().zip(self.0).filter_map(|(block, is_set)| is_set.then_some(block))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_block_stops_what_it_is_there_for() {
        let stopped = |setting: &str| -> Vec<Access> {
            let settings = Settings::from_value(&json!({"index": {"blocks": {setting: true}}})).unwrap();
            let blocks: Vec<Block> = Blocks::of(&settings).iter().collect();
            assert_eq!(blocks.iter().map(|block| block.name()).collect::<Vec<_>>(), [setting]);
            [Access::Read, Access::Write, Access::MetadataRead, Access::MetadataWrite, Access::Delete]
                .into_iter()
                .filter(|access| blocks.iter().any(|block| block.stops(*access)))
                .collect()
        };
        assert_eq!(stopped("read"), [Access::Read]);
        assert_eq!(stopped("write"), [Access::Write]);
        assert_eq!(stopped("metadata"), [Access::MetadataRead, Access::MetadataWrite, Access::Delete]);
        assert_eq!(stopped("read_only"), [Access::Write, Access::MetadataWrite, Access::Delete]);
        assert_eq!(stopped("read_only_allow_delete"), [Access::Write, Access::MetadataWrite]);
        assert_eq!(Blocks::of(&Settings::default()).iter().count(), 0);
    }
}
