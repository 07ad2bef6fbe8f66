//! The file that judgments go to: TREC qrels, `query 0 document grade` lines.
//!
//! A new judgment is appended and synced before it counts. A changed or withdrawn one rewrites the file beside its place and
//! renames it. So at any moment the file is valid qrels with one line a pair, and a crash loses at most the judgment that was being
//! written. Judgments of queries and documents that nobody asks about are kept as they are.

use std::io::Write;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use crate::error::{Error, ErrorKind, Result};

/// Judgments on disk and in memory, the same at all times. While it lives no other process can open the same file this way.
#[derive(Debug)]
pub struct QrelsFile {
    path: PathBuf,
    /// The lock on `PATH.lock`, held until this is dropped. The file itself cannot carry it: it is replaced by others.
    _lock: fs_err::File,
    judgments: Lines,
    /// The file's length as this process left it: another length means that another program wrote to it.
    num_bytes: u64,
}

/// (query, document) to what the line says beside, in the file's order.
type Lines = IndexMap<(String, String), Judgment>;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Judgment {
    /// The second column, which trec_eval ignores.
    iteration: String,
    grade: i32,
}

impl QrelsFile {
    /// Opens a file, or begins one with the first judgment; takes a lock on `PATH.lock`, which stays behind.
    ///
    /// Where a pair is judged on several lines the last one counts, and the file is rewritten without the others. A last line that
    /// a crash cut off is removed, one that lacks only its line end is completed. The texts returned say what was changed.
    ///
    /// # Errors
    /// `Busy` when another process judges into this file; `InvalidInput` with file and line for a malformed line, and the file is
    /// not touched then; `NotFound` when its folder is missing.
    pub fn open(path: impl AsRef<Path>) -> Result<(Self, Vec<String>)> {
        let path = path.as_ref();
        // A link stays one: what it points to is replaced.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let lock = lock(&path)?;
        let bytes = match fs_err::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let line = bytes.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count() as u64 + 1;
            Error::invalid_input("is not UTF-8, so it is no qrels file").at_line(line).in_file(&path)
        })?;
        let Parsed { judgments, repairs } = parse(text).map_err(|error| error.in_file(&path))?;
        let mut file = Self { num_bytes: bytes.len() as u64, path, _lock: lock, judgments };
        if !repairs.is_empty() {
            file.rewrite(file.judgments.clone())?;
        }
        let repairs = repairs.into_iter().map(|(line, text)| format!("{}:{line}: {text}", file.path.display()));
        let repairs = repairs.collect();
        Ok((file, repairs))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The grade of a pair; `None` when it is not judged.
    pub fn grade(&self, query: &str, document: &str) -> Option<i32> {
        self.judgments.get(&(query.to_string(), document.to_string())).map(|judgment| judgment.grade)
    }

    /// How many pairs are judged, those of other queries included.
    pub fn num_judgments(&self) -> usize {
        self.judgments.len()
    }

    /// Sets or, with `None`, withdraws the grade of a pair, durably.
    ///
    /// # Errors
    /// `InvalidInput` for an id that is empty or has white space; `Conflict` when another program wrote to the file; `Io` when the
    /// disk refuses. File and judgments are then as they were.
    pub fn set(&mut self, query: &str, document: &str, grade: Option<i32>) -> Result<()> {
        for id in [query, document] {
            if !is_writable(id) {
                let text = format!("the id {id:?} is empty or has white space, which qrels cannot hold");
                return Err(Error::invalid_input(text));
            }
        }
        let pair = (query.to_string(), document.to_string());
        match (self.judgments.get(&pair), grade) {
            (None, None) => Ok(()),
            (Some(judgment), Some(grade)) if judgment.grade == grade => Ok(()),
            (None, Some(grade)) => {
                let judgment = Judgment { iteration: "0".to_string(), grade };
                self.append(&line(&pair, &judgment))?;
                self.judgments.insert(pair, judgment);
                Ok(())
            }
            (Some(_), grade) => {
                let mut changed = self.judgments.clone();
                match (grade, changed.get_mut(&pair)) {
                    (Some(grade), Some(judgment)) => judgment.grade = grade,
                    (None, _) | (_, None) => drop(changed.shift_remove(&pair)),
                }
                self.rewrite(changed)
            }
        }
    }

    fn append(&mut self, line: &str) -> Result<()> {
        let is_new = self.num_bytes == 0;
        let mut file = fs_err::OpenOptions::new().append(true).create(is_new).open(&self.path)?;
        self.check_unchanged(file.metadata()?.len())?;
        let written = file.write_all(line.as_bytes()).and_then(|()| file.sync_data());
        if let Err(error) = written {
            // Half a line must not stay: the next one would be glued to it.
            let _ = file.set_len(self.num_bytes);
            return Err(error.into());
        }
        self.num_bytes += line.len() as u64;
        if is_new {
            sync_folder(&self.path)?;
        }
        Ok(())
    }

    fn rewrite(&mut self, judgments: Lines) -> Result<()> {
        let text: String = judgments.iter().map(|(pair, judgment)| line(pair, judgment)).collect();
        let before = fs_err::metadata(&self.path)?;
        self.check_unchanged(before.len())?;
        let temporary = beside(&self.path, ".new");
        let written = (|| {
            let mut file = fs_err::File::create(&temporary)?;
            file.set_permissions(before.permissions())?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs_err::rename(&temporary, &self.path)
        })();
        if let Err(error) = written {
            let _ = fs_err::remove_file(&temporary);
            return Err(error.into());
        }
        self.num_bytes = text.len() as u64;
        self.judgments = judgments;
        sync_folder(&self.path)
    }

    fn check_unchanged(&self, num_bytes: u64) -> Result<()> {
        if num_bytes == self.num_bytes {
            return Ok(());
        }
        let text = "was changed by another program; end this session and start it again to read it anew";
        Err(Error::conflict(text).in_file(&self.path))
    }
}

