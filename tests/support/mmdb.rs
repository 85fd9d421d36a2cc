//! A writer of small MMDB files, in the format of MaxMind DB 2.0: a binary tree over the bits of addresses, a section of
//! data, and metadata at the end.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sojourn::clock::{self, Clock as _, SystemClock, SystemEntropy};

/// Bytes between the tree and the data.
const SEPARATOR: usize = 16;

/// A file of networks with their records.
pub struct Mmdb {
    kind: &'static str,
    /// A node: the record of a 0 and that of a 1.
    nodes: Vec<[Record; 2]>,
    data: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Record {
    Nothing,
    Node(usize),
    Data(usize),
}

impl Mmdb {
    /// A file of a kind such as `GeoLite2-City`.
    pub fn new(kind: &'static str) -> Self {
        Self { kind, nodes: vec![[Record::Nothing; 2]], data: Vec::new() }
    }

    /// Adds a network, which overlaps no other. IPv4 networks are below `::/96`.
    pub fn with(mut self, network: &str, record: &Value) -> Self {
        let (address, length) = network.split_once('/').unwrap();
        let length: usize = length.parse().unwrap();
        let (bits, length) = match address.parse().unwrap() {
            IpAddr::V4(address) => (u128::from(u32::from(address)), length + 96),
            IpAddr::V6(address) => (u128::from(address), length),
        };
        let offset = self.data.len();
        write(record, &mut self.data);
        let mut node = 0;
        for depth in 0..length {
            let bit = usize::try_from(bits >> (127 - depth) & 1).unwrap();
            node = match self.nodes[node][bit] {
                _ if depth + 1 == length => {
                    self.nodes[node][bit] = Record::Data(offset);
                    return self;
                }
                Record::Node(next) => next,
                _ => {
                    self.nodes.push([Record::Nothing; 2]);
                    let next = self.nodes.len() - 1;
                    self.nodes[node][bit] = Record::Node(next);
                    next
                }
            };
        }
        unreachable!("a network has at least one bit");
    }

    /// The bytes of the file.
    pub fn bytes(&self) -> Vec<u8> {
        let count = self.nodes.len();
        let mut bytes = Vec::new();
        for record in self.nodes.iter().flatten() {
            let value = match record {
                Record::Nothing => count,
                Record::Node(node) => *node,
                Record::Data(offset) => count + SEPARATOR + offset,
            };
            bytes.extend(u32::try_from(value).unwrap().to_be_bytes());
        }
        bytes.extend([0; SEPARATOR]);
        bytes.extend(&self.data);
        bytes.extend(b"\xab\xcd\xefMaxMind.com");
        let metadata = json!({
            "binary_format_major_version": 2, "binary_format_minor_version": 0, "build_epoch": 1_700_000_000,
            "database_type": self.kind, "description": { "en": "of a test" }, "ip_version": 6, "languages": ["en"],
            "node_count": count, "record_size": 32,
        });
        write(&metadata, &mut bytes);
        bytes
    }

    /// Puts the file in the place of another, as `geoipupdate` does.
    pub fn replace(&self, path: &Path) {
        replace(path, &self.bytes());
    }

    /// Writes a new file below the temporary folder.
    pub fn write_new(&self) -> PathBuf {
        let id = clock::uuid_v7(SystemClock.now(), &SystemEntropy).unwrap();
        let path = std::env::temp_dir().join(format!("sojourn-places-{id}.mmdb"));
        self.replace(&path);
        path
    }
}

/// Puts any bytes in the place of a file.
pub fn replace(path: &Path, bytes: &[u8]) {
    let new = path.with_extension("new");
    std::fs::write(&new, bytes).unwrap();
    std::fs::rename(new, path).unwrap();
}

fn write(value: &Value, to: &mut Vec<u8>) {
    match value {
        Value::Object(members) => {
            head(7, members.len(), to);
            for (name, value) in members {
                write(&json!(name), to);
                match value.as_u64() {
                    Some(number) => write_number(name, number, to),
                    None => write(value, to),
                }
            }
        }
        Value::Array(values) => {
            head(11, values.len(), to);
            for value in values {
                write(value, to);
            }
        }
        Value::String(text) => {
            head(2, text.len(), to);
            to.extend(text.as_bytes());
        }
        Value::Number(_) | Value::Null | Value::Bool(_) => unreachable!("no list has one"),
    }
}

/// A number in the type that the format has for the member of that name.
fn write_number(name: &str, number: u64, to: &mut Vec<u8>) {
    match name {
        "build_epoch" => {
            head(9, 8, to);
            to.extend(number.to_be_bytes());
        }
        "node_count" | "autonomous_system_number" | "geoname_id" => {
            head(6, 4, to);
            to.extend(u32::try_from(number).unwrap().to_be_bytes());
        }
        _ => {
            head(5, 2, to);
            to.extend(u16::try_from(number).unwrap().to_be_bytes());
        }
    }
}

/// The control byte of a field, and what does not fit into it.
fn head(kind: u8, size: usize, to: &mut Vec<u8>) {
    let (short, more) = if size < 29 { (size, None) } else { (29, Some(size - 29)) };
    let short = u8::try_from(short).unwrap();
    to.push(if kind <= 7 { kind << 5 | short } else { short });
    if kind > 7 {
        to.push(kind - 7);
    }
    to.extend(more.map(|more| u8::try_from(more).unwrap()));
}
