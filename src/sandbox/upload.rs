//! Files that clients send: taken out of a multipart form, and what the name of a package's file says.

use super::{answer::Refusal, versions::is_package_version};
use axum::body::{Body, Bytes};
use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

/// The first file of a multipart form, whatever its part is called: its name and its content.
pub(crate) fn file(content_type: &str, raw: &Bytes) -> Result<(String, Bytes), Refusal> {
    let boundary = multer::parse_boundary(content_type).map_err(|_| {
        Refusal::invalid("The request must be a multipart/form-data request with a boundary, with the file as one of its parts.")
    })?;
    // The whole form is in memory, so the parser never has to wait: one poll is all there is.
    let reading = pin!(first(boundary, raw.clone()));
    match reading.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(Some(found))) => Ok(found),
        Poll::Ready(Ok(None)) => Err(Refusal::invalid("The request contains no file.")),
        Poll::Ready(Err(e)) => Err(Refusal::invalid(format!("The multipart form cannot be read: {e}."))),
        Poll::Pending => Err(Refusal::invalid("The multipart form cannot be read: it is incomplete.")),
    }
}

async fn first(boundary: String, raw: Bytes) -> Result<Option<(String, Bytes)>, multer::Error> {
    let mut form = multer::Multipart::new(Body::from(raw).into_data_stream(), boundary);
    let mut found = None;
    // To the end, also behind the file: a form that breaks off later is broken.
    while let Some(part) = form.next_field().await? {
        let name = part.file_name().map(str::to_owned).filter(|n| !n.is_empty());
        let content = part.bytes().await?;
        if let Some(name) = name.filter(|_| found.is_none()) {
            found = Some((name, content));
        }
    }
    Ok(found)
}

/// The kinds of packages the built-in feed takes; two-part endings come first.
const EXTENSIONS: [&str; 13] =
    [".tar.gz", ".tar.bz2", ".tar.bz", ".nupkg", ".zip", ".tar", ".tgz", ".tbz", ".jar", ".war", ".ear", ".rar", ".tbz2"];

/// Id, version and ending of a package, from the name of its file: the id is as short as it can be.
pub(crate) fn identity(file: &str) -> Result<(String, String, String), Refusal> {
    // Some clients send the path on their own disk.
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let lower = name.to_lowercase();
    let Some(ending) = EXTENSIONS.iter().find(|e| lower.ends_with(*e)) else {
        let known = EXTENSIONS.join(", ");
        return Err(Refusal::invalid(format!("The file '{name}' is not a package the built-in feed takes. It takes: {known}.")));
    };
    let (stem, extension) = name.split_at(name.len() - ending.len());
    stem.match_indices('.')
        .map(|(at, _)| (&stem[..at], &stem[at + 1..]))
        .find(|(id, version)| is_package_id(id) && is_package_version(version))
        .map(|(id, version)| (id.to_owned(), version.to_owned(), extension.to_owned()))
        .ok_or_else(|| {
            Refusal::invalid(format!(
                "The package ID and version cannot be read from the file name '{name}'. Name it like 'Acme.Web.1.0.0.zip'."
            ))
        })
}

/// Whether this can be the id of a package: words with a dot, dash or underscore between them.
pub(crate) fn is_package_id(text: &str) -> bool {
    text.len() <= 100 && text.split(['.', '-']).all(|w| !w.is_empty() && w.chars().all(|c| c.is_alphanumeric() || c == '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_as_octopus_reads_them() {
        let read = |name: &str| identity(name).map(|(id, version, extension)| format!("{id} {version} {extension}")).unwrap_or_default();
        assert_eq!(read("Octopus.Tentacle.6.3.417-x64.zip"), "Octopus.Tentacle 6.3.417-x64 .zip");
        assert_eq!(read("powershell-linux-alpine-x64.7.2.10.tar.gz"), "powershell-linux-alpine-x64 7.2.10 .tar.gz");
        assert_eq!(read("pterm-0.12.42.ZIP"), "pterm-0 12.42 .ZIP");
        assert_eq!(read("C:\\drop\\Acme_Web.1.zip"), "Acme_Web 1 .zip");
        assert_eq!(read("A.1.0+sha.5.nupkg"), "A 1.0+sha.5 .nupkg");
        for wrong in ["SqlServer2000.zip", "Octopus.Tentacle.zip", "A.1.0.0.exe", "1.0.0.zip/", ".zip", "A B.1.0.zip", "A..1.0.zip"] {
            assert_eq!(read(wrong), "", "{wrong}");
        }
    }
}
