//! Variables on their way into a step: AES-256 in CBC mode, the key made anew for each step.

use aes::cipher::{BlockModeEncrypt as _, KeyIvInit as _, block_padding::Pkcs7};

/// Encrypts with one key.
pub(super) struct Cipher {
    key: [u8; 32],
}

impl Cipher {
    pub(super) fn new() -> Self {
        Self { key: random() }
    }

    /// What a shell needs to read it again.
    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    /// The text encrypted, and its initialisation vector.
    pub(super) fn encrypt(&self, text: &str) -> (Vec<u8>, [u8; 16]) {
        let iv: [u8; 16] = random();
        (cbc::Encryptor::<aes::Aes256>::new(&self.key.into(), &iv.into()).encrypt_padded_vec::<Pkcs7>(text.as_bytes()), iv)
    }
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    for chunk in bytes.chunks_mut(16) {
        chunk.copy_from_slice(&uuid::Uuid::new_v4().as_bytes()[..chunk.len()]);
    }
    bytes
}
