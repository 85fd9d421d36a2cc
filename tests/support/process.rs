//! The program itself, as an operator runs it.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A master secret for servers of a test that share a database.
pub const SECRET: &str = "9f2c41d07be85a633cd19e0f64b7a2588137fce0d24b956a70e8134fc5aa2d91";

/// A folder to run in, deleted afterwards.
pub struct Folder {
    pub path: PathBuf,
}

impl Folder {
    pub fn new() -> Self {
        use sojourn::clock::{Clock as _, SystemClock, SystemEntropy, uuid_v7};
        let name = uuid_v7(SystemClock.now(), &SystemEntropy).unwrap();
        let path = std::env::temp_dir().join(format!("sojourn-run-{name}"));
        fs::create_dir(&path).unwrap();
        Self { path }
    }

    /// The program, with this folder as its working directory and an empty environment.
    pub fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sojourn"));
        command.current_dir(&self.path).env_clear();
        command
    }

    /// Runs a command to completion.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.program().args(arguments).output().unwrap()
    }

    /// The output of a command that must succeed.
    #[track_caller]
    pub fn printed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Starts the server on a free port and waits until it logs its address.
    pub fn serve(&self, settings: &[(&str, &str)]) -> Process {
        self.serve_by(self.program(), settings)
    }

    /// As [`Folder::serve`], by another command, which must exec the server.
    pub fn serve_by(&self, mut program: Command, settings: &[(&str, &str)]) -> Process {
        let log = self.path.join("log");
        let mut child = program
            .current_dir(&self.path)
            .env("SOJOURN_LISTEN", "127.0.0.1:0")
            .env("SOJOURN_DRAIN_DELAY", "0")
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .stderr(File::options().create(true).append(true).open(&log).unwrap())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut welcome = Vec::new();
        for line in lines {
            welcome.push(line.unwrap());
            if welcome.last().is_some_and(|line: &String| line.contains("key create")) {
                break;
            }
        }
        let first = welcome.first().unwrap_or_else(|| panic!("{}", fs::read_to_string(&log).unwrap()));
        let base = first.split_once("listens on ").unwrap().1.to_owned();
        Process { child, base, welcome, log }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.path));
    }
}

/// A running server, killed when it is dropped.
pub struct Process {
    child: Child,
    pub base: String,
    pub welcome: Vec<String>,
    log: PathBuf,
}

impl Process {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks the server to stop.
    pub fn terminate(&self) {
        signal(self.child.id(), Signal::SIGTERM);
    }

    /// Kills the server, as a crash would.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the exit, which must come within the 15 seconds that orchestrators give.
    pub fn wait(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < Duration::from_secs(15), "it does not stop");
            #[expect(clippy::disallowed_methods, reason = "a test that waits for another process")]
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The log so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

/// Sends a signal to a process of the test; a process that has exited is no error.
pub fn signal(process: u32, signal: Signal) {
    let sent = kill(Pid::from_raw(process.try_into().unwrap()), signal);
    assert!(matches!(sent, Ok(()) | Err(Errno::ESRCH)), "{sent:?}");
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
