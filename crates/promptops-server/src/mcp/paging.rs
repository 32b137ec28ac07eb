//! Cursors: opaque to clients, the id of the last prompt that a page showed. They hold whatever is deployed meanwhile.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use promptops_prompt::PromptId;
use rmcp::ErrorData;

/// Returns the cursor of the page after a prompt.
pub(crate) fn cursor(last: &PromptId) -> String {
    URL_SAFE_NO_PAD.encode(last.as_str())
}

/// Returns the prompt that a cursor stands after.
///
/// # Errors
/// Invalid params when it is no cursor of ours.
pub(crate) fn read(cursor: &str) -> Result<PromptId, ErrorData> {
    let id = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok()?.parse().ok());
    id.ok_or_else(|| ErrorData::invalid_params("`cursor` is not one that this server gave", None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_given_and_no_other() {
        let id: PromptId = "customer-support.intent-classifier".parse().unwrap();
        assert_eq!(read(&cursor(&id)).unwrap(), id);
        for bad in ["", "!", "customer-support.urgency", &URL_SAFE_NO_PAD.encode("../x"), &URL_SAFE_NO_PAD.encode([0xff])] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
