//! Building and running the server for the harnesses.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// Builds the binary and gives its path.
pub(crate) fn build(release: bool) -> Result<PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--package", "firelock"]);
    if release {
        cargo.arg("--release");
    }
    ensure!(cargo.status().context("cargo build")?.success(), "the server does not build");
    Ok(target().join(if release { "release" } else { "debug" }).join("firelock"))
}

/// The folder of the workspace.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// The folder that Cargo builds into.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// The command that serves a data folder on a free port.
pub(crate) fn command(binary: &Path, data: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(binary);
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .args(flags)
        .env("FIRELOCK_LOG", "warn")
        .stdout(Stdio::piped());
    command
}

/// Verifies every version chain and every page of a data folder.
pub(crate) fn check(binary: &Path, data: &Path) -> Result<()> {
    let output = Command::new(binary).args(["check", "--pages", "--data"]).arg(data).output()?;
    let told = [output.stdout, output.stderr].concat();
    ensure!(output.status.success(), "firelock check found faults: {}", String::from_utf8_lossy(&told));
    Ok(())
}

/// The peak of a process's resident memory, in bytes: since its start, or since [`forget_peak`].
pub(crate) fn peak(process: u32) -> Result<u64> {
    let status =
        std::fs::read_to_string(format!("/proc/{process}/status")).context("the server has ended")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|text| text.split_whitespace().next()).context("no VmHWM")?;
    Ok(kib.parse::<u64>()? * 1024)
}

/// Lets the peak begin anew at what is resident now. Linux may be built without that; then the peak is the one since
/// the start, which is never less.
pub(crate) fn forget_peak(process: u32) {
    let _ = std::fs::write(format!("/proc/{process}/clear_refs"), "5");
}

/// A server process. Dropping it kills it.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts a server on a free port and waits until it accepts connections.
    pub(crate) fn start(binary: &Path, data: &Path, flags: &[&str]) -> Result<Self> {
        Self::spawn(command(binary, data, flags))
    }

    /// Runs a [`command`] and waits until it accepts connections.
    pub(crate) fn spawn(mut command: Command) -> Result<Self> {
        let mut child =
            command.spawn().with_context(|| format!("start {}", command.get_program().display()))?;
        let stdout = child.stdout.take().context("no stdout")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let address =
            line.trim().strip_prefix("firelock listening on http://").and_then(|text| text.parse().ok());
        let Some(address) = address else {
            let status = child.wait()?;
            bail!("the server did not start ({status}); its first line was {line:?}");
        };
        Ok(Self { child, address })
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: the process gets no chance to do anything more.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM: asks the process to finish what it accepted and to end.
    pub(crate) fn terminate(&self) -> Result<()> {
        let sent = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status()?;
        ensure!(sent.success(), "SIGTERM could not be sent");
        Ok(())
    }

    /// Waits until the process has ended by itself.
    pub(crate) fn wait(mut self) -> Result<ExitStatus> {
        Ok(self.child.wait()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail if it has ended already, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
