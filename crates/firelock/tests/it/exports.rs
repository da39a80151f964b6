//! `firelock export` and `firelock import`.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::process::{Server, basic, fail, request, succeed};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A store with every kind of version, and a key that lives again after a purge.
fn fill(data: &Path) {
    let server = Server::start(data);
    for count in 1..=3 {
        server.put("/R4/Basic/a", &basic("a", count));
        server.put("/R4/Basic/gone", &basic("gone", count));
        server.put("/R4/Basic/again", &basic("again", count));
    }
    let created = request(
        &server.address,
        "POST",
        "/R4/Basic",
        "",
        r#"{"resourceType":"Basic","code":{"text":"é\n"}}"#,
    );
    assert_eq!(created.status, 201, "{created:?}");
    assert!(request(&server.address, "DELETE", "/R4/Basic/a", "", "").status < 300);
    server.put("/STU3/Basic/s", &basic("s", 1));
    server.stop();
    for id in ["Basic/gone", "Basic/again"] {
        succeed(&["purge", id, "--mount", "/R4", "--data", text(data), "--yes"]);
    }
    let server = Server::start(data);
    server.put("/R4/Basic/again", &basic("again", 4));
    server.stop();
}

/// Lines on purged keys have no order of their own.
fn in_order(export: &str) -> (Vec<&str>, Vec<&str>) {
    let (mut floors, others): (Vec<_>, Vec<_>) = export.lines().partition(|line| line.contains("\"floor\":"));
    floors.sort_unstable();
    (others, floors)
}

#[test]
fn an_export_becomes_the_same_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (data, copy, file, again) = (path("data"), path("copy"), path("export"), path("again"));
    fill(&data);
    let said = succeed(&["export", text(&file), "--data", text(&data)]);
    assert!(said.contains("7 versions"), "{said}");
    fail(&["export", text(&file), "--data", text(&data)], "exists");
    // A folder that a server has seen, but nobody has written to, is as good as none.
    Server::start(&copy).stop();
    for mount in ["/R4", "/STU3"] {
        succeed(&["import", text(&file), "--data", text(&copy), "--mount", mount]);
    }
    succeed(&["export", text(&again), "--data", text(&copy)]);
    let again = fs::read_to_string(&again).unwrap();
    assert_eq!(in_order(&again), in_order(&fs::read_to_string(&file).unwrap()));
    assert_eq!(succeed(&["export", "-", "--data", text(&copy)]), again);
    let (old, new) = (Server::start(&data), Server::start(&copy));
    for server in [&old, &new] {
        assert_eq!(server.get("/R4/Basic/a").status, 410);
        let next = server.put("/R4/Basic/gone", &basic("gone", 9));
        assert_eq!((next.status, next.etag.as_deref()), (201, Some("W/\"4\"")));
    }
    for resource in ["a/_history/2", "again", "again/_history/3"] {
        let path = format!("/R4/Basic/{resource}");
        assert_eq!(new.get(&path).etag, old.get(&path).etag, "{path}");
        assert_eq!(new.get(&path).status, old.get(&path).status, "{path}");
    }
    new.stop();
    succeed(&["check", "--pages", "--data", text(&copy)]);
    // From one command to the other, without a file between them.
    let piped = path("piped");
    let mut import = Command::new(env!("CARGO_BIN_EXE_firelock"))
        .args(["import", "-", "--mount", "/R4", "--data", text(&piped)])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    import.stdin.take().unwrap().write_all(again.as_bytes()).unwrap();
    assert!(import.wait().unwrap().success());
    let of_r4: Vec<&str> = again.lines().filter(|line| line.contains("\"store\":\"R4\"")).collect();
    assert_eq!(in_order(&succeed(&["export", "-", "--data", text(&piped)])), in_order(&of_r4.join("\n")));
}

#[test]
fn an_import_is_all_or_nothing_and_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (data, copy, file, broken) = (path("data"), path("copy"), path("export"), path("broken"));
    fill(&data);
    succeed(&["export", text(&file), "--data", text(&data)]);
    fs::create_dir(&copy).unwrap();
    let whole = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let without = |left_out: &str| {
        let kept: Vec<&str> = lines.iter().copied().filter(|line| !line.contains(left_out)).collect();
        kept.join("\n")
    };
    let import = |mount: &'static str| ["import", text(&broken), "--data", text(&copy), "--mount", mount];
    for (content, mount, expected) in [
        (without("\"versions\":"), "/R4", "incomplete"),
        (without("\"id\":\"a\",\"number\":2"), "/R4", "version 3 of Basic/a does not follow 1"),
        (without("\"id\":\"again\",\"floor\""), "/R4", "no whole store"),
        (whole.replacen("\"method\":\"PUT\"", "\"method\":\"PAT\"", 1), "/R4", "line 1: Basic/a: \"PAT\""),
        (whole.clone(), "/R9", "--from chooses one of them"),
        (whole.clone(), "/../R4", "no path of an API"),
    ] {
        fs::write(&broken, content).unwrap();
        fail(&import(mount), expected);
        assert_eq!(fs::read_dir(&copy).unwrap().count(), 0, "{expected}");
    }
    fs::write(&broken, &whole).unwrap();
    succeed(&import("/R4"));
    fail(&import("/R4"), "is not empty; --append");
}

#[test]
fn appended_versions_follow_those_that_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("export"));
    let server = Server::start(&data);
    for count in 1..=2 {
        server.put("/R4/Basic/a", &basic("a", count));
    }
    server.put("/R4/Basic/b", &basic("b", 1));
    succeed(&["export", text(&file), "--data", text(&data), "--mount", "/R4"]);
    let append = ["import", text(&file), "--data", text(&data), "--mount", "/R4", "--append"];
    fail(&append, "in use by process");
    server.stop();
    let said = succeed(&append);
    assert!(said.contains("3 versions appended"), "{said}");
    let said = succeed(&[&append[..], &["--skip", "2"]].concat());
    assert!(said.contains("1 versions appended"), "{said}");
    let other = ["import", text(&file), "--data", text(&data), "--mount", "/R5", "--from", "/R4", "--append"];
    succeed(&other);
    let server = Server::start(&data);
    let etags = ["/R4/Basic/a", "/R4/Basic/b", "/R5/Basic/a"].map(|path| server.get(path).etag.unwrap());
    assert_eq!(etags, ["W/\"4\"", "W/\"3\"", "W/\"2\""]);
    assert!(server.get("/R4/Basic/a").body.contains("\"text\":\"2\""));
    server.stop();
    // Where a fault stops it, it can be gone on behind what was appended.
    let whole = fs::read_to_string(&file).unwrap();
    let broken = folder.path().join("broken");
    let (first, rest) = whole.split_once('\n').unwrap();
    fs::write(&broken, format!("{first}\nnonsense\n{rest}")).unwrap();
    let append = ["import", text(&broken), "--data", text(&data), "--mount", "/R4", "--append"];
    fail(&append, "1 versions were appended; --append --skip 1 goes on behind them");
    succeed(&["check", "--data", text(&data)]);
}