/// Whether qrels can hold an id: columns are told apart by white space.
pub(super) fn is_writable(id: &str) -> bool {
    !id.is_empty() && !id.contains(char::is_whitespace)
}

fn lock(path: &Path) -> Result<fs_err::File> {
    let file = fs_err::OpenOptions::new().write(true).create(true).truncate(false).open(beside(path, ".lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            let text = "another `bifocal judge` writes to this file; end it first, or give another file";
            Err(Error::new(ErrorKind::Busy, text).in_file(path))
        }
        Err(std::fs::TryLockError::Error(error)) => Err(error.into()),
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(ending);
    path.with_file_name(name)
}

fn sync_folder(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(fs_err::File::open(folder)?.sync_all()?)
}

fn line((query, document): &(String, String), judgment: &Judgment) -> String {
    format!("{query} {} {document} {}\n", judgment.iteration, judgment.grade)
}

#[derive(Debug, Default)]
struct Parsed {
    judgments: Lines,
    /// (line, what is wrong with it and what is done about it); the file is rewritten when there is any.
    repairs: Vec<(u64, String)>,
}

fn parse(text: &str) -> Result<Parsed> {
    let mut parsed = Parsed::default();
    let ends_whole = text.is_empty() || text.ends_with('\n');
    let num_lines = text.lines().count() as u64;
    for (line_number, line) in (1_u64..).zip(text.lines()) {
        let is_cut = line_number == num_lines && !ends_whole;
        let judged = match parse_line(line.trim_start_matches('\u{feff}')) {
            Ok(judged) => judged,
            // What a crash cuts off is the last line, which was never confirmed. Alone it could be any text at all.
            Err(_) if is_cut && !parsed.judgments.is_empty() => {
                let text =
                    format!("the last line ({line:?}) was cut off by a crash and is removed; judge its pair again");
                parsed.repairs.push((line_number, text));
                continue;
            }
            Err(error) => return Err(error.at_line(line_number)),
        };
        let Some((pair, judgment)) = judged else { continue };
        if is_cut {
            parsed.repairs.push((line_number, "the last line lacked its line end".to_string()));
        }
        let again = format!("query {} judges document {} again; the last grade counts", pair.0, pair.1);
        if parsed.judgments.insert(pair, judgment).is_some() {
            parsed.repairs.push((line_number, again));
        }
    }
    Ok(parsed)
}

/// `None` for a line of white space.
fn parse_line(line: &str) -> Result<Option<((String, String), Judgment)>> {
    let columns: Vec<&str> = line.split_whitespace().collect();
    match columns.as_slice() {
        [] => Ok(None),
        [query, iteration, document, grade] => {
            let grade = grade.parse().map_err(|_| {
                Error::invalid_input(format!(
                    "has the grade {grade:?}, expected a whole number; the file is left as it is"
                ))
            })?;
            let judgment = Judgment { iteration: (*iteration).to_string(), grade };
            Ok(Some((((*query).to_string(), (*document).to_string()), judgment)))
        }
        _ => {
            let text = "columns, expected the four of TREC qrels, `query 0 document grade`; the file is left as it is";
            Err(Error::invalid_input(format!("has {} {text}", columns.len())))
        }
    }
}

#[cfg(test)]
#[path = "qrels_file_tests.rs"]
mod tests;
