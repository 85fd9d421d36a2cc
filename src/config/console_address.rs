//! The address of the console.

/// The address of the console.
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

impl ConsoleAddress {
    /// The console's own address, if it has one.
    pub fn own(&self) -> Option<&str> {
        match self {
            Self::Own(address) => Some(address),
            Self::Main | Self::None => None,
        }
    }
}
