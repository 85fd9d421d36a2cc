//! Places from MMDB files, which hold networks with their city, country or autonomous system.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use maxminddb::{MaxMindDbError, Reader};
use serde::Deserialize;

use crate::model::{Place, text};
use crate::sessions::FindPlace;

/// The longest text that is taken from a file.
const MAX_TEXT_CHARS: usize = 255;
/// Parts of the type of a file, one of which a usable file has.
const KINDS: [&str; 5] = ["City", "Country", "ASN", "ISP", "Enterprise"];

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GeoIpError {
    /// The file cannot be read, or is no MMDB file.
    #[error("SOJOURN_GEOIP_DATABASE: {} cannot be used: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        error: MaxMindDbError,
    },
    /// The file holds something else than places.
    #[error(
        "SOJOURN_GEOIP_DATABASE: {} is of the type {kind:?}; the type must be one of City, Country, ASN, ISP and Enterprise",
        path.display()
    )]
    OtherKind {
        /// The file.
        path: PathBuf,
        /// The type in the file.
        kind: String,
    },
}

/// The files in use. The first that knows a part of a place decides it.
pub struct GeoIp {
    files: Vec<File>,
}

struct File {
    path: PathBuf,
    loaded: RwLock<Loaded>,
}

struct Loaded {
    reader: Arc<Reader<Vec<u8>>>,
    /// The stamp of the file that was read last, usable or not.
    stamp: Option<Stamp>,
}

/// The marks by which a replaced file is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self { modified: metadata.modified().ok(), bytes: metadata.len() })
    }
}

impl GeoIp {
    /// Reads the files into memory.
    pub fn open(paths: &[PathBuf]) -> Result<Self, GeoIpError> {
        let open = |path: &PathBuf| {
            // The stamp is taken first: a file that is replaced meanwhile is then read once more.
            let stamp = Stamp::of(path);
            let reader = Arc::new(read(path)?);
            tracing::info!(path = %path.display(), kind = reader.metadata().database_type, "places are read from a file");
            Ok(File { path: path.clone(), loaded: RwLock::new(Loaded { reader, stamp }) })
        };
        Ok(Self { files: paths.iter().map(open).collect::<Result<_, _>>()? })
    }

    /// Reads the files that were replaced. A file that cannot be used is logged once, and the former one stays in use.
    pub fn reload(&self) {
        for file in &self.files {
            let stamp = Stamp::of(&file.path);
            if stamp == file.loaded.read().unwrap_or_else(PoisonError::into_inner).stamp {
                continue;
            }
            let read = read(&file.path);
            let mut loaded = file.loaded.write().unwrap_or_else(PoisonError::into_inner);
            loaded.stamp = stamp;
            match read {
                Ok(reader) => {
                    loaded.reader = Arc::new(reader);
                    tracing::info!(path = %file.path.display(), "the file of places was replaced");
                }
                Err(error) => tracing::warn!(%error, "the former file of places stays in use"),
            }
        }
    }
}

impl FindPlace for GeoIp {
    fn find(&self, address: IpAddr) -> Option<Place> {
        let mut place = Place::default();
        for file in &self.files {
            let reader = Arc::clone(&file.loaded.read().unwrap_or_else(PoisonError::into_inner).reader);
            let record = reader.lookup(address).and_then(|found| found.decode::<Record<'_>>());
            match record {
                Ok(Some(record)) => record.complete(&mut place),
                // The latter: an IPv6 address in a file of IPv4 networks.
                Ok(None) | Err(MaxMindDbError::InvalidInput { .. }) => {}
                Err(error) => tracing::warn!(%error, path = %file.path.display(), "a place could not be read"),
            }
        }
        (!place.is_empty()).then_some(place)
    }
}

fn read(path: &Path) -> Result<Reader<Vec<u8>>, GeoIpError> {
    let reader =
        Reader::open_readfile(path).map_err(|error| GeoIpError::Unreadable { path: path.to_owned(), error })?;
    let kind = &reader.metadata().database_type;
    if KINDS.iter().any(|known| kind.contains(known)) {
        Ok(reader)
    } else {
        Err(GeoIpError::OtherKind { path: path.to_owned(), kind: kind.clone() })
    }
}

/// The parts of a record that are used, whatever the kind of its file.
#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow, default)]
    city: Named<'a>,
    #[serde(default)]
    subdivisions: Vec<Named<'a>>,
    #[serde(default)]
    country: Named<'a>,
    #[serde(default)]
    autonomous_system_number: Option<u32>,
    #[serde(default)]
    autonomous_system_organization: Option<&'a str>,
    #[serde(default)]
    traits: Traits<'a>,
}

#[derive(Default, Deserialize)]
struct Named<'a> {
    #[serde(default)]
    iso_code: Option<&'a str>,
    #[serde(borrow, default)]
    names: Names<'a>,
}

#[derive(Default, Deserialize)]
struct Names<'a> {
    #[serde(default)]
    en: Option<&'a str>,
}

/// The network in a file of the kind Enterprise.
#[derive(Default, Deserialize)]
struct Traits<'a> {
    #[serde(default)]
    autonomous_system_number: Option<u32>,
    #[serde(borrow, default)]
    autonomous_system_organization: Option<&'a str>,
}

impl Record<'_> {
    /// Fills in what `place` does not have yet. City, region and country come from one file, so that they fit together.
    fn complete(self, place: &mut Place) {
        let taken = |text: Option<&str>| text::cleaned(text.map(ToOwned::to_owned), MAX_TEXT_CHARS);
        if place.country.is_none() && place.country_name.is_none() && place.city.is_none() {
            place.city = taken(self.city.names.en);
            place.region = taken(self.subdivisions.first().and_then(|region| region.names.en));
            place.country = taken(self.country.iso_code);
            place.country_name = taken(self.country.names.en);
        }
        if place.asn.is_none() && place.organization.is_none() {
            place.asn = self.autonomous_system_number.or(self.traits.autonomous_system_number);
            place.organization =
                taken(self.autonomous_system_organization.or(self.traits.autonomous_system_organization));
        }
    }
}
