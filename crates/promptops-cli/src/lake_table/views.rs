//! Views: the last day, owners, and costs by the price table of the project.

use super::{Dialect, KnownPrompts, LakeTable, Statement};

/// Longest list of rows in one statement, bytes. Athena takes 262,144 bytes for a whole one.
const MAX_ROWS_BYTES: usize = 200_000;

/// The view that names owners.
pub(super) const OWNERS: &str = "prompt_owners";

/// Returns the statements that make the views, each after those it needs.
pub(super) fn views(table: &LakeTable, dialect: Dialect, known: &KnownPrompts) -> Vec<Statement> {
    let mut views = vec![last_day(table, dialect)];
    views.extend(owners(table, dialect, known));
    if !known.prices.is_empty() {
        views.push(priced(table, dialect, known));
    }
    views
}

fn view(table: &LakeTable, dialect: Dialect, name: &str, purpose: &str, query: &str) -> Statement {
    Statement {
        name: name.to_owned(),
        purpose: purpose.to_owned(),
        sql: format!("{} {} AS\n{query}", dialect.create_view(), table.name(dialect, name)),
    }
}

fn last_day(table: &LakeTable, dialect: Dialect) -> Statement {
    // The condition on the folders spares reading all others, the one on the time is exact.
    let query = format!(
        "SELECT *\nFROM {}\nWHERE day >= {}\n  AND time >= {}",
        table.name(dialect, &table.table),
        dialect.days_ago(1),
        dialect.hours_ago(24),
    );
    view(table, dialect, &format!("{}_last_day", table.table), "the last 24 hours", &query)
}

/// The owners stand in the prompts, not in the records. Many are split over several views, because a statement has a limit.
fn owners(table: &LakeTable, dialect: Dialect, known: &KnownPrompts) -> Vec<Statement> {
    let row = |(id, owner): (&String, &String)| format!("  ({}, {})", dialect.text(id), dialect.text(owner));
    let mut parts: Vec<Vec<String>> = vec![Vec::new()];
    let mut bytes = 0;
    for row in known.owners.iter().map(row) {
        if bytes + row.len() > MAX_ROWS_BYTES {
            parts.push(Vec::new());
            bytes = 0;
        }
        bytes += row.len() + 2;
        parts.last_mut().expect("there is always a part").push(row);
    }
    let purpose = "the owner of each prompt, when this was generated";
    let part = |name: &str, rows: &[String]| {
        let query = if rows.is_empty() {
            let nothing = dialect.text("");
            format!("SELECT {nothing} AS prompt_id, {nothing} AS owner\nWHERE 1 = 0")
        } else {
            format!("SELECT prompt_id, owner\nFROM (VALUES\n{}\n) AS owned (prompt_id, owner)", rows.join(",\n"))
        };
        view(table, dialect, name, purpose, &query)
    };
    if let [rows] = parts.as_slice() {
        return vec![part(OWNERS, rows)];
    }
    let names: Vec<String> = (1..=parts.len()).map(|number| format!("{OWNERS}_{number}")).collect();
    let mut views: Vec<Statement> = names.iter().zip(&parts).map(|(name, rows)| part(name, rows)).collect();
    let all: Vec<String> =
        names.iter().map(|name| format!("SELECT prompt_id, owner FROM {}", table.name(dialect, name))).collect();
    views.push(view(table, dialect, OWNERS, purpose, &all.join("\nUNION ALL\n")));
    views
}

/// Records with what they cost by the prices of today, also those that came without a cost.
fn priced(table: &LakeTable, dialect: Dialect, known: &KnownPrompts) -> Statement {
    // Written as floating point: a decimal would give the sum another type with every price.
    let number = |price: f64| format!("{price:e}").replace('e', "E");
    let rows: Vec<String> = known
        .prices
        .iter()
        .map(|(model, price)| {
            let prices = [
                price.input,
                price.cached_input.unwrap_or(price.input),
                price.cache_write.unwrap_or(price.input),
                price.output,
                price.reasoning.unwrap_or(price.output),
            ];
            format!("  ({}, {})", dialect.text(model), prices.map(number).join(", "))
        })
        .collect();
    let prices = format!("(VALUES\n{}\n) AS {{}} (model, input, cached, cache_write, output, reasoning)", rows.join(",\n"));
    let price = |column: &str| format!("coalesce(answered.{column}, asked.{column})");
    let cached = "least(coalesce(invocation.cached_tokens, 0), invocation.input_tokens)";
    let written = format!("least(coalesce(invocation.cache_write_tokens, 0), invocation.input_tokens - {cached})");
    let reasoning = "least(coalesce(invocation.reasoning_tokens, 0), invocation.output_tokens)";
    let query = format!(
        "SELECT\n  invocation.*,\n  (\n    (invocation.input_tokens - {cached} - {written}) * {}\n    + {cached} * {}\n    + {written} * {}\n    \
         + (invocation.output_tokens - {reasoning}) * {}\n    + {reasoning} * {}\n  ) / 1E6 AS priced_usd\n\
         FROM {} AS invocation\nLEFT JOIN {} ON invocation.responded_model = answered.model\nLEFT JOIN {} ON invocation.requested_model = asked.model",
        price("input"),
        price("cached"),
        price("cache_write"),
        price("output"),
        price("reasoning"),
        table.name(dialect, &table.table),
        prices.replace("{}", "answered"),
        prices.replace("{}", "asked"),
    );
    let purpose = "all invocations with `priced_usd`, their cost by the prices of the project when this was generated";
    view(table, dialect, &format!("{}_priced", table.table), purpose, &query)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> LakeTable {
        LakeTable {
            location: "s3://lake".to_owned(),
            catalog: "hive".to_owned(),
            database: "promptops".to_owned(),
            table: "invocations".to_owned(),
            days: 30,
            replaces: false,
        }
    }

    #[test]
    fn many_owners_are_split_so_that_every_statement_is_short_enough() {
        let owners = (0..10_000).map(|number| (format!("team-{number}.a-prompt-of-it"), "o'hara".to_owned())).collect();
        let known = KnownPrompts { owners, ..KnownPrompts::default() };
        let views = super::owners(&table(), Dialect::Athena, &known);
        assert_eq!(views.last().unwrap().name, OWNERS);
        assert!(views.len() > 2 && views.iter().all(|view| view.sql.len() < 262_144));
        let rows: usize = views.iter().map(|view| view.sql.matches("'o''hara'").count()).sum();
        assert_eq!(rows, 10_000);
        let all = &views.last().unwrap().sql;
        assert_eq!(all.matches("promptops.prompt_owners_").count(), views.len() - 1);
    }

    #[test]
    fn without_prices_no_view_has_costs_by_them() {
        let names = |known: &KnownPrompts| -> Vec<String> {
            views(&table(), Dialect::Trino, known).into_iter().map(|view| view.name).collect()
        };
        assert_eq!(names(&KnownPrompts::default()), ["invocations_last_day", "prompt_owners"]);
    }
}
