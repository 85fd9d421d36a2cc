//! The part of PostgreSQL's protocol that is needed to break a connection at a chosen moment.

/// Requests for encryption (TLS or GSS), which are answered by one byte outside any message.
const ENCRYPTION_REQUESTS: [u32; 2] = [80_877_103, 80_877_104];

/// Parses the bytes from a client.
#[derive(Debug, Default)]
pub struct Requests {
    pending: Vec<u8>,
    application: Option<String>,
    started: bool,
    raw_answer: bool,
    executed: bool,
}

impl Requests {
    /// Consumes bytes.
    pub fn follow(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        loop {
            // The first messages have a length and no type.
            let head = usize::from(self.started);
            let Some(length) = length_at(&self.pending, head).filter(|length| self.pending.len() >= head + length)
            else {
                return;
            };
            let message: Vec<u8> = self.pending.drain(..head + length).collect();
            if self.started {
                // Execute, and the simple query. A simple SELECT belongs to the set-up of a connection and changes
                // nothing.
                self.executed |= message[0] == b'E' || message[0] == b'Q' && !message[5..].starts_with(b"SELECT");
            } else if message.len() == 8 && ENCRYPTION_REQUESTS.contains(&number_at(&message, 4)) {
                self.raw_answer = true;
            } else {
                self.started = true;
                self.application = application(&message[8..]);
            }
        }
    }

    /// The client's `application_name`, once the start-up message has arrived.
    pub fn application(&self) -> Option<&str> {
        self.application.as_deref()
    }

    /// Whether the next answer begins with one byte outside any message. Resets the flag.
    pub fn take_raw_answer(&mut self) -> bool {
        std::mem::take(&mut self.raw_answer)
    }

    /// Whether the client has executed a statement that is not answered yet.
    pub fn has_executed(&self) -> bool {
        self.executed
    }

    /// Notes that the statements were answered.
    pub fn forget_executed(&mut self) {
        self.executed = false;
    }
}

/// A complete answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// Whether no transaction is open any more.
    pub committed: bool,
}

/// Parses the bytes from a server.
#[derive(Debug, Default)]
pub struct Answers {
    pending: Vec<u8>,
    raw_bytes: usize,
}

impl Answers {
    /// Announces one byte outside any message.
    pub fn expect_raw_byte(&mut self) {
        self.raw_bytes += 1;
    }

    /// Consumes bytes. Returns the last answer that they complete.
    pub fn follow(&mut self, bytes: &[u8]) -> Option<Done> {
        self.pending.extend_from_slice(bytes);
        let raw = self.raw_bytes.min(self.pending.len());
        self.pending.drain(..raw);
        self.raw_bytes -= raw;
        let mut done = None;
        while let Some(length) = length_at(&self.pending, 1).filter(|length| self.pending.len() > *length) {
            let message: Vec<u8> = self.pending.drain(..=length).collect();
            // ReadyForQuery contains the state of the transaction.
            if message[0] == b'Z' {
                done = Some(Done { committed: message[5] == b'I' });
            }
        }
        done
    }
}

fn number_at(bytes: &[u8], start: usize) -> u32 {
    u32::from_be_bytes(bytes[start..start + 4].try_into().unwrap())
}

fn length_at(bytes: &[u8], start: usize) -> Option<usize> {
    (bytes.len() >= start + 4).then(|| number_at(bytes, start).try_into().unwrap())
}

fn application(parameters: &[u8]) -> Option<String> {
    let mut words = parameters.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
    words.find(|word| word == "application_name")?;
    words.next()
}
