//! A real PostgreSQL for tests: one of Debian's, started for this test program and gone with it, or the one that
//! `OCTORHAI_TEST_POSTGRES=postgres://...` names. Every test gets a database of its own.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

/// The password of the server that is started here.
pub const PASSWORD: &str = "s3cret-word";

/// The address of a new, empty database.
pub fn database() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let server = server();
    let name = format!("octorhai_test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
    execute(server, &format!("CREATE DATABASE {name}")).expect("a database");
    let mut url = url::Url::parse(server).expect("an address");
    url.set_path(&name);
    url.to_string()
}

/// Does what a statement says.
pub fn execute(address: &str, sql: &str) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(address, tokio_postgres::NoTls).await.map_err(|error| error.to_string())?;
        let driver = tokio::spawn(connection);
        let done = client.batch_execute(sql).await.map_err(|error| format!("{error:?}"));
        drop(client);
        let _ = driver.await;
        done
    })
}

fn server() -> &'static str {
    static SERVER: OnceLock<String> = OnceLock::new();
    SERVER.get_or_init(|| std::env::var("OCTORHAI_TEST_POSTGRES").unwrap_or_else(|_| Own::start("", |_| ()).address))
}

/// A server that was started here.
pub struct Own {
    /// The address of its first database.
    pub address: String,
    /// Below it is its folder `data`.
    pub folder: PathBuf,
}

/// The folder with Debian's newest binaries, or with those of the path.
fn binaries() -> PathBuf {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = debian.collect();
    found.sort_by_key(|path| path.to_string_lossy().split('/').nth(4).and_then(|version| version.parse::<u32>().ok()));
    found.reverse();
    found.extend(std::env::split_paths(&path));
    let has_all = |folder: &PathBuf| folder.join("initdb").exists() && folder.join("postgres").exists();
    found.into_iter().find(has_all).expect(
        "these tests need PostgreSQL: install Debian's package `postgresql`, or name a server that may be used \
         (its user must be allowed to create databases) in OCTORHAI_TEST_POSTGRES=postgres://user:password@host/database",
    )
}

/// The user `nobody`, whom a root must become: PostgreSQL refuses root.
const NOBODY: u32 = 65534;

impl Own {
    /// Starts one with settings as options (`-c ssl=on`), once `prepare` has put what they need into the folder.
    #[allow(clippy::zombie_processes, reason = "it lives as long as this process, and ends when our end of its pipe is closed")]
    pub fn start(settings: &str, prepare: impl Fn(&Path)) -> Self {
        let binaries = binaries();
        let folder = tempfile::tempdir().expect("a folder").keep();
        let root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
        if root {
            std::os::unix::fs::chown(&folder, Some(NOBODY), Some(NOBODY)).expect("a folder of nobody's");
        }
        let shell = |script: &str| {
            let mut command = if root {
                let mut command = Command::new("setpriv");
                let nobody = NOBODY.to_string();
                command.args(["--reuid", &nobody, "--regid", &nobody, "--clear-groups", "sh", "-c", script]);
                command
            } else {
                let mut command = Command::new("sh");
                command.args(["-c", script]);
                command
            };
            command.current_dir(&folder).env("BIN", &binaries).env("LC_ALL", "C").env_remove("PGDATA");
            command
        };
        let made = shell(&format!(
            "umask 077; echo {PASSWORD} > password && \"$BIN\"/initdb --no-sync -D data -U postgres --auth=scram-sha-256 --pwfile=password -E UTF8"
        ));
        let made = { made }.output().expect("a shell");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        prepare(&folder);
        if root {
            for entry in fs::read_dir(&folder).expect("the folder").flatten() {
                std::os::unix::fs::chown(entry.path(), Some(NOBODY), Some(NOBODY)).expect("a file of nobody's");
            }
        }
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        // The shell reads from us until we are gone, however we went; then it stops the server and removes the folder. Until then
        // it starts the server again when it ended, as the init of a machine does.
        let script = format!(
            "serve() {{ while [ ! -e gone ]; do \"$BIN\"/postgres -D data -p {port} -k \"$PWD\" -c listen_addresses=127.0.0.1 \
             -c max_connections=200 {settings} >>log 2>&1 </dev/null; sleep 0.2; done; }}; serve & server=$!; cat >/dev/null; \
             touch gone; kill -INT $(head -n 1 data/postmaster.pid); wait $server; cd / && rm -rf {}",
            folder.display()
        );
        let mut keeper = shell(&script).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a shell");
        // Open as long as this process.
        std::mem::forget(keeper.stdin.take());
        let address = format!("postgres://postgres:{PASSWORD}@127.0.0.1:{port}/postgres");
        for _ in 0..300 {
            if execute(&address, "SELECT 1").is_ok() {
                return Self { address, folder };
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("PostgreSQL does not start: {}", log(&folder));
    }
}

/// Stops the server whose folder this is at once, as a power failure does (its immediate mode); a moment later it starts again.
/// Returns when it is gone.
pub fn crash(folder: &Path) {
    let about = || fs::read_to_string(folder.join("data/postmaster.pid")).unwrap_or_default();
    let process = about().lines().next().expect("it runs").trim().to_owned();
    Command::new("kill").args(["-QUIT", &process]).status().expect("kill runs");
    super::until("the end of PostgreSQL", || (!about().starts_with(&format!("{process}\n"))).then_some(()));
}

fn log(folder: &Path) -> String {
    fs::read_to_string(folder.join("log")).unwrap_or_default()
}
