//! The documents name only what is there.

use std::fs;
use std::path::Path;

#[test]
fn every_test_that_a_document_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut named = 0;
    for document in fs::read_dir(root.join("docs")).unwrap() {
        let document = document.unwrap().path();
        let text = fs::read_to_string(&document).unwrap();
        for quoted in text.split('`').skip(1).step_by(2) {
            if !(quoted.starts_with("tests/") || quoted.starts_with("src/")) {
                continue;
            }
            let (file, name) = quoted.split_once(": ").unwrap_or((quoted, ""));
            let place = root.join(file);
            assert!(place.exists(), "{}: there is no {file}", document.display());
            if !name.is_empty() {
                let source = fs::read_to_string(place).unwrap();
                assert!(source.contains(name), "{}: {file} has no {name}", document.display());
                named += 1;
            }
        }
    }
    assert!(named > 20, "no document names a test");
}
