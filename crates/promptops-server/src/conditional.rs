//! Answers that never change: strong validators, and how long others may keep them.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};

use crate::cache::CachedObject;

/// How an object is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// Anybody may read it, so whatever lies on the way may keep it for anybody.
    Public,
    /// A key is needed, so only whoever asked may keep it.
    Private,
}

/// Answers with an object that is there. It never changes, and whoever has it need not ask again.
pub(crate) fn immutable(
    object: &CachedObject,
    content_type: &'static str,
    asked: &HeaderMap,
    sharing: Sharing,
) -> Response<Body> {
    let is_known = asked.get(IF_NONE_MATCH).is_some_and(|value| matches(value, &object.etag));
    let mut response = if is_known {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let mut response = Response::new(Body::from(object.bytes.clone()));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        response
    };
    let headers = response.headers_mut();
    headers.insert(ETAG, object.etag.clone());
    match sharing {
        Sharing::Public => {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
        }
        Sharing::Private => {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=31536000, immutable"));
            headers.insert(VARY, HeaderValue::from_static("Authorization"));
        }
    }
    response
}

/// Tells whether a list of validators has this one, by the weak comparison that RFC 9110 asks for here.
fn matches(sent: &HeaderValue, etag: &HeaderValue) -> bool {
    let (Ok(sent), Ok(etag)) = (sent.to_str(), etag.to_str()) else { return false };
    sent.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == etag)
}

/// Tells whether a request wants what lies in the store, not what is remembered.
pub(crate) fn asks_anew(asked: &HeaderMap) -> bool {
    asked
        .get(CACHE_CONTROL)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.split(',').any(|directive| directive.trim().eq_ignore_ascii_case("no-cache")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validators_are_compared_one_by_one() {
        let etag = HeaderValue::from_static("\"sha256:a\"");
        for (sent, is_same) in [
            ("\"sha256:a\"", true),
            ("W/\"sha256:a\"", true),
            ("\"x\", \"sha256:a\"", true),
            ("*", true),
            ("\"sha256:b\"", false),
            ("sha256:a", false),
            ("", false),
        ] {
            assert_eq!(matches(&HeaderValue::from_static(sent), &etag), is_same, "{sent}");
        }
    }
}
