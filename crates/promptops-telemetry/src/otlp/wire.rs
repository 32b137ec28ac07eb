//! Protocol buffers, read in place: a message is a list of numbered fields, and nothing of it is copied.
//!
//! A library that builds values would let a few bytes become hundreds: an empty span takes two bytes here and several hundred
//! there. What is read this way never takes more than the bytes that came.

use super::Malformed;

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field<'a> {
    /// A whole number or a truth value.
    Varint(u64),
    /// Eight bytes: a time or a double.
    Fixed64(u64),
    /// Text, bytes, or a message.
    Bytes(&'a [u8]),
    /// Four bytes, of which nothing is read here.
    Fixed32,
}

impl<'a> Field<'a> {
    /// Returns text, bytes or a message.
    pub(super) fn bytes(self) -> Result<&'a [u8], Malformed> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(Malformed::new("a field is of another type than it should be")),
        }
    }

    /// Returns text.
    pub(super) fn text(self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed::new("a text is not UTF-8"))
    }

    /// Returns a whole number as it was written.
    pub(super) fn varint(self) -> Result<u64, Malformed> {
        match self {
            Self::Varint(value) => Ok(value),
            _ => Err(Malformed::new("a field is of another type than it should be")),
        }
    }

    /// Returns eight bytes as a number.
    pub(super) fn fixed64(self) -> Result<u64, Malformed> {
        match self {
            Self::Fixed64(value) => Ok(value),
            _ => Err(Malformed::new("a field is of another type than it should be")),
        }
    }
}

/// The fields of a message, one after the other. After an error there are no more.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn of(message: &'a [u8]) -> Self {
        Self(message)
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        // Most numbers here are lengths and keys of one byte.
        if let [first @ 0..=0x7f, rest @ ..] = self.0 {
            self.0 = rest;
            return Ok(u64::from(*first));
        }
        let mut value = 0_u64;
        for (index, byte) in self.0.iter().take(10).enumerate() {
            let bits = u64::from(byte & 0x7f);
            // Of the tenth byte one bit is left.
            if index == 9 && bits > 1 {
                break;
            }
            value |= bits << (7 * index);
            if byte & 0x80 == 0 {
                self.0 = &self.0[index + 1..];
                return Ok(value);
            }
        }
        Err(Malformed::new("a number is cut off or too long"))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let Some((taken, rest)) = self.0.split_at_checked(length) else {
            return Err(Malformed::new("a field is longer than what is left"));
        };
        self.0 = rest;
        Ok(taken)
    }

    fn field(&mut self) -> Result<(u32, Field<'a>), Malformed> {
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).ok().filter(|number| *number > 0);
        let number = number.ok_or_else(|| Malformed::new("a field has an impossible number"))?;
        let field = match key & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(u64::from_le_bytes(self.take(8)?.try_into().expect("eight bytes were taken"))),
            2 => {
                let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
                Field::Bytes(self.take(length)?)
            }
            5 => {
                self.take(4)?;
                Field::Fixed32
            }
            // Groups, which could be nested without end, are in no message of OTLP.
            _ => return Err(Malformed::new("a field has an unknown type")),
        };
        Ok((number, field))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Field<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(message: &[u8]) -> Result<Vec<(u32, Field<'_>)>, Malformed> {
        Fields::of(message).collect()
    }

    #[test]
    fn every_kind_of_field_is_read() {
        let message = [0x08, 0xac, 0x02, 0x11, 1, 0, 0, 0, 0, 0, 0, 0, 0x1a, 2, b'h', b'i', 0x25, 9, 9, 9, 9, 0x2a, 0];
        let expected = [
            (1, Field::Varint(300)),
            (2, Field::Fixed64(1)),
            (3, Field::Bytes(b"hi")),
            (4, Field::Fixed32),
            (5, Field::Bytes(b"")),
        ];
        assert_eq!(all(&message).unwrap(), expected);
        let mut largest = vec![0x08];
        largest.extend([0xff; 9]);
        largest.push(1);
        assert_eq!(all(&largest).unwrap(), [(1, Field::Varint(u64::MAX))]);
    }

    #[test]
    fn what_is_no_message_is_said_and_ends_the_reading() {
        for bad in [
            &[0x08][..],
            &[0x08, 0x80],
            &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2],
            &[0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0],
            &[0x11, 1, 2],
            &[0x1a, 5, b'x'],
            &[0x1a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            &[0x25, 1],
            &[0x0b, 0x0c],
            &[0x00, 0x00],
        ] {
            let mut fields = Fields::of(bad);
            assert!(fields.next().unwrap().is_err(), "{bad:?}");
            assert!(fields.next().is_none(), "{bad:?}");
        }
    }

    #[test]
    fn a_field_of_another_type_is_refused() {
        assert!(Field::Varint(1).bytes().is_err() && Field::Bytes(b"").varint().is_err() && Field::Fixed32.fixed64().is_err());
        assert!(Field::Bytes(&[0xff]).text().is_err());
        assert_eq!(Field::Bytes("é".as_bytes()).text().unwrap(), "é");
    }
}
