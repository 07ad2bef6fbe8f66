//! What the machine tells of itself and of this process: memory, load, processors, disk. Where a system tells nothing, neither does this.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Memory, or a disk's space, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Space {
    pub(crate) total: u64,
    /// What a program could still take.
    pub(crate) available: u64,
}

impl Space {
    pub(crate) fn used(self) -> u64 {
        self.total.saturating_sub(self.available)
    }

    /// How much of it is used, 0 to 100.
    pub(crate) fn used_percent(self) -> u64 {
        self.percent(self.used())
    }

    /// How much of it a number of bytes is, 0 to 100, rounded down.
    pub(crate) fn percent(self, bytes: u64) -> u64 {
        bytes.saturating_mul(100).checked_div(self.total).unwrap_or_default()
    }
}

/// The machine's memory.
pub(crate) fn memory() -> Option<Space> {
    memory_of(&fs_err::read_to_string("/proc/meminfo").ok()?)
}

fn memory_of(meminfo: &str) -> Option<Space> {
    Some(Space { total: bytes_of(meminfo, "MemTotal")?, available: bytes_of(meminfo, "MemAvailable")? })
}

/// A figure of one of Linux' lists (`NAME:   123 kB`), in bytes.
fn bytes_of(list: &str, name: &str) -> Option<u64> {
    let line = list.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// The resident memory of this process.
pub(crate) fn resident_bytes() -> Option<u64> {
    bytes_of(&fs_err::read_to_string("/proc/self/status").ok()?, "VmRSS")
}

/// The disk on which a file lies.
pub(crate) fn disk(path: &Path) -> Option<Space> {
    let stats = fs4::statvfs(path).ok()?;
    Some(Space { total: stats.total_space(), available: stats.available_space() })
}

/// The mean number of waiting threads of the last 1, 5 and 15 minutes.
pub(crate) fn load() -> Option<[f64; 3]> {
    load_of(&fs_err::read_to_string("/proc/loadavg").ok()?)
}

fn load_of(loadavg: &str) -> Option<[f64; 3]> {
    let mut numbers = loadavg.split_whitespace().map_while(|one| one.parse().ok());
    Some([numbers.next()?, numbers.next()?, numbers.next()?])
}

/// Ticks of all processors since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Ticks {
    all: u64,
    idle: u64,
}

/// How busy the processors are, 0 to 100: since the last question, or since the machine's start for the first. What was told a second ago
/// holds.
pub(crate) fn cpu_percent() -> Option<u64> {
    const HOLDS: Duration = Duration::from_secs(1);
    static LAST: Mutex<Option<(Instant, Ticks, u64)>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, _, percent)) = last.filter(|(since, _, _)| since.elapsed() < HOLDS) {
        return Some(percent);
    }
    let ticks = ticks_of(&fs_err::read_to_string("/proc/stat").ok()?)?;
    let percent = busy_percent(last.map(|(_, ticks, _)| ticks).unwrap_or_default(), ticks);
    *last = Some((Instant::now(), ticks, percent));
    Some(percent)
}

fn ticks_of(stat: &str) -> Option<Ticks> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    // user, nice, system, idle, iowait, irq, softirq, steal; what follows is counted in them.
    let ticks: Vec<u64> = line.split_whitespace().take(8).map_while(|one| one.parse().ok()).collect();
    let idle = ticks.get(3)? + ticks.get(4).copied().unwrap_or_default();
    Some(Ticks { all: ticks.iter().sum(), idle })
}

fn busy_percent(before: Ticks, now: Ticks) -> u64 {
    let all = now.all.saturating_sub(before.all);
    let idle = now.idle.saturating_sub(before.idle).min(all);
    ((all - idle) * 100).checked_div(all).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_is_read() {
        let space =
            memory_of("MemTotal:        1000 kB\nMemFree:          100 kB\nMemAvailable:     250 kB\n").unwrap();
        assert_eq!(space, Space { total: 1_024_000, available: 256_000 });
        assert_eq!((space.used(), space.used_percent()), (768_000, 75));
        assert_eq!(memory_of("MemTotal: much\n"), None);
        assert_eq!(load_of("0.50 1.25 2.00 1/200 4711\n"), Some([0.5, 1.25, 2.0]));
        assert_eq!(load_of("0.50\n"), None);
        let before = ticks_of("cpu  10 0 10 70 10 0 0 0 0 0\ncpu0 1 1 1 1\n").unwrap();
        assert_eq!(before, Ticks { all: 100, idle: 80 });
        assert_eq!(busy_percent(Ticks::default(), before), 20);
        assert_eq!(busy_percent(before, Ticks { all: 200, idle: 130 }), 50);
        assert_eq!(busy_percent(before, before), 0);
        assert_eq!(ticks_of("intr 1 2\n"), None);
    }

    #[test]
    fn a_disk_has_space() {
        let space = disk(Path::new(".")).unwrap();
        assert!(space.total > 0 && space.available <= space.total, "{space:?}");
        assert_eq!(disk(Path::new("/nowhere/at/all")), None);
    }
}
