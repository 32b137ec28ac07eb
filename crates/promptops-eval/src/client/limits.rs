//! What the headers of an answer say about how soon the next call may come.

use std::time::Duration;

use chrono::{DateTime, FixedOffset};
use reqwest::header::HeaderMap;

/// Pairs of headers: how much is left of a limit, and when it is whole again.
const LIMITS: [(&str, &str); 6] = [
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
    ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
    ("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"),
    ("anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"),
];

/// Returns how long a provider that refused wants to be left alone: `retry-after-ms`, else `Retry-After` in seconds or as a
/// date, else the time until the limit that is used up is whole again.
///
/// Dates are measured against the server's own clock, which its `Date` tells.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    if let Some(milliseconds) = text(headers, "retry-after-ms").and_then(|value| value.parse().ok()) {
        return seconds(milliseconds, 1e-3);
    }
    match text(headers, "retry-after") {
        Some(value) => match value.parse() {
            Ok(count) => seconds(count, 1.0),
            Err(_) => until(DateTime::parse_from_rfc2822(value).ok()?, headers),
        },
        None => hold(headers),
    }
}

/// Returns how long to wait before the next call, where this one used up a limit.
pub(super) fn hold(headers: &HeaderMap) -> Option<Duration> {
    let used_up = LIMITS.iter().filter(|(remaining, _)| text(headers, remaining).is_some_and(|value| value == "0"));
    used_up.filter_map(|(_, reset)| reset_time(text(headers, reset)?, headers)).max()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}

/// Reads a length of time as OpenAI writes it (`6m0s`, `20ms`), or a time as Anthropic does (RFC 3339).
fn reset_time(value: &str, headers: &HeaderMap) -> Option<Duration> {
    match DateTime::parse_from_rfc3339(value) {
        Ok(time) => until(time, headers),
        Err(_) => length(value),
    }
}

fn until(time: DateTime<FixedOffset>, headers: &HeaderMap) -> Option<Duration> {
    let now = DateTime::parse_from_rfc2822(text(headers, "date")?).ok()?;
    Some((time - now).to_std().unwrap_or(Duration::ZERO))
}

/// Reads a length of time as Go writes it: numbers with units, one after the other.
fn length(value: &str) -> Option<Duration> {
    let (mut total, mut rest) = (Duration::ZERO, value);
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let count: f64 = rest[..digits].parse().ok()?;
        let unit_end = rest[digits..].find(|character: char| character.is_ascii_digit()).map_or(rest.len(), |end| digits + end);
        let scale = match &rest[digits..unit_end] {
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        total = total.checked_add(seconds(count, scale)?)?;
        rest = &rest[unit_end..];
    }
    Some(total)
}

/// Returns a length of time; nothing where a server's number makes none.
fn seconds(count: f64, scale: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(count * scale).ok()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn reads_every_form_of_retry_after() {
        assert_eq!(retry_after(&headers(&[("retry-after", "7")])), Some(Duration::from_secs(7)));
        assert_eq!(retry_after(&headers(&[("retry-after", "0.5")])), Some(Duration::from_millis(500)));
        assert_eq!(retry_after(&headers(&[("retry-after", "7"), ("retry-after-ms", "20")])), Some(Duration::from_millis(20)));
        let date = [("retry-after", "Wed, 21 Oct 2026 07:28:09 GMT"), ("date", "Wed, 21 Oct 2026 07:28:00 GMT")];
        assert_eq!(retry_after(&headers(&date)), Some(Duration::from_secs(9)));
        assert_eq!(retry_after(&headers(&date[..1])), None);
        assert_eq!(retry_after(&headers(&[("retry-after", "-1")])), None);
        assert_eq!(retry_after(&headers(&[])), None);
    }

    #[test]
    fn a_limit_that_is_used_up_says_when_it_is_whole_again() {
        let openai = [
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", "1m2.5s"),
            ("x-ratelimit-remaining-tokens", "14"),
            ("x-ratelimit-reset-tokens", "5m0s"),
        ];
        assert_eq!(hold(&headers(&openai)), Some(Duration::from_millis(62_500)));
        assert_eq!(retry_after(&headers(&openai)), Some(Duration::from_millis(62_500)));
        assert_eq!(hold(&headers(&openai[2..])), None);
        let anthropic = [
            ("anthropic-ratelimit-output-tokens-remaining", "0"),
            ("anthropic-ratelimit-output-tokens-reset", "2026-10-21T07:28:03Z"),
            ("date", "Wed, 21 Oct 2026 07:28:00 GMT"),
        ];
        assert_eq!(hold(&headers(&anthropic)), Some(Duration::from_secs(3)));
    }

    #[test]
    fn a_length_that_is_none_is_not_guessed() {
        for value in ["", "7", "s", "1x", "1.2.3s", "é"] {
            assert!(length(value).is_none_or(|length| length == Duration::ZERO), "{value}");
        }
        assert_eq!(length("20ms"), Some(Duration::from_millis(20)));
        assert_eq!(length("1h0m1s"), Some(Duration::from_secs(3601)));
    }
}
