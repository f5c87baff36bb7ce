//! TLS.

/// Names the cryptography that TLS uses in this process, unless something else did already. Every client has to be
/// made after this.
pub fn install() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Fails only if another thread was faster, whose choice then stands.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}
