//! Image files made for tests: flat, noisy and graded ones, and headers that lie.

use gif::{Encoder, Frame};
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;
use png::{BitDepth, ColorType};

use crate::common::*;

pub const FORMATS: [&str; 11] = [
    "PNG",
    "PNG of 1 bit",
    "PNG, interlaced",
    "GIF",
    "JPEG",
    "progressive JPEG",
    "lossy WebP",
    "lossless WebP",
    "animated WebP",
    "BMP",
    "BMP of runs",
];

/// A file of about so many bytes that says it has so many pixels.
pub fn claim(format: &str, width: u32, height: u32, bytes: usize) -> Vec<u8> {
    let body = noise(bytes);
    let (w, h) = (width.to_le_bytes(), height.to_le_bytes());
    let lossless = [&[0x2f][..], &((width - 1) | (height - 1) << 14).to_le_bytes(), &body].concat();
    match format {
        "PNG" => png_claim(width, height, [8, 2, 0], &body),
        "PNG of 1 bit" => png_claim(width, height, [1, 0, 0], &body),
        "PNG, interlaced" => png_claim(width, height, [16, 6, 1], &body),
        "GIF" => {
            let palette = [[0x80, 0, 0, 0, 0, 0, 255, 255, 255].as_slice(), &[0x2c, 0, 0, 0, 0]].concat();
            let size = [&w[..2], &h[..2]].concat();
            let data: Vec<u8> = body.chunks(255).flat_map(|part| [&[part.len() as u8], part].concat()).collect();
            [b"GIF89a", &size[..], &palette, &size, &[0, 7], &data, &[0, 0x3b]].concat()
        }
        "JPEG" => jpeg_claim(width, height, 0xc0, &body),
        "progressive JPEG" => jpeg_claim(width, height, 0xc2, &body),
        "lossy WebP" => {
            // A key frame whose first partition is the whole of it.
            let tag = ((body.len() as u32) << 5 | 0x10).to_le_bytes();
            riff(&[(b"VP8 ", [&tag[..3], &[0x9d, 1, 0x2a], &w[..2], &h[..2], &body].concat())])
        }
        "lossless WebP" => riff(&[(b"VP8L", lossless)]),
        "animated WebP" => {
            let size = [&(width - 1).to_le_bytes()[..3], &(height - 1).to_le_bytes()[..3]].concat();
            let frame = [&[0; 6], &size[..], &[0; 4], &chunk(b"VP8L", &lossless)].concat();
            riff(&[(b"VP8X", [&[2, 0, 0, 0], &size[..]].concat()), (b"ANIM", vec![0; 6]), (b"ANMF", frame)])
        }
        "BMP" => [bmp_header(width, height, 24, 0), body].concat(),
        "BMP of runs" => [bmp_header(width, height, 8, 1), vec![0; 1024], body].concat(),
        other => panic!("{other}"),
    }
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut next = lcg(bytes as u64);
    (0..bytes).map(|_| (next() >> 40) as u8).collect()
}

fn png_chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let content = [&name[..], body].concat();
    let sum = content.iter().fold(u32::MAX, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 })
    });
    [&(body.len() as u32).to_be_bytes()[..], &content, &(!sum).to_be_bytes()].concat()
}

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// `[depth, colours, interlaced]`
fn png_claim(width: u32, height: u32, [depth, colours, interlaced]: [u8; 3], body: &[u8]) -> Vec<u8> {
    let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
    let header = [&size[..], &[depth, colours, 0, 0, interlaced]].concat();
    // Noise in a block that is stored as it is.
    let length = (body.len() as u16).to_le_bytes();
    let data = [&[0x78, 1, 0][..], &length, &length.map(|byte| !byte), body].concat();
    [SIGNATURE, &png_chunk(b"IHDR", &header), &png_chunk(b"IDAT", &data), &png_chunk(b"IEND", &[])].concat()
}

/// Where the chunk behind IHDR begins.
const BEHIND_HEADER: usize = 33;

/// A PNG file with a chunk more.
pub fn insert_png_chunk(png: &[u8], name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let (head, tail) = png.split_at(BEHIND_HEADER);
    [head, &png_chunk(name, body), tail].concat()
}

/// A PNG file with a chunk more that says it has `length` bytes.
pub fn with_png_chunk(png: &[u8], name: &[u8; 4], length: u32) -> Vec<u8> {
    let (head, tail) = png.split_at(BEHIND_HEADER);
    [head, &length.to_be_bytes(), name, tail].concat()
}

/// So many zeros, deflated: what a PNG of them has in its IDAT.
pub fn zlib_of_zeros(megabytes: u32) -> Vec<u8> {
    let file = flat_png_of(1 << 10, megabytes << 10, ColorType::Grayscale, 0);
    let mut rest = &file[BEHIND_HEADER..];
    let mut data = Vec::new();
    while let Some((length, tail)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        if tail.starts_with(b"IDAT") {
            data.extend_from_slice(&tail[4..4 + length]);
        }
        rest = &tail[length + 8..];
    }
    data
}

