//! The settings by which a shard refreshes, syncs and flushes.

use std::time::Duration;

use serde_json::Value;

use crate::schema::Settings;
use crate::store::blocks::Blocks;

/// When a write is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Once it is on disk.
    Request,
    /// At once; it is on disk soon (`sync_interval`).
    Async,
}

/// What a shard takes from the index's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreSettings {
    /// How soon after a write searches see it; `None`: only when someone asks for a refresh.
    pub refresh_interval: Option<Duration>,
    /// `index.translog.durability`.
    pub durability: Durability,
    /// `index.translog.sync_interval`.
    pub sync_interval: Duration,
    /// `index.translog.flush_threshold_size`, in bytes.
    pub flush_threshold: u64,
    /// `index.blocks.*`; what they stop never comes here.
    pub blocks: Blocks,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            refresh_interval: Some(Duration::from_secs(1)),
            durability: Durability::Request,
            sync_interval: Duration::from_secs(5),
            flush_threshold: 512 << 20,
            blocks: Blocks::default(),
        }
    }
}

impl StoreSettings {
    /// Reads them; a value that cannot be read is the default (the schema has refused it before).
    pub fn of(settings: &Settings) -> Self {
        let blocks = Blocks::of(settings);
        let settings = serde_json::to_value(settings).unwrap_or_default();
        let text = |path: &str| match settings.pointer(path) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => None,
        };
        let mut read = Self { blocks, ..Self::default() };
        if let Some(interval) = text("/index/refresh_interval") {
            if interval.starts_with("-1") {
                read.refresh_interval = None;
            } else if let Some(interval) = parse_duration(&interval) {
                read.refresh_interval = Some(interval);
            }
        }
        if text("/index/translog/durability").is_some_and(|durability| durability.eq_ignore_ascii_case("async")) {
            read.durability = Durability::Async;
        }
        if let Some(interval) = text("/index/translog/sync_interval").as_deref().and_then(parse_duration) {
            read.sync_interval = interval.max(Duration::from_millis(100));
        }
        if let Some(bytes) = text("/index/translog/flush_threshold_size").as_deref().and_then(parse_bytes) {
            read.flush_threshold = bytes.max(1 << 10);
        }
        read
    }
}

/// `500ms`, `1s`, `5m`; a bare number is milliseconds.
fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let number: f64 = digits.parse().ok().filter(|number: &f64| *number >= 0.0 && *number < 1e9)?;
    let seconds = match text.get(digits.len()..)? {
        "nanos" => 1e-9,
        "micros" => 1e-6,
        "" | "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        _ => return None,
    };
    Some(Duration::from_secs_f64(number * seconds))
}

/// `512mb`, `10b`; a bare number is bytes.
fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let number: u64 = digits.parse().ok()?;
    let shift = match text.get(digits.len()..)? {
        "" | "b" => 0,
        "k" | "kb" => 10,
        "m" | "mb" => 20,
        "g" | "gb" => 30,
        "t" | "tb" => 40,
        _ => return None,
    };
    number.checked_shl(shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_read_as_elasticsearch_writes_them() {
        let durations = [("1s", 1000), ("500ms", 500), ("2m", 120_000), ("250", 250), ("1h", 3_600_000), ("0", 0)];
        for (text, millis) in durations {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "1 parsec", "-1", "NaN", "1e99s"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
        assert_eq!((parse_bytes("512mb"), parse_bytes("7"), parse_bytes("x")), (Some(512 << 20), Some(7), None));
    }

    #[test]
    fn defaults_are_elasticsearchs() {
        assert_eq!(StoreSettings::of(&Settings::default()), StoreSettings::default());
        let settings = Settings::from_value(&serde_json::json!({"index.refresh_interval": "-1"})).unwrap();
        assert_eq!(StoreSettings::of(&settings).refresh_interval, None);
    }
}
