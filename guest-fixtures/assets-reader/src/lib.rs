//! A node that reads the files of its pack, and tries what it may not.

wit_bindgen::generate!({ path: "wit", world: "reader", generate_all });

use node_kit::{Failure, Operation, Operations, Value, json, text};
use wasi::filesystem::preopens::get_directories;
use wasi::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags};

/// Bytes that are read of a file.
const READ: u64 = 4096;

struct AssetsReader;

impl Operations for AssetsReader {
    const NAME: &'static str = "assets-reader";
    const ALL: &'static [Operation] = &[
        ("roots", "Answers the directories that it was given"),
        ("read", "Answers the text of the file `path` in the first of them"),
        ("write", "Writes into the file `path`, which must exist"),
        ("create", "Makes the file `path`"),
        ("remove", "Removes the file `path`"),
        ("link", "Makes a symbolic link `path` to the file system's root"),
    ];

    fn call(op: &str, input: Value) -> Result<Value, Failure> {
        let roots = get_directories();
        if op == "roots" {
            return Ok(json!({ "roots": roots.into_iter().map(|(_, name)| name).collect::<Vec<_>>() }));
        }
        let Some((root, _)) = roots.first() else { return Err(Failure::new("no_files", "no directory was given")) };
        let path = text(&input, "path")?;
        let done = match op {
            "read" => read(root, path),
            "write" => write(root, path),
            "create" => root
                .open_at(PathFlags::empty(), path, OpenFlags::CREATE, DescriptorFlags::READ | DescriptorFlags::WRITE)
                .map(|_| json!({ "made": path })),
            "remove" => root.unlink_file_at(path).map(|()| json!({ "removed": path })),
            _ => root.symlink_at("/", path).map(|()| json!({ "linked": path })),
        };
        done.map_err(|code| Failure::new("refused", code.name()))
    }
}

fn read(root: &Descriptor, path: &str) -> Result<Value, ErrorCode> {
    let file = root.open_at(PathFlags::SYMLINK_FOLLOW, path, OpenFlags::empty(), DescriptorFlags::READ)?;
    let (bytes, _) = file.read(READ, 0)?;
    Ok(json!({ "text": String::from_utf8_lossy(&bytes) }))
}

fn write(root: &Descriptor, path: &str) -> Result<Value, ErrorCode> {
    let file = root.open_at(PathFlags::empty(), path, OpenFlags::empty(), DescriptorFlags::WRITE)?;
    file.write(b"changed", 0).map(|written| json!({ "written": written }))
}

node_kit::export!(AssetsReader);
