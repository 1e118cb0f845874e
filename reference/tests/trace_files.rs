//! Recordings on disk: what is found, and what is said about bad ones.

use std::fs;
use std::path::{Path, PathBuf};

use reference::trace::{Recording, find};

/// The committed recordings.
fn traces() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/traces")
}

/// A folder of its own for a test, empty.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// What loading it says, the folder left out.
fn problem(path: &Path) -> String {
    let error = Recording::load(path).unwrap_err().to_string();
    let folder = format!("{}/", path.parent().unwrap().display());
    assert_eq!(error.lines().count(), 1, "{error}");
    error.replace(&folder, "")
}

const GOOD: &str =
    "# page 1000\n# ops 2\ninit 1000 2000 1 2 0 0\nmunmap 1000 1000 = 0\nmunmap 1000 1000 = 0\n";

#[test]
fn a_folder_stands_for_its_traces() {
    let found = find(&traces()).unwrap();
    assert_eq!(found.len(), 26);
    assert!(found.is_sorted());
    let file = traces().join("sqlite.trace");
    assert_eq!(find(&file).unwrap(), [file]);
}

#[test]
fn what_is_no_trace_is_refused() {
    let folder = folder("no_trace");
    let said = |path: &Path| {
        find(path)
            .unwrap_err()
            .to_string()
            .replace(&folder.display().to_string(), "F")
    };
    assert_eq!(
        said(&folder),
        "F: is a folder without .trace or .trace.xz files"
    );
    assert_eq!(
        said(&folder.join("x.trace")),
        "F/x.trace: cannot be read: No such file or directory (os error 2)"
    );
    fs::write(folder.join("x.maps"), "state 0 final\n").unwrap();
    assert_eq!(
        said(&folder.join("x.maps")),
        "F/x.maps: is not named .trace or .trace.xz"
    );
    assert_eq!(
        said(&folder),
        "F: is a folder without .trace or .trace.xz files"
    );
}

#[test]
fn plain_and_compressed_files_read_alike() {
    // `sqlite` is committed plain, `cc1plus` mostly compressed.
    let plain = Recording::load(&traces().join("sqlite.trace")).unwrap();
    assert_eq!(
        (plain.name.as_str(), plain.trace.ops.len()),
        ("sqlite", 0x49)
    );
    assert_eq!((plain.listings.len(), plain.faults.len()), (4, 762));
    let packed = Recording::load(&traces().join("cc1plus.trace.xz")).unwrap();
    assert_eq!(
        (packed.name.as_str(), packed.trace.ops.len()),
        ("cc1plus", 0x35b)
    );
    assert_eq!((packed.listings.len(), packed.faults.len()), (10, 150_000));
}

#[test]
fn an_operation_is_displayed_as_its_line() {
    let path = traces().join("sqlite.trace");
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    for op in &Recording::load(&path).unwrap().trace.ops {
        assert_eq!(op.to_string(), lines[op.line - 1]);
    }
}

#[test]
fn a_recording_cut_short_is_noticed() {
    let folder = folder("cut");
    let path = folder.join("x.trace");
    fs::write(&path, GOOD).unwrap();
    assert!(Recording::load(&path).unwrap().listings.is_empty());
    let first = GOOD.trim_end().rsplit_once('\n').unwrap().0;
    fs::write(&path, first).unwrap();
    assert_eq!(
        problem(&path),
        "x.trace:4: ends after 1 operations, but the header announces 2"
    );
    // The first part of a longer run has a listing at its end.
    fs::write(folder.join("x.maps"), "state 1 final\n").unwrap();
    assert_eq!(Recording::load(&path).unwrap().trace.ops.len(), 1);
    fs::write(&path, &GOOD[..GOOD.len() - 4]).unwrap();
    assert_eq!(
        problem(&path),
        "x.trace:5: the line ends where `=` should follow"
    );
}

#[test]
fn companions_must_fit_the_trace() {
    let folder = folder("companions");
    let path = folder.join("x.trace");
    fs::write(&path, GOOD).unwrap();
    fs::write(folder.join("x.maps"), "# comment\nstate 3 final\n").unwrap();
    assert_eq!(
        problem(&path),
        "x.maps:2: lists the state after operation 3, but the trace has 2"
    );
    fs::write(folder.join("x.maps"), "state 2 final\n1000 2000 r--p 0\n").unwrap();
    assert_eq!(
        problem(&path),
        "x.maps:2: the line ends where file should follow"
    );
    fs::write(folder.join("x.maps"), "state 2 final\n").unwrap();
    fs::write(folder.join("x.faults"), "0 1000 r\n3 1000 r\n").unwrap();
    assert_eq!(
        problem(&path),
        "x.faults:2: a fault after operation 3, but the trace has 2"
    );
}

#[test]
fn files_that_are_not_text_or_not_xz_are_refused() {
    let folder = folder("binary");
    let path = folder.join("x.trace");
    fs::write(&path, b"# page 1000\n\xff\n").unwrap();
    assert_eq!(problem(&path), "x.trace:2: is not text");
    let packed = folder.join("x.trace.xz");
    fs::write(&packed, GOOD).unwrap();
    assert!(problem(&packed).starts_with("x.trace.xz: cannot be decompressed: "));
    let whole = fs::read(traces().join("cc1plus.trace.xz")).unwrap();
    fs::write(&packed, &whole[..whole.len() / 2]).unwrap();
    assert!(problem(&packed).starts_with("x.trace.xz: cannot be decompressed: "));
}

/// Whatever a line says, reading it does not panic: every line of a recording
/// with each of its words left out, doubled, or replaced by nonsense.
#[test]
fn no_line_makes_reading_panic() {
    let folder = folder("nonsense");
    let path = folder.join("x.trace");
    let text = fs::read_to_string(traces().join("sqlite.trace")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let mut refused = 0;
    for (index, line) in lines.iter().enumerate().filter(|(index, _)| index % 4 == 0) {
        let words: Vec<&str> = line.split(' ').collect();
        for (at, word) in words.iter().enumerate() {
            for nonsense in [
                "",
                &format!("{word} {word}"),
                "-",
                "ffffffffffffffffff",
                "\u{fffd}",
                "=",
                "@",
            ] {
                let mut words = words.clone();
                words[at] = nonsense;
                let mut lines = lines.clone();
                let changed = words.join(" ");
                lines[index] = &changed;
                fs::write(&path, lines.join("\n")).unwrap();
                refused += usize::from(Recording::load(&path).is_err());
            }
        }
    }
    assert!(refused > 500, "{refused}");
}
