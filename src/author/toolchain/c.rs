//! C: bindings that are made here, and clang with wasi-libc, or zig's.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use wit_bindgen_core::Files;
use wit_parser::Resolve;

use super::{absolute, find, missing, read_output, run};
use crate::author::project::Recipe;
use crate::error::{Code, Error, Result};

const INSTALL: &str = "run `apt-get install --no-install-recommends clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32`, \
                       or `pip install ziglang`, or set WASI_SDK_PATH to a WASI SDK";

/// The versions of clang that are looked for by their numbers.
const CLANG: std::ops::RangeInclusive<u32> = 14..=24;

/// Debian has headers and libraries under this name; others know it too.
const TARGET: &str = "wasm32-wasi";

pub(super) fn compile(recipe: &Recipe, scratch: &Path) -> Result<Vec<u8>> {
    let dir = absolute(&recipe.dir)?;
    let bindings = scratch.join(format!("{}.bindings", recipe.id));
    let mut inputs = sources(&dir)?;
    inputs.extend(generate(&dir.join("wit"), recipe.world.as_deref(), &bindings)?);
    let output = scratch.join(format!("{}.core.wasm", recipe.id));
    let mut compiler = compiler().ok_or_else(|| missing("a C compiler for WebAssembly", INSTALL))?;
    compiler.current_dir(&dir).args(["-mexec-model=reactor", "-Os", "-Wall", "-Wl,--strip-all"]);
    compiler.arg("-I").arg(&bindings).args(inputs).arg("-o").arg(&output);
    run(&mut compiler, INSTALL)?;
    read_output(&output)
}

/// The author's sources: every `*.c` in the directory itself.
fn sources(dir: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |e: std::io::Error| Error::new(Code::Io, format!("{} cannot be read: {e}", dir.display()));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let name = PathBuf::from(entry.map_err(unreadable)?.file_name());
        if name.extension().is_some_and(|extension| extension == "c") {
            found.push(name);
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(Error::new(Code::BuildFailed, format!("there is no C source in {}", dir.display()))
            .hint("every *.c in the component's directory is compiled; `dir` in build.yaml names it"));
    }
    Ok(found)
}

/// Writes the bindings of a world and answers those of its files that are compiled and linked.
fn generate(wit: &Path, world: Option<&str>, out: &Path) -> Result<Vec<PathBuf>> {
    let mut resolve = Resolve::new();
    let mut files = Files::default();
    let generated = resolve.push_dir(wit).and_then(|(package, _)| {
        let world = resolve.select_world(&[package], world)?;
        wit_bindgen_c::Opts::default().build().generate(&mut resolve, world, &mut files)
    });
    generated
        .map_err(|cause| Error::new(Code::BuildFailed, format!("the WIT cannot be used: {cause:#}")).in_file(wit))?;
    let unwritable = |e: std::io::Error| Error::new(Code::Io, format!("{} cannot be written: {e}", out.display()));
    std::fs::create_dir_all(out).map_err(unwritable)?;
    let mut linked = Vec::new();
    for (name, bytes) in files.iter() {
        let file = out.join(name);
        std::fs::write(&file, bytes).map_err(unwritable)?;
        linked.extend((!name.ends_with(".h")).then_some(file));
    }
    Ok(linked)
}

/// A compiler that has the target's libraries.
fn compiler() -> Option<Command> {
    if let Some(sdk) = std::env::var_os("WASI_SDK_PATH") {
        return Some(clang(&Path::new(&sdk).join("bin/clang")));
    }
    let names = CLANG.rev().map(|version| format!("clang-{version}"));
    let installed = std::iter::once("clang".to_owned()).chain(names).filter_map(|name| find(&name, &[]));
    installed.map(|program| clang(&program)).find(has_libraries).or_else(zig)
}

fn clang(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg(format!("--target={TARGET}"));
    command
}

/// Whether clang finds the C library and its own for the target. It answers with a path only for what exists.
fn has_libraries(command: &Command) -> bool {
    ["-print-file-name=crt1-reactor.o", "-print-libgcc-file-name"].iter().all(|what| {
        let mut asked = Command::new(command.get_program());
        let answer = asked.args(command.get_args()).arg(what).stderr(Stdio::null()).output();
        answer.is_ok_and(|answer| Path::new(String::from_utf8_lossy(&answer.stdout).trim()).is_absolute())
    })
}

fn zig() -> Option<Command> {
    let mut zig = match find("zig", &[]) {
        Some(program) => Command::new(program),
        None => {
            let mut python = Command::new("python3");
            python.args(["-m", "ziglang"]);
            let mut asked = Command::new("python3");
            asked.args(["-m", "ziglang", "version"]).stdout(Stdio::null()).stderr(Stdio::null());
            asked.status().ok().filter(std::process::ExitStatus::success)?;
            python
        }
    };
    zig.args(["cc", "-target", TARGET]);
    Some(zig)
}
