//! Tables for people: columns aligned by their widest cell.

use crate::printer::{BOLD, Printer};

/// How a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Texts.
    Left,
    /// Numbers.
    Right,
}

/// A table under construction.
#[derive(Debug)]
pub struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
    /// The widths of what was written already, of a table that is written in parts.
    written: Option<Vec<usize>>,
}

impl Table {
    /// Returns a table with these columns.
    pub fn new(columns: &[(&str, Align)]) -> Self {
        Self {
            columns: columns.iter().map(|(name, align)| ((*name).to_owned(), *align)).collect(),
            rows: Vec::new(),
            written: None,
        }
    }

    /// Adds a row with one cell per column.
    pub fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.columns.len(), "a row has one cell per column");
        self.rows.push(cells);
    }

    /// Writes the table with a header and a final newline. Cells may carry colour.
    pub fn render(&self, printer: &Printer) -> String {
        self.lines(&self.widths(), true, printer)
    }

    /// Writes the rows that came since the last time, behind the header the first time. Columns grow and never shrink.
    #[cfg_attr(not(feature = "lake"), expect(dead_code, reason = "only the lake's records are shown as they come"))]
    pub fn render_more(&mut self, printer: &Printer) -> String {
        let mut widths = self.widths();
        for (width, written) in widths.iter_mut().zip(self.written.iter().flatten()) {
            *width = (*width).max(*written);
        }
        let text = self.lines(&widths, self.written.is_none(), printer);
        self.rows.clear();
        self.written = Some(widths);
        text
    }

    fn widths(&self) -> Vec<usize> {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| visible_width(&row[column]));
            cells.chain([visible_width(&self.columns[column].0)]).max().unwrap_or(0)
        };
        (0..self.columns.len()).map(width).collect()
    }

    fn lines(&self, widths: &[usize], has_header: bool, printer: &Printer) -> String {
        let mut text = String::new();
        if has_header {
            let header = self.columns.iter().map(|(name, _)| printer.paint(BOLD, name)).collect::<Vec<_>>();
            text = self.line(&header, widths);
        }
        self.rows.iter().for_each(|row| text.push_str(&self.line(row, widths)));
        text
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for ((cell, width), (_, align)) in cells.iter().zip(widths).zip(&self.columns) {
            let padding = " ".repeat(width - visible_width(cell));
            match align {
                Align::Left => line.push_str(&format!("{cell}{padding}  ")),
                Align::Right => line.push_str(&format!("{padding}{cell}  ")),
            }
        }
        format!("{}\n", line.trim_end())
    }
}

/// The characters of a text without the escape sequences of colour.
fn visible_width(text: &str) -> usize {
    let mut width = 0;
    let mut is_escape = false;
    for letter in text.chars() {
        match (is_escape, letter) {
            (false, '\u{1b}') => is_escape = true,
            (true, 'm') => is_escape = false,
            (false, _) => width += 1,
            (true, _) => {}
        }
    }
    width
}
