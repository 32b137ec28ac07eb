//! AWS's Signature Version 4.
//!
//! Own code, because the crates that have it bring some twenty others; botocore judges it in the tests. Source:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.

use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};

use super::http::AwsKeys;

/// What is signed: a `POST` without a query.
pub(super) struct Request<'a> {
    pub(super) host: &'a str,
    /// As it is sent, percent-encoded once.
    pub(super) path: &'a str,
    pub(super) body: &'a [u8],
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    pub(super) time: DateTime<Utc>,
}

impl Request<'_> {
    /// Returns the headers that a request with `content-type: application/json` needs besides its own.
    pub(super) fn sign(&self, keys: &AwsKeys) -> Vec<(&'static str, String)> {
        let time = self.time.format("%Y%m%dT%H%M%SZ").to_string();
        let mut signed = vec![("content-type", "application/json"), ("host", self.host), ("x-amz-date", time.as_str())];
        if let Some(token) = &keys.session_token {
            signed.push(("x-amz-security-token", token));
        }
        let names = signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let lines: String = signed.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
        // Every service but S3 wants the path encoded once more than it is sent.
        let path = self.path.replace('%', "%25");
        let canonical = format!("POST\n{path}\n\n{lines}\n{names}\n{}", hex(&Sha256::digest(self.body)));
        let scope = format!("{}/{}/{}/aws4_request", &time[..8], self.region, self.service);
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
        let mut key = format!("AWS4{}", keys.secret_access_key).into_bytes();
        for part in scope.split('/') {
            key = hmac(&key, part);
        }
        let signature = hex(&hmac(&key, &to_sign));
        let credential = &keys.access_key_id;
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={credential}/{scope}, SignedHeaders={names}, Signature={signature}");
        let mut headers = vec![("authorization", authorization), ("x-amz-date", time.clone())];
        if let Some(token) = &keys.session_token {
            headers.push(("x-amz-security-token", token.clone()));
        }
        headers
    }
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with botocore's `SigV4Auth`; `tests/wire` compares with it on many requests where Python is at hand.
    #[test]
    fn signs_as_botocore_does() {
        let keys = AwsKeys {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            session_token: Some("token".into()),
        };
        let request = Request {
            host: "bedrock-runtime.us-east-1.amazonaws.com",
            path: "/model/anthropic.claude-v1%3A0/converse",
            body: b"{}",
            region: "us-east-1",
            service: "bedrock",
            time: DateTime::from_timestamp(1_764_115_200, 0).unwrap(),
        };
        let headers = request.sign(&keys);
        assert_eq!(headers[1], ("x-amz-date", "20251126T000000Z".to_owned()));
        assert_eq!(headers[0].1, SIGNED_BY_BOTOCORE);
        assert_eq!(headers[2], ("x-amz-security-token", "token".to_owned()));
    }

    const SIGNED_BY_BOTOCORE: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20251126/us-east-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=f8ef7e548c69f7a3f0fba9c38c5a850127a0e641d6f6575aee629b70a8629394";
}
