//! Signatures of tokens. The specification's tokens have none; a server outside of a sandbox can ask
//! for one by a key that it was given.

use std::fmt;

use jsonwebtoken::{Algorithm, DecodingKey, crypto, decode_header};

/// The public keys that may have signed a token.
#[derive(Default)]
pub struct TokenKeys(Vec<Key>);

struct Key {
    algorithms: &'static [Algorithm],
    key: DecodingKey,
}

/// What signs with an RSA key.
const RSA: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];
const ELLIPTIC: &[Algorithm] = &[Algorithm::ES256, Algorithm::ES384];
const EDWARDS: &[Algorithm] = &[Algorithm::EdDSA];

/// A text that holds no public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenKeyError;

impl fmt::Display for TokenKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a public key in PEM: RSA, elliptic curve or Ed25519")
    }
}

impl std::error::Error for TokenKeyError {}

impl TokenKeys {
    /// Adds a public key in PEM.
    pub fn add_pem(&mut self, pem: &[u8]) -> Result<(), TokenKeyError> {
        let read = [
            (RSA, DecodingKey::from_rsa_pem(pem)),
            (ELLIPTIC, DecodingKey::from_ec_pem(pem)),
            (EDWARDS, DecodingKey::from_ed_pem(pem)),
        ];
        let found = read.into_iter().find_map(|(algorithms, key)| Some(Key { algorithms, key: key.ok()? }));
        self.0.push(found.ok_or(TokenKeyError)?);
        Ok(())
    }

    /// Whether one of the keys signed this token. A token without a signature is signed by none,
    /// and the algorithm that it names must be one of the key's.
    pub fn signed(&self, token: &str) -> bool {
        let Ok(header) = decode_header(token) else { return false };
        let Some((message, signature)) = token.rsplit_once('.') else { return false };
        let by = |key: &&Key| {
            key.algorithms.contains(&header.alg)
                && crypto::verify(signature, message.as_bytes(), &key.key, header.alg).unwrap_or(false)
        };
        self.0.iter().any(|key| by(&key))
    }
}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenKeys({})", self.0.len())
    }
}
