//! The crate's error: what was wrong, where, and what to do about it.
//!
//! Every public function of the library fails with [`Error`]. Its [`ErrorKind`] says what sort of failure it is (one table
//! maps kinds to exit codes, later to HTTP statuses); its text says *what* was wrong, *where* ([`Location`]) and *what to do*,
//! in lower case without a final full stop. Sources are kept, never turned into strings.

use std::fmt;
use std::path::{Path, PathBuf};

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of failure an [`Error`] is.
///
/// # Stability
/// Kinds decide the exit code of the command line ([`ErrorKind::exit_code`]); their numbers do not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input (a document, a mapping, a file) is malformed or out of range.
    InvalidInput,
    /// The search plan contradicts itself or the index.
    InvalidPlan,
    /// A file, an index, a document, a field or a model does not exist.
    NotFound,
    /// It exists already, or is of another kind than the one asked for.
    Conflict,
    /// A part of Elasticsearch's language, or a format, that this engine does not have.
    Unsupported,
    /// A model cannot be loaded or run.
    Model,
    /// The index was made with another model than the one that was asked for.
    ModelMismatch,
    /// A file of the index or of a model is damaged.
    Corrupt,
    /// Another process holds what is needed (two writers on one index).
    Busy,
    /// The operating system refused: disk full, no permission, broken pipe.
    Io,
    /// The user interrupted the work.
    Interrupted,
    /// A fault of this program.
    Internal,
}

impl ErrorKind {
    /// Every kind, in declaration order.
    pub const ALL: [ErrorKind; 12] = [
        ErrorKind::InvalidInput,
        ErrorKind::InvalidPlan,
        ErrorKind::NotFound,
        ErrorKind::Conflict,
        ErrorKind::Unsupported,
        ErrorKind::Model,
        ErrorKind::ModelMismatch,
        ErrorKind::Corrupt,
        ErrorKind::Busy,
        ErrorKind::Io,
        ErrorKind::Interrupted,
        ErrorKind::Internal,
    ];

    /// The exit code of the command line: 0 is success, 1 a fault of this program, 2 a wrong command line (clap's own),
    /// the rest one a kind.
    pub const fn exit_code(self) -> u8 {
        match self {
            ErrorKind::Internal => 1,
            ErrorKind::InvalidInput => 3,
            ErrorKind::InvalidPlan => 4,
            ErrorKind::NotFound => 5,
            ErrorKind::Conflict => 6,
            ErrorKind::Unsupported => 7,
            ErrorKind::Model => 8,
            ErrorKind::ModelMismatch => 9,
            ErrorKind::Corrupt => 10,
            ErrorKind::Busy => 11,
            ErrorKind::Io => 12,
            ErrorKind::Interrupted => 130,
        }
    }
}

/// Where in the user's input something was wrong. Every part is optional; what is known is printed as `file:line: field "f": `.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Location {
    /// The file as the user named it (`-` for standard input).
    pub file: Option<PathBuf>,
    /// The line, counted from 1.
    pub line: Option<u64>,
    /// The field, with dots between its levels.
    pub field: Option<String>,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}", file.display())?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
            }
            f.write_str(": ")?;
        } else if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if let Some(field) = &self.field {
            write!(f, "field {field:?}: ")?;
        }
        Ok(())
    }
}

/// An error in the words of Elasticsearch, for its clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// Its type (`mapper_parsing_exception`).
    pub kind: &'static str,
    /// Its reason.
    pub reason: String,
    /// What lies behind it.
    pub caused_by: Option<Box<Exception>>,
}

type Source = Box<dyn std::error::Error + Send + Sync + 'static>;

/// The crate's error. Printed, it is one line: the place, then what was wrong and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{location}{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    location: Box<Location>,
    exception: Option<Box<Exception>>,
    #[source]
    source: Option<Source>,
}

impl Error {
    /// An error of `kind` whose text is `message` (lower case, no final full stop, says what to do).
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), location: Box::default(), exception: None, source: None }
    }

    /// What sort of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The text without its place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where in the user's input it happened.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Says the error in Elasticsearch's words too, unless it is said already.
    #[must_use]
    pub fn as_exception(mut self, kind: &'static str, reason: impl Into<String>) -> Self {
        self.exception.get_or_insert_with(|| Box::new(Exception { kind, reason: reason.into(), caused_by: None }));
        self
    }

    /// Puts another of Elasticsearch's errors around what was said in its words; around the message where nothing was.
    #[must_use]
    pub fn wrapped_in_exception(mut self, kind: &'static str, reason: impl Into<String>) -> Self {
        let inner = self.exception.take().unwrap_or_else(|| {
            let reason = self.message.clone();
            Box::new(Exception { kind: "illegal_argument_exception", reason, caused_by: None })
        });
        self.exception = Some(Box::new(Exception { kind, reason: reason.into(), caused_by: Some(inner) }));
        self
    }

    /// The error in Elasticsearch's words, where it has some.
    pub fn exception(&self) -> Option<&Exception> {
        self.exception.as_deref()
    }

    /// Names the file, unless one is named already.
    #[must_use]
    pub fn in_file(mut self, file: impl AsRef<Path>) -> Self {
        self.location.file.get_or_insert_with(|| file.as_ref().to_path_buf());
        self
    }

    /// Names the line (counted from 1), unless one is named already.
    #[must_use]
    pub fn at_line(mut self, line: u64) -> Self {
        self.location.line.get_or_insert(line);
        self
    }

    /// Names the field, unless one is named already.
    #[must_use]
    pub fn in_field(mut self, field: impl Into<String>) -> Self {
        self.location.field.get_or_insert_with(|| field.into());
        self
    }

    /// Names the file and the line of a place, unless they are named already.
    #[must_use]
    pub fn at(mut self, place: &Location) -> Self {
        self.location.file = self.location.file.take().or_else(|| place.file.clone());
        self.location.line = self.location.line.or(place.line);
        self
    }

    /// Keeps the error that caused this one.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }
}

