//! Every method of the contract has a case.

use std::fs;
use std::path::Path;

#[test]
fn every_method_of_the_contract_is_named_by_a_case() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = fs::read_dir(root.join("src/store/contract")).unwrap();
    let contract: String = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    let methods: Vec<&str> = contract
        .split("pub trait ")
        .skip(1)
        .flat_map(|rest| rest.split_once("\n}\n").unwrap().0.lines())
        .filter_map(|line| line.trim().strip_prefix("async fn "))
        .map(|line| line.split_once('(').unwrap().0)
        .collect();
    assert!(methods.len() > 50, "the trait was not found: {methods:?}");

    let cases: String = fs::read_dir(root.join("tests/store"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let missing: Vec<&&str> = methods.iter().filter(|method| !cases.contains(&format!(".{method}("))).collect();
    assert!(missing.is_empty(), "no case calls {missing:?}");
}
