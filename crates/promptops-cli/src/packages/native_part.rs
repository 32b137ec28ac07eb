//! The compiled part of the SDK: for which machines it was built.

use std::fmt;

use goblin::elf::Elf;
use goblin::elf::header::{EM_AARCH64, EM_X86_64};

/// What a native part runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NativePart {
    /// The processor.
    pub architecture: Architecture,
    /// The oldest version of the GNU C library that has all it asks for; none where it asks for nothing.
    pub glibc: Option<Glibc>,
}

/// A processor that Lambda and Glue offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// Intel and AMD.
    X86_64,
    /// Graviton.
    Arm64,
}

impl Architecture {
    /// Returns the name that AWS has for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }
}

/// A version of the GNU C library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Glibc(pub u32, pub u32);

impl fmt::Display for Glibc {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.0, self.1)
    }
}

/// The library of Amazon Linux 2, on which Python 3.10 and 3.11 run in Lambda, and Glue 4.0.
pub const AMAZON_LINUX_2: Glibc = Glibc(2, 26);
/// The library of Amazon Linux 2023, on which Python 3.12 and later run in Lambda, and Glue 5.
pub const AMAZON_LINUX_2023: Glibc = Glibc(2, 34);

impl NativePart {
    /// Reads the head of a shared library or program, and the versions of symbols that it asks for.
    ///
    /// # Errors
    /// What is wrong with it, after “it”: it is not for Linux, or for a processor that AWS does not offer.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        if !bytes.starts_with(b"\x7fELF") {
            return Err("was not built for Linux".to_owned());
        }
        let elf = Elf::parse(bytes).map_err(|error| format!("is damaged: {error}"))?;
        let architecture = match elf.header.e_machine {
            EM_X86_64 if elf.is_64 => Architecture::X86_64,
            EM_AARCH64 if elf.is_64 => Architecture::Arm64,
            other => return Err(format!("was built for a processor that AWS does not offer (number {other})")),
        };
        let mut glibc = None;
        for needed in elf.verneed.iter().flat_map(|needed| needed.iter()) {
            for version in needed.iter() {
                glibc = glibc.max(elf.dynstrtab.get_at(version.vna_name).and_then(glibc_version));
            }
        }
        Ok(Self { architecture, glibc })
    }

    /// Says whether it runs where the C library has this version.
    pub fn runs_with(&self, glibc: Glibc) -> bool {
        self.glibc.is_none_or(|needed| needed <= glibc)
    }
}

/// Reads the version of a symbol such as `GLIBC_2.17`.
fn glibc_version(name: &str) -> Option<Glibc> {
    let mut numbers = name.strip_prefix("GLIBC_")?.split('.').map(|number| number.parse().ok());
    Some(Glibc(numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_their_numbers() {
        assert!(glibc_version("GLIBC_2.9") < glibc_version("GLIBC_2.17"));
        assert_eq!(glibc_version("GLIBC_2.2.5"), Some(Glibc(2, 2)));
        assert_eq!(glibc_version("GCC_3.0"), None);
        assert_eq!(glibc_version("GLIBC_PRIVATE"), None);
    }

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn the_program_of_this_test_says_what_it_needs() {
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let native = NativePart::read(&program).unwrap();
        assert_eq!(native.architecture.name(), if cfg!(target_arch = "x86_64") { "x86_64" } else { "arm64" });
        let needed = native.glibc.expect("a test program calls the C library");
        assert!(native.runs_with(needed) && !native.runs_with(Glibc(2, 0)), "{needed}");
    }

    #[test]
    fn what_is_not_for_linux_is_refused() {
        assert_eq!(NativePart::read(b"\xcf\xfa\xed\xfe").unwrap_err(), "was not built for Linux");
        assert!(NativePart::read(b"\x7fELF").unwrap_err().starts_with("is damaged"));
    }
}
