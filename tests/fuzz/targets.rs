//! The readers, one target each: what it runs, where its inputs start from, and what it may take.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde_json::{Map, Value, json};
use sightline::ask::control::Control;
use sightline::explain::Image;
use sightline::methods::METHODS;
use sightline::methods::spec::Kind;
use sightline::nn::families;
use sightline::nn::guess::guess;
use sightline::nn::load::Loader;
use sightline::nn::weights::Param;
use sightline::package::Config;
use sightline::package::pth::Reader;
use sightline::package::sniff::sniff;
use sightline::photo::Photo;
use sightline::{Error, Explainer, Result};

use crate::common::now;

/// Something that reads bytes from outside.
pub struct Target {
    pub name: &'static str,
    /// Reads the bytes; what it says of them.
    pub run: fn(&[u8]) -> String,
    /// Inputs to start from.
    pub corpus: fn() -> Vec<Vec<u8>>,
    /// Words of the format.
    pub dictionary: fn() -> Vec<&'static [u8]>,
    /// The longest input, in bytes.
    pub most: usize,
    /// What an input of so many bytes may take, in bytes.
    pub memory: fn(usize) -> usize,
}

pub const TARGETS: &[Target] = &[
    Target {
        name: "photo",
        run: photo,
        corpus: photos,
        dictionary: || {
            vec![
                b"\x89PNG\r\n\x1a\n",
                b"IHDR",
                b"IDAT",
                b"IEND",
                b"PLTE",
                b"tRNS",
                b"iCCP",
                b"eXIf",
                b"iTXt",
                b"acTL",
                b"\xff\xd8",
                b"\xff\xc0",
                b"\xff\xc2",
                b"\xff\xc4",
                b"\xff\xda",
                b"\xff\xdb",
                b"\xff\xd9",
                b"\xff\xe1",
                b"Exif\0\0",
                b"MM\0*",
                b"II*\0",
                b"RIFF",
                b"WEBP",
                b"VP8 ",
                b"VP8L",
                b"VP8X",
                b"ANIM",
                b"ANMF",
                b"ALPH",
                b"EXIF",
                b"ICCP",
                b"XMP ",
                b"\x9d\x01\x2a",
                b"GIF89a",
                b"GIF87a",
                b"\x21\xf9\x04",
                b"BM",
                b"\x28\0\0\0",
                b"\x6c\0\0\0",
                b"\x7c\0\0\0",
            ]
        },
        most: 16 << 10,
        memory: proportional,
    },
    Target {
        name: "config",
        run: config,
        corpus: configs,
        dictionary: || {
            vec![
                b"\"architecture\"",
                b"\"num_classes\"",
                b"\"model_args\"",
                b"\"pretrained_cfg\"",
                b"\"input_size\"",
                b"\"embed_dim\"",
                b"\"depth\"",
                b"\"num_heads\"",
                b"\"mlp_ratio\"",
                b"\"patch_size\"",
                b"\"img_size\"",
                b"\"layers\"",
                b"\"channels\"",
                b"\"depths\"",
                b"\"dims\"",
                b"\"output_stride\"",
                b"\"label_names\"",
                b"\"temperature\"",
                b"\"reg_tokens\"",
                b"\"cardinality\"",
                b"\"base_width\"",
                b"\"global_pool\"",
                b"\"growth_rate\"",
                b"\"block_config\"",
                b"\"crop_pct\"",
                b"\"interpolation\"",
                b"\"keys\"",
                b"[3, 64, 64]",
                b"1e-9",
                b"1e308",
                b"resnet18",
                b"vit_tiny_patch16_224",
                b"convnext_atto",
                b"densenet121",
                b"mobilenetv2_100",
                b"regnety_002",
                b"vgg11",
                b"inception_v3",
                b"deit_tiny_patch16_224",
            ]
        },
        most: 16 << 10,
        memory: proportional,
    },
    Target {
        name: "safetensors",
        run: safetensors,
        corpus: || vec![package("tiny-cnn", "model.safetensors", 6000), package("tiny-vit", "model.safetensors", 9000)],
        dictionary: || {
            vec![
                b"\"dtype\":\"F32\"",
                b"\"shape\":[",
                b"\"data_offsets\":[",
                b"__metadata__",
                b"\"F16\"",
                b"\"BF16\"",
                b"\"F64\"",
                b"18446744073709551615",
                b"{}",
                b"\x10\0\0\0\0\0\0\0{",
            ]
        },
        most: 32 << 10,
        memory: proportional,
    },
    Target {
        name: "pth",
        run: pth,
        corpus: || {
            [
                "plain.pth",
                "views.pth",
                "protocol-4.pth",
                "wrapped.pth",
                "types.pth",
                "legacy.pth",
                "whole.pth",
                "list.pth",
            ]
            .iter()
            .map(|name| read(&format!("pth/{name}")))
            .collect()
        },
        dictionary: || {
            vec![
                b"PK\x03\x04",
                b"PK\x01\x02",
                b"PK\x05\x06",
                b"PK\x06\x06",
                b"PK\x06\x07",
                b"data.pkl",
                b"byteorder",
                b"\x80\x02",
                b"ctorch._utils\n_rebuild_tensor_v2\n",
                b"ccollections\nOrderedDict\n",
                b"X\x07\0\0\0storage",
                b"ctorch\nFloatStorage\n",
                b"q\0",
                b"h\0",
                b"r\xff\xff\xff\x7f",
                b"(",
                b"t",
                b"Q",
                b"R",
                b"}",
                b"u",
                b"\x8a\x08",
                b"J\xff\xff\xff\x7f",
                b".",
                b"cos\nsystem\n",
                b"\x94",
                b"\x95",
            ]
        },
        most: 64 << 10,
        memory: proportional,
    },
    Target {
        name: "guess",
        run: |bytes| told(guess(bytes).map(|guess| guess.architecture)),
        corpus: || {
            let known = ["resnet18", "alexnet", "vit_tiny_patch16_224"].map(header_of);
            known.into_iter().chain([header(&read("pth/plain.safetensors"))]).collect()
        },
        dictionary: || {
            vec![
                b"conv1.weight",
                b"bn1.weight",
                b"fc.weight",
                b"fc.bias",
                b"head.weight",
                b"cls_token",
                b"pos_embed",
                b"blocks.0.attn.qkv.weight",
                b"layer1.0.conv1.weight",
                b"features.0.0.weight",
                b"classifier.1.weight",
                b"\"dtype\":\"F32\"",
                b"\"shape\":[1000,512]",
                b"\"data_offsets\":[0,4]",
                b"[64,3,7,7]",
                b"[1,197,192]",
            ]
        },
        most: 32 << 10,
        memory: proportional,
    },
    Target {
        name: "options",
        run: options,
        corpus: || {
            let mut requests: Vec<Vec<u8>> =
                METHODS.iter().map(|m| json!({ "method": m.spec.id }).to_string().into_bytes()).collect();
            requests.extend((0..64).map(|i| (0..12).map(|j| (i * 37 + j * 101) as u8).collect()));
            requests
        },
        dictionary: || {
            let mut words: Vec<&'static [u8]> = METHODS.iter().map(|m| m.spec.id.as_bytes()).collect();
            words.extend(METHODS.iter().flat_map(|m| m.spec.options).map(|option| option.id.as_bytes()));
            words.extend([
                &b"\"target\":"[..],
                b"\"layer\":\"all\"",
                b"{\"contrast\":[0,1]}",
                b"{\"group\":[0,1]}",
                b"\"output\":",
                b"log_probability",
                b"{\"data\":[1],\"shape\":[1]}",
                b"\"baseline\":",
                b"\"layer\":[",
            ]);
            words
        },
        most: 4 << 10,
        // The nets and their states, which are the same for every request.
        memory: |bytes| (96 << 20) + 4096 * bytes,
    },
];

