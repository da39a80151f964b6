//! Signatures of tokens. The specification's tokens have none; a server outside of a sandbox can ask
//! for one by a key that it was given.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fhir_model::json::{self, Limits};
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
        f.write_str(
            "expected one public key in PEM (\"PUBLIC KEY\"): RSA, elliptic curve P-256 or P-384, or Ed25519",
        )
    }
}

impl std::error::Error for TokenKeyError {}

impl TokenKeys {
    /// Adds a public key in PEM. Anything else could be read as a key that verifies nothing: a
    /// private key, a certificate, or what stands behind the first of several keys.
    pub fn add_pem(&mut self, pem: &[u8]) -> Result<(), TokenKeyError> {
        let text = str::from_utf8(pem).map_err(|_| TokenKeyError)?;
        let mut begins = text.lines().map(str::trim).filter(|line| line.starts_with("-----BEGIN "));
        let is_public =
            |line: &str| matches!(line, "-----BEGIN PUBLIC KEY-----" | "-----BEGIN RSA PUBLIC KEY-----");
        if !begins.next().is_some_and(is_public) || begins.next().is_some() {
            return Err(TokenKeyError);
        }
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
    /// and the algorithm that it names must be one of the key's. Keys that the token brings along or
    /// points to do not count; what its header calls critical is not understood (RFC 7515 4.1.11).
    pub fn signed(&self, token: &str) -> bool {
        let Ok(header) = decode_header(token) else { return false };
        let Some((message, signature)) = token.rsplit_once('.') else { return false };
        if has_critical(token) {
            return false;
        }
        let by = |key: &&Key| {
            key.algorithms.contains(&header.alg)
                && crypto::verify(signature, message.as_bytes(), &key.key, header.alg).unwrap_or(false)
        };
        self.0.iter().any(|key| by(&key))
    }
}

/// Whether the header of a token has `crit`, or cannot be read unambiguously.
fn has_critical(token: &str) -> bool {
    let header = token.split('.').next().unwrap_or_default();
    let header = URL_SAFE_NO_PAD.decode(header).ok();
    let header = header.and_then(|header| json::parse(&header, &Limits::default()).ok());
    header.is_none_or(|header| header.get("crit").is_some())
}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenKeys({})", self.0.len())
    }
}
