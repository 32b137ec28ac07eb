//! `sql-valid`: the answer is SQL and nothing else.

use serde_json::Value;

use super::sql_text::Expectation;
use super::{Building, Judged, Judgement, Score, Scorer, Settings};
use crate::spec::fields::Fields;

/// Passes an answer that parses in its dialect, and with tables, one that names no others.
#[derive(Debug, Clone)]
pub struct SqlValid {
    expectation: Expectation,
}

impl SqlValid {
    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        Some(Self { expectation: Expectation::read(fields)? })
    }
}

impl Settings for SqlValid {
    fn build(&self, _: &Building<'_>) -> Result<Box<dyn Scorer>, String> {
        Ok(Box::new(self.clone()))
    }
}

impl Scorer for SqlValid {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        match self.expectation.fault(&judged.answer.text) {
            None => Score::pass().into(),
            Some(fault) => Score::fail(fault).into(),
        }
    }

    fn describe(&self) -> Value {
        self.expectation.describe("sql-valid")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::scorer::tests::{case, judge, scorer};

    fn note(settings: &str, sql: &str) -> Option<String> {
        let scorer = scorer(settings, None).unwrap();
        let score = judge(scorer.as_ref(), sql, &case(json!({})));
        (!score.passed).then(|| score.note.unwrap())
    }

    #[test]
    fn a_statement_parses_in_its_dialect() {
        let plain = "{type: sql-valid}";
        assert_eq!(note(plain, "SELECT a, b FROM t WHERE c = 'x'; DELETE FROM t"), None);
        assert_eq!(note(plain, "").unwrap(), "there is no statement");
        assert_eq!(note(plain, "-- nothing").unwrap(), "there is no statement");
        assert!(note(plain, "SELEC a FROM t").unwrap().starts_with("it is no generic: "));
        assert!(note(plain, "Here you are: SELECT 1").is_some());
        assert!(note(plain, &"(".repeat(100_000)).is_some(), "it ends");
        assert_eq!(note("{type: sql-valid, dialect: mysql}", "SELECT `a` FROM `t`"), None);
        assert!(note("{type: sql-valid, dialect: postgresql}", "SELECT `a` FROM `t`").is_some());
        assert!(scorer("{type: sql-valid, dialect: cobol}", None).is_err());
    }

    #[test]
    fn no_other_table_may_be_named() {
        let tables = "{type: sql-valid, tables: [orders, sales.items]}";
        for allowed in [
            "SELECT * FROM orders JOIN sales.items USING (id)",
            "WITH o AS (SELECT * FROM Orders) SELECT * FROM o",
            "UPDATE shop.orders SET a = 1",
            "SELECT 1",
        ] {
            assert_eq!(note(tables, allowed), None, "{allowed}");
        }
        for (refused, name) in [
            ("SELECT * FROM orders WHERE id IN (SELECT id FROM users)", "users"),
            ("DELETE FROM items", "items"),
            ("DROP TABLE users", "users"),
            ("TRUNCATE TABLE users", "users"),
            ("INSERT INTO orders SELECT * FROM hr.pay", "hr.pay"),
            ("SELECT 1; SELECT * FROM users", "users"),
        ] {
            assert_eq!(note(tables, refused).unwrap(), format!("it names the table `{name}`"), "{refused}");
        }
    }

    #[test]
    fn promptfoo_names_tables_with_what_is_done_to_them() {
        let tables = "{type: sql-valid, dialect: mysql, like: promptfoo, tables: ['(select|insert)::null::orders']}";
        assert_eq!(note(tables, "SELECT a FROM orders"), None);
        assert!(note(tables, "UPDATE orders SET a = 1").is_some());
        assert!(note(tables, "SELECT a FROM s.orders").is_some());
        assert!(note(tables, "SELECT first last FROM orders").unwrap().contains("mistake"));
        assert_eq!(note("{type: sql-valid, dialect: mysql}", "SELECT first last FROM orders"), None);
    }
}
