//! Finds ONNX Runtime's shared library and loads it, once a process.
//!
//! The library is not linked: it is a file beside the program, in the project's `target/`, in the cache, or the system's. What
//! is missing is said in one error that names every place looked at. Next: [`session`](super::session).

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;
use ort::logging::LogLevel;

use super::cache_dir::default_cache_dir;
use crate::error::{Error, Result};

/// Names the library, or a folder that holds it; looked at before anything else.
pub const LIBRARY_ENV: &str = "ORT_DYLIB_PATH";

const LIBRARY_FOLDER: &str = "onnxruntime";

#[cfg(target_os = "windows")]
const LIBRARY_NAME: &str = "onnxruntime.dll";
#[cfg(target_os = "macos")]
const LIBRARY_NAME: &str = "libonnxruntime.dylib";
#[cfg(not(any(target_os = "windows", target_os = "macos")))]
const LIBRARY_NAME: &str = "libonnxruntime.so";

/// ONNX Runtime allows one environment a process. The lock is held while it is loaded, never during inference.
static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);

/// Loads ONNX Runtime unless it is loaded. A failure is not remembered, so a later call may succeed.
///
/// # Errors
/// [`ErrorKind::Model`](crate::ErrorKind::Model) when no library is found or the one found is too old; the text names the
/// places and what to do.
pub(super) fn environment() -> Result<Environment> {
    let mut loaded = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = loaded.as_ref() {
        return Ok(environment.clone());
    }
    let environment = load()?;
    *loaded = Some(environment.clone());
    Ok(environment)
}

/// True when models can be run: the library is there and was loaded.
///
/// # Errors
/// What loading it failed with; see the module.
pub fn check_runtime() -> Result<()> {
    environment().map(drop)
}

fn load() -> Result<Environment> {
    if let Some(named) = std::env::var_os(LIBRARY_ENV).filter(|value| !value.is_empty()) {
        let named = PathBuf::from(named);
        let library = if named.is_dir() { newest_library(&named) } else { Some(named.clone()) };
        let failed = |reason: String| {
            Error::model(format!("{LIBRARY_ENV} names {}, {reason}; correct or unset it", named.display()))
        };
        let library = library.ok_or_else(|| failed(format!("a folder without {LIBRARY_NAME}")))?;
        return initialise(&library).map_err(|reason| failed(format!("which cannot be loaded: {reason}")));
    }
    let mut looked_at = Vec::new();
    for folder in folders() {
        match newest_library(&folder).map(|library| initialise(&library)) {
            Some(Ok(environment)) => return Ok(environment),
            Some(Err(reason)) => looked_at.push(format!("{} ({reason})", folder.display())),
            None => looked_at.push(folder.display().to_string()),
        }
    }
    initialise(Path::new(LIBRARY_NAME)).map_err(|_| {
        Error::model(format!(
            "cannot find ONNX Runtime ({LIBRARY_NAME}, version 1.{} or newer), which runs the models; looked at {} and the \
             system's libraries. Run `make {LIBRARY_FOLDER}`, or `pip download onnxruntime` and unpack the wheel, then set \
             {LIBRARY_ENV} to the library",
            ort::MINOR_VERSION,
            looked_at.join(", "),
        ))
    })
}

/// `ort` would panic, or wait for ever, if it had to find the library itself; `init_from` answers with an error.
fn initialise(library: &Path) -> Result<Environment, String> {
    let environment = ort::init_from(library)
        .map_err(|error| error.to_string())?
        .with_name("bifocal")
        .with_telemetry(false)
        .build()
        .map_err(|error| error.to_string())?;
    environment.set_log_level(LogLevel::Error);
    Ok(environment)
}

/// Where a library may lie, most specific first.
fn folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    // NOTE: `target/release/bifocal` finds `target/onnxruntime`, a test in `target/debug/deps` too.
    if let Some(program_folder) = std::env::current_exe().ok().as_deref().and_then(Path::parent) {
        folders.push(program_folder.to_path_buf());
        folders.push(program_folder.join(LIBRARY_FOLDER));
        folders.extend(program_folder.ancestors().skip(1).take(2).map(|folder| folder.join(LIBRARY_FOLDER)));
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    folders.extend(target.map(|target| target.join(LIBRARY_FOLDER)));
    folders.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("target").join(LIBRARY_FOLDER));
    folders.extend(default_cache_dir().map(|cache| cache.join(LIBRARY_FOLDER)));
    let mut seen = std::collections::HashSet::new();
    folders.retain(|folder| seen.insert(folder.clone()));
    folders
}

/// The library in `folder`: its plain name, else the last of its versioned names (`libonnxruntime.so.1.32.0`).
fn newest_library(folder: &Path) -> Option<PathBuf> {
    let plain = folder.join(LIBRARY_NAME);
    if plain.is_file() {
        return Some(plain);
    }
    let mut versioned: Vec<PathBuf> = fs_err::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(LIBRARY_NAME)))
        .collect();
    versioned.sort();
    versioned.pop()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_versioned_library_is_found_and_the_plain_name_preferred() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(newest_library(folder.path()), None);
        let versioned = folder.path().join(format!("{LIBRARY_NAME}.1.32.0"));
        fs_err::write(&versioned, "").unwrap();
        assert_eq!(newest_library(folder.path()), Some(versioned));
        let plain = folder.path().join(LIBRARY_NAME);
        fs_err::write(&plain, "").unwrap();
        assert_eq!(newest_library(folder.path()), Some(plain));
    }

    #[test]
    fn a_file_that_is_no_library_gives_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        let fake = folder.path().join(LIBRARY_NAME);
        fs_err::write(&fake, "not a library").unwrap();
        // Another test may have loaded the real one already; then this answers that there is one.
        let reason = initialise(&fake).map(drop).unwrap_err();
        assert!(reason.contains("failed to load") || reason.contains("only one environment"), "{reason}");
    }

    #[test]
    fn the_places_include_the_build_folder() {
        assert!(folders().iter().any(|folder| folder.ends_with("target/onnxruntime")));
    }
}
