//! The comparison as a table and as files.

use std::path::Path;

use super::EvalArgs;
use crate::error::Error;
use crate::eval::compare::System;
use crate::eval::comparison::Comparison;
use crate::eval::remote::without_credentials;
use crate::eval::report;

/// Refuses places that cannot be written before the long work begins.
pub(super) fn check_places(args: &EvalArgs) -> anyhow::Result<()> {
    for file in [&args.json, &args.html, &args.markdown].into_iter().flatten().filter(|file| !is_stdout(file)) {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.is_dir() || file.is_dir() {
            return Err(Error::not_found("cannot be written: there is no such folder").in_file(file).into());
        }
    }
    if is_stdout_of(args.json.as_deref()) && is_stdout_of(args.markdown.as_deref()) {
        return Err(
            Error::invalid_input("--json and --markdown both go to standard output; name a file for one").into()
        );
    }
    Ok(())
}

/// The command line as it was typed, quoted where the shell needs it, without passwords.
pub(super) fn command() -> String {
    let plain = |word: &str| {
        !word.is_empty() && word.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_./:,=@%+".contains(letter))
    };
    let quoted = |word: String| if plain(&word) { word } else { format!("'{}'", word.replace('\'', "'\\''")) };
    let arguments = std::env::args_os().skip(1).map(|word| quoted(word.to_string_lossy().into_owned()));
    without_credentials(&std::iter::once("bifocal".to_string()).chain(arguments).collect::<Vec<_>>().join(" "))
}

/// Prints the table, unless standard output is taken, and writes the files asked for.
pub(super) fn write(args: &EvalArgs, comparison: &Comparison) -> anyhow::Result<()> {
    if !is_stdout_of(args.json.as_deref()) && !is_stdout_of(args.markdown.as_deref()) {
        say_part!("{}", report::table(comparison));
    }
    if let Some(file) = &args.json {
        let mut text = serde_json::to_string_pretty(comparison)?;
        text.push('\n');
        put(file, &text)?;
    }
    if let Some(file) = &args.markdown {
        put(file, &report::markdown(comparison))?;
    }
    if let Some(file) = &args.html {
        put(file, &report::html(comparison))?;
    }
    Ok(())
}

/// Writes each run into a file of the folder, named after its row.
pub(super) fn write_runs(folder: &Path, systems: &[System]) -> anyhow::Result<()> {
    fs_err::create_dir_all(folder).map_err(Error::from)?;
    for System { run, .. } in systems {
        let safe = |letter: char| if letter.is_alphanumeric() || "-_.=".contains(letter) { letter } else { '_' };
        let name: String = run.name.chars().map(safe).collect();
        let file = folder.join(format!("{name}.run"));
        let mut out = std::io::BufWriter::new(fs_err::File::create(&file).map_err(Error::from)?);
        run.write(&mut out)?;
        std::io::Write::flush(&mut out).map_err(Error::from)?;
    }
    Ok(())
}

fn put(file: &Path, text: &str) -> anyhow::Result<()> {
    if is_stdout(file) {
        say_part!("{text}");
    } else {
        fs_err::write(file, text).map_err(Error::from)?;
    }
    Ok(())
}

fn is_stdout(file: &Path) -> bool {
    file == Path::new("-")
}

fn is_stdout_of(file: Option<&Path>) -> bool {
    file.is_some_and(is_stdout)
}