/// 64 MiB and 4 KiB for each byte.
fn proportional(bytes: usize) -> usize {
    (64 << 20) + 4096 * bytes
}

/// The repository's folder.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().find(|folder| folder.join("tests/golden").is_dir()).unwrap_or(here).to_owned()
}

fn read(path: &str) -> Vec<u8> {
    let path = root().join("tests/golden").join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The beginning of a tiny package's file.
fn package(name: &str, file: &str, length: usize) -> Vec<u8> {
    let mut bytes = read(&format!("packages/{name}/{file}"));
    bytes.truncate(length);
    bytes
}

/// The JSON header of a safetensors file.
fn header(file: &[u8]) -> Vec<u8> {
    let length = file.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes) as usize);
    file.get(8..8 + length).unwrap_or_default().to_vec()
}

/// The header of the weights that an architecture takes.
fn header_of(architecture: &str) -> Vec<u8> {
    let plan = Config::parse(&json!({ "architecture": architecture, "num_classes": 10 }).to_string())
        .and_then(|config| families::plan(&config))
        .unwrap_or_else(|error| panic!("{architecture}: {error}"));
    let mut end = 0;
    let tensors = plan.params().into_iter().map(|Param { name, shape }| {
        let begin = end;
        end += 4 * shape.iter().product::<usize>();
        (name, json!({ "dtype": "F32", "shape": shape, "data_offsets": [begin, end] }))
    });
    Value::Object(tensors.collect()).to_string().into_bytes()
}

