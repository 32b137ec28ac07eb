//! Extraction: finding in a message what the key of a JSON field names.

use std::sync::LazyLock;

use regex::Regex;

use crate::words::{literal_regex, sentences};
use crate::writing::most_central;

static EMAIL: LazyLock<Regex> = LazyLock::new(|| literal_regex(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"));
static DATE: LazyLock<Regex> = LazyLock::new(|| {
    literal_regex(
        r"(?i)\b(?:\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{2,4}|\d{1,2}(?:st|nd|rd|th)?(?: of)? (?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*(?: \d{4})?|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]* \d{1,2}(?:st|nd|rd|th)?(?:,? \d{4})?)\b",
    )
});
static AMOUNT: LazyLock<Regex> = LazyLock::new(|| {
    literal_regex(r"(?i)(?:[$€£]\s?\d[\d.,]*\d|[$€£]\s?\d|\b\d[\d.,]*\s?(?:€|£|\$|eur|usd|gbp|euros?|dollars?|pounds?))")
});
static NUMBER: LazyLock<Regex> = LazyLock::new(|| literal_regex(r"\d+(?:[.,]\d+)*"));
static PHONE: LazyLock<Regex> = LazyLock::new(|| literal_regex(r"\+?\d[\d ()/-]{6,}\d"));
static IDENTIFIER: LazyLock<Regex> = LazyLock::new(|| literal_regex(r"#?\b[A-Z]{0,5}-?\d[\dA-Z-]{2,}\b"));
static SIGNED: LazyLock<Regex> = LazyLock::new(|| {
    literal_regex(
        r"(?m)(?:\b(?:[Mm]y name is|I am|I'm|[Tt]his is)\s+|(?:[Rr]egards|[Tt]hanks|[Cc]heers|[Bb]est|[Ss]incerely),?\s*\n?\s*(?:[-–—]\s*)?)([A-Z][\p{L}'-]+(?: [A-Z][\p{L}'-]+)?)",
    )
});

/// Finds all texts in `input` that the key `name` asks for, in order.
///
/// Keys are understood by the words they hold: e-mail, phone, date, amount or price, name, an order, invoice, ticket
/// or account number, and a product after its noun. Any other key gets the sentence that shares its words, if one does.
pub(crate) fn find(name: &str, input: &str) -> Vec<String> {
    let key = name.to_lowercase().replace(['_', '-'], " ");
    let has = |words: &[&str]| words.iter().any(|word| key.split(' ').any(|part| part.trim_end_matches('s') == *word));
    let all = |pattern: &Regex| pattern.find_iter(input).map(|found| found.as_str().trim().to_owned()).collect();
    if has(&["email", "mail"]) {
        all(&EMAIL)
    } else if has(&["phone", "telephone"]) {
        all(&PHONE)
    } else if has(&["date", "day", "deadline"]) {
        all(&DATE)
    } else if has(&["amount", "price", "total", "sum", "cost"]) {
        all(&AMOUNT)
    } else if has(&["order", "invoice", "ticket", "account", "id", "number", "reference"]) {
        identifiers(&key, input)
    } else if has(&["name", "customer", "sender"]) {
        SIGNED.captures_iter(input).map(|found| found[1].to_owned()).collect()
    } else if has(&["summary", "issue", "problem", "request", "topic"]) {
        most_central(input, 1).into_iter().map(str::to_owned).collect()
    } else {
        let sought = crate::words::stems(&key);
        let shares = |text: &&str| crate::words::stems(text).iter().any(|stem| sought.contains(stem));
        sentences(input).into_iter().filter(shares).map(str::to_owned).collect()
    }
}

/// Finds the first number that the key `name` asks for.
pub(crate) fn find_number(name: &str, input: &str) -> Option<f64> {
    let text = find(name, input).into_iter().next().unwrap_or_else(|| input.to_owned());
    let digits = NUMBER.find(&text)?.as_str();
    // The last mark is the decimal one, unless it is a comma before exactly three digits: that separates thousands.
    let decimal = digits.rfind([',', '.']).filter(|mark| digits[*mark..].starts_with('.') || digits.len() - mark != 4);
    let plain = match decimal {
        Some(mark) => format!("{}.{}", digits[..mark].replace([',', '.'], ""), &digits[mark + 1..]),
        None => digits.replace(',', ""),
    };
    plain.parse().ok()
}

/// Numbers that follow the key's noun ("order 4711") before those that stand anywhere else.
fn identifiers(key: &str, input: &str) -> Vec<String> {
    let noun = key.split(' ').find(|word| ["order", "invoice", "ticket", "account", "reference"].contains(word));
    let found: Vec<(usize, &str)> = IDENTIFIER.find_iter(input).map(|found| (found.start(), found.as_str())).collect();
    let lower = input.to_ascii_lowercase();
    let named = found.iter().filter(|(start, _)| {
        let before = &lower[..*start];
        let last_words: Vec<&str> = before.split_whitespace().rev().take(3).collect();
        noun.is_some_and(|noun| last_words.iter().any(|word| word.trim_matches(|c: char| !c.is_alphanumeric()) == noun))
    });
    let named: Vec<String> = named.map(|(_, text)| text.trim_start_matches('#').to_owned()).collect();
    let others_named = ["order", "invoice", "ticket", "account"];
    if !named.is_empty() || noun.is_some_and(|noun| others_named.iter().any(|other| *other != noun && lower.contains(other))) {
        return named;
    }
    found.into_iter().map(|(_, text)| text.trim_start_matches('#').to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = "Hi, my name is Ada King. Order 88231 of 3 March 2026 came to €1,249.50, but invoice INV-2041 says \
        $99. Write to ada@example.com or +44 20 7946 0958.";

    #[test]
    fn a_key_finds_what_it_names() {
        assert_eq!(find("email", MESSAGE), ["ada@example.com"]);
        assert_eq!(find("order_number", MESSAGE), ["88231"]);
        assert_eq!(find("invoice_id", MESSAGE), ["INV-2041"]);
        assert_eq!(find("order_date", MESSAGE), ["3 March 2026"]);
        assert_eq!(find("amounts", MESSAGE), ["€1,249.50", "$99"]);
        assert_eq!(find("customer_name", MESSAGE), ["Ada King"]);
        assert_eq!(find("phone", MESSAGE), ["+44 20 7946 0958"]);
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        for key in ["email", "order_number", "date", "amount", "name", "colour"] {
            assert_eq!(find(key, "It does not open any more."), Vec::<String>::new(), "{key}");
        }
    }

    #[test]
    fn numbers_are_read_with_either_decimal_mark() {
        assert_eq!(find_number("amount", "I paid €1,249.50"), Some(1249.5));
        assert_eq!(find_number("amount", "I paid 12,90 EUR"), Some(12.9));
        assert_eq!(find_number("amount", "I paid £1,200"), Some(1200.0));
        assert_eq!(find_number("seats", "we are 40 people"), Some(40.0));
        assert_eq!(find_number("amount", "nothing"), None);
    }
}
