//! Rows of any question for people: as a table where they fit beside each other, else one field a line.

use promptops_lake::AnswerColumn;

use crate::output::visible::one_line;
use crate::printer::{BOLD, DIM, Printer};

/// The text of null.
const NULL: &str = "-";
/// Characters that a text keeps at least when columns are narrowed.
const NARROWEST: usize = 10;
/// Characters between two columns.
const GAP: usize = 2;

/// Draws rows page by page; the first page decides how.
#[derive(Debug)]
pub struct QueryTable {
    columns: Vec<AnswerColumn>,
    /// Characters of a line; none when lines may be as long as they are.
    width: Option<usize>,
    layout: Option<Layout>,
    drawn: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Layout {
    /// The characters of each column.
    Table(Vec<usize>),
    /// One field a line.
    Blocks,
}

impl QueryTable {
    /// Begins a table for a terminal of this width, or for one without an end.
    pub fn new(columns: Vec<AnswerColumn>, width: Option<usize>) -> Self {
        Self { columns, width, layout: None, drawn: 0 }
    }

    /// Draws a page, with the header when it is the first.
    pub fn page(&mut self, rows: &[Vec<Option<String>>], printer: &Printer) -> String {
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| row.iter().map(|cell| cell.as_deref().map_or_else(|| NULL.to_owned(), one_line)).collect())
            .collect();
        let is_first = self.layout.is_none();
        let layout = self.layout.take().unwrap_or_else(|| layout(&self.columns, &rows, self.width));
        let mut text = String::new();
        match &layout {
            Layout::Table(widths) => {
                if is_first {
                    let names: Vec<String> = self.columns.iter().map(|column| column.name.clone()).collect();
                    text.push_str(&printer.paint(BOLD, self.line(&names, widths).trim_end_matches('\n')));
                    text.push('\n');
                }
                rows.iter().for_each(|row| text.push_str(&self.line(row, widths)));
            }
            Layout::Blocks => {
                for (number, row) in (self.drawn + 1..).zip(&rows) {
                    text.push_str(&self.block(number, row, printer));
                }
            }
        }
        self.drawn += rows.len() as u64;
        self.layout = Some(layout);
        text
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for ((cell, width), column) in cells.iter().zip(widths).zip(&self.columns) {
            // A number that lost digits would be another one.
            let cell = if self.width.is_some() && !column.is_number { cut(cell, *width) } else { cell.clone() };
            let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
            let gap = " ".repeat(GAP);
            line.push_str(&if column.is_number { format!("{padding}{cell}{gap}") } else { format!("{cell}{padding}{gap}") });
        }
        format!("{}\n", line.trim_end())
    }

    fn block(&self, number: u64, row: &[String], printer: &Printer) -> String {
        let names = self.columns.iter().map(|column| column.name.chars().count()).max().unwrap_or(0);
        let mut text = format!("{}\n", printer.paint(BOLD, &format!("row {number}")));
        for (column, cell) in self.columns.iter().zip(row) {
            let room = self.width.map_or(usize::MAX, |width| width.saturating_sub(names + 2 * GAP).max(NARROWEST));
            let name = printer.paint(DIM, &format!("{:names$}", column.name));
            text.push_str(&format!("  {name}  {}\n", cut(cell, room)));
        }
        text
    }
}

/// Finds room for every column, by narrowing the widest texts.
fn layout(columns: &[AnswerColumn], rows: &[Vec<String>], width: Option<usize>) -> Layout {
    let natural: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(place, column)| {
            let cells = rows.iter().map(|row| row[place].chars().count());
            cells.chain([column.name.chars().count()]).max().unwrap_or(0)
        })
        .collect();
    let Some(width) = width else { return Layout::Table(natural) };
    let room = width.saturating_sub(GAP * columns.len().saturating_sub(1));
    let narrowed = |widest: usize| -> Vec<usize> {
        let narrow =
            |(natural, column): (&usize, &AnswerColumn)| if column.is_number { *natural } else { (*natural).min(widest) };
        natural.iter().zip(columns).map(narrow).collect()
    };
    let fits = |widths: &Vec<usize>| widths.iter().sum::<usize>() <= room;
    let widest = natural.iter().copied().max().unwrap_or(0);
    (NARROWEST..=widest.max(NARROWEST)).rev().map(narrowed).find(fits).map_or(Layout::Blocks, Layout::Table)
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(width.saturating_sub(1)).collect();
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[(&str, bool)]) -> Vec<AnswerColumn> {
        names.iter().map(|(name, is_number)| AnswerColumn { name: (*name).to_owned(), is_number: *is_number }).collect()
    }

    fn row(cells: &[&str]) -> Vec<Option<String>> {
        cells.iter().map(|cell| (!cell.is_empty()).then(|| (*cell).to_owned())).collect()
    }

    #[test]
    fn texts_are_narrowed_and_numbers_never() {
        let mut table = QueryTable::new(columns(&[("input", false), ("calls", true), ("label", false)]), Some(34));
        let rows = [row(&["a rather long text\nof two lines", "12345678901", "billing"]), row(&["b", "", ""])];
        insta::assert_snapshot!(table.page(&rows, &Printer::plain()), @r"
        input               calls  label
        a rather lo…  12345678901  billing
        b                       -  -
        ");
        insta::assert_snapshot!(table.page(&[row(&["c", "1", "a label that is long"])], &Printer::plain()), @"c                       1  a labe…");
    }

    #[test]
    fn what_does_not_fit_beside_each_other_stands_below() {
        let mut table = QueryTable::new(columns(&[("time", false), ("a", false), ("b", false)]), Some(20));
        let rows = [row(&["2026-05-01T12:00:00Z", "0123456789", "x"]), row(&["", "", "y"])];
        insta::assert_snapshot!(table.page(&rows, &Printer::plain()), @r"
        row 1
          time  2026-05-01T…
          a     0123456789
          b     x
        row 2
          time  -
          a     -
          b     y
        ");
        assert!(table.page(&rows[1..], &Printer::plain()).starts_with("row 3\n"));
    }

    #[test]
    fn without_a_width_everything_is_shown() {
        let long = "x".repeat(500);
        let mut table = QueryTable::new(columns(&[("text", false)]), None);
        assert!(table.page(&[row(&[&long])], &Printer::plain()).ends_with(&format!("{long}\n")));
        assert!(table.page(&[row(&[&long.repeat(2)])], &Printer::plain()).contains(&long.repeat(2)));
        assert_eq!(table.page(&[row(&["\u{1b}[2J"])], &Printer::plain()).trim_end(), "\\u{1b}[2J");
    }
}
