//! Other systems: their runs from files, and engines that are asked.

use std::path::Path;

use super::super::{interrupt, progress};
use super::collection::Collection;
use super::plans::Work;
use super::rows::Row;
use crate::error::{Error, Result};
use crate::eval::compare::System;
use crate::eval::dataset::check_run;
use crate::eval::latency::summary;
use crate::eval::remote::RemoteEngine;
use crate::eval::run::Run;

/// Queries that another engine is asked before looking whether the user wants to stop.
const REMOTE_BATCH: usize = 64;

/// Another engine's run and latency.
pub(super) fn ask(work: &Work<'_>, remote: &RemoteEngine) -> Result<System> {
    if work.queries.iter().all(|(_, text)| text.is_empty()) {
        return Err(Error::invalid_input("the queries have no texts; name a collection's folder, or --queries FILE"));
    }
    let bar = progress::bar(work.queries.len() as u64, "queries");
    bar.set_message(remote.name().to_string());
    let mut run = Run { name: remote.name().to_string(), ..Run::default() };
    let mut times = Vec::with_capacity(work.queries.len());
    for (first, queries) in (0..).step_by(REMOTE_BATCH).zip(work.queries.chunks(REMOTE_BATCH)) {
        interrupt::check()?;
        let (found, took) = remote.run(queries, work.size, &mut |done| bar.set_position(first + done as u64))?;
        run.rankings.extend(found.rankings.into_iter().filter(|(_, ranking)| !ranking.is_empty()));
        times.extend(took);
    }
    bar.finish_and_clear();
    Ok(System { run, latency: Some(summary(&mut times)), plan: Some(remote.description()), ..System::default() })
}

/// Reads another system's run and sees to it that its queries are judged; another name is found where its own is taken.
pub(super) fn read_run(file: &Path, collection: &Collection, rows: &[Row], systems: &[System]) -> Result<System> {
    let mut run = Run::read(file)?;
    let warnings = check_run(&run, &collection.qrels).map_err(|error| error.at_line(1).in_file(file))?;
    let is_taken = |name: &str| {
        systems.iter().any(|system| system.run.name == name) || rows.iter().any(|row| row.name() == Some(name))
    };
    if is_taken(&run.name) {
        let stem = file.file_stem().map_or_else(|| run.name.clone(), |stem| stem.to_string_lossy().into_owned());
        let numbered = (2..).map(|number| format!("{stem}-{number}"));
        run.name = std::iter::once(stem.clone()).chain(numbered).find(|name| !is_taken(name)).unwrap_or(stem);
    }
    Ok(System { run, warnings, ..System::default() })
}
