//! Where invocations are sent, as settings name it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A place that invocations are sent to.
///
/// | Text | Meaning |
/// |---|---|
/// | `emf` | standard output, in CloudWatch's embedded metric format |
/// | `jsonl:FILE` | a file, which is appended to |
/// | `spool:FOLDER` | a folder of files that are closed by size and age, for whoever takes them on |
/// | `https://SERVER`, `http://SERVER` | `promptops serve --record` |
/// | `otlp` | OpenTelemetry, as the standard variables `OTEL_EXPORTER_OTLP_…` say |
/// | `otlp+http://HOST:PORT`, `otlp+grpc://HOST:PORT` | OpenTelemetry there; with TLS `otlp+https`, `otlp+grpcs` |
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Standard output, in CloudWatch's embedded metric format.
    Emf,
    /// A file that is appended to.
    File(PathBuf),
    /// A folder of files that are closed by size and age.
    Spool(PathBuf),
    /// The URL of a server that records.
    Server(String),
    /// OpenTelemetry, at the address that the environment names, or at this one.
    Otlp(Option<OtlpAddress>),
}

/// Where OpenTelemetry's protocol is spoken, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtlpAddress {
    /// Whether it is spoken over gRPC; else over HTTP.
    pub is_grpc: bool,
    /// The URL, `http://…` or `https://…`.
    pub url: String,
}

/// The text names no destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invocations go to `emf`, `jsonl:FILE`, `spool:FOLDER`, `https://SERVER`, `otlp` or `otlp+http://HOST:PORT`, not to `{0}`"
)]
pub struct UnknownDestination(
    /// The text as it was given.
    pub String,
);

impl Destination {
    /// Reads a list, in which commas or white space stand between the destinations.
    ///
    /// # Errors
    /// [`UnknownDestination`] for the first that is none.
    pub fn list(text: &str) -> Result<Vec<Self>, UnknownDestination> {
        let names = text.split(|character: char| character == ',' || character.is_whitespace());
        names.filter(|name| !name.is_empty()).map(str::parse).collect()
    }
}

impl FromStr for Destination {
    type Err = UnknownDestination;

    fn from_str(text: &str) -> Result<Self, UnknownDestination> {
        let unknown = || UnknownDestination(text.to_owned());
        match text {
            "emf" => return Ok(Self::Emf),
            "otlp" => return Ok(Self::Otlp(None)),
            _ => {}
        }
        let (scheme, rest) = text.split_once(':').filter(|(_, rest)| !rest.is_empty()).ok_or_else(unknown)?;
        let otlp = |is_grpc, scheme: &str| Self::Otlp(Some(OtlpAddress { is_grpc, url: format!("{scheme}:{rest}") }));
        match scheme {
            "jsonl" => Ok(Self::File(rest.into())),
            "spool" => Ok(Self::Spool(rest.into())),
            _ if !rest.starts_with("//") || rest.len() == 2 => Err(unknown()),
            "http" | "https" => Ok(Self::Server(text.to_owned())),
            "otlp+http" => Ok(otlp(false, "http")),
            "otlp+https" => Ok(otlp(false, "https")),
            "otlp+grpc" => Ok(otlp(true, "http")),
            "otlp+grpcs" => Ok(otlp(true, "https")),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Emf => out.write_str("stdout"),
            Self::File(path) | Self::Spool(path) => path.display().fmt(out),
            Self::Server(url) => out.write_str(url),
            Self::Otlp(None) => out.write_str("otlp"),
            Self::Otlp(Some(address)) => out.write_str(&address.url),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_each_kind() {
        let list = Destination::list(
            "emf, jsonl:calls.jsonl spool:/var/spool/calls,https://prompts.example.com\notlp otlp+grpc://collector:4317",
        )
        .unwrap();
        let grpc = OtlpAddress { is_grpc: true, url: "http://collector:4317".into() };
        assert_eq!(
            list,
            [
                Destination::Emf,
                Destination::File("calls.jsonl".into()),
                Destination::Spool("/var/spool/calls".into()),
                Destination::Server("https://prompts.example.com".into()),
                Destination::Otlp(None),
                Destination::Otlp(Some(grpc)),
            ]
        );
        assert_eq!(Destination::list(" , ").unwrap(), []);
    }

    #[test]
    fn what_is_none_is_named() {
        for text in ["stdout", "jsonl:", "https:", "https://", "ftp://host", "otlp+tcp://host", "EMF"] {
            assert_eq!(Destination::list(&format!("emf,{text}")), Err(UnknownDestination(text.to_owned())));
        }
        let said = "nowhere".parse::<Destination>().unwrap_err().to_string();
        assert!(said.ends_with("not to `nowhere`"), "{said}");
    }
}
