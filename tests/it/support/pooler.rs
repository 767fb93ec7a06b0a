//! Runs PgBouncer in front of the PostgreSQL server of the tests. If PgBouncer is not installed, [`Pooler::start`]
//! prints a line and returns `None`.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// A pooler that stops with the test.
pub struct Pooler {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Pooler {
    /// Starts a pooler in front of the PostgreSQL server in `database_url`. `lines` are added to the settings of the
    /// pooler.
    pub fn start(database_url: &str, lines: &str) -> Option<Self> {
        let Some(program) = program() else {
            eprintln!("NOT RUN behind a pooler: pgbouncer is not installed (apt-get install pgbouncer)");
            return None;
        };
        let (user, rest) = database_url.split_once("://").unwrap().1.split_once('@').unwrap();
        let server: SocketAddr = rest.split('/').next().unwrap().parse().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let users = folder.path().join("users.txt");
        std::fs::write(&users, format!("\"{user}\" \"\"\n")).unwrap();
        let settings = folder.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr = {}\nlisten_port = {}\nunix_socket_dir =\n\
             auth_type = trust\nauth_file = {}\n{lines}\n",
            server.ip(),
            server.port(),
            address.ip(),
            address.port(),
            users.display()
        );
        std::fs::write(&settings, text).unwrap();
        let mut command = Command::new(program);
        if rustix::process::getuid().is_root() {
            // PgBouncer refuses to run as root.
            command.args(["-u", "postgres"]);
        }
        let child = command
            .arg("-q")
            .arg(&settings)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pooler = Self {
            child,
            address,
            _folder: folder,
        };
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "timed out while waiting until pgbouncer starts"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(pooler)
    }

    /// Returns the database's URL through the pooler.
    pub fn in_url(&self, database_url: &str) -> String {
        let (before, after) = database_url.split_once('@').unwrap();
        let (_, path) = after.split_once('/').unwrap();
        format!("{before}@{}/{path}", self.address)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> Option<PathBuf> {
    let usual = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"];
    usual
        .iter()
        .map(Path::new)
        .find(|path| path.exists())
        .map(Path::to_owned)
}
