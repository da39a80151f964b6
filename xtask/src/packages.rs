//! The npm packages that carry the FHIR definitions and examples: pinned, fetched with npm, checked by digest.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

/// One published package and the digest of the archive that npm serves for it.
pub(crate) struct Package {
    /// Name in the npm registry.
    pub(crate) name: &'static str,
    /// Exact version.
    pub(crate) version: &'static str,
    /// SHA-256 of the `.tgz`, in lower-case hexadecimal.
    pub(crate) sha256: &'static str,
}

const fn package(name: &'static str, version: &'static str, sha256: &'static str) -> Package {
    Package { name, version, sha256 }
}

/// Definitions and examples of STU3.
pub(crate) const STU3_DEFINITIONS: Package = package(
    "hl7.fhir.r3.examples",
    "3.0.2",
    "ebe6e5220a6aff2da952f3bc0fe1c83122d38dde2de0ae020a0337b45824ba78",
);
/// Expanded value sets of STU3.
pub(crate) const STU3_EXPANSIONS: Package = package(
    "hl7.fhir.r3.expansions",
    "3.0.2",
    "4c5bbe5fe4467a6053367b0a59f433a1259f8013645cb14837f9ac85223c30e6",
);
/// Definitions and examples of R4.
pub(crate) const R4_DEFINITIONS: Package = package(
    "hl7.fhir.r4.examples",
    "4.0.1",
    "dce87f1b5b9341867033f7d1f544fa1b5232503f6d62813887ac6b8a8b6cb682",
);
/// Expanded value sets of R4.
pub(crate) const R4_EXPANSIONS: Package = package(
    "hl7.fhir.r4.expansions",
    "4.0.1",
    "18b2b00a6e26328bdbe4b2e273de5be32dfce21be37e0f582d18882bbce24e69",
);
/// Definitions of R4B.
pub(crate) const R4B_DEFINITIONS: Package =
    package("hl7.fhir.r4b.core", "4.3.0", "2abd390aa5ad25eb269eb46dad45380db2fa7ba653e39926b75973475c3bc4ce");
/// Expanded value sets of R4B.
pub(crate) const R4B_EXPANSIONS: Package = package(
    "hl7.fhir.r4b.expansions",
    "4.3.0",
    "128091fb0decbdac91718e5d89f81dd0b490aecffc1efdebfc194e665252a1c8",
);
/// Examples of R4B.
pub(crate) const R4B_EXAMPLES: Package = package(
    "hl7.fhir.r4b.examples",
    "4.3.0",
    "82cb78e05077f57ff416eb044831bad7de9fca602c0cea8ce5ef672b604344de",
);
/// Definitions of R5, with its XML schemas.
pub(crate) const R5_DEFINITIONS: Package =
    package("hl7.fhir.r5.core", "5.0.0", "09f22107bef64313545a50d2c127d20f81173c499a395672fae089bc23e72fab");
/// Expanded value sets of R5.
pub(crate) const R5_EXPANSIONS: Package = package(
    "hl7.fhir.r5.expansions",
    "5.0.0",
    "09b42849f655c7ae93ca9690f0d3c2ebf35fb323b4d176c5e6167ca7746d5383",
);
/// Examples of R5.
pub(crate) const R5_EXAMPLES: Package = package(
    "hl7.fhir.r5.examples",
    "5.0.0",
    "00106d2479ba1d73a1168543472b730744c157d9c427a686c88c32559afb09e5",
);

/// XML schemas of STU3, among those of other versions.
pub(crate) const STU3_SCHEMAS: Package =
    package("fhir", "3.3.1", "604e27a1f0176688d19c534076a17e782ec615ab756e1af16b8a1fd119a32dd2");
/// XML schemas of R4.
pub(crate) const R4_SCHEMAS: Package = package(
    "hl7.fhir.r4.corexml",
    "4.0.1",
    "ed1512ab44ac5177e429decc604cb62263cc66902b44a61199cf08f2b566030f",
);
/// XML schemas of R4B.
pub(crate) const R4B_SCHEMAS: Package = package(
    "hl7.fhir.r4b.corexml",
    "4.3.0",
    "a6a9dd9495b2eeae118df7d730bce3224b63ba95dddca1d0e9ceab59e42ce1a7",
);

