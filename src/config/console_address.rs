//! Where the console is.

/// Where the console is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ConsoleAddress {
    /// At the main address.
    #[default]
    Main,
    /// At an address of its own.
    Own(String),
    /// Nowhere.
    None,
}
