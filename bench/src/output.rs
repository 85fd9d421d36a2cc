//! Lines for the terminal.

use std::io::{self, Write as _};

/// Prints a line on standard output.
pub fn tell(line: &str) {
    // A closed output is no error.
    drop(writeln!(io::stdout(), "{line}"));
}

/// Prints a line about progress or a failure on standard error.
pub fn progress(line: &str) {
    drop(writeln!(io::stderr(), "{line}"));
}
