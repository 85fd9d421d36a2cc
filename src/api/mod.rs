//! The HTTP side: one folder a family, and the parts that families share.
//!
//! A family is its paths, its wire types and its errors. It implements [`Family`] and has a line in [`FAMILIES`]; the
//! extractors and the guards here then use its errors in every case, unknown paths and panics included.

mod addressing;
pub(crate) mod announcements;
pub(crate) mod app;
pub mod blackbox;
pub(crate) mod console_cookie;
mod cors;
pub(crate) mod credentials;
pub mod cumulonimbus;
mod description;
mod docs_page;
mod documented;
mod endings;
pub mod extract;
pub(crate) mod failure;
pub(crate) mod family;
pub mod forwarding;
pub(crate) mod guard;
mod guides;
pub mod janssen;
mod json;
pub mod limits;
mod mount;
pub mod native;
mod openapi;
mod openapi_3_0;
mod operations;
pub mod quiika;
mod reference;
mod registry;
mod request_cookies;
pub mod request_ids;
pub mod request_log;
mod request_notes;
mod right_path;
mod router;
mod session_cookie;
mod sign_in_failures;
mod timestamp;
mod unknown_path;
pub mod vault;
mod wording;

pub use app::App;
pub use endings::Reserved;
pub use failure::{Failure, Rejection};
pub use family::{Family, Refused};
pub use mount::Mount;
pub use openapi::{DocumentForm, document, document_as, family_document};
pub use registry::{FAMILIES, rights};
pub use router::{console_router, metrics_router, router};
