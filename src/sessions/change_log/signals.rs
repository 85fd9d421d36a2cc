//! The signals of the change log.

use tokio::sync::Notify;

/// Wakes the tasks that work on the log.
#[derive(Debug, Default)]
pub struct Signals {
    /// The log has grown and should be read.
    pub(in crate::sessions) grown: Notify,
    /// This process has written to the log, and the other replicas need a notice.
    pub(in crate::sessions) written: Notify,
    /// A bulk ending is to be applied to its sessions' rows.
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
