//! CSV as RFC 4180 has it.

/// Writes one row, with its end of line.
pub fn row<T: AsRef<str>>(cells: &[T]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| quote(cell.as_ref())).collect();
    format!("{}\n", cells.join(","))
}

/// Quotes a cell where it must be.
pub fn quote(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
}