fn told<T: std::fmt::Debug>(result: Result<T>) -> String {
    match result {
        Ok(value) => format!("ok {value:?}"),
        Err(error) => {
            let message = error.to_string();
            // The core's own faults are findings, whatever the input; so are messages that quote it
            // whole.
            assert!(!matches!(error, Error::Internal(_)), "internal: {message}");
            assert!(message.len() < 2000, "a message of {} bytes", message.len());
            format!("{} {message}", error.code())
        }
    }
}

fn photo(bytes: &[u8]) -> String {
    told(Photo::decode(bytes).map(|photo| {
        assert_eq!(photo.rgb.len(), photo.width as usize * photo.height as usize * 3);
        "a photo"
    }))
}

fn photos() -> Vec<Vec<u8>> {
    let names = [
        "photo.png",
        "photo.jpg",
        "photo.webp",
        "photo.bmp",
        "animated.gif",
        "grey.png",
        "grey16.png",
        "cmyk.jpg",
        "orientation-6.jpg",
        "huge-header.png",
        "made-up.heic",
        "photo.avif",
    ];
    names.iter().map(|name| read(&format!("photos/{name}"))).chain(claims()).collect()
}

/// Small files that claim to be large, as were found to take hundreds of megabytes.
fn claims() -> Vec<Vec<u8>> {
    let chunk = |name: &[u8; 4], size: u32, data: &[u8]| [&name[..], &size.to_le_bytes(), data].concat();
    let riff = |chunks: &[Vec<u8>]| {
        let body = chunks.concat();
        [b"RIFF", &(body.len() as u32 + 4).to_le_bytes()[..], b"WEBP", &body].concat()
    };
    let canvas = [0x08, 0, 0, 0, 15, 0, 0, 15, 0, 0];
    vec![
        riff(&[
            chunk(b"VP8X", 10, &canvas),
            chunk(b"VP8L", 5, b"\x2f\x0f\xc0\x03\0"),
            chunk(b"EXIF", 0x7fff_fff0, b"II*\0"),
        ]),
        riff(&[chunk(b"VP8 ", 12, b"\x30\x01\0\x9d\x01\x2a\xff\x3f\xff\x3f\0\0")]),
        riff(&[chunk(b"VP8L", 6, b"\x2f\xff\xff\xff\x0f\0")]),
    ]
}

fn config(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    told(Loader::new(&text, None, &Device::flex()).map(|_| "a plan"))
}

fn configs() -> Vec<Vec<u8>> {
    let names = [
        "packages/tiny-cnn",
        "packages/tiny-vit",
        "models/convnext",
        "models/densenet_tiny",
        "models/mbv2_035",
        "models/regnety_002",
        "models/resnet_d",
        "models/efficientnet_b0",
        "models/mobilenetv3_small_050",
        "models/inception_v3",
        "models/deit3",
        "models/dinov2",
    ];
    names.iter().map(|name| read(&format!("{name}/config.json"))).collect()
}

/// The first byte says how large the pieces are in which the file comes.
fn safetensors(bytes: &[u8]) -> String {
    let Some((&first, file)) = bytes.split_first() else { return "nothing".into() };
    let file = if first == b'{' || sniff(bytes).is_some() { bytes } else { file };
    let config = String::from_utf8(package("tiny-cnn", "config.json", usize::MAX)).unwrap_or_default();
    let load = || {
        let mut loader = Loader::new(&config, None, &Device::flex())?;
        for piece in file.chunks(1 + usize::from(first) * 97) {
            loader.feed(piece)?;
        }
        loader.finish().map(|_| "a model")
    };
    told(load())
}

fn pth(bytes: &[u8]) -> String {
    let read = || {
        let mut reader = Reader::new(bytes.len() as u64);
        while let Some(range) = reader.wants() {
            let (from, to) = (range.start as usize, range.end as usize);
            assert!(from <= to && to <= bytes.len(), "the reader wants {range:?} of {} bytes", bytes.len());
            reader.supply(bytes.get(from..to).unwrap_or_default())?;
        }
        let found = reader.finish()?;
        assert!(found.ranges.iter().all(|range| range.start <= range.end && range.end <= bytes.len() as u64));
        Ok("a state dict")
    };
    told(read())
}

