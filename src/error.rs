//! What can go wrong, by whose fault it is.
//!
//! Every variant has a stable [`code`](Error::code) that callers may match on and a message that
//! says what to do. Two more codes, `network` and `quota`, belong to the main thread (`pkg/`),
//! which owns all fetching and storing.

use std::fmt::{self, Display, Write};

use thiserror::Error;

/// Any failure of the core.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    // The photo's fault.
    /// The bytes are not an image, or a damaged one, or of a format that is not decoded here.
    #[error("{0}")]
    UnsupportedImage(String),
    /// The image is larger than the limits in [`crate::photo::decode`].
    #[error("{0}")]
    ImageTooLarge(String),

    // The model package's fault.
    /// `config.json` or the weights are damaged, incomplete, or contradict each other.
    #[error("{0}")]
    BadModel(String),
    /// The package names an architecture that no registered family builds.
    #[error("{0}")]
    UnsupportedArchitecture(String),

    // The caller's fault.
    /// An option is unknown, of the wrong type, or out of range; the message names it.
    #[error("{0}")]
    BadOption(String),
    /// The request is well formed, but this method does not work on this model.
    #[error("{0}")]
    Unsupported(String),
    /// The caller withdrew the request.
    #[error("the request was aborted")]
    Aborted,

    // The machine's fault.
    /// The requested device is not available here.
    #[error("{0}")]
    DeviceUnavailable(String),
    /// The device was lost while it was in use.
    #[error("{0}")]
    DeviceLost(String),
    /// Memory ran out.
    #[error("{0}")]
    OutOfMemory(String),

    // Our fault.
    /// A defect of Sightline itself.
    #[error("{0}")]
    Internal(String),
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The stable code, as JavaScript sees it in `SightlineError.code`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnsupportedImage(_) => "unsupported-image",
            Self::ImageTooLarge(_) => "image-too-large",
            Self::BadModel(_) => "bad-model",
            Self::UnsupportedArchitecture(_) => "unsupported-architecture",
            Self::BadOption(_) => "bad-option",
            Self::Unsupported(_) => "unsupported",
            Self::Aborted => "aborted",
            Self::DeviceUnavailable(_) => "device-unavailable",
            Self::DeviceLost(_) => "device-lost",
            Self::OutOfMemory(_) => "out-of-memory",
            Self::Internal(_) => "internal",
        }
    }
}

/// A package that is damaged, incomplete, or contradicts itself.
pub(crate) fn bad_model<T>(message: impl Into<String>) -> Result<T> {
    Err(Error::BadModel(message.into()))
}

/// So much of what came from outside stands in a message.
const QUOTED: usize = 80;

/// Text from outside (a key, a name, a value, another library's words), fit for a message: at most
/// 80 characters, nothing that is not printed as itself. No more of it is formatted than is shown.
pub fn quote(text: impl Display) -> String {
    let mut short = Short::default();
    match write!(short, "{text}") {
        Ok(()) => short.text,
        Err(fmt::Error) => short.text + "\u{2026}",
    }
}

/// Names from outside, each as [`quote`] shows it: as many as fit into `most` characters, and how
/// many more there are.
pub fn quote_list<T: Display>(names: impl ExactSizeIterator<Item = T>, most: usize) -> String {
    let (mut list, mut left) = (String::new(), names.len());
    for name in names {
        let name = quote(name);
        if !list.is_empty() && list.len() + name.len() > most {
            break;
        }
        list += if list.is_empty() { "" } else { ", " };
        list += &name;
        left -= 1;
    }
    if left == 0 { list } else { format!("{list} and {left} more") }
}

#[derive(Default)]
struct Short {
    text: String,
    count: usize,
}

impl Write for Short {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        for c in more.chars() {
            if self.count == QUOTED {
                return Err(fmt::Error);
            }
            self.count += 1;
            match c {
                '"' | '\'' | '\\' => self.text.push(c),
                _ => self.text.extend(c.escape_debug()),
            }
        }
        Ok(())
    }
}
