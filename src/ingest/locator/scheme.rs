//! The ways in which bytes are fetched.

use std::fmt;
use std::str::FromStr;

/// A way in which bytes are fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// From this machine's files.
    #[default]
    Fs,
    /// By HTTP; `https` unless `http` is written.
    Http,
    /// From an OCI registry.
    Oci,
    /// From Amazon S3 or what speaks its protocol.
    S3,
    /// From Google Cloud Storage.
    Gcs,
    /// From Azure Blob Storage.
    AzBlob,
}

impl Scheme {
    /// Every scheme.
    pub const ALL: [Self; 6] = [Self::Fs, Self::Http, Self::Oci, Self::S3, Self::Gcs, Self::AzBlob];

    /// Its name, as `PACK_SOURCE` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fs => "fs",
            Self::Http => "http",
            Self::Oci => "oci",
            Self::S3 => "s3",
            Self::Gcs => "gcs",
            Self::AzBlob => "azblob",
        }
    }

    /// What stands before `://` if only the scheme is known.
    pub(super) fn prefix(self) -> &'static str {
        if self == Self::Http { "https" } else { self.name() }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Scheme {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|scheme| scheme.name().eq_ignore_ascii_case(text)).ok_or(())
    }
}
