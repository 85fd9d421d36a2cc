//! The gateways, each started with the files of its recipe.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::http::{Connection, Request};
use crate::faults::cluster::{free_port, give_to_database_user, unprivileged};
use crate::support::process::{Folder, signal};

/// A program and its recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    Nginx,
    Haproxy,
    Apache,
    Caddy,
    /// Debian's version, years older.
    DebianCaddy,
    Traefik,
    Envoy,
}

impl Program {
    /// The file that `scripts/gateways` has made.
    fn binary(self) -> PathBuf {
        let name = match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Apache => "apache2",
            Self::Caddy => "caddy",
            Self::DebianCaddy => "debian_caddy",
            Self::Traefik => "traefik",
            Self::Envoy => "envoy",
        };
        let binary = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/gateways").join(name);
        assert!(binary.exists(), "{name} is missing: tests/recipes/run gets it");
        binary
    }

    /// The folder in `docs/gateways`, and the one that its files name as their place.
    fn folders(self) -> (&'static str, &'static str) {
        match self {
            Self::Nginx => ("nginx", "/etc/nginx"),
            Self::Haproxy => ("haproxy", "/etc/haproxy"),
            Self::Apache => ("apache", "/etc/apache2"),
            Self::Caddy | Self::DebianCaddy => ("caddy", "/etc/caddy"),
            Self::Traefik => ("traefik", "/etc/traefik"),
            Self::Envoy => ("envoy", "/etc/envoy"),
        }
    }

    /// The recipe's files with their text.
    pub fn files(self) -> Vec<(String, String)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/gateways").join(self.folders().0);
        let files = fs::read_dir(folder).unwrap().map(|file| {
            let path = file.unwrap().path();
            (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap())
        });
        files.collect()
    }

    /// The file around the recipe, where the recipe is one of several that a main file includes: as Debian's main file,
    /// with places in this folder.
    fn main_file(self, folder: &Path) -> Option<(&'static str, String)> {
        let path = folder.display();
        match self {
            Self::Nginx => {
                let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
                let places = places.map(|name| format!("{name}_temp_path {path}/{name};\n")).concat();
                let text = format!(
                    "daemon off; pid {path}/pid; error_log {path}/log;\nevents {{}}\nhttp {{\naccess_log off;\n\
                     {places}include {path}/sojourn.conf;\n}}\n"
                );
                Some(("nginx.conf", text))
            }
            Self::Apache => {
                let modules = ["mpm_event", "authz_core", "lua", "proxy", "proxy_http"];
                let modules = modules
                    .map(|name| format!("LoadModule {name}_module ${{APACHE_MODULES}}/mod_{name}.so\n"))
                    .concat();
                let text = format!(
                    "{modules}ServerRoot {path}\nServerName gateway\nPidFile pid\nMutex file:{path}\nErrorLog log\n\
                     Include sojourn.conf\n"
                );
                Some(("apache2.conf", text))
            }
            Self::Haproxy | Self::Caddy | Self::DebianCaddy | Self::Traefik | Self::Envoy => None,
        }
    }

    fn arguments(self, folder: &Path) -> Vec<String> {
        let path = |name: &str| folder.join(name).display().to_string();
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        match self {
            Self::Nginx => texts(&["-c", &path("nginx.conf"), "-e", &path("log")]),
            Self::Haproxy => texts(&["-db", "-f", &path("haproxy.cfg")]),
            Self::Apache => texts(&["-DFOREGROUND", "-f", &path("apache2.conf")]),
            Self::Caddy | Self::DebianCaddy => texts(&["run", "--config", &path("Caddyfile")]),
            Self::Traefik => texts(&["--configFile", &path("traefik.yml")]),
            Self::Envoy => {
                texts(&["-c", &path("envoy.yaml"), "--disable-hot-restart", "--concurrency", "2", "-l", "error"])
            }
        }
    }
}

/// A running gateway, stopped when it is dropped.
pub struct Gateway {
    pub port: u16,
    child: Child,
    folder: Folder,
}

impl Gateway {
    /// Starts a gateway between an application and a server, and waits until it asks the server. In the recipe only the
    /// ports and the folder are replaced.
    pub async fn start(program: Program, sojourn: u16, application: u16) -> Self {
        let (folder, port) = (Folder::new(), free_port());
        let ports = [("8000", port), ("8080", sojourn), ("3000", application)];
        for (name, text) in program.files() {
            let text = text.replace(program.folders().1, folder.path.to_str().unwrap());
            fs::write(folder.path.join(name), with_ports(&text, &ports)).unwrap();
        }
        if let Some((name, text)) = program.main_file(&folder.path) {
            fs::write(folder.path.join(name), text).unwrap();
        }
        give_to_database_user(&folder.path);
        let log = File::create(folder.path.join("output")).unwrap();
        let mut command = unprivileged(&program.binary());
        command.args(program.arguments(&folder.path)).current_dir(&folder.path).env("HOME", &folder.path);
        let child = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let mut gateway = Self { port, child, folder };
        gateway.wait_until_it_asks().await;
        gateway
    }

    async fn wait_until_it_asks(&mut self) {
        let started = Instant::now();
        loop {
            if tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_ok() {
                let mut connection = Connection::open(Ipv4Addr::LOCALHOST, self.port).await;
                connection.send(&Request::get("/")).await;
                // Traefik listens before it has read its routes, and answers 404.
                if connection.message().await.is_some_and(|answer| answer.status() == 401) {
                    return;
                }
            }
            assert!(self.child.try_wait().unwrap().is_none(), "it has stopped: {}", self.log());
            assert!(started.elapsed() < Duration::from_secs(30), "it does not start: {}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The output and the log so far.
    pub fn log(&self) -> String {
        let texts = ["output", "log"].map(|name| fs::read_to_string(self.folder.path.join(name)).unwrap_or_default());
        texts.concat()
    }
}

/// The text with other ports: numbers are replaced as a whole.
fn with_ports(text: &str, ports: &[(&str, u16)]) -> String {
    let mut replaced = String::new();
    let mut number = String::new();
    for character in text.chars().chain(['\n']) {
        if character.is_ascii_alphanumeric() {
            number.push(character);
            continue;
        }
        match ports.iter().find(|(own, _)| *own == number) {
            Some((_, port)) => replaced += &port.to_string(),
            None => replaced += &number,
        }
        number.clear();
        replaced.push(character);
    }
    replaced
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // A killed nginx or Apache would leave its workers behind.
        signal(self.child.id(), Signal::SIGTERM);
        let started = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if started.elapsed() > Duration::from_secs(10) {
                signal(self.child.id(), Signal::SIGKILL);
            }
            #[expect(clippy::disallowed_methods, reason = "a destructor cannot wait on the test's runtime")]
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
