//! Where bytes come from: files, folders, standard input; gzip and zstd undone; progress counted.

use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, ErrorKind, Result};

/// Something to read from.
pub enum Input {
    /// A file; a folder; or `-`, standard input. A folder with a `corpus.jsonl` is BEIR's, and only that file is read; of any
    /// other folder every data file (`.jsonl`, `.ndjson`, `.json`, `.csv`, `.tsv`, also with `.gz`, `.zst` or `.zstd` after it) is read, in the order
    /// of the paths, sub-folders included, hidden files and linked folders left out.
    Path(PathBuf),
    /// Anything else that can be read, with a name for errors whose extension may tell the format.
    Reader {
        /// The name.
        name: PathBuf,
        /// Its bytes, perhaps compressed.
        reader: Box<dyn Read + Send>,
    },
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Input::Path(path) => f.debug_tuple("Path").field(path).finish(),
            Input::Reader { name, .. } => f.debug_struct("Reader").field("name", name).finish_non_exhaustive(),
        }
    }
}

impl<P: Into<PathBuf>> From<P> for Input {
    fn from(path: P) -> Self {
        Input::Path(path.into())
    }
}

/// How far reading has come, for a progress bar. Shared with other threads; counts bytes as they lie on disk, before they are
/// decompressed, and runs at most one batch ahead of the operations.
#[derive(Debug, Default)]
pub struct ReadProgress {
    read: AtomicU64,
    total: Option<u64>,
}

impl ReadProgress {
    /// Bytes read so far.
    pub fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Bytes there are; `None` if a part is no regular file (standard input).
    pub fn bytes_total(&self) -> Option<u64> {
        self.total
    }

    fn add(&self, num_bytes: usize) {
        self.read.fetch_add(num_bytes as u64, Ordering::Relaxed);
    }
}

/// One file to be read, found and not yet opened.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) name: PathBuf,
    pub(super) is_beir: bool,
    input: Input,
}

/// One opened input, decompressed, without byte order mark.
pub(super) struct Source {
    /// The first bytes, for telling the format; they are read again from `reader`.
    pub(super) head: Vec<u8>,
    /// Whether `head` is all there is.
    pub(super) is_whole: bool,
    /// All bytes, `head` included.
    pub(super) reader: Box<dyn BufRead + Send>,
    pub(super) compression: Compression,
}

/// How an input is compressed, told by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    pub(super) fn name(self) -> &'static str {
        match self {
            Compression::None => "file",
            Compression::Gzip => "gzip stream",
            Compression::Zstd => "zstd stream",
        }
    }
}

const BUFFER_BYTES: usize = 64 << 10;
/// How much is looked at to tell the format.
const HEAD_BYTES: u64 = 64 << 10;
/// Deeper folders are an accident.
const MAX_FOLDER_DEPTH: usize = 32;

const DATA_EXTENSIONS: [&str; 6] = ["jsonl", "ndjson", "json", "csv", "tsv", "tab"];
const COMPRESSED_EXTENSIONS: [&str; 4] = ["gz", "gzip", "zst", "zstd"];

/// First bytes of what is not text, and what to tell the user.
const FOREIGN: [(&[u8], &str); 7] = [
    (b"\xfd7zXZ\x00", "is compressed with xz; decompress it first (gzip and zstd are read directly)"),
    (b"BZh", "is compressed with bzip2; decompress it first (gzip and zstd are read directly)"),
    (b"PK\x03\x04", "is a zip archive; unpack it first (gzip and zstd are read directly)"),
    (b"PAR1", "is a Parquet file; export it as JSONL or CSV"),
    (b"SQLite format 3\0", "is an SQLite database; export it as JSONL or CSV"),
    (b"\xff\xfe", "is UTF-16; convert it to UTF-8"),
    (b"\xfe\xff", "is UTF-16; convert it to UTF-8"),
];

/// The files that `inputs` stand for, in reading order, and the progress over all of them.
pub(super) fn find(inputs: Vec<Input>) -> Result<(Vec<Pending>, Arc<ReadProgress>)> {
    let mut found = Vec::new();
    for input in inputs {
        match input {
            Input::Path(path) if path.as_os_str() == "-" => {
                found.push(Pending { name: path.clone(), is_beir: false, input: Input::Path(path) });
            }
            Input::Path(path) => find_in_path(path, &mut found)?,
            Input::Reader { name, reader } => {
                found.push(Pending { name: name.clone(), is_beir: false, input: Input::Reader { name, reader } });
            }
        }
    }
    let mut total = Some(0);
    for pending in &found {
        total = match (&pending.input, total) {
            (Input::Path(path), Some(sum)) if path.as_os_str() != "-" => {
                let metadata = fs_err::metadata(path)?;
                metadata.is_file().then(|| sum + metadata.len())
            }
            _ => None,
        };
    }
    Ok((found, Arc::new(ReadProgress { read: AtomicU64::new(0), total })))
}