/// Every package that is pinned, in the order of the versions.
pub(crate) const ALL: [&Package; 13] = [
    &STU3_DEFINITIONS,
    &STU3_EXPANSIONS,
    &STU3_SCHEMAS,
    &R4_DEFINITIONS,
    &R4_EXPANSIONS,
    &R4_SCHEMAS,
    &R4B_DEFINITIONS,
    &R4B_EXPANSIONS,
    &R4B_EXAMPLES,
    &R4B_SCHEMAS,
    &R5_DEFINITIONS,
    &R5_EXPANSIONS,
    &R5_EXAMPLES,
];

/// What `cargo xtask packages` takes.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only the packages whose name contains this text.
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
}

/// Fetches and checks; prints where each archive lies.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    for package in ALL.into_iter().filter(|package| package.name.contains(&arguments.only)) {
        println!("{}", package.fetch()?.display());
    }
    Ok(())
}

/// Whether every archive is in `target/packages`.
pub(crate) fn are_there() -> bool {
    ALL.into_iter().all(|package| package.archive().is_file())
}

impl Package {
    fn archive(&self) -> PathBuf {
        cache_folder().join(format!("{}-{}.tgz", self.name, self.version))
    }

    /// The path of the checked archive in `target/packages`, fetched first if it is not there or not whole.
    pub(crate) fn fetch(&self) -> Result<PathBuf> {
        let (folder, archive) = (cache_folder(), self.archive());
        if archive.is_file() && digest(&archive)? == self.sha256 {
            return Ok(archive);
        }
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        self.pack(&folder)?;
        self.verify(&archive)?;
        Ok(archive)
    }

    /// Fails, and removes the archive, unless it is the pinned one.
    fn verify(&self, archive: &Path) -> Result<()> {
        let found = digest(archive)?;
        if found != self.sha256 {
            fs::remove_file(archive).with_context(|| format!("cannot remove {}", archive.display()))?;
            bail!(
                "{}@{}: the registry served an archive with sha256 {found}, pinned is {}; it was removed",
                self.name,
                self.version,
                self.sha256
            );
        }
        Ok(())
    }

    /// Lets npm download the archive into `folder`.
    fn pack(&self, folder: &Path) -> Result<()> {
        let name = format!("{}@{}", self.name, self.version);
        let output = Command::new("npm")
            .args(["pack", &name, "--loglevel=error", "--pack-destination"])
            .arg(folder)
            // npm's own patience is more than a minute per package.
            .args(["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"])
            .output()
            .context("cannot run npm, which fetches the FHIR definition packages; is it installed?")?;
        ensure!(
            output.status.success(),
            "npm cannot fetch {name}: is the registry reachable? An archive placed in {} by hand will do.\n{}",
            folder.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(())
    }
}

/// `target/packages` in the workspace of this source file.
fn cache_folder() -> PathBuf {
    workspace_root().join("target").join("packages")
}

/// The folder that holds the workspace's `Cargo.toml`.
pub(crate) fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// SHA-256 of a file, in lower-case hexadecimal.
fn digest(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(format!("{:x}", Sha256::digest(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_whole_digests_and_differ() {
        for (index, package) in ALL.iter().enumerate() {
            assert_eq!(package.sha256.len(), 64, "{}", package.name);
            assert!(package.sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
            for other in &ALL[..index] {
                assert_ne!(package.sha256, other.sha256);
                assert_ne!(package.name, other.name);
            }
        }
    }

    #[test]
    fn an_archive_is_accepted_by_its_digest_and_removed_otherwise() {
        let path = std::env::temp_dir().join(format!("xtask-digest-{}", std::process::id()));
        fs::write(&path, "abc").expect("the temporary folder is writable");
        // The digest of "abc" is a published test vector (FIPS 180-2).
        let abc = package("abc", "1", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        abc.verify(&path).expect("the digest is right");
        let refused = STU3_DEFINITIONS.verify(&path).expect_err("the digest is wrong").to_string();
        assert!(refused.contains(abc.sha256) && refused.contains(STU3_DEFINITIONS.sha256), "{refused}");
        assert!(!path.exists());
    }
}