macro_rules! shorthand {
    ($($(#[$doc:meta])* $name:ident => $kind:ident),* $(,)?) => {
        impl Error { $($(#[$doc])* pub fn $name(message: impl Into<String>) -> Self { Self::new(ErrorKind::$kind, message) })* }
    };
}
shorthand! {
    /// [`ErrorKind::InvalidInput`] with this text.
    invalid_input => InvalidInput,
    /// [`ErrorKind::InvalidPlan`] with this text.
    invalid_plan => InvalidPlan,
    /// [`ErrorKind::NotFound`] with this text.
    not_found => NotFound,
    /// [`ErrorKind::Conflict`] with this text.
    conflict => Conflict,
    /// [`ErrorKind::Unsupported`] with this text.
    unsupported => Unsupported,
    /// [`ErrorKind::Model`] with this text.
    model => Model,
    /// [`ErrorKind::ModelMismatch`] with this text.
    model_mismatch => ModelMismatch,
    /// [`ErrorKind::Corrupt`] with this text.
    corrupt => Corrupt,
    /// [`ErrorKind::Internal`] with this text.
    internal => Internal,
}

impl From<std::io::Error> for Error {
    fn from(source: std::io::Error) -> Self {
        let is_not_found = source.kind() == std::io::ErrorKind::NotFound;
        let kind = if is_not_found { ErrorKind::NotFound } else { ErrorKind::Io };
        Self::new(kind, source.to_string()).with_source(source)
    }
}

impl From<tantivy::TantivyError> for Error {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "Tantivy's errors grow with each version; a new one is internal"
    )]
    fn from(source: tantivy::TantivyError) -> Self {
        use std::io::ErrorKind as IoKind;
        use tantivy::TantivyError as T;
        use tantivy::directory::error::{LockError, OpenReadError};
        let (kind, message) = match &source {
            T::LockFailure(LockError::LockBusy, _) => (
                ErrorKind::Busy,
                "another process is writing to this index; wait until it ends, then try again".to_string(),
            ),
            T::DataCorruption(_) | T::OpenReadError(OpenReadError::IncompatibleIndex(_)) => {
                (ErrorKind::Corrupt, format!("the index is damaged: {source}; restore it from a copy or index again"))
            }
            T::OpenReadError(OpenReadError::FileDoesNotExist(path)) => (
                ErrorKind::Corrupt,
                format!("the index lacks its file {}; restore it from a copy or index again", path.display()),
            ),
            // The checks of a file's footer: an error of the disk itself has another kind.
            T::OpenReadError(OpenReadError::IoError { io_error, filepath })
                if matches!(io_error.kind(), IoKind::UnexpectedEof | IoKind::InvalidData) =>
            {
                let file = filepath.display();
                let message =
                    format!("its file {file} is damaged ({io_error}); restore the index from a copy or index again");
                (ErrorKind::Corrupt, message)
            }
            // What decoding says of damaged bytes; the disk's own errors have other kinds.
            T::IoError(io_error) if matches!(io_error.kind(), IoKind::UnexpectedEof | IoKind::InvalidData) => {
                let message = format!(
                    "the index is damaged: {source}; `bifocal stats INDEX --verify` names the file; restore it from a copy or \
                     index again"
                );
                (ErrorKind::Corrupt, message)
            }
            // Tantivy passes some errors of its threads on as text.
            T::InternalError(text) if text.contains("(os error ") => (ErrorKind::Io, text.clone()),
            T::OpenReadError(_)
            | T::OpenWriteError(_)
            | T::OpenDirectoryError(_)
            | T::IoError(_)
            | T::LockFailure(..) => (ErrorKind::Io, source.to_string()),
            _ => (ErrorKind::Internal, source.to_string()),
        };
        Self::new(kind, message).with_source(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_exit_code() {
        let mut codes: Vec<u8> = ErrorKind::ALL.iter().map(|kind| kind.exit_code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), ErrorKind::ALL.len());
        assert!(!codes.contains(&0) && !codes.contains(&2), "0 is success and 2 is clap's");
    }

    #[test]
    fn the_text_names_file_line_and_field() {
        let error =
            Error::invalid_input("is a number, expected text").in_field("title").at_line(17).in_file("corpus.jsonl");
        assert_eq!(error.to_string(), r#"corpus.jsonl:17: field "title": is a number, expected text"#);
    }

    #[test]
    fn an_inner_place_is_not_overwritten_by_an_outer_one() {
        let error = Error::invalid_input("bad").at_line(3).at_line(9);
        assert_eq!(error.location().line, Some(3));
    }
}
