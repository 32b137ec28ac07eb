//! Bytes that should be a message of JSON-RPC.

use rmcp::ErrorData;
use rmcp::model::{ClientJsonRpcMessage, JsonRpcMessage, RequestId, ServerJsonRpcMessage};
use serde_json::Value;

/// What bytes are.
#[derive(Debug)]
pub(crate) enum Read {
    /// A message.
    Message(Box<ClientJsonRpcMessage>),
    /// None; this is answered.
    Refused(Box<ServerJsonRpcMessage>),
    /// A notification that nobody knows. JSON-RPC answers no notification, however wrong.
    Ignored,
}

/// Reads one message.
pub(crate) fn read(bytes: &[u8]) -> Read {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Ok(message) = serde_json::from_slice(bytes) {
        return Read::Message(Box::new(message));
    }
    let value: Value = match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(error) => {
            return Read::Refused(refusal(None, ErrorData::parse_error(format!("the message is not JSON ({error})"), None)));
        }
    };
    let refused = |id, reason: &str| Read::Refused(refusal(id, ErrorData::invalid_request(reason.to_owned(), None)));
    let Some(object) = value.as_object() else {
        return refused(None, "a message is one JSON object; batches are not taken");
    };
    let method = object.get("method").and_then(Value::as_str);
    match (object.get("id"), method) {
        (None, Some(_)) => Read::Ignored,
        (None, None) => refused(None, "the message has neither an `id` nor a `method`"),
        (Some(id), _) => match serde_json::from_value::<RequestId>(id.clone()) {
            Ok(id) => refused(Some(id), "the message is not a request of JSON-RPC 2.0: `jsonrpc`, `id`, `method`, `params`"),
            Err(_) => refused(None, "the `id` of a request is a text or a whole number"),
        },
    }
}

/// Answers a message that is too large to be read.
pub(crate) fn too_large(limit: usize) -> Box<ServerJsonRpcMessage> {
    refusal(None, ErrorData::invalid_request(format!("the message is larger than {limit} bytes"), None))
}

fn refusal(id: Option<RequestId>, error: ErrorData) -> Box<ServerJsonRpcMessage> {
    Box::new(JsonRpcMessage::error(error, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(bytes: &[u8]) -> (Option<RequestId>, i32) {
        match read(bytes) {
            Read::Refused(refusal) => match *refusal {
                ServerJsonRpcMessage::Error(error) => (error.id, error.error.code.0),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_no_message_is_answered_as_json_rpc_says() {
        assert_eq!(refused(b"{"), (None, -32_700));
        assert_eq!(refused(b"\xff\xfe"), (None, -32_700));
        assert_eq!(refused(&[b'['; 100_000]), (None, -32_700), "nested too deeply");
        assert_eq!(refused(b"[]"), (None, -32_600));
        assert_eq!(refused(b"{}"), (None, -32_600));
        assert_eq!(refused(br#"{"jsonrpc": "2.0", "id": {}, "method": "ping"}"#), (None, -32_600));
        assert_eq!(refused(br#"{"jsonrpc": "1.0", "id": 7, "method": "ping"}"#), (Some(RequestId::Number(7)), -32_600));
    }

    #[test]
    fn messages_pass_and_unknown_notifications_are_left_alone() {
        assert!(matches!(read(br#"{"jsonrpc": "2.0", "id": 7, "method": "ping"}"#), Read::Message(_)));
        assert!(matches!(read(b"\xef\xbb\xbf{\"jsonrpc\": \"2.0\", \"id\": 7, \"method\": \"ping\"}"), Read::Message(_)));
        assert!(matches!(read(br#"{"method": "$/setTrace"}"#), Read::Ignored));
    }
}
