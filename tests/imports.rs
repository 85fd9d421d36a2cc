//! The imports of the sources, followed to the files where names are defined.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The modules of the library, by path (`sessions::cache::packed`), with their code: no comments, no tests.
pub(crate) struct Modules(BTreeMap<String, String>);

impl Modules {
    /// Reads the sources below `src`, without the files of unit tests.
    pub(crate) fn read() -> Self {
        let mut modules = BTreeMap::new();
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut modules);
        Self(modules)
    }

    /// All paths.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The code of a module.
    pub(crate) fn code(&self, module: &str) -> &str {
        &self.0[module]
    }

    /// The modules in which the names that `module` imports are defined.
    pub(crate) fn imports(&self, module: &str) -> BTreeSet<String> {
        let code = self.code(module);
        let (mut imports, mut aliases) = (BTreeSet::new(), Vec::new());
        for path in used_paths(code).into_iter().chain(inline_paths(code)) {
            let Some(path) = self.absolute(module, &path) else { continue };
            if self.0.contains_key(&path) {
                aliases.push(path);
            } else {
                imports.extend(self.definition(&path, &mut BTreeSet::new()));
            }
        }
        for alias in aliases {
            let prefix = format!("{}::", alias.rsplit("::").next().unwrap());
            for (at, _) in code.match_indices(&prefix) {
                let name = identifier(&code[at + prefix.len()..]);
                imports.extend(self.definition(&format!("{alias}::{name}"), &mut BTreeSet::new()));
            }
        }
        imports.remove(module);
        imports
    }

    /// All modules that `module` reaches by imports, itself included.
    pub(crate) fn reached(&self, module: &str) -> BTreeSet<String> {
        let (mut reached, mut open) = (BTreeSet::new(), vec![module.to_owned()]);
        while let Some(next) = open.pop() {
            if reached.insert(next.clone()) {
                open.extend(self.imports(&next));
            }
        }
        reached
    }

    /// A circle of imports, if there is one.
    pub(crate) fn circle(&self) -> Option<Vec<String>> {
        let mut done = BTreeSet::new();
        self.paths().find_map(|module| self.circle_from(module, &mut Vec::new(), &mut done))
    }

    fn circle_from(&self, module: &str, way: &mut Vec<String>, done: &mut BTreeSet<String>) -> Option<Vec<String>> {
        if let Some(at) = way.iter().position(|before| before == module) {
            return Some(way[at..].to_vec());
        }
        if done.contains(module) {
            return None;
        }
        way.push(module.to_owned());
        let found = self.imports(module).iter().find_map(|next| self.circle_from(next, way, done));
        way.pop();
        done.insert(module.to_owned());
        found
    }

    /// A path of `module` from the root of the library; `None` for one that leads out of it.
    fn absolute(&self, module: &str, path: &str) -> Option<String> {
        if let Some(rest) = path.strip_prefix("crate::") {
            return Some(rest.to_owned());
        }
        let (mut base, mut rest) = (module, path);
        while let Some(above) = rest.strip_prefix("super::") {
            (base, rest) = (base.rsplit_once("::").map_or("", |(above, _)| above), above);
        }
        let below = [base, rest].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("::");
        let is_ours = rest != path || self.0.contains_key(&format!("{module}::{}", path.split("::").next().unwrap()));
        is_ours.then_some(below)
    }

    /// The module that a path's name is defined in, through the re-exports on the way.
    fn definition(&self, path: &str, seen: &mut BTreeSet<String>) -> Option<String> {
        if !seen.insert(path.to_owned()) {
            return None;
        }
        if self.0.contains_key(path) {
            return Some(path.to_owned());
        }
        let (module, name) = path.rsplit_once("::")?;
        let Some(code) = self.0.get(module) else {
            // An item of an item, such as a variant.
            return self.definition(module, seen);
        };
        for exported in re_exports(code) {
            let Some(target) = self.absolute(module, &exported) else { continue };
            if let Some(glob) = target.strip_suffix("::*") {
                let found = self.definition(&format!("{glob}::{name}"), seen).filter(|found| found != glob);
                if found.is_some() || defines(self.0.get(glob)?, name) {
                    return found.or_else(|| Some(glob.to_owned()));
                }
            } else if target.rsplit("::").next() == Some(name) {
                return self.definition(&target, seen);
            }
        }
        Some(module.to_owned())
    }
}

fn collect(folder: &Path, module: &str, modules: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let below = if module.is_empty() { name.clone() } else { format!("{module}::{name}") };
        if path.is_dir() {
            collect(&path, &below, modules);
        } else if !["lib", "main", "tests"].contains(&name.as_str()) {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            let code: String = code
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .map(|line| line.to_owned() + "\n")
                .collect();
            modules.insert(if name == "mod" { module.to_owned() } else { below }, code);
        }
    }
}

/// The paths that a file's `use` items name, each written out.
fn used_paths(code: &str) -> Vec<String> {
    uses(code, "use ")
        .chain(uses(code, "pub use "))
        .chain(uses(code, "pub(crate) use "))
        .flat_map(written_out)
        .collect()
}

fn re_exports(code: &str) -> Vec<String> {
    uses(code, "pub use ").chain(uses(code, "pub(crate) use ")).flat_map(written_out).collect()
}

fn uses<'a>(code: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    let starts = code.match_indices(start).filter(|(at, _)| *at == 0 || code.as_bytes()[at - 1] == b'\n');
    starts.map(|(at, start)| code[at + start.len()..].split(';').next().unwrap())
}

/// `a::{b, c::{d, e}}` as `a::b`, `a::c::d` and `a::c::e`.
fn written_out(tree: &str) -> Vec<String> {
    let tree = tree.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some((head, rest)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap().trim().to_owned();
        return vec![path.strip_suffix("::self").map(ToOwned::to_owned).unwrap_or(path)];
    };
    let (mut depth, mut part, mut parts) = (0, String::new(), Vec::new());
    for letter in rest.chars() {
        match letter {
            '}' if depth == 0 => break,
            ',' if depth == 0 => parts.push(std::mem::take(&mut part)),
            letter => {
                depth += i32::from(letter == '{') - i32::from(letter == '}');
                part.push(letter);
            }
        }
    }
    parts.push(part);
    let parts = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty());
    parts.flat_map(|part| written_out(&format!("{}{part}", head.trim_start()))).collect()
}

/// The paths in code that begin with `crate::` or `super::`.
fn inline_paths(code: &str) -> Vec<String> {
    let code: String = code.lines().filter(|line| !line.contains("use ")).collect::<Vec<_>>().join("\n");
    let starts = code.match_indices("crate::").chain(code.match_indices("super::"));
    let whole = starts.filter(|(at, _)| *at == 0 || !code[..*at].ends_with([':', '_']));
    let ends = |(at, _): (usize, &str)| {
        let rest = &code[at..];
        let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != ':');
        rest[..end.unwrap_or(rest.len())].trim_end_matches(':').to_owned()
    };
    whole.filter(|(at, _)| !code[..*at].ends_with("pub(in ")).map(ends).collect()
}

fn identifier(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
    &text[..end.unwrap_or(text.len())]
}

fn defines(code: &str, name: &str) -> bool {
    ["struct", "enum", "trait", "fn", "const", "type", "static"].iter().any(|kind| {
        code.lines().any(|line| {
            line.contains(&format!("pub {kind} {name}")) || line.contains(&format!("pub async {kind} {name}"))
        })
    })
}
