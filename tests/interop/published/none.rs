//! Nothing: the manifests beside it only name crates to fetch.