/// A request as text, or bytes that choose one of what there is.
fn options(bytes: &[u8]) -> String {
    thread_local! {
        static NETS: RefCell<Vec<(Explainer, Image)>> = RefCell::new(["tiny-cnn", "tiny-vit"].map(net).into());
    }
    let request = match serde_json::from_slice(bytes) {
        Ok(Value::Object(request)) => request,
        Ok(_) => return "not an object".into(),
        Err(_) => chosen(bytes),
    };
    let which = bytes.iter().fold(0usize, |sum, &byte| sum + usize::from(byte)) % 2;
    NETS.with_borrow_mut(|nets| {
        let Some((explainer, image)) = nets.get_mut(which) else { return "no net".into() };
        told(now(explainer.attribute(image, request, &Impatient::default())).map(|attribution| {
            assert_eq!(attribution.values.len(), attribution.shape.iter().product::<usize>());
            assert!(attribution.values.iter().all(|value| value.is_finite()));
            attribution.method
        }))
    })
}

/// Withdraws after a few reports of progress: a legal request may run for minutes.
#[derive(Default)]
struct Impatient {
    reports: Cell<usize>,
}

impl Control for Impatient {
    fn cancelled(&self) -> bool {
        self.reports.get() >= 3
    }
    fn progress(&self, _: usize, _: usize) {
        self.reports.set(self.reports.get() + 1);
    }
}

/// Bytes choose a method, and values within and beyond the limits of its options.
fn chosen(bytes: &[u8]) -> Map<String, Value> {
    let mut bytes = bytes.iter().map(|&byte| usize::from(byte)).chain(std::iter::repeat(0));
    let mut next = || bytes.next().unwrap_or(0);
    let mut request = Map::new();
    let Some(method) = METHODS.get(next() % METHODS.len()) else { return request };
    request.insert("method".into(), json!(method.spec.id));
    for option in method.spec.options {
        let choice = next();
        let value = match option.kind {
            _ if choice.is_multiple_of(3) => continue,
            Kind::Integer { min, max, .. } => {
                [json!(min), json!(min + 1), json!(max), json!(u64::from(max) + 1), json!(-1), json!(2.5)][choice % 6]
                    .clone()
            }
            Kind::Number { min, max, .. } => {
                [json!(min), json!(max), json!(max * 2.0 + 1.0), json!((min + max) / 2.0)][choice % 4].clone()
            }
            Kind::Choice { choices, .. } => {
                choices.get(choice % (choices.len() + 1)).map_or(json!("none of them"), |word| json!(word))
            }
            Kind::Boolean { .. } => [json!(true), json!(false), json!(1)][choice % 3].clone(),
            Kind::Baseline { choices, .. } => match choices.get(choice % (choices.len() + 2)) {
                Some(word) => json!(word),
                None => json!({ "data": vec![0.5; next()], "shape": [3, next(), next()] }),
            },
            Kind::Tensor { .. } => json!({ "data": vec![0.5; next()], "shape": [next() % 5, next() % 9, next() % 9] }),
        };
        request.insert(option.id.into(), value);
    }
    match next() % 6 {
        0 => drop(request.insert("layer".into(), json!("all"))),
        1 => drop(request.insert("target".into(), json!({ "contrast": [next(), next()] }))),
        2 => drop(request.insert("target".into(), json!({ "group": [next(), next(), next()] }))),
        3 => drop(request.insert("output".into(), json!("log_probability"))),
        _ => {}
    }
    request
}

fn net(name: &str) -> (Explainer, Image) {
    let open = || -> Result<(Explainer, Image)> {
        let config = String::from_utf8_lossy(&package(name, "config.json", usize::MAX)).into_owned();
        let mut loader = Loader::new(&config, None, &Device::flex())?;
        loader.feed(&package(name, "model.safetensors", usize::MAX))?;
        let explainer = Explainer::new(loader.finish()?, &Device::flex());
        let shape = explainer.package().model.spec().input_size.to_vec();
        let data = (0..shape.iter().product()).map(|i: usize| ((i * 37 % 101) as f32 - 50.0) / 25.0).collect();
        Ok((explainer, Image::Tensor { data, shape }))
    };
    open().unwrap_or_else(|error| panic!("{name}: {error}"))
}
