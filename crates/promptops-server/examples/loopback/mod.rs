//! Answers of a server on loopback, read without a client's own work between them.

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// What goes wrong.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Reads one answer whole and returns its status. Its length must be announced, as every answer that is measured here does.
pub(crate) async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) -> Result<u16, Failure> {
    answer.clear();
    let (mut wanted, mut status) = (usize::MAX, 0);
    while answer.len() < wanted {
        if stream.read_buf(answer).await? == 0 {
            return Err("the server closed the connection".into());
        }
        if wanted == usize::MAX
            && let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")
        {
            let head = std::str::from_utf8(&answer[..end])?;
            let code = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
            status = code.ok_or_else(|| format!("the server answered: {head}"))?.parse()?;
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
            });
            wanted = end + 4 + length.ok_or("the answer does not announce its length")??;
        }
    }
    Ok(status)
}

/// The time that this share of sorted times does not exceed, seconds.
pub(crate) fn quantile(sorted: &[std::time::Duration], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get(((sorted.len() as f64 * share) as usize).min(last)).map_or(0.0, std::time::Duration::as_secs_f64)
}