fn jpeg_claim(width: u32, height: u32, kind: u8, body: &[u8]) -> Vec<u8> {
    let mut file = std::fs::read(golden("photos/photo.jpg")).unwrap();
    let at = file.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
    file[at + 1] = kind;
    let size = [(height as u16).to_be_bytes(), (width as u16).to_be_bytes()].concat();
    file[at + 5..at + 9].copy_from_slice(&size);
    // As comments, so that the data stays what it is.
    let comments: Vec<u8> = body
        .chunks(60_000)
        .flat_map(|part| [&[0xff, 0xfe][..], &((part.len() + 2) as u16).to_be_bytes(), part].concat())
        .collect();
    file.splice(2..2, comments);
    file
}

fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let padding = &[0][..body.len() % 2];
    [name, &(body.len() as u32).to_le_bytes()[..], body, padding].concat()
}

fn riff(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let all: Vec<u8> = chunks.iter().flat_map(|(name, body)| chunk(name, body)).collect();
    [b"RIFF", &(all.len() as u32 + 4).to_le_bytes()[..], b"WEBP", &all].concat()
}

/// A plain WebP file with a chunk more that says it has `length` bytes.
pub fn with_chunk(webp: &[u8], name: &[u8; 4], length: u32) -> Vec<u8> {
    // Flags of all that there may be, and the picture's size.
    let bits = u32::from_le_bytes(*webp[21..].first_chunk().unwrap());
    let (width, height) = (bits & 0x3fff, bits >> 14 & 0x3fff);
    let size = [&width.to_le_bytes()[..3], &height.to_le_bytes()[..3]].concat();
    let header = chunk(b"VP8X", &[&[0x2c, 0, 0, 0], &size[..]].concat());
    let all = [&header, &webp[12..], &name[..], &length.to_le_bytes(), &[7; 20]].concat();
    [b"RIFF", &(all.len() as u32 + 4).to_le_bytes()[..], b"WEBP", &all].concat()
}

fn bmp_header(width: u32, height: u32, bits: u16, runs: u32) -> Vec<u8> {
    let offset: u32 = if bits == 8 { 54 + 1024 } else { 54 };
    let numbers = |list: &[u32]| list.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<u8>>();
    [
        b"BM".to_vec(),
        numbers(&[0, 0, offset, 40, width, height]),
        [1, bits].iter().flat_map(|n| n.to_le_bytes()).collect(),
        numbers(&[runs, 0, 0, 0, 0, 0]),
    ]
    .concat()
}

fn png_of(width: u32, height: u32, colours: ColorType, depth: BitDepth, pixels: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(colours);
    encoder.set_depth(depth);
    encoder.write_header().unwrap().write_image_data(pixels).unwrap();
    file
}

fn flat_png_of(width: u32, height: u32, colours: ColorType, value: u8) -> Vec<u8> {
    png_of(width, height, colours, BitDepth::Eight, &vec![value; (width * height) as usize * colours.samples()])
}

pub fn flat_png(width: u32, height: u32, colours: ColorType) -> Vec<u8> {
    flat_png_of(width, height, colours, 77)
}

pub fn flat_gif(width: u32, height: u32) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, width as u16, height as u16, &[77; 6]).unwrap();
    let buffer = vec![1u8; (width * height) as usize].into();
    encoder.write_frame(&Frame { width: width as u16, height: height as u16, buffer, ..Frame::default() }).unwrap();
    drop(encoder);
    file
}

pub fn noisy_png(width: u32, height: u32, colours: ColorType, depth: BitDepth) -> Vec<u8> {
    let bytes = (width * height) as usize * colours.samples() * depth as usize / 8;
    png_of(width, height, colours, depth, &noise(bytes))
}

fn jpeg_of(width: u32, height: u32, rgb: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, 90).encode(rgb, width, height, ExtendedColorType::Rgb8).unwrap();
    file
}

pub fn noisy_jpeg(width: u32, height: u32) -> Vec<u8> {
    jpeg_of(width, height, &noise((width * height * 3) as usize))
}

pub fn noisy_webp(width: u32, height: u32) -> Vec<u8> {
    let mut file = Vec::new();
    let rgb = noise((width * height * 3) as usize);
    image_webp::WebPEncoder::new(&mut file).encode(&rgb, width, height, image_webp::ColorType::Rgb8).unwrap();
    file
}

/// The width must be a multiple of 4.
pub fn noisy_bmp(width: u32, height: u32) -> Vec<u8> {
    [bmp_header(width, height, 24, 0), noise((width * height * 3) as usize)].concat()
}

/// Red grows to the right and green downwards.
fn gradient(width: u32, height: u32) -> Vec<u8> {
    let level = |value: u32, side: u32| (255 * value / side) as u8;
    let red: Vec<u8> = (0..width).map(|x| level(x, width)).collect();
    (0..height).flat_map(|y| red.iter().flat_map(move |&red| [red, level(y, height), 128])).collect()
}

pub fn gradient_png(width: u32, height: u32) -> Vec<u8> {
    png_of(width, height, ColorType::Rgb, BitDepth::Eight, &gradient(width, height))
}

pub fn gradient_jpeg(width: u32, height: u32) -> Vec<u8> {
    jpeg_of(width, height, &gradient(width, height))
}

/// A JPEG that is to be turned clockwise.
pub fn turned_jpeg(jpeg: &[u8]) -> Vec<u8> {
    let exif = b"\xff\xe1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    [&jpeg[..2], exif, &jpeg[2..]].concat()
}
