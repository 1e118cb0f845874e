//! A recording on disk: a trace with the files that belong to it.

use std::fs;
use std::path::{Path, PathBuf};

use super::faults::Fault;
use super::header::Trace;
use super::listing::Listing;
use super::source::{Source, TraceError};

/// A trace with the kernel's listings and the program's page faults.
#[derive(Debug)]
pub struct Recording {
    /// The trace file.
    pub path: PathBuf,
    /// Its name without folder and endings.
    pub name: String,
    /// Operations and what precedes them.
    pub trace: Trace,
    /// The listings with the file each is from, by number of operations.
    pub listings: Vec<(PathBuf, Listing)>,
    /// The page faults, if they were recorded.
    pub faults: Vec<Fault>,
    /// The file they are from.
    pub faults_path: Option<PathBuf>,
}

/// The file `base` + `ending`, plain or compressed.
fn existing(base: &Path, ending: &str) -> Option<PathBuf> {
    let named = |ending: &str| {
        let mut name = base.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    [named(ending), named(&format!("{ending}.xz"))]
        .into_iter()
        .find(|path| path.exists())
}

/// The path of a trace without `.trace` or `.trace.xz`; `None` for other files.
fn base_of(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let name = name
        .strip_suffix(".xz")
        .unwrap_or(name)
        .strip_suffix(".trace")?;
    (!name.is_empty()).then(|| path.with_file_name(name))
}

/// The traces that `path` stands for: itself, or those in that folder, by name.
///
/// # Errors
/// The path does not exist, is not named as a trace, or is a folder without
/// traces.
pub fn find(path: &Path) -> Result<Vec<PathBuf>, TraceError> {
    let wrong = |problem: String| TraceError::new(path, None, problem);
    let unreadable = |error: std::io::Error| wrong(format!("cannot be read: {error}"));
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        return match base_of(path) {
            Some(_) => Ok(vec![path.to_path_buf()]),
            None => Err(wrong("is not named .trace or .trace.xz".to_owned())),
        };
    }
    let mut traces = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if base_of(&file).is_some() {
            traces.push(file);
        }
    }
    if traces.is_empty() {
        return Err(wrong(
            "is a folder without .trace or .trace.xz files".to_owned(),
        ));
    }
    traces.sort();
    Ok(traces)
}

impl Recording {
    /// Reads a trace and the `.maps`, `.ckpt.maps` and `.faults` files beside
    /// it, each plain or compressed. A file that is not there is passed over.
    ///
    /// # Errors
    /// A file cannot be read, or a line of it is not in the format.
    pub fn load(path: &Path) -> Result<Self, TraceError> {
        let source = Source::open(path)?;
        let base = base_of(path).ok_or_else(|| {
            TraceError::new(path, None, "is not named .trace or .trace.xz".to_owned())
        })?;
        let trace = Trace::parse(&source)?;
        let count = trace.ops.len();

        let mut listings = Vec::new();
        for ending in [".ckpt.maps", ".maps"] {
            let Some(file) = existing(&base, ending) else {
                continue;
            };
            for listing in Listing::parse_all(&Source::open(&file)?)? {
                if listing.after > count {
                    let problem = format!(
                        "lists the state after operation {}, but the trace has {count}",
                        listing.after
                    );
                    return Err(TraceError::new(&file, listing.line, problem));
                }
                listings.push((file.clone(), listing));
            }
        }
        listings.sort_by_key(|(_, listing)| listing.after);
        // A trace can be the first part of a longer run, with a listing taken
        // at its end. Any other that falls short of its header was cut off.
        let ends_listed = listings
            .last()
            .is_some_and(|(_, listing)| listing.after == count);
        if trace.announced != count && !(ends_listed && trace.announced > count) {
            return Err(source.at_end(format!(
                "ends after {count} operations, but the header announces {}",
                trace.announced
            )));
        }

        let faults_path = existing(&base, ".faults");
        let faults = match &faults_path {
            Some(file) => Fault::parse_all(&Source::open(file)?)?,
            None => Vec::new(),
        };
        if let (Some(file), Some(fault)) = (
            &faults_path,
            faults.last().filter(|fault| fault.after > count),
        ) {
            let problem = format!(
                "a fault after operation {}, but the trace has {count}",
                fault.after
            );
            return Err(TraceError::new(file, fault.line, problem));
        }
        let name = base
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        Ok(Self {
            path: path.to_path_buf(),
            name,
            trace,
            listings,
            faults,
            faults_path,
        })
    }
}
