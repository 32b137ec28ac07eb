//! Examples of checks: small projects in one text.

/// A small project. A line `=== path` begins a file; `=== base path` one that stands at the base revision, and `=== folder path` is a
/// folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The files, in the order of the text.
    pub files: Vec<ExampleFile>,
}

/// A file of an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExampleFile {
    /// Where it stands.
    pub place: Place,
    /// The path from the project's root.
    pub path: &'static str,
    /// What it holds.
    pub text: &'static str,
}

/// Where a file of an example stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the working tree.
    Tree,
    /// At the base revision.
    Base,
    /// In the working tree, as a folder.
    Folder,
}

impl Example {
    /// Reads an example of a check.
    pub fn parse(text: &'static str) -> Self {
        let sections = text.split("=== ").filter(|section| !section.is_empty());
        let file = |section: &'static str| {
            let (name, text) = section.split_once('\n').unwrap_or((section, ""));
            let (place, path) = match name.split_once(' ') {
                Some(("base", path)) => (Place::Base, path),
                Some(("folder", path)) => (Place::Folder, path),
                _ => (Place::Tree, name),
            };
            ExampleFile { place, path, text }
        };
        Self { files: sections.map(file).collect() }
    }

    /// Tells whether there is something to compare with.
    pub fn has_base(&self) -> bool {
        self.files.iter().any(|file| file.place == Place::Base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_files_folders_and_the_base() {
        let example = Example::parse("=== base a.yaml\nid: a\n=== a.yaml\nid: b\n=== folder c.yaml\n");
        let shown: Vec<_> = example.files.iter().map(|file| (file.place, file.path, file.text)).collect();
        let expected = [(Place::Base, "a.yaml", "id: a\n"), (Place::Tree, "a.yaml", "id: b\n"), (Place::Folder, "c.yaml", "")];
        assert_eq!(shown, expected);
        assert!(example.has_base());
    }
}
