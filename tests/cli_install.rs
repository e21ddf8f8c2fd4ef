//! What an installation needs: completions, manual pages, the version in detail, and a check of the machine.

#[path = "common/command.rs"]
mod command;

use std::process::Command;

use command::Folder;

/// The subcommands that the help lists.
fn subcommands(folder: &Folder) -> Vec<String> {
    let help = folder.run("--help").answer();
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = list.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let names: Vec<_> = names.filter(|name| !name.is_empty() && *name != "help").map(str::to_owned).collect();
    assert!(names.len() >= 13, "{names:?}");
    names
}

#[test]
fn every_shell_has_completions_of_every_subcommand() {
    let folder = Folder::new();
    let names = subcommands(&folder);
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = folder.run(&format!("completions {shell}")).answer();
        for words in names.iter().map(String::as_str).chain(["style-weight", "preset"]) {
            assert!(script.contains(words), "no {words} in {shell}");
        }
        // A tab between a value and its help, in some shells, stays one.
        assert!(!script.contains('?') || !script.contains("??"), "{shell}");
    }
    let refused = folder.run("completions tcsh");
    assert!(refused.code == Some(2) && refused.stderr.contains("powershell"), "{}", refused.stderr);
}

#[test]
fn bash_completes_subcommands_flags_and_values() {
    let folder = Folder::new();
    folder.write("impasto.bash", folder.run("completions bash").stdout);
    let bash = |script: &str| {
        let output =
            Command::new("bash").args(["--norc", "-euc", script]).current_dir(folder.path(".")).output();
        let output = output.expect("bash");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && error.is_empty(), "{error}");
        String::from_utf8(output.stdout).unwrap()
    };
    bash("bash -n impasto.bash");
    let completed = |line: &str| {
        let words: Vec<_> = line.split(' ').collect();
        let (last, before) = (words.len() - 1, words[words.len() - 2]);
        let words: String = words.iter().map(|word| format!("'{word}' ")).collect();
        let function = "$(complete -p impasto | sed 's/.*-F \\([^ ]*\\).*/\\1/')";
        let current = line.rsplit(' ').next().unwrap();
        let answer = bash(&format!(
            "source ./impasto.bash; COMP_WORDS=({words}); COMP_CWORD={last}; \
             {function} impasto '{current}' '{before}'; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        ));
        answer.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(completed("impasto styl"), ["stylize"]);
    assert_eq!(completed("impasto stylize --style-w"), ["--style-weight"]);
    assert_eq!(completed("impasto stylize --statistic "), ["gram", "wasserstein"]);
    assert_eq!(completed("impasto weights inf"), ["info"]);
}

#[test]
fn every_subcommand_has_a_manual_page() {
    let folder = Folder::new();
    let mut expected: Vec<_> =
        subcommands(&folder).into_iter().map(|name| format!("impasto-{name}.1")).collect();
    let of_weights =
        ["list", "info", "fetch"].into_iter().filter(|name| cfg!(feature = "fetch") || *name != "fetch");
    expected.extend(of_weights.map(|name| format!("impasto-weights-{name}.1")));
    expected.push("impasto.1".to_owned());
    expected.sort();

    assert!(folder.run("man share/man1").notes().is_empty());
    let mut pages: Vec<_> = std::fs::read_dir(folder.path("share/man1"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    pages.sort();
    assert_eq!(pages, expected);
    for page in &pages {
        let text = String::from_utf8(folder.read(&format!("share/man1/{page}"))).unwrap();
        let name = page.strip_suffix(".1").unwrap();
        assert!(text.contains(".TH ") && text.contains(&name.replace('-', "\\-")), "{page}: {text}");
    }
    let stylize = String::from_utf8(folder.read("share/man1/impasto-stylize.1")).unwrap();
    for words in ["\\-\\-style\\-weight", "\\-\\-isa", "\\-\\-preset", "out.png"] {
        assert!(stylize.contains(words), "no {words}: {stylize}");
    }
    // Pages that are there already are replaced.
    folder.write("share/man1/impasto.1", "an older one");
    folder.run("man share/man1").notes();
    assert!(folder.read("share/man1/impasto.1").len() > 1000);
    folder.write("file", "");
    folder.run("man file/man1").failed_with(&["cannot write file/man1"]);
}

#[test]
fn the_version_is_one_line_or_in_detail() {
    let folder = Folder::new();
    let line = format!("impasto {}\n", env!("CARGO_PKG_VERSION"));
    for arguments in ["--version", "-V"] {
        assert_eq!(folder.run(arguments).answer(), line);
    }
    let all = folder.run("--version --verbose").answer();
    assert!(all.starts_with(&line), "{all}");
    for words in [
        "commit ",
        "features         cli",
        "instruction set  ",
        "network inside   ",
        "target           ",
        "compiler         rustc 1.",
    ] {
        assert!(all.contains(words), "no {words}: {all}");
    }
    for (feature, on) in [("embedded", cfg!(feature = "embedded")), ("fetch", cfg!(feature = "fetch"))] {
        let features = all.lines().find(|line| line.starts_with("features")).unwrap();
        assert_eq!(features.contains(feature), on, "{features}");
    }
    #[cfg(feature = "embedded")]
    {
        // As weights/README.md says.
        let readme = include_str!("../weights/README.md");
        let hash = readme.split("| SHA-256 | `").nth(1).unwrap().split('`').next().unwrap();
        assert!(all.contains(&format!("slim, a vgg19 with other widths, SHA-256 {hash}")), "{all}");
    }
    for arguments in ["--version -v", "-V -v", "-v -V", "-Vv", "-vV", "--verbose --version"] {
        assert_eq!(folder.run(arguments).answer(), all, "{arguments}");
    }
    // Without --version it means nothing there.
    for arguments in ["-v", "-v weights list"] {
        let refused = folder.run(arguments);
        assert_eq!((refused.code, refused.stdout.len()), (Some(2), 0), "{arguments}: {}", refused.stderr);
    }
}

#[test]
fn the_install_check_says_what_a_picture_will_take() {
    let folder = Folder::new();
    let text = folder.run("install-check").answer();
    for words in
        ["instruction set  ", "processors       ", "threads", "memory           ", "tiny_vgg19", "GFLOP/s"]
    {
        assert!(text.contains(words), "no {words}: {text}");
    }
    assert!(text.contains("512×512 with the default settings takes some "), "{text}");
    assert_eq!(text.contains("all is well"), !text.contains("warning: "), "{text}");
    assert!(folder.names().is_empty());

    let found = folder.run("install-check --json --threads 1 --isa portable").json();
    assert_eq!(found["isa"], "portable");
    assert_eq!(found["threads"], 1);
    assert_eq!(found["version"], env!("CARGO_PKG_VERSION"));
    for value in ["processors", "peak_gflops", "memory_available_bytes"] {
        assert!(found[value].as_f64().unwrap() > 0.0, "{value}: {found}");
    }
    let picture = &found["picture"];
    assert!(
        picture["seconds"].as_f64().unwrap() > 0.0 && picture["memory_bytes"].as_u64().unwrap() > 1 << 20
    );
    let warnings = found["warnings"].as_array().unwrap();
    let warns = |words| warnings.iter().any(|warning| warning.as_str().unwrap().contains(words));
    assert!(warns("one thread") && warns("--isa portable"), "{warnings:?}");

    // Without a network all but the picture is said.
    let found = folder.run("install-check --json --weights missing").json();
    assert!(found["picture"].is_null() && found["peak_gflops"].as_f64().unwrap() > 0.0, "{found}");
    assert!(found["warnings"].to_string().contains("missing"), "{found}");
}
