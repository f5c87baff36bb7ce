//! How large a pack may be.

/// The bounds within which a pack is read. They hold for archives and for directories alike.
///
/// The defaults leave ample room for published packs (entries up to 6 MB, up to 150 entries) and keep the memory
/// that a hostile one can take below one gigabyte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of an archive file; 256 MiB.
    pub archive: u64,
    /// Entries of an archive, or files and folders of a directory; 4,096.
    pub entries: usize,
    /// Bytes of one entry, unpacked; 64 MiB.
    pub entry: u64,
    /// Bytes of all entries that are read, unpacked; 256 MiB.
    pub total: u64,
    /// How many times larger than its packed form an entry may become; 200.
    pub ratio: u64,
    /// Bytes that an entry may unpack to whatever its ratio: small texts pack well; 1 MiB.
    pub ratio_floor: u64,
    /// Bytes of an entry's name; 512.
    pub name: usize,
    /// Parts of an entry's name; 32.
    pub depth: usize,
    /// Bytes of a manifest or a bill of materials; 8 MiB.
    pub manifest: u64,
    /// Values in a manifest or a bill of materials; 500,000.
    pub manifest_values: usize,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: u64 = 1 << 20;
        Self {
            archive: 256 * MIB,
            entries: 4096,
            entry: 64 * MIB,
            total: 256 * MIB,
            ratio: 200,
            ratio_floor: MIB,
            name: 512,
            depth: 32,
            manifest: 8 * MIB,
            manifest_values: 500_000,
        }
    }
}
