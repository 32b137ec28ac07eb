//! `promptops package`: what is said of packages, and which are refused. That runtimes take them is shown in `tests/packages`.

#![cfg(test)]

mod support;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use insta::assert_snapshot;
use rawzip::{CompressionMethod, ZipArchiveWriter};
use support::{Project, Run};

/// A shared library of Linux that asks for nothing: the head of an ELF file for this processor.
fn library(machine: u8) -> Vec<u8> {
    let mut head = vec![0; 64];
    head[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    head[16] = 3;
    head[18] = machine;
    head[20] = 1;
    head[52] = 64;
    head[54] = 56;
    head[58] = 64;
    head
}

const X86_64: u8 = 62;
const ARM64: u8 = 183;
const ABI3: &str = "cp310-abi3-manylinux_2_17_";

/// Writes a wheel of the SDK with this native part and this tag.
fn wheel(path: &Path, native: &[u8], tag: &str) {
    let metadata = "Metadata-Version: 2.4\nName: promptops\nVersion: 0.1.0\nRequires-Dist: promptops-cli==0.1.0\n\nRead me.\n";
    let tags = format!("Wheel-Version: 1.0\nGenerator: maturin\nRoot-Is-Purelib: false\nTag: {tag}\n");
    let files: [(&str, &[u8]); 5] = [
        ("promptops/__init__.py", b"from ._promptops import load_prompt\n"),
        ("promptops/_promptops.abi3.so", native),
        ("promptops-0.1.0.dist-info/METADATA", metadata.as_bytes()),
        ("promptops-0.1.0.dist-info/WHEEL", tags.as_bytes()),
        ("promptops-0.1.0.dist-info/RECORD", b"what the wheel's own list says\n"),
    ];
    let mut zip = ZipArchiveWriter::new(Vec::new());
    for (name, bytes) in files {
        let (mut entry, config) = zip.new_file(name).compression_method(CompressionMethod::STORE).start().unwrap();
        let mut content = config.wrap(&mut entry);
        content.write_all(bytes).unwrap();
        let (_, descriptor) = content.finish().unwrap();
        entry.finish(descriptor).unwrap();
    }
    std::fs::write(path, zip.finish().unwrap()).unwrap();
}

/// A project with a lock, and a wheel beside it.
fn project() -> Project {
    let project = Project::committed();
    for arguments in [&["registry", "init"][..], &["publish"], &["lock", "support.greeting@1"]] {
        let run = project.run(arguments);
        assert_eq!(run.exit, 0, "{run}");
    }
    wheel(&project.path("sdk.whl"), &library(X86_64), &format!("{ABI3}x86_64"));
    project
}

fn run(project: &Project, arguments: &[&str]) -> Run {
    let redactions = project.redactions().pattern(r"sha256:[0-9a-f]{64}", "[DIGEST]").pattern(r"\d+ bytes", "[N] bytes");
    Run::new(project.promptops(arguments).output().unwrap(), &redactions)
}

#[test]
fn a_layer_says_what_is_in_it_and_what_to_do_with_it() {
    let project = project();
    assert_snapshot!(run(&project, &["package", "lambda-layer", "--wheel", "sdk.whl", "--dry-run"]), @r"
    exit: 0
    ----- stdout -----
    would write  promptops-layer.zip
    zipped       [N] bytes of 50.0 MB
    unzipped     [N] bytes of 250.0 MB
    prompts      1 prompt, [N] bytes
    sdk          promptops 0.1.0 (cp310-abi3-manylinux_2_17_x86_64) from [PROJECT]/sdk.whl
    runs on      Linux on x86_64
    runtimes     python3.10 python3.11 python3.12 python3.13 python3.14
    digest       [DIGEST]
    next         aws lambda publish-layer-version --layer-name promptops --zip-file fileb://promptops-layer.zip --compatible-architectures x86_64 --compatible-runtimes python3.10 python3.11 python3.12 python3.13 python3.14
    ----- stderr -----
    ");
    assert!(!project.path("promptops-layer.zip").exists());
    let arguments = ["package", "lambda-layer", "--wheel", "sdk.whl", "--out", "dist/layer.zip"];
    assert!(run(&project, &arguments).stdout.starts_with("wrote        dist/layer.zip\n"));
    let first = std::fs::read(project.path("dist/layer.zip")).unwrap();
    run(&project, &arguments);
    assert_eq!(std::fs::read(project.path("dist/layer.zip")).unwrap(), first);
}

#[test]
fn programs_read_the_same() {
    let run = run(&project(), &["package", "glue-zip", "--wheel", "sdk.whl", "--json", "--dry-run"]);
    let mut report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    for entry in report["entries"].as_array_mut().unwrap() {
        assert!(entry["bytes"].as_u64().unwrap() > 0 && entry["bytes_zipped"].as_u64().unwrap() > 0, "{entry}");
        *entry = entry["name"].take();
    }
    for size in ["bytes_zipped", "bytes_unzipped"] {
        assert!(report[size].take().as_u64().unwrap() > 0, "{size}");
    }
    assert!(report["prompts"]["bytes"].take().as_u64().unwrap() > 1_000);
    assert_snapshot!(serde_json::to_string_pretty(&report).unwrap(), @r#"
    {
      "version": 1,
      "package": "glue-zip",
      "file": "promptops-glue.zip",
      "written": false,
      "digest": "[DIGEST]",
      "bytes_zipped": null,
      "bytes_unzipped": null,
      "prompts": {
        "count": 1,
        "release": null,
        "digest": "[DIGEST]",
        "bytes": null
      },
      "sdk": {
        "version": "0.1.0",
        "tag": "cp310-abi3-manylinux_2_17_x86_64",
        "origin": "[PROJECT]/sdk.whl"
      },
      "architecture": "x86_64",
      "glibc": null,
      "compatible_runtimes": [],
      "entries": [
        "promptops-0.1.0.dist-info/METADATA",
        "promptops-0.1.0.dist-info/RECORD",
        "promptops-0.1.0.dist-info/WHEEL",
        "promptops/__init__.py",
        "promptops/_promptops.abi3.so",
        "promptops/_promptops.py",
        "promptops/packaged.json",
        "promptops/prompts.bundle"
      ]
    }
    "#);
}

#[test]
fn prompts_come_from_a_bundle_too_and_may_be_left_out() {
    let project = project();
    assert_eq!(project.run(["bundle"]).exit, 0);
    let from_lock = run(&project, &["package", "glue-wheels", "--wheel", "sdk.whl"]);
    let zip = std::fs::read(project.path("promptops.gluewheels.zip")).unwrap();
    run(&project, &["package", "glue-wheels", "--wheel", "sdk.whl", "--bundle", "prompts.bundle"]);
    assert_eq!(std::fs::read(project.path("promptops.gluewheels.zip")).unwrap(), zip);
    assert_snapshot!(from_lock, @r"
    exit: 0
    ----- stdout -----
    wrote        promptops.gluewheels.zip
    zipped       [N] bytes
    unzipped     [N] bytes
    prompts      1 prompt, [N] bytes
    sdk          promptops 0.1.0 (cp310-abi3-manylinux_2_17_x86_64) from [PROJECT]/sdk.whl
    runs on      Linux on x86_64
    digest       [DIGEST]
    next         upload it, and give the job --additional-python-modules s3://BUCKET/promptops.gluewheels.zip --python-modules-installer-option --no-index
    ----- stderr -----
    ");
    let without = run(&project, &["package", "glue-wheels", "--wheel", "sdk.whl", "--no-prompts", "--out", "wheels"]);
    assert_snapshot!(without, @r"
    exit: 0
    ----- stdout -----
    wrote        wheels
    zipped       [N] bytes
    unzipped     [N] bytes
    prompts      none
    sdk          promptops 0.1.0 (cp310-abi3-manylinux_2_17_x86_64) from [PROJECT]/sdk.whl
    runs on      Linux on x86_64
    digest       [DIGEST]
    next         upload it, and give the job --additional-python-modules s3://BUCKET/promptops-0.1.0-cp310-abi3-manylinux_2_17_x86_64.whl
    ----- stderr -----
    ");
    let names: Vec<_> = project.files("wheels").into_iter().map(|(path, _)| path.file_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["promptops-0.1.0-cp310-abi3-manylinux_2_17_x86_64.whl", "requirements.txt"]);
}

#[test]
fn a_wheel_beside_the_program_or_an_installed_sdk_is_found() {
    let project = project();
    std::fs::create_dir_all(project.path("bin")).unwrap();
    let program = project.path("bin/promptops");
    std::fs::copy(support::PROMPTOPS, &program).unwrap();
    let call =
        |arguments: &[&str]| Command::new(&program).args(arguments).current_dir(project.root()).env_clear().output().unwrap();
    let arguments = ["package", "lambda-layer", "--json", "--dry-run"];
    assert_snapshot!(Run::new(call(&arguments), &project.redactions()), @r"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: no wheel of the SDK is named, and none lies beside this program; `[PROJECT]/bin` was searched
    hint: name one with `--wheel`; `pip download --no-deps --only-binary :all: --platform manylinux2014_x86_64 promptops==0.1.0` fetches one
    ");
    let origin = || {
        let output = call(&arguments);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        (PathBuf::from(report["sdk"]["origin"].as_str().unwrap()), report["digest"].as_str().unwrap().to_owned())
    };
    let beside = format!("promptops-0.1.0-{ABI3}x86_64.whl");
    std::fs::copy(project.path("sdk.whl"), project.path("bin").join(&beside)).unwrap();
    let (found, digest) = origin();
    assert_eq!(found, project.path("bin").join(&beside));
    // As pip leaves it: the same files, and notes of its own.
    let site = project.path("lib/python3.11/site-packages");
    let list = "promptops/__init__.py,,\npromptops/_promptops.abi3.so,,\npromptops/__pycache__/__init__.cpython-311.pyc,,\n\
                promptops-0.1.0.dist-info/METADATA,,\npromptops-0.1.0.dist-info/WHEEL,,\npromptops-0.1.0.dist-info/INSTALLER,,\n\
                promptops-0.1.0.dist-info/RECORD,,\n../../../bin/other,,\n";
    let bytes = std::fs::read(project.path("sdk.whl")).unwrap();
    let archive = rawzip::ZipArchive::from_slice(&bytes).unwrap();
    for entry in archive.entries() {
        let entry = entry.unwrap();
        let path = site.join(std::str::from_utf8(entry.file_path().as_bytes()).unwrap());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, archive.get_entry(entry.wayfinder()).unwrap().data()).unwrap();
    }
    std::fs::write(site.join("promptops-0.1.0.dist-info/RECORD"), list).unwrap();
    std::fs::write(site.join("promptops-0.1.0.dist-info/INSTALLER"), "pip\n").unwrap();
    assert_eq!(origin(), (site.join("promptops"), digest));
}

#[test]
fn what_no_runtime_could_load_is_refused() {
    let project = project();
    let refused = |native: &[u8], tag: &str| {
        wheel(&project.path("other.whl"), native, tag);
        run(&project, &["package", "lambda-layer", "--wheel", "other.whl"]).to_string()
    };
    let mac = refused(b"\xcf\xfa\xed\xfe", "cp310-abi3-macosx_11_0_arm64");
    let old = refused(&library(X86_64), "cp39-cp39-manylinux_2_17_x86_64");
    let processor = refused(&library(40), "cp310-abi3-linux_armv7l");
    assert_snapshot!([mac, old, processor].join("\n"), @r"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: `[PROJECT]/other.whl` is not a wheel of the SDK: its native part was not built for Linux
    hint: `pip download --no-deps --only-binary :all: --platform manylinux2014_x86_64 promptops==0.1.0` fetches one

    exit: 1
    ----- stdout -----
    ----- stderr -----
    error: no runtime of Lambda runs this wheel: it is for cp39-cp39-manylinux_2_17_x86_64
    hint: take a wheel for manylinux2014 and for the stable ABI (abi3)

    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: `[PROJECT]/other.whl` is not a wheel of the SDK: its native part was built for a processor that AWS does not offer (number 40)
    hint: `pip download --no-deps --only-binary :all: --platform manylinux2014_x86_64 promptops==0.1.0` fetches one
    ");
    assert!(!project.path("promptops-layer.zip").exists());
    wheel(&project.path("other.whl"), &library(ARM64), &format!("{ABI3}aarch64"));
    let graviton = run(&project, &["package", "lambda-layer", "--wheel", "other.whl", "--dry-run"]);
    assert!(graviton.stdout.contains("--compatible-architectures arm64 "), "{graviton}");
}

#[test]
fn an_extension_needs_its_program() {
    let project = project();
    let missing = run(&project, &["package", "lambda-extension", "--program", "none"]).to_string();
    project.write("script", "#!/bin/sh\n");
    let script = run(&project, &["package", "lambda-extension", "--program", "script"]).to_string();
    project.write("extension", library(ARM64));
    let built = run(&project, &["package", "lambda-extension", "--program", "extension", "--dry-run"]).to_string();
    assert_snapshot!([missing, script, built].join("\n"), @r"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: cannot read the program of the extension `[PROJECT]/none`
      cause: No such file or directory (os error [N])
    hint: build it with `cargo build --release -p promptops-lambda-extension`, and name it with `--program`

    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: `[PROJECT]/script` cannot run in Lambda: it was not built for Linux
    hint: build it on Linux, or for a target of Linux

    exit: 0
    ----- stdout -----
    would write  promptops-extension.zip
    zipped       [N] bytes of 50.0 MB
    unzipped     [N] bytes of 250.0 MB
    prompts      1 prompt, [N] bytes
    runs on      Linux on arm64
    digest       [DIGEST]
    next         aws lambda publish-layer-version --layer-name promptops-extension --zip-file fileb://promptops-extension.zip --compatible-architectures arm64
    ----- stderr -----
    ");
    assert!(!project.path("promptops-extension.zip").exists());
}

#[test]
fn a_layer_over_the_limits_is_refused() {
    let project = project();
    // What does not get smaller by zipping: the wheel's native part, with noise after it.
    let mut state = 1_u64;
    let mut noise = library(X86_64);
    noise.extend(
        std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .take(51 << 20),
    );
    wheel(&project.path("large.whl"), &noise, &format!("{ABI3}x86_64"));
    assert_snapshot!(run(&project, &["package", "lambda-layer", "--wheel", "large.whl"]), @r"
    exit: 1
    ----- stdout -----
    ----- stderr -----
    error: the layer has 51.0 MB zipped, and Lambda takes 50.0 MB at most
    hint: lock only the prompts that the function loads, and take a wheel that was built with `--release`
    ");
    assert!(!project.path("promptops-layer.zip").exists());
}

#[test]
fn what_is_damaged_or_missing_is_said() {
    let project = project();
    project.write("broken.whl", "PK\x03\x04");
    project.write("broken.bundle", "PK\x03\x04");
    let shown = [
        &["package", "lambda-layer", "--wheel", "none.whl"][..],
        &["package", "lambda-layer", "--wheel", "broken.whl"],
        &["package", "lambda-layer", "--wheel", "sdk.whl", "--lock", "none.lock"],
        &["package", "lambda-layer", "--wheel", "sdk.whl", "--bundle", "broken.bundle"],
        &["package", "lambda-layer", "--wheel", "sdk.whl", "--bundle", "sdk.whl"],
        &["package", "glue-zip", "--wheel", "sdk.whl", "--out", "promptops.toml/one.zip"],
    ]
    .map(|arguments| run(&project, arguments).to_string());
    assert_snapshot!(shown.join("\n"), @r"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: cannot read `[PROJECT]/none.whl`
      cause: No such file or directory (os error [N])
    hint: check the path

    exit: 7
    ----- stdout -----
    ----- stderr -----
    error: `[PROJECT]/broken.whl` is not a wheel, or damaged: Missing end of central directory
    hint: build or download the wheel again, and copy it as binary

    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: cannot read `[PROJECT]/none.lock`
      cause: No such file or directory (os error [N])
    hint: make the lock with `promptops lock --env NAME`, or name a bundle with `--bundle`

    exit: 7
    ----- stdout -----
    ----- stderr -----
    error: not a bundle, or damaged: `[PROJECT]/broken.bundle`
      cause: Missing end of central directory
    hint: build the bundle again, and copy it as binary

    exit: 7
    ----- stdout -----
    ----- stderr -----
    error: `[PROJECT]/sdk.whl` is not a bundle, or damaged: `bundle.json` is missing or cannot be read
    hint: make it again with `promptops bundle`

    exit: 8
    ----- stdout -----
    ----- stderr -----
    error: cannot make the folder `[PROJECT]/promptops.toml`
      cause: File exists (os error [N])
    ");
}
