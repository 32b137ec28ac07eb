//! Bodies of requests that record, which are held in memory until what is in them is on the disk.
//!
//! What all of them together may take is bounded: senders beyond it are told to wait, and keep what they have. Small bodies that
//! become large when they are unpacked count as what they become.

use std::io::Read as _;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::header::CONTENT_LENGTH;
use flate2::read::MultiGzDecoder;
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::refusal::Refusal;

/// Bytes of bodies at the same time, if no single one may be larger.
const ALL_BYTES: usize = 64 << 20;
/// Bytes that are counted as one.
const UNIT: usize = 1 << 10;
/// Bytes that are unpacked at once.
const STEP: usize = 64 << 10;

/// The room for bodies.
pub(crate) struct Bodies {
    units: Arc<Semaphore>,
    /// Largest body, packed and unpacked, in bytes.
    limit: usize,
}

/// A body, and the room it takes until this is dropped.
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    room: Room,
}

struct Room {
    units: Arc<Semaphore>,
    taken: Option<OwnedSemaphorePermit>,
}

impl Bodies {
    /// Makes room for bodies of at most `limit` bytes each.
    pub(crate) fn new(limit: usize) -> Self {
        // One of the largest, packed and unpacked, must find room.
        let units = ALL_BYTES.max(limit.saturating_mul(3)).div_ceil(UNIT);
        Self { units: Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS))), limit }
    }

    /// Reads the body of a request as it came.
    pub(crate) async fn read(&self, request: Request) -> Result<Body, Refusal> {
        let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        let announced = announced.unwrap_or(0);
        if announced > self.limit {
            return Err(Refusal::too_large(self.limit));
        }
        let mut room = Room { units: Arc::clone(&self.units), taken: None };
        if let Err(refusal) = room.grow(announced) {
            // A sender that is cut off while it sends sees a broken connection and not the answer.
            self.discard(request).await?;
            return Err(refusal);
        }
        let mut bytes = Vec::with_capacity(announced);
        let mut body = request.into_body();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Refusal::bad_request("the body of the request was cut off"))?;
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len() + data.len() > self.limit {
                return Err(Refusal::too_large(self.limit));
            }
            bytes.extend_from_slice(&data);
            room.grow(bytes.capacity())?;
        }
        Ok(Body { bytes, room })
    }

    /// Reads the body of a request, and keeps nothing of it.
    pub(crate) async fn discard(&self, request: Request) -> Result<(), Refusal> {
        let mut body = request.into_body();
        let mut length = 0_usize;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Refusal::bad_request("the body of the request was cut off"))?;
            length += frame.data_ref().map_or(0, bytes::Bytes::len);
            if length > self.limit {
                return Err(Refusal::too_large(self.limit));
            }
        }
        Ok(())
    }

    /// Unpacks a body that is gzip, of which `from` bytes stand before it.
    pub(crate) fn unzip(&self, body: &mut Body, from: usize) -> Result<(), Refusal> {
        let mut unpacked = Vec::new();
        let bound = u64::try_from(self.limit).unwrap_or(u64::MAX).saturating_add(1);
        let mut reader = MultiGzDecoder::new(body.bytes.get(from..).unwrap_or_default()).take(bound);
        loop {
            let length = unpacked.len();
            unpacked.resize(length + STEP, 0);
            body.room.grow(body.bytes.capacity() + unpacked.capacity())?;
            let read = reader.read(&mut unpacked[length..]);
            let read = read.map_err(|error| Refusal::bad_request(format!("the body is not gzip: {error}")))?;
            unpacked.truncate(length + read);
            if unpacked.len() > self.limit {
                return Err(Refusal::too_large(self.limit));
            }
            if read == 0 {
                body.bytes = unpacked;
                return Ok(());
            }
        }
    }
}

impl Room {
    /// Takes what is missing for so many bytes.
    fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        let missing = bytes.div_ceil(UNIT).saturating_sub(self.taken.as_ref().map_or(0, OwnedSemaphorePermit::num_permits));
        if missing == 0 {
            return Ok(());
        }
        let no_room = || Refusal::no_room("more is sent at once than the server has memory for", 1);
        let missing = u32::try_from(missing).map_err(|_| no_room())?;
        let more = Arc::clone(&self.units).try_acquire_many_owned(missing).map_err(|_| no_room())?;
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            taken => *taken = Some(more),
        }
        Ok(())
    }
}
