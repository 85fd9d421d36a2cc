//! The server as a process of its own, and the processor time and memory of processes.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use procfs::process::{Process, all_processes};

use crate::load::{self, request};

/// Longest start of a server; a debug build is slow.
const STARTING: Duration = Duration::from_mins(1);

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// The address that the server listens on.
    pub address: SocketAddr,
}

impl Server {
    /// Starts the server with these settings and waits until it is ready.
    pub async fn start(binary: &Path, settings: &BTreeMap<String, String>) -> Result<Self> {
        let address = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?.local_addr()?;
        let child = Command::new(binary)
            .arg("serve")
            .env_clear()
            .envs(settings)
            .env("SOJOURN_LISTEN", address.to_string())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| binary.display().to_string())?;
        let mut server = Self { child, address };
        let end = Instant::now() + STARTING;
        let ready = request("GET", "/readyz", "", None);
        while !load::ask(address, &ready).await.is_ok_and(|answer| answer.status == 200) {
            if let Some(status) = server.child.try_wait()? {
                bail!("the server stopped with {status}");
            }
            if Instant::now() > end {
                bail!("the server is not ready");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(server)
    }

    /// Starts the bare server for comparison.
    pub fn start_hello() -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?).arg("hello").stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().context("no output of the bare server")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        Ok(Self { child, address: line.trim().parse()? })
    }

    /// The number of the process.
    pub fn process(&self) -> Result<i32> {
        Ok(i32::try_from(self.child.id())?)
    }

    /// Resident memory, in MiB.
    pub fn memory(&self) -> Result<f64> {
        let status = Process::new(self.process()?)?.status()?;
        Ok(status.vmrss.context("no memory is told of the server")? as f64 / 1024.0)
    }

    /// Stops the server in order.
    pub fn stop(mut self) -> Result<()> {
        kill(Pid::from_raw(self.process()?), Signal::SIGTERM)?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A process that was stopped in order is gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Processor time used so far, in seconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Used {
    /// The time of this process, which makes the load.
    pub load: f64,
    /// The time of the server.
    pub server: f64,
    /// The time of all processes of the database.
    pub database: f64,
}

impl Used {
    /// The processor time until now.
    pub fn now(server: i32, database: Option<i32>) -> Result<Self> {
        Ok(Self {
            load: own(&Process::myself()?)?,
            server: own(&Process::new(server)?)?,
            database: database.map(family).transpose()?.unwrap_or_default(),
        })
    }

    /// The processor time since `before`.
    pub fn since(self, before: Self) -> Self {
        Self {
            load: self.load - before.load,
            server: self.server - before.server,
            database: self.database - before.database,
        }
    }
}

fn own(process: &Process) -> Result<f64> {
    let stat = process.stat()?;
    Ok((stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64)
}

/// The time of a process and all its children, including those that have exited.
fn family(parent: i32) -> Result<f64> {
    let stat = Process::new(parent)?.stat()?;
    let gone = u64::try_from(stat.cutime + stat.cstime).unwrap_or(0);
    let mut ticks = stat.utime + stat.stime + gone;
    for process in all_processes()? {
        // A child that exits meanwhile is included in its parent's time from then on.
        if let Ok(stat) = process.and_then(|process| process.stat())
            && stat.ppid == parent
        {
            ticks += stat.utime + stat.stime;
        }
    }
    Ok(ticks as f64 / procfs::ticks_per_second() as f64)
}
