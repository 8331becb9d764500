//! What a package's bytes may take, and how much of them a message quotes.

use std::time::{Duration, Instant};

use sightline::Error;
use sightline::package::json::header;
use sightline::package::{Config, limits};

use super::pth::{made, pickled, read, zip};
use crate::common::alloc::measured;

const MOST: usize = 64 << 20;

/// A refusal's message, which quotes little.
fn refused<T>(name: &str, most: usize, work: impl FnOnce() -> Result<T, Error>) -> String {
    let start = Instant::now();
    let (result, usage) = measured(work);
    assert!(usage.peak <= most, "{name}: {usage:?}");
    // Without optimisation; a limit for what grows faster than its input.
    assert!(start.elapsed() < Duration::from_secs(10), "{name}: {:?}", start.elapsed());
    let error = result.err().unwrap_or_else(|| panic!("{name} is read"));
    assert!(matches!(error, Error::BadModel(_) | Error::UnsupportedArchitecture(_)), "{name}: {error:?}");
    let message = error.to_string();
    assert!(message.len() < 500, "{name}: {} bytes", message.len());
    message
}

/// `unit` again and again, about so many bytes.
fn flood(unit: &str, bytes: usize) -> String {
    unit.repeat(bytes / unit.len())
}

const CONFIG: usize = limits::MAX_CONFIG_BYTES - 1000;

#[test]
fn a_config_is_weighed_before_it_is_read() {
    for (name, part, unit) in [
        ("lists", "nested", "["),
        ("objects", "nested", "{\"a\":"),
        ("unended lists", "values", "[],"),
        ("numbers", "values", "0,"),
        ("lists in lists", "values", "[[0]],"),
        ("objects in a list", "values", "{\"a\":0},"),
    ] {
        let text = format!("{{\"a\":[{}", flood(unit, CONFIG));
        let message = refused(name, MOST, || Config::parse(&text));
        assert!(message.contains(part) && message.contains("limit"), "{name}: {message}");
        let text = text.trim_end_matches(',').to_owned() + "]}";
        refused(name, MOST, || Config::parse(&text));
    }
    // Within the limits: what a parser makes of them is bounded.
    for (unit, values) in [("0,", 1), ("[],", 5), ("{\"a\":0},", 9), ("\"\",", 1)] {
        let text = format!("{{\"a\":[{}0]}}", unit.repeat((limits::MAX_CONFIG_VALUES - 20) / values));
        let message = refused(unit, MOST, || Config::parse(&text));
        assert!(message.contains("architecture"), "{unit}: {message}");
    }
    let large = "0".repeat(limits::MAX_CONFIG_BYTES + 1);
    assert!(refused("a large config", 1 << 20, || Config::parse(&large)).contains("the limit is"));
}

#[test]
fn a_message_quotes_little_of_a_config() {
    let long = flood("x", 2 << 20);
    let config = |rest: &str| format!("{{\"architecture\":\"resnet18\",\"num_classes\":2{rest}}}");
    for (name, text) in [
        ("no JSON", long.clone()),
        ("an unended string", format!("{{\"architecture\":\"{long}")),
        ("an architecture", format!("{{\"architecture\":\"{long}\",\"num_classes\":0}}")),
        ("a label", config(&format!(",\"label_names\":[\"{long}\",\"b\"]"))),
        ("keys", config(&format!(",\"keys\":\"{long}\""))),
        ("interpolation", config(&format!(",\"pretrained_cfg\":{{\"interpolation\":\"{long}\"}}"))),
    ] {
        refused(name, MOST, || Config::parse(&text));
    }
    let parsed = |rest: &str| Config::parse(&config(rest)).unwrap();
    let pooled = parsed(&format!(",\"global_pool\":\"{long}\""));
    assert!(refused("a pooling", MOST, || pooled.only_pooled_by("avg")).contains("xxx\u{2026}"));
    for args in [format!("{{\"{long}\":1}}"), format!("{{\"a\":\"{long}\"}}")] {
        let args = parsed(&format!(",\"model_args\":{args}")).args;
        assert!(refused("an argument", MOST, || args.finish("resnet18")).contains("xxx\u{2026}"));
    }
}

