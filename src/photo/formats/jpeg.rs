//! JPEG: rows of blocks, or the coefficients of the whole picture where it is progressive.

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use crate::error::{Error, Result};
use crate::photo::Photo;
use crate::photo::canvas::Layout;
use crate::photo::formats::{damaged, kept_bytes, whole};
use crate::photo::limits::{JPEG, JPEG_PROGRESSIVE, check_claim, check_memory, pixels};
use crate::photo::orientation;

pub(crate) fn decode(bytes: &[u8]) -> Result<Photo> {
    let header = Header::read(bytes);
    if !header.ends {
        return Err(Error::UnsupportedImage("the JPEG file is truncated; download or save it again".into()));
    }
    let options = DecoderOptions::default().set_strict_mode(false).set_max_width(usize::MAX).set_max_height(usize::MAX);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|error| damaged("JPEG", error))?;
    let (Some((width, height)), Some(colours)) = (decoder.dimensions(), decoder.input_colorspace()) else {
        return Err(damaged("JPEG", "it has no size"));
    };
    let (width, height) = (width as u32, height as u32);
    check_claim(width, height, bytes.len(), if header.held { JPEG_PROGRESSIVE } else { JPEG })?;
    let layout = match colours {
        ColorSpace::Luma => Layout::Grey,
        ColorSpace::LumaA => Layout::GreyAlpha,
        ColorSpace::RGBA => Layout::Rgba,
        _ => Layout::Rgb,
    };
    let out = match layout {
        Layout::Rgb => ColorSpace::RGB,
        _ => colours,
    };
    let turn = decoder.exif().map_or(1, |exif| orientation(exif));
    let pixels = pixels(width, height);
    let size = pixels * layout.bytes() as u64;
    // Two bytes per coefficient.
    let held = if header.held { (pixels as f64 * 2.0 * header.samples) as u64 } else { 0 };
    // Colours are scaled down where they are.
    let kept = if layout == Layout::Rgb { 0 } else { kept_bytes(width, height) };
    check_memory(held + size + kept, if header.held { "progressive JPEG" } else { "JPEG" })?;
    // A new one: it chooses its conversion of colours before it reads the header.
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options.jpeg_set_out_colorspace(out));
    let mut picture = vec![0; size as usize];
    decoder.decode_into(&mut picture).map_err(|error| damaged("JPEG", error))?;
    drop(decoder);
    whole(width, height, picture, layout, turn)
}

/// What is read here before the decoder sees the file.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Header {
    /// Whether the file has its end marker. The decoder fills what is missing with grey; Pillow
    /// refuses such files, and so do we. Searched after the header, whose thumbnail has an end of
    /// its own; phones append whole films behind it.
    ends: bool,
    /// Whether coefficients are held until all scans are read.
    held: bool,
    /// Coefficients per pixel.
    samples: f64,
}

impl Header {
    fn read(bytes: &[u8]) -> Self {
        let mut header = Self { ends: false, held: true, samples: 4.0 };
        let mut components = None;
        let mut rest = bytes.get(2..).unwrap_or_default();
        while let [0xff, marker, tail @ ..] = rest {
            match (marker, tail) {
                // Start of scan: from here on 0xff 0xd9 is nothing but the end.
                (0xda, _) => {
                    // With all components in its first scan, a sequential file is decoded as it
                    // comes.
                    header.held |= components != tail.get(2).copied();
                    header.ends = tail.windows(2).any(|pair| pair == [0xff, 0xd9]);
                    return header;
                }
                (0xff, _) => rest = rest.get(1..).unwrap_or_default(),
                (_, [high, low, ..]) => {
                    let segment = tail.get(2..).unwrap_or_default();
                    if matches!(marker, 0xc0..=0xc2) && components.is_none() {
                        header.held = *marker == 0xc2;
                        components = segment.get(5).copied();
                        header.samples = samples(segment.get(6..).unwrap_or_default(), components.unwrap_or(0));
                    }
                    rest = tail.get(usize::from(u16::from_be_bytes([*high, *low]))..).unwrap_or_default();
                }
                _ => return header,
            }
        }
        header
    }
}

/// Coefficients per pixel, by the components' sampling factors (4:2:0 has 1.5).
fn samples(components: &[u8], count: u8) -> f64 {
    let factors = components.as_chunks::<3>().0.iter().take(count.into()).map(|[_, f, _]| [f >> 4, f & 15]);
    let (mut total, mut across, mut down) = (0.0, 1, 1);
    for [h, v] in factors {
        total += f64::from(h) * f64::from(v);
        across = across.max(h);
        down = down.max(v);
    }
    total / (f64::from(across) * f64::from(down))
}
