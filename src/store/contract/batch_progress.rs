//! The progress of work in batches.

/// The outcome of one batch of work that only one process does at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchProgress {
    /// A batch was done, and more are left.
    More,
    /// The last batch was done.
    Done,
    /// No batch was done: there was none, or another process does them.
    Idle,
}

impl BatchProgress {
    /// The outcome of a batch that was done.
    pub(crate) fn of_batch(has_more: bool) -> Self {
        if has_more { Self::More } else { Self::Done }
    }
}
