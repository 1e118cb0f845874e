//! Replays the fuzzers' corpus, and what they once found, through the bodies
//! that the fuzz targets call.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use reference::lockstep;

/// Runs `body` on every file of a target's folders; `corpus` is never empty.
fn replay(target: &str, body: fn(&[u8])) {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let mut inputs = 0;
    for folder in ["corpus", "regressions"] {
        let folder = fuzz.join(folder).join(target);
        let Ok(files) = fs::read_dir(&folder) else {
            continue;
        };
        let mut paths: Vec<_> = files.map(|file| file.expect("readable").path()).collect();
        paths.sort();
        for path in paths {
            let data = fs::read(&path).expect("readable");
            let result = catch_unwind(|| body(&data));
            assert!(result.is_ok(), "{} disagrees, see above", path.display());
            inputs += 1;
        }
    }
    assert!(inputs > 10, "only {inputs} inputs below {}", fuzz.display());
}

#[test]
fn the_corpus_of_stores() {
    replay("store_ops", lockstep::store_ops);
}

#[test]
fn the_corpus_of_maps() {
    replay("map_ops", lockstep::map_ops);
}

#[test]
fn the_corpus_of_spaces() {
    replay("space_ops", lockstep::space_ops);
}
