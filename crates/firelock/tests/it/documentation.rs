//! What the documentation says of settings is what the program has.

use std::collections::BTreeMap;
use std::fs;

use crate::process::{fail, succeed};

fn operations() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md");
    fs::read_to_string(path).unwrap()
}

/// The rows of the table whose head begins so: cells without their marks.
fn rows(text: &str, head: &str) -> Vec<Vec<String>> {
    let (_, table) = text.split_once(head).unwrap_or_else(|| panic!("no table {head}"));
    let lines = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells = |line: &str| {
        let line = line.trim().trim_matches('|').replace("\\|", "/");
        line.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    lines.map(cells).collect()
}

/// The names in a cell, each between backquotes.
fn names(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The keys of a table of the configuration that is printed, with their values as they stand there.
fn printed(config: &str, table: &str) -> BTreeMap<String, String> {
    let (_, rest) = config.split_once(&format!("\n[{table}]\n")).unwrap();
    let lines = rest.lines().take_while(|line| !line.starts_with('['));
    let pairs = lines.filter_map(|line| line.split_once(" = "));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Names with values that a table of the documentation has, where a cell may have several of both.
fn documented(rows: &[Vec<String>]) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for row in rows {
        let values: Vec<&str> = row[1].split(',').map(str::trim).collect();
        for (name, value) in names(&row[0]).into_iter().zip(values) {
            assert!(all.insert(name.to_owned(), value.to_owned()).is_none(), "{name} is there twice");
        }
    }
    all
}

#[test]
fn every_limit_is_documented_with_its_default() {
    let (config, text) = (succeed(&["config"]), operations());
    for (table, head) in
        [("limits", "| key | default | above it |"), ("sqlite", "| key | default | what it bounds |")]
    {
        assert_eq!(documented(&rows(&text, head)), printed(&config, table), "[{table}]");
    }
}

/// Every key that a configuration has stands in a table, and every key in a table can be written.
#[test]
fn every_setting_of_a_mount_is_documented() {
    let (config, text) = (succeed(&["config"]), operations());
    let mounts = rows(&text, "| key of `[[mount]]` | meaning | default |");
    let locks = rows(&text, "| key of a lock policy | meaning | `fhir` | `spine` |");
    let keys = |rows: &[Vec<String>]| -> Vec<String> {
        rows.iter()
            .flat_map(|row| names(&row[0]).into_iter().map(str::to_owned).collect::<Vec<_>>())
            .collect()
    };
    let mount_keys = keys(&mounts);
    let (_, below) = config.split_once("[[mount]]\n").unwrap();
    let mut table = "[mount]".to_owned();
    for line in below.lines() {
        if line.starts_with('[') {
            table = format!("[{}]", line.trim_matches(['[', ']']));
            assert!(table == "[mount]" || mount_keys.contains(&table), "{line} is not documented");
        }
        let Some((name, value)) = line.split_once(" = ") else { continue };
        match table.as_str() {
            "[mount]" => {
                assert!(mount_keys.iter().any(|known| known == name), "{name} is not documented");
            }
            // The defaults of plain FHIR and of Spine, whichever this mount is.
            "[mount.lock]" => {
                let row = locks.iter().find(|row| names(&row[0]) == [name]);
                let row = row.unwrap_or_else(|| panic!("{name} is not documented"));
                let value = value.trim_matches('"');
                assert!(row[2].contains(value) || row[3].contains(value), "{name} = {value}: {row:?}");
            }
            _ => {}
        }
    }
    // A key that is documented is known: its mistake is a mistake in its value or in where it stands.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("firelock.toml");
    for key in mount_keys.iter().filter(|key| !key.starts_with('[')) {
        let text = format!("[[mount]]\npath = \"/a\"\nfhir = \"R4\"\n{key} = {{ nonsense = 1 }}\n");
        fs::write(&file, text).unwrap();
        let (success, said) = crate::process::run(&["config", "--config", file.to_str().unwrap()]);
        assert!(!success && !said.contains("unknown field `"), "{key}: {said}");
    }
    fs::write(&file, "lissten = \"127.0.0.1:1\"\n").unwrap();
    fail(&["config", "--config", file.to_str().unwrap()], "unknown field `lissten`");
}

/// Flags that the help and the documentation name exist.
#[test]
fn every_flag_that_is_named_exists() {
    let commands = ["serve", "config", "check", "backup", "restore", "explain", "purge", "export", "import"];
    let help: Vec<String> = commands.iter().map(|command| succeed(&[command, "--help"])).collect();
    let overview = succeed(&["--help"]);
    for command in commands {
        assert!(overview.contains(&format!("  {command} ")), "{command} is not in the overview");
    }
    let flags = help.concat();
    for file in [
        "README.md",
        "docs/operations.md",
        "docs/durability.md",
        "docs/spine.md",
        "docs/flags.md",
        "docs/nrl.md",
    ] {
        let path = format!("{}/../../{file}", env!("CARGO_MANIFEST_DIR"));
        let text = fs::read_to_string(&path).unwrap();
        for line in text.lines().filter(|line| line.contains("firelock ") && !line.contains("cargo xtask")) {
            for word in line
                .split([' ', '`', '[', ']', '(', ')', ',', '.', ';', ':'])
                .filter(|word| word.starts_with("--"))
            {
                let is_known = ["--release", "--help", "--now"].contains(&word) || flags.contains(word);
                assert!(word == "--" || is_known, "{file} names {word}, which no command has: {line}");
            }
        }
    }
}
