//! The signals of the change log.

use tokio::sync::Notify;

/// Wakes the tasks that work on the log.
#[derive(Debug, Default)]
pub struct Signals {
    /// The log has grown: it should be read.
    pub(in crate::sessions) grown: Notify,
    /// This process has written to it: the others should be told.
    pub(in crate::sessions) written: Notify,
    /// There is a bulk ending to be carried out.
    pub(in crate::sessions) bulk_ending: Notify,
}

impl Signals {
    pub fn written(&self) {
        self.grown.notify_one();
        self.written.notify_one();
    }

    pub fn bulk_ending(&self) {
        self.bulk_ending.notify_one();
    }

    pub async fn bulk_ending_made(&self) {
        self.bulk_ending.notified().await;
    }
}
