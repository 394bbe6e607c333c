//! Filters that make a digest, in hexadecimal digits.

use super::{
    case::lower,
    number::parse_int,
    text::{base64_bytes, utf16_bytes},
};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

type Encoded = fn(&str) -> Option<Vec<u8>>;

fn encoding(name: &str) -> Option<Encoded> {
    Some(match lower(name).as_str() {
        "base64" => base64_bytes,
        "utf8" | "utf-8" => |text| Some(text.as_bytes().to_vec()),
        "unicode" => |text| Some(utf16_bytes(text)),
        _ => return None,
    })
}

fn size(option: &str) -> Option<usize> {
    parse_int(option).filter(|size| *size > 0).map(|size| size as usize)
}

/// Options are an encoding and how many bytes of the digest, in either order.
pub(super) fn hash(name: &str, argument: &str, options: &[String]) -> Option<String> {
    let utf8: Encoded = |text| Some(text.as_bytes().to_vec());
    let (bytes, wanted) = match options {
        [] => (utf8, None),
        [one] => size(one).map_or_else(|| encoding(one).map(|encoding| (encoding, None)), |size| Some((utf8, Some(size))))?,
        [one, two] => match size(one) {
            Some(size) => (encoding(two)?, Some(size)),
            None => (encoding(one)?, Some(size(two)?)),
        },
        _ => return None,
    };
    let bytes = bytes(argument)?;
    let digest = match name {
        "md5" => Md5::digest(bytes).to_vec(),
        "sha1" => Sha1::digest(bytes).to_vec(),
        "sha256" => Sha256::digest(bytes).to_vec(),
        "sha384" => Sha384::digest(bytes).to_vec(),
        _ => Sha512::digest(bytes).to_vec(),
    };
    Some(hex::encode(&digest[..wanted.unwrap_or(digest.len()).min(digest.len())]))
}
