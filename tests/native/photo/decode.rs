//! Decoding and preprocessing against Pillow, and files that lie.

use sightline::Error;
use sightline::photo::Photo;

use crate::common::*;

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(golden(&format!("photos/{name}"))).unwrap()
}

pub fn decode(name: &str) -> Photo {
    Photo::decode(&bytes(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// (mean, largest) absolute difference.
fn difference(a: &Photo, b: &Photo) -> (f64, u8) {
    assert_eq!((a.width, a.height), (b.width, b.height));
    let each = || a.rgb.iter().zip(&b.rgb).map(|(x, y)| x.abs_diff(*y));
    (each().map(f64::from).sum::<f64>() / a.rgb.len() as f64, each().max().unwrap())
}

#[test]
fn every_orientation_comes_out_upright() {
    let upright = decode("upright.png");
    for orientation in 1..=8 {
        let (mean, largest) = difference(&decode(&format!("orientation-{orientation}.jpg")), &upright);
        assert!(mean < 2.5 && largest < 30, "orientation {orientation}: mean {mean}, largest {largest}");
    }
}

#[test]
fn every_format_is_the_same_picture() {
    let picture = decode("photo.png");
    assert_eq!((picture.width, picture.height), (64, 48));
    assert_eq!(decode("photo.bmp"), picture);
    assert_eq!(decode("photo.webp"), picture);
    // 4:2:0, against Pillow's decoder.
    let (mean, largest) = difference(&decode("photo.jpg"), &decode("photo-jpg.png"));
    assert!(mean < 0.5 && largest <= 6, "4:2:0: {mean}, {largest}");
    assert_eq!(decode("animated.gif"), decode("animated-first.png"));
    let (mean, largest) = difference(&decode("transparent.png"), &decode("transparent-on-white.png"));
    assert!(mean < 0.6 && largest <= 1, "transparency: {mean}, {largest}");
    assert_eq!(decode("grey.png"), decode("grey16.png"));
    // The inverted CMYK of Adobe's programs: the colours must come out, not their negative.
    let (mean, largest) = difference(&decode("cmyk.jpg"), &decode("cmyk-jpg.png"));
    assert!(mean < 2.0 && largest < 24, "CMYK: {mean}, {largest}");
}

#[test]
fn bad_files_are_refused_with_the_right_code() {
    for (name, code) in [
        ("text.jpg", "unsupported-image"),
        ("empty.jpg", "unsupported-image"),
        ("truncated.jpg", "unsupported-image"),
        ("truncated.png", "unsupported-image"),
        ("made-up.heic", "unsupported-image"),
        ("huge-header.png", "image-too-large"),
    ] {
        let error = Photo::decode(&bytes(name)).unwrap_err();
        assert_eq!(error.code(), code, "{name}: {error}");
    }
    assert!(matches!(Photo::from_rgba(2, 2, &[0; 15]), Err(Error::BadOption(_))));
    assert!(matches!(Photo::from_rgba(0, 2, &[]), Err(Error::UnsupportedImage(_))));
    assert!(matches!(Photo::from_rgba(u32::MAX, u32::MAX, &[]), Err(Error::ImageTooLarge(_))));
}

#[test]
fn a_jpeg_with_a_film_behind_it_is_read_and_one_with_a_whole_thumbnail_but_half_a_picture_is_not() {
    let jpeg = bytes("photo.jpg");
    let film: Vec<u8> = (0..200_000u32).map(|i| (i % 251) as u8).collect();
    assert_eq!(Photo::decode(&[&jpeg[..], &film].concat()).unwrap(), decode("photo.jpg"));
    // An APP1 segment with a whole JPEG in it, then half of the real one.
    let length = ((jpeg.len() + 2) as u16).to_be_bytes();
    let half = [&jpeg[..2], &[0xff, 0xe1], &length, &jpeg, &jpeg[2..jpeg.len() / 2]].concat();
    assert_eq!(Photo::decode(&half).unwrap_err().code(), "unsupported-image");
}

#[test]
fn no_bytes_make_the_decoder_panic() {
    let mut seed = 42u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((seed >> 33) as usize) % below
    };
    for name in ["photo.jpg", "photo.png", "photo.bmp", "photo.webp", "animated.gif", "orientation-6.jpg", "cmyk.jpg"] {
        let original = bytes(name);
        for _ in 0..300 {
            let mut mutated = original.clone();
            for _ in 0..1 + random(6) {
                // Mostly headers.
                let at = if random(3) > 0 { random(mutated.len().min(200)) } else { random(mutated.len()) };
                mutated[at] = random(256) as u8;
            }
            if random(3) == 0 {
                mutated.truncate(random(mutated.len()));
            }
            if let Ok(photo) = Photo::decode(&mutated) {
                assert_eq!(photo.rgb.len(), photo.width as usize * photo.height as usize * 3);
            }
        }
    }
}