#[test]
fn a_header_is_weighed_before_it_is_read() {
    let tensor = r#""a":{"dtype":"F32","shape":[],"data_offsets":[0,0]},"#;
    let bytes = limits::MAX_HEADER_BYTES as usize;
    for (name, unit) in
        [("tensors", tensor), ("lists", "["), ("objects", "{\"a\":"), ("numbers", "0,"), ("empty lists", "[],")]
    {
        let text = format!("{{\"__metadata__\":{{}},\"t\":[{}", flood(unit, bytes));
        refused(name, MOST, || header(text.as_bytes()));
    }
    // As many tensors as there may be, and one with as many dimensions.
    let tensor = |i: usize| {
        format!(r#""{i}.weight":{{"dtype":"F32","shape":[1,1,1,1],"data_offsets":[{},{}]}}"#, 4 * i, 4 * i + 4)
    };
    let tensors: Vec<String> = (0..limits::MAX_TENSORS).map(tensor).collect();
    let dimensions = flood("1,", 2 * (limits::MAX_TENSORS * 32 - 50));
    let wide = format!(r#""a":{{"dtype":"F32","shape":[{dimensions}1],"data_offsets":[0,4]}}"#);
    for text in [tensors.join(","), wide].map(|tensors| format!("{{{tensors}}}")) {
        let (count, usage) = measured(|| header(text.as_bytes()).map(|metadata| metadata.tensors().len()));
        println!("{} tensors in {} bytes: {usage:?}", count.unwrap(), text.len());
        assert!(usage.peak <= 112 << 20, "{usage:?}");
    }
    let long = flood("x", 2 << 20);
    for text in [
        long.clone(),
        format!(r#"{{"a":{{"dtype":"{long}","shape":[],"data_offsets":[0,4]}}}}"#),
        format!(r#"{{"a":{{"{long}":1}}}}"#),
        format!(r#"{{"{long}":{{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}}}"#),
        format!(r#"{{"a":"{long}"}}"#),
    ] {
        refused("a long word", MOST, || header(text.as_bytes()));
    }
}

#[test]
fn a_pickle_takes_no_more_than_a_multiple_of_its_length() {
    let units: [&[u8]; 20] = [
        b")",
        b"]",
        b"}",
        b"(",
        b"K\0",
        b"N",
        b")\x85",
        b")\x94",
        b"]\x94",
        b"K\0\x94",
        b"(t",
        b"K\0K\0",
        b"}}b",
        b")r\0\0\0\0",
        b")q\0",
        b"}q\x01h\x01",
        b"X\0\0\0\0",
        b"X\x01\0\0\0a",
        b"K\0K\0\x86",
        b"K\0\x85\x94",
    ];
    for unit in units {
        for bytes in [64 << 10, 2 << 20] {
            let pickle = [b"\x80\x02}(", &unit.repeat(bytes / unit.len())[..], b"u."].concat();
            let file = zip(&[made("data.pkl", &pickle), made("data/0", &[0; 4])]);
            let most = (64 * pickle.len() + (1 << 20)).min(96 << 20);
            refused(&format!("{bytes} bytes of {}", unit.escape_ascii()), most, || read(&file));
        }
    }
}

#[test]
fn a_long_key_that_thousands_of_tensors_share_costs_no_time() {
    let key = vec![b'k'; 4 << 20];
    let text = |text: &[u8]| [b"X", &(text.len() as u32).to_le_bytes()[..], text].concat();
    let mut pickle = [b"\x80\x02}(", &text(&key)[..], b"q\x00"].concat();
    // The key is the first tensor's name; all the storages are called by it.
    let tensor = |name: &str| {
        let usual = pickled("0", [0, 1, 1]);
        let at = usual.windows(3).position(|part| part == b"\x8c\x010").unwrap();
        [&text(name.as_bytes()), &usual[..at], b"h\0", &usual[at + 3..]].concat()
    };
    let first = tensor("");
    pickle.extend(&first[5..]);
    (0..20_000).for_each(|i| pickle.extend(tensor(&i.to_string())));
    pickle.extend(b"u.");
    let file = zip(&[made("data.pkl", &pickle), made("data/0", &[0; 4])]);
    let message = refused("a long key", MOST, || read(&file));
    assert!(message.contains("not in the file"), "{message}");
}

#[test]
fn a_zip_directory_takes_no_more_than_a_multiple_of_its_length() {
    let entries: Vec<_> = (0..60_000).map(|i| made(&format!("data/{i}"), &[])).collect();
    let file = zip(&entries);
    // The directory is half of the file.
    refused("many entries", 8 * file.len(), || read(&file));
}