fn find_in_path(path: PathBuf, found: &mut Vec<Pending>) -> Result<()> {
    if !fs_err::metadata(&path)?.is_dir() {
        found.push(Pending { name: path.clone(), is_beir: false, input: Input::Path(path) });
        return Ok(());
    }
    let num_before = found.len();
    find_in_folder(&path, 0, found)?;
    if found.len() == num_before {
        let message = "the folder holds no corpus.jsonl and no file that ends in .jsonl, .ndjson, .json, .csv or .tsv \
                       (with or without .gz or .zst); name the files one by one";
        return Err(Error::not_found(message).in_file(path));
    }
    Ok(())
}

fn find_in_folder(folder: &Path, depth: usize, found: &mut Vec<Pending>) -> Result<()> {
    if depth > MAX_FOLDER_DEPTH {
        let message = format!("is more than {MAX_FOLDER_DEPTH} folders deep; name the folders one by one");
        return Err(Error::invalid_input(message).in_file(folder));
    }
    for name in ["corpus.jsonl", "corpus.jsonl.gz", "corpus.jsonl.zst", "corpus.jsonl.zstd"] {
        let corpus = folder.join(name);
        if corpus.is_file() {
            found.push(Pending { name: corpus.clone(), is_beir: true, input: Input::Path(corpus) });
            return Ok(());
        }
    }
    let mut entries = fs_err::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs_err::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if entry.file_type()?.is_dir() {
            find_in_folder(&path, depth + 1, found)?;
        } else if data_extension(&path).is_some_and(|known| DATA_EXTENSIONS.contains(&known.as_str())) && path.is_file()
        {
            found.push(Pending { name: path.clone(), is_beir: false, input: Input::Path(path) });
        }
    }
    Ok(())
}

/// The extension in lower case, that of the compression left off: `jsonl` for `corpus.jsonl.gz`.
pub(super) fn data_extension(path: &Path) -> Option<String> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    if COMPRESSED_EXTENSIONS.contains(&extension.as_str()) {
        return Some(Path::new(path.file_stem()?).extension()?.to_str()?.to_ascii_lowercase());
    }
    Some(extension)
}

impl Pending {
    /// Opens it: finds the compression, and reads the first bytes.
    pub(super) fn open(self, progress: &Arc<ReadProgress>) -> Result<Source> {
        let raw: Box<dyn Read + Send> = match self.input {
            Input::Path(path) if path.as_os_str() == "-" => Box::new(io::stdin()),
            Input::Path(path) => Box::new(fs_err::File::open(path)?),
            Input::Reader { reader, .. } => reader,
        };
        let counted = BufReader::with_capacity(BUFFER_BYTES, Counted { inner: raw, progress: Arc::clone(progress) });
        let (magic, _, raw) = peek(counted, 16);
        let compression = match magic.as_slice() {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
            // A skippable frame, with which some writers begin a seekable zstd file.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
            _ => Compression::None,
        };
        let reader: Box<dyn BufRead + Send> = match compression {
            Compression::None => raw,
            Compression::Gzip => {
                Box::new(BufReader::with_capacity(BUFFER_BYTES, flate2::bufread::MultiGzDecoder::new(raw)))
            }
            Compression::Zstd => {
                let decoder = zstd::stream::read::Decoder::with_buffer(raw)?;
                Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder))
            }
        };
        let (mut head, is_whole, mut reader) = peek(reader, HEAD_BYTES);
        if let Some((_, message)) = FOREIGN.iter().find(|(magic, _)| head.starts_with(magic)) {
            return Err(Error::new(ErrorKind::Unsupported, *message));
        }
        const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
        if head.starts_with(BYTE_ORDER_MARK) {
            head.drain(..BYTE_ORDER_MARK.len());
            reader.consume(BYTE_ORDER_MARK.len());
        }
        Ok(Source { head, is_whole, reader, compression })
    }
}

/// The first `num_bytes` bytes, whether they are all, and a reader of everything from the start. An error met on the way is
/// kept, and comes again when the reader gets there.
fn peek(mut reader: impl BufRead + Send + 'static, num_bytes: u64) -> (Vec<u8>, bool, Box<dyn BufRead + Send>) {
    let mut head = Vec::new();
    match reader.by_ref().take(num_bytes).read_to_end(&mut head) {
        Ok(_) => {
            let is_whole = (head.len() as u64) < num_bytes;
            (head.clone(), is_whole, Box::new(Cursor::new(head).chain(reader)))
        }
        Err(error) => (head.clone(), true, Box::new(Cursor::new(head).chain(Failing(Some(error))))),
    }
}

/// Gives its error once, then nothing.
struct Failing(Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

impl BufRead for Failing {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.0.take().map_or(Ok(&[]), Err)
    }

    fn consume(&mut self, _: usize) {}
}

struct Counted {
    inner: Box<dyn Read + Send>,
    progress: Arc<ReadProgress>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let num_bytes = self.inner.read(buffer)?;
        self.progress.add(num_bytes);
        Ok(num_bytes)
    }
}
