//! What bytes may take: photos that claim to be huge, and large ones that are.

use std::time::{Duration, Instant};

use sightline::Error;
use sightline::photo::Photo;
use sightline::photo::limits::{MAX_DECODING_BYTES, MAX_KEPT_PIXELS};

use super::files::*;
use crate::common::alloc::{Usage, measured};
use crate::common::*;

/// Beyond the model, for a file of a few kilobytes.
const MOST: usize = 64 << 20;

fn decoded(bytes: &[u8]) -> (Result<Photo, Error>, Usage) {
    measured(|| Photo::decode(bytes))
}

/// The message with which a small file is refused, in little memory and time.
fn refused(name: &str, bytes: &[u8]) -> String {
    let start = Instant::now();
    let (result, usage) = decoded(bytes);
    assert!(usage.peak <= MOST, "{name}: {usage:?}");
    // Without optimisation everything takes longer; built as it ships, it is a tenth of a second.
    assert!(start.elapsed() < Duration::from_secs(5), "{name}: {:?}", start.elapsed());
    let error = result.err().unwrap_or_else(|| panic!("{name} is read"));
    assert!(matches!(error, Error::UnsupportedImage(_) | Error::ImageTooLarge(_)), "{name}: {error:?}");
    error.to_string()
}

#[test]
fn what_a_thread_holds_is_counted() {
    let (kept, usage) = measured(|| {
        drop(vec![0u8; 3 << 20]);
        vec![1u8; 2 << 20]
    });
    assert_eq!((usage.peak, usage.largest, kept.len()), (3 << 20, 3 << 20, 2 << 20));
    // Another thread's memory is not this one's.
    let ((), usage) = measured(|| {
        std::thread::scope(|scope| scope.spawn(|| drop(vec![0u8; 8 << 20])).join()).unwrap();
    });
    assert!(usage.peak < 1 << 20, "{usage:?}");
}

#[test]
#[ignore = "needs ../shared"]
fn files_that_took_hundreds_of_megabytes_are_refused() {
    for name in
        ["exif-claims-2GB.webp", "webp-exif-512MB.webp", "vp8-416MB.webp", "webp-354MB.webp", "decoded-304MB.bin"]
    {
        refused(name, &std::fs::read(shared(&format!("faults/{name}"))).unwrap());
    }
}

/// Width and height that are allowed, and as many pixels as may be.
const SIZES: [(u32, u32); 4] = [(10_000, 10_000), (16_383, 6_100), (6_100, 16_383), (5_000, 4_800)];

#[test]
fn a_small_file_that_claims_a_huge_picture_is_refused() {
    for format in FORMATS {
        for (width, height) in SIZES {
            for bytes in [100, 2_000, 12_000] {
                let file = claim(format, width, height, bytes);
                refused(&format!("{format}, {width} x {height} in {bytes} bytes"), &file);
            }
        }
    }
}

#[test]
fn a_chunk_that_ends_behind_the_file_takes_nothing() {
    let small = |name: &str| std::fs::read(golden(&format!("photos/{name}"))).unwrap();
    let webp = small("photo.webp");
    for chunk in [b"EXIF", b"ICCP", b"XMP ", b"ALPH", b"ANIM", b"ANMF", b"junk"] {
        for length in [1_000_000u32, 0x1fff_fffe, 0x7fff_fff0, u32::MAX] {
            let message = refused(&format!("WebP {}", chunk.escape_ascii()), &with_chunk(&webp, chunk, length));
            assert!(message.contains(&length.to_string()), "{message}");
        }
    }
    // Elsewhere a length is a request for bytes that then do not come.
    let png = small("photo.png");
    for chunk in [b"eXIf", b"iCCP", b"tEXt", b"zTXt", b"iTXt", b"sPLT", b"tRNS", b"acTL", b"fcTL", b"fdAT", b"juNk"] {
        for length in [1_000_000u32, 0x1fff_fffe, 0x7fff_ffff, u32::MAX] {
            refused(&format!("PNG {}", chunk.escape_ascii()), &with_png_chunk(&png, chunk, length));
        }
    }
    let jpeg = small("photo.jpg");
    for marker in [0xe0, 0xe1, 0xe2, 0xed, 0xfe, 0xc4, 0xdb, 0xdd] {
        let mut file = jpeg.clone();
        file.splice(2..2, [0xff, marker, 0xff, 0xff]);
        refused(&format!("JPEG {marker:x}"), &file);
    }
    // A palette of 4 billion colours, and pixels that begin behind the end.
    for (at, value) in [(46, u32::MAX), (10, u32::MAX), (34, u32::MAX)] {
        let mut file = small("photo.bmp");
        file[at..at + 4].copy_from_slice(&value.to_le_bytes());
        let (_, usage) = decoded(&file);
        assert!(usage.peak <= MOST, "BMP at {at}: {usage:?}");
    }
}

#[test]
fn metadata_that_inflates_is_not_inflated() {
    let profile = [&b"name\0\0"[..], &zlib_of_zeros(100)].concat();
    let text = [&b"Comment\0\0"[..], &zlib_of_zeros(100)].concat();
    let png = std::fs::read(golden("photos/photo.png")).unwrap();
    for (name, body) in [(b"iCCP", profile), (b"zTXt", text)] {
        let (photo, usage) = decoded(&insert_png_chunk(&png, name, &body));
        assert!(usage.peak <= 2 << 20, "{}: {usage:?}", name.escape_ascii());
        assert_eq!(photo.unwrap(), Photo::decode(&png).unwrap());
    }
}

