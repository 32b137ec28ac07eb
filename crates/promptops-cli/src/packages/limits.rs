//! What a runtime takes at most.

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::packages::archive::Archive;
use crate::packages::native_part::{AMAZON_LINUX_2, AMAZON_LINUX_2023, NativePart};

/// The most bytes of a ZIP that Lambda takes in one request: 50 MB.
pub const LAMBDA_BYTES_ZIPPED: u64 = 50 << 20;
/// The most bytes of a function with all its layers, unzipped: 250 MB.
pub const LAMBDA_BYTES_UNZIPPED: u64 = 250 << 20;

/// Refuses a layer that Lambda would refuse.
pub fn check_layer(archive: &Archive) -> Outcome<()> {
    check("zipped", archive.bytes.len() as u64, LAMBDA_BYTES_ZIPPED)?;
    check("unzipped", archive.bytes_unzipped(), LAMBDA_BYTES_UNZIPPED)
}

fn check(what: &str, bytes: u64, most: u64) -> Outcome<()> {
    if bytes <= most {
        return Ok(());
    }
    let message = format!("the layer has {} {what}, and Lambda takes {} at most", megabytes(bytes), megabytes(most));
    Err(Failure::new(Exit::Refused, message)
        .hint("lock only the prompts that the function loads, and take a wheel that was built with `--release`"))
}

/// Refuses a native part that no version of Glue loads, and says which versions do not.
pub fn check_glue(native: &NativePart) -> Outcome<Option<String>> {
    if !native.runs_with(AMAZON_LINUX_2023) {
        let glibc = native.glibc.map_or_else(String::new, |glibc| glibc.to_string());
        let message = format!("the wheel needs glibc {glibc}, and Glue has {AMAZON_LINUX_2023}");
        return Err(Failure::new(Exit::Refused, message).hint("take a wheel for manylinux2014"));
    }
    let older = !native.runs_with(AMAZON_LINUX_2);
    Ok(older.then(|| format!("Glue 4.0 cannot load it: its glibc is {AMAZON_LINUX_2}; Glue 5 can")))
}

/// Writes a size for people, in the unit of Lambda's limits, 1024 × 1024 bytes; a small one in bytes.
pub fn megabytes(bytes: u64) -> String {
    match bytes {
        0..100_000 => format!("{bytes} bytes"),
        _ => format!("{:.1} MB", bytes as f64 / f64::from(1 << 20)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::archive::ArchivedEntry;
    use crate::packages::native_part::{Architecture, Glibc};

    #[test]
    fn glue_takes_what_its_c_library_has() {
        let native = |glibc| NativePart { architecture: Architecture::X86_64, glibc: Some(glibc) };
        assert_eq!(check_glue(&native(Glibc(2, 26))).unwrap(), None);
        let warning = check_glue(&native(Glibc(2, 34))).unwrap().unwrap();
        assert_eq!(warning, "Glue 4.0 cannot load it: its glibc is 2.26; Glue 5 can");
        let refused = check_glue(&native(Glibc(2, 36))).unwrap_err();
        assert_eq!(refused.error.to_string(), "the wheel needs glibc 2.36, and Glue has 2.34");
    }

    fn archive(bytes_zipped: u64, bytes: u64) -> Archive {
        let entries = vec![ArchivedEntry { name: "python/one".to_owned(), bytes, bytes_zipped }];
        Archive { bytes: vec![0; usize::try_from(bytes_zipped).unwrap()], entries }
    }

    #[test]
    fn a_layer_at_the_limits_passes_and_one_byte_more_does_not() {
        assert!(check_layer(&archive(LAMBDA_BYTES_ZIPPED, LAMBDA_BYTES_UNZIPPED)).is_ok());
        let zipped = check_layer(&archive(LAMBDA_BYTES_ZIPPED + 1, 1)).unwrap_err();
        assert_eq!(zipped.error.to_string(), "the layer has 50.0 MB zipped, and Lambda takes 50.0 MB at most");
        let unzipped = check_layer(&archive(1, 300 << 20)).unwrap_err();
        assert_eq!(unzipped.error.to_string(), "the layer has 300.0 MB unzipped, and Lambda takes 250.0 MB at most");
        assert_eq!(unzipped.exit, Exit::Refused);
    }
}
