//! The cache of sessions and service keys, and the loaders that read what is not in it.
//!
//! A strict answer is read from the store after it was asked for; reads that are asked for at once share a statement
//! ([`loaders`]). With a cache entry for the session no more is read than its status.
//!
//! A fresh answer may come from the cache ([`session_cache`], [`packed`]). Its entries are invalidated when the change log
//! has a change, and count only while the log is known to be read ([`invalidations`]). The cache may only say yes:
//! a refusal is read from the store, because another replica may have extended the session.

mod invalidations;
pub mod loaders;
mod packed;
pub mod session_cache;