#[test]
fn a_flat_picture_that_is_all_there_is_read_and_one_that_is_cut_off_takes_nothing() {
    // 20 megapixels in some kilobytes: the least that the formats need.
    let (width, height) = (5_000, 4_000);
    for (format, file) in
        [("PNG", flat_png(width, height, png::ColorType::Grayscale)), ("GIF", flat_gif(width, height))]
    {
        let (photo, usage) = decoded(&file);
        let photo = photo.unwrap_or_else(|e| panic!("{format}: {e}"));
        assert_eq!((photo.width, photo.height, photo.scaled_from), (width, height, None));
        assert!(photo.rgb.iter().all(|&value| value == 77), "{format}");
        // The picture, and what reads a row.
        assert!(usage.peak <= photo.rgb.len() + (2 << 20), "{format}: {usage:?} of {}", photo.rgb.len());
        let (result, usage) = decoded(&file[..file.len() * 3 / 4]);
        assert_eq!(result.unwrap_err().code(), "unsupported-image", "{format}");
        assert!(usage.peak <= 2 << 20, "{format}: {usage:?}");
    }
}

/// Peak bytes per pixel of a picture that stays as it is.
#[test]
fn a_photo_takes_little_more_than_its_pixels() {
    let (width, height) = (1_600u32, 1_000);
    let pixels = (width * height) as usize;
    for (name, file, most) in [
        ("PNG", noisy_png(width, height, png::ColorType::Rgb, png::BitDepth::Eight), 3.5),
        ("PNG of 16 bits with alpha", noisy_png(width, height, png::ColorType::Rgba, png::BitDepth::Sixteen), 3.5),
        ("JPEG", noisy_jpeg(width, height), 3.5),
        ("GIF", flat_gif(width, height), 3.5),
        ("WebP", noisy_webp(width, height), 9.0),
        ("BMP", noisy_bmp(width, height), 3.5),
    ] {
        let (photo, usage) = decoded(&file);
        assert_eq!(photo.unwrap().rgb.len(), 3 * pixels, "{name}");
        let per_pixel = usage.peak as f64 / pixels as f64;
        println!("{name}: {per_pixel:.2} bytes per pixel");
        assert!(per_pixel <= most, "{name}: {per_pixel:.2} bytes per pixel");
    }
}

#[test]
fn more_than_24_megapixels_are_scaled_while_they_are_read() {
    let (width, height) = (6_400u32, 4_000);
    let jpeg = gradient_jpeg(width, height);
    for (name, file, most) in [
        ("PNG", gradient_png(width, height), 76 << 20),
        ("JPEG", jpeg.clone(), 3 * 25_600_000 + (4 << 20)),
        ("JPEG, turned", turned_jpeg(&jpeg), 2 * (72 << 20)),
    ] {
        let (photo, usage) = decoded(&file);
        let mut photo = photo.unwrap_or_else(|e| panic!("{name}: {e}"));
        if name == "JPEG, turned" {
            assert_eq!(photo.scaled_from, Some([height, width]));
            photo = turned_back(&photo);
        }
        assert_eq!((photo.full_size(), photo.scaled_from), ([width, height], Some([width, height])), "{name}");
        let kept = u64::from(photo.width) * u64::from(photo.height);
        assert!(kept <= MAX_KEPT_PIXELS && kept > MAX_KEPT_PIXELS * 99 / 100, "{name}: {kept}");
        assert!(usage.peak <= most && usage.peak < MAX_DECODING_BYTES as usize, "{name}: {usage:?}");
        // Red grows to the right and green downwards, as in the whole picture.
        for (x, y) in [(0, 0), (photo.width / 2, photo.height / 3), (photo.width - 1, photo.height - 1)] {
            let at = 3 * (y as usize * photo.width as usize + x as usize);
            let expected = |value: u32, side: u32| (255.0 * (f64::from(value) + 0.5) / f64::from(side)) as i32;
            let [red, green] = [0, 1].map(|channel| i32::from(photo.rgb[at + channel]));
            let (right, down) = (expected(x, photo.width), expected(y, photo.height));
            assert!((red - right).abs() <= 3 && (green - down).abs() <= 3, "{name}, {x}, {y}: {red}, {green}");
        }
    }
}

/// A photo that was turned clockwise, as it was.
fn turned_back(photo: &Photo) -> Photo {
    let (width, height) = (photo.height as usize, photo.width as usize);
    let pixels = photo.rgb.as_chunks::<3>().0;
    let rgb = (0..height).flat_map(|y| (0..width).flat_map(move |x| pixels[x * height + height - 1 - y])).collect();
    let scaled_from = photo.scaled_from.map(|[width, height]| [height, width]);
    Photo { width: width as u32, height: height as u32, rgb, scaled_from }
}

#[test]
fn a_mean_over_areas_keeps_a_constant_and_the_mean() {
    let (width, height) = (6_001u32, 4_001);
    let rgba = |pixel: fn(u32) -> u8| -> Vec<u8> {
        (0..width * height).flat_map(|i| [pixel(i), 255 - pixel(i), 9, 255]).collect()
    };
    let flat = Photo::from_rgba(width, height, &rgba(|_| 200)).unwrap();
    assert!(flat.scaled_from.is_some() && flat.rgb.as_chunks().0.iter().all(|&pixel| pixel == [200, 55, 9]));
    let stripes = Photo::from_rgba(width, height, &rgba(|i| if i % 2 == 0 { 0 } else { 254 })).unwrap();
    let mean = stripes.rgb.iter().step_by(3).map(|&v| f64::from(v)).sum::<f64>() / (stripes.rgb.len() / 3) as f64;
    assert!((mean - 127.0).abs() < 0.5, "{mean}");
}
