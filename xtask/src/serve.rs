//! `cargo xtask serve`: a static file server for this machine alone.

use std::fs::{self, File};
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result, anyhow};
use tiny_http::{Header, Method, Request, Response, ResponseBox, Server, StatusCode};

use crate::build::{self, Device, copy_of};

const PORTS: std::ops::Range<u16> = 8080..8180;
const THREADS: usize = 8;

/// Serves `dist/` as soon as the CPU build is there and lets the WebGPU build join.
pub fn run(port: Option<u16>, fast: bool) -> Result<()> {
    build::prepare()?;
    build::wasm(Device::Cpu, fast)?;
    // Whoever asks is near: the best compression is not worth the wait.
    build::assemble(&[Device::Cpu], true)?;
    let server = Arc::new(open(port)?);
    let address = server.server_addr();
    println!("\nSightline is at http://{address}/ (Ctrl-C stops it)\n");
    let workers = start(&server, &build::dist());

    println!("building for WebGPU; until it is done the page uses the CPU");
    let joined = build::wasm(Device::WebGpu, fast).and_then(|()| build::assemble(&Device::ALL, true));
    match joined {
        Ok(()) => println!("\nthe WebGPU build has joined: reload http://{address}/"),
        Err(error) => eprintln!("\nno WebGPU build, the page stays on the CPU: {error:#}"),
    }
    for worker in workers {
        let _ = worker.join();
    }
    Ok(())
}

fn open(port: Option<u16>) -> Result<Server> {
    let bind = |port| Server::http((Ipv4Addr::LOCALHOST, port));
    match port {
        Some(port) => bind(port).map_err(|error| anyhow!("cannot use port {port}: {error}")),
        None => PORTS
            .into_iter()
            .find_map(|port| bind(port).ok())
            .with_context(|| format!("no port from {} to {} is free", PORTS.start, PORTS.end - 1)),
    }
}

fn start(server: &Arc<Server>, root: &Path) -> Vec<thread::JoinHandle<()>> {
    let worker = |_| {
        let (server, root) = (Arc::clone(server), root.to_path_buf());
        thread::spawn(move || {
            for request in server.incoming_requests() {
                answer(request, &root);
            }
        })
    };
    (0..THREADS).map(worker).collect()
}

fn answer(request: Request, root: &Path) {
    let asked = |name: &'static str| {
        let header = request.headers().iter().find(|header| header.field.equiv(name));
        header.map(|header| header.value.as_str().to_owned())
    };
    let (range, accepted) = (asked("Range"), asked("Accept-Encoding").unwrap_or_default());
    let response = match request.method() {
        Method::Get | Method::Head => file(root, request.url(), range.as_deref(), &accepted),
        _ => with(text(405, "only GET and HEAD\n"), "Allow", "GET, HEAD"),
    };
    // The browser may have gone away: nothing to do about it.
    let _ = request.respond(response);
}

fn file(root: &Path, url: &str, range: Option<&str>, accepted: &str) -> ResponseBox {
    let Some(path) = resolve(root, url) else {
        return text(404, "not found\n");
    };
    if path.is_dir() {
        let place = url.split(['?', '#']).next().unwrap_or("");
        return with(text(301, "moved\n"), "Location", &format!("{place}/"));
    }
    // A part is one of the file itself.
    let copy = if range.is_none() { copy(&path, accepted) } else { None };
    let (name, encoding) = copy.as_ref().map_or((&path, None), |(copy, encoding)| (copy, Some(*encoding)));
    let opened = File::open(name).and_then(|file| Ok((file.metadata()?.len(), file)));
    let Ok((length, mut file)) = opened else {
        return text(404, "not found\n");
    };
    let part = match range.map_or(Part::Whole, |range| Part::of(range, length)) {
        Part::None => {
            let all = format!("bytes */{length}");
            return with(text(416, "no such range\n"), "Content-Range", &all);
        }
        part => part,
    };
    let (status, start, count) = match part {
        Part::Some(start, end) => (206, start, end - start + 1),
        _ => (200, 0, length),
    };
    if file.seek(SeekFrom::Start(start)).is_err() {
        return text(500, "cannot read\n");
    }
    let mut response = respond(status, mime(&path), Box::new(file.take(count)), count);
    response = with(response, "Accept-Ranges", "bytes");
    response = with(response, "Vary", "Accept-Encoding");
    if let Some(encoding) = encoding {
        response = with(response, "Content-Encoding", encoding);
    }
    if status == 206 {
        let part = format!("bytes {start}-{}/{length}", start + count - 1);
        response = with(response, "Content-Range", &part);
    }
    response
}

/// The smallest compressed copy of a file that the browser takes, and its encoding.
fn copy(file: &Path, accepted: &str) -> Option<(PathBuf, &'static str)> {
    let forms = [("br", "br"), ("gz", "gzip")].into_iter();
    let mut copies = forms.filter(|(_, encoding)| takes(accepted, encoding)).map(|(form, e)| (copy_of(file, form), e));
    copies.find(|(copy, _)| copy.is_file())
}

/// Whether an `Accept-Encoding` header names an encoding, with a weight above 0.
fn takes(accepted: &str, encoding: &str) -> bool {
    let mut entries = accepted.split(',').map(|entry| entry.split(';').map(str::trim));
    entries.any(|mut parts| {
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let weight = parts.find_map(|part| part.strip_prefix("q="));
        named && weight.is_none_or(|weight| weight.parse().is_ok_and(|weight: f32| weight > 0.0))
    })
}

fn text(status: u16, message: &str) -> ResponseBox {
    let body = message.as_bytes().to_vec();
    let length = body.len() as u64;
    respond(status, "text/plain; charset=utf-8", Box::new(Cursor::new(body)), length)
}

fn respond(status: u16, mime: &str, body: Box<dyn Read + Send>, length: u64) -> ResponseBox {
    let headers = [
        ("Content-Type", mime),
        ("Access-Control-Allow-Origin", "*"),
        ("Cache-Control", "no-cache"),
        ("X-Content-Type-Options", "nosniff"),
    ];
    let length = usize::try_from(length).ok();
    // The length is always known: never chunked, so that the page can show progress.
    let response = Response::new(StatusCode(status), Vec::new(), body, length, None).with_chunked_threshold(usize::MAX);
    headers.into_iter().fold(response, |response, (name, value)| with(response, name, value))
}

/// The response with one header more, of which characters other than visible ASCII are dropped.
fn with(response: ResponseBox, name: &str, value: &str) -> ResponseBox {
    let value: String = value.chars().filter(|c| matches!(c, ' '..='~')).collect();
    match Header::from_bytes(name, value) {
        Ok(header) => response.with_header(header),
        Err(()) => response,
    }
}

/// The part of a file that a `Range` header asks for; both ends included.
#[derive(Debug, PartialEq)]
enum Part {
    Whole,
    Some(u64, u64),
    None,
}

impl Part {
    /// Several ranges at once, and what is no byte range, count as the whole file, as RFC 9110
    /// allows.
    fn of(range: &str, length: u64) -> Self {
        let Some((first, last)) = range.trim().strip_prefix("bytes=").and_then(|r| r.split_once('-')) else {
            return Self::Whole;
        };
        let (start, end) = match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
            (Ok(start), Ok(end)) if start <= end => (start, end.min(length.saturating_sub(1))),
            (Ok(start), Err(_)) if last.trim().is_empty() => (start, length.saturating_sub(1)),
            (Err(_), Ok(count)) if first.trim().is_empty() && count > 0 => {
                (length.saturating_sub(count), length.saturating_sub(1))
            }
            (Err(_), Ok(0)) if first.trim().is_empty() => return Self::None,
            _ => return Self::Whole,
        };
        if start < length { Self::Some(start, end) } else { Self::None }
    }
}

/// The file below `root` that a URL names: `index.html` for a folder with a final slash, a folder
/// where the slash is missing, nothing for whatever is absent, hidden or outside.
fn resolve(root: &Path, url: &str) -> Option<PathBuf> {
    let place = decode(url.split(['?', '#']).next()?)?;
    let mut path = fs::canonicalize(root).ok()?;
    let inside = path.clone();
    for part in place.strip_prefix('/')?.split('/').filter(|part| !part.is_empty()) {
        if part.starts_with('.') || part.contains(['\\', ':', '\0']) {
            return None;
        }
        path.push(part);
    }
    if place.ends_with('/') {
        path.push("index.html");
    }
    let path = fs::canonicalize(path).ok()?;
    path.starts_with(inside).then_some(path)
}

/// Undoes percent encoding.
fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

fn mime(path: &Path) -> &'static str {
    let end = path.extension().and_then(|end| end.to_str()).unwrap_or("");
    match end.to_ascii_lowercase().as_str() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "wasm" => "application/wasm",
        "txt" | "md" | "ts" => "text/plain; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "avif" => "image/avif",
        "bmp" => "image/bmp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpStream;

    use super::*;

    /// A served folder beside a file that must stay out of reach; stops with the test.
    struct Site {
        folder: PathBuf,
        server: Arc<Server>,
        workers: Vec<thread::JoinHandle<()>>,
    }

    impl Site {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("sightline-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&folder);
            let dist = folder.join("dist");
            fs::create_dir_all(dist.join("pkg")).unwrap();
            fs::write(folder.join("secret.txt"), "secret").unwrap();
            fs::write(dist.join("index.html"), "<p>page").unwrap();
            fs::write(dist.join(".stamp"), "hidden").unwrap();
            fs::write(dist.join("pkg/a b.wasm"), (0..=255).collect::<Vec<u8>>()).unwrap();
            fs::write(dist.join("pkg/big.safetensors"), vec![7; 100_000]).unwrap();
            let server = Arc::new(open(Some(0)).unwrap());
            let workers = start(&server, &dist);
            Self { folder, server, workers }
        }

        /// Status, headers (lower case) and body of one request.
        fn ask(&self, method: &str, target: &str, extra: &str) -> (u16, String, Vec<u8>) {
            let address = self.server.server_addr().to_ip().unwrap();
            assert!(address.ip().is_loopback());
            let mut stream = TcpStream::connect(address).unwrap();
            let request = format!("{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{extra}\r\n");
            stream.write_all(request.as_bytes()).unwrap();
            let mut reply = Vec::new();
            stream.read_to_end(&mut reply).unwrap();
            let end = reply.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
            let head = String::from_utf8(reply[..end].to_vec()).unwrap().to_lowercase();
            let status = head.split(' ').nth(1).unwrap().parse().unwrap();
            (status, head, reply[end + 4..].to_vec())
        }
    }

    impl Drop for Site {
        fn drop(&mut self) {
            for _ in &self.workers {
                self.server.unblock();
            }
            for worker in self.workers.drain(..) {
                worker.join().unwrap();
            }
            fs::remove_dir_all(&self.folder).unwrap();
        }
    }

    #[test]
    fn files_come_with_their_headers() {
        let site = Site::new("files");
        let (status, head, body) = site.ask("GET", "/?model=x", "");
        assert_eq!((status, body.as_slice()), (200, b"<p>page".as_slice()));
        assert!(head.contains("content-type: text/html; charset=utf-8"), "{head}");
        assert!(head.contains("access-control-allow-origin: *"));
        assert!(head.contains("cache-control: no-cache"));

        let (status, head, body) = site.ask("GET", "/pkg/a%20b.wasm", "");
        assert_eq!((status, body.len()), (200, 256));
        assert!(head.contains("content-type: application/wasm"));
        // Above the size where tiny_http would leave the length out.
        let (_, head, body) = site.ask("GET", "/pkg/big.safetensors", "");
        assert_eq!(body, vec![7; 100_000]);
        assert!(head.contains("content-length: 100000"), "{head}");
        assert!(head.contains("content-type: application/octet-stream"));
        assert!(!head.contains("transfer-encoding"));
    }

    #[test]
    fn compressed_copies_go_to_those_who_take_them() {
        let site = Site::new("copies");
        let dist = site.folder.join("dist");
        fs::write(dist.join("pkg/a b.wasm.br"), "brotli").unwrap();
        fs::write(dist.join("pkg/a b.wasm.gz"), "gzip!").unwrap();
        fs::write(dist.join("index.html.gz"), "page!").unwrap();
        let ask = |target: &str, accepted: &str| {
            let (status, head, body) = site.ask("GET", target, &format!("Accept-Encoding: {accepted}\r\n"));
            assert_eq!(status, 200);
            assert!(head.contains("vary: accept-encoding"), "{head}");
            let encoding = head.lines().find_map(|line| line.strip_prefix("content-encoding: ")).map(str::to_owned);
            (encoding, head, body)
        };
        let (encoding, head, body) = ask("/pkg/a%20b.wasm", "gzip, deflate, br, zstd");
        assert_eq!((encoding.as_deref(), body.as_slice()), (Some("br"), b"brotli".as_slice()));
        assert!(head.contains("content-type: application/wasm") && head.contains("content-length: 6"), "{head}");
        for gzip in ["gzip", "GZIP;q=0.5", "br;q=0, gzip"] {
            let (encoding, _, body) = ask("/pkg/a%20b.wasm", gzip);
            assert_eq!((encoding.as_deref(), body.as_slice()), (Some("gzip"), b"gzip!".as_slice()), "{gzip}");
        }
        for plain in ["", "identity", "deflate", "brx", "br;q=0", "br; q=0.0, gzip;q=x"] {
            let (encoding, _, body) = ask("/pkg/a%20b.wasm", plain);
            assert_eq!((encoding, body.len()), (None, 256), "{plain}");
        }
        assert_eq!(ask("/", "br, gzip").2, b"page!");
        // What has no copy, and parts, which are of the file itself.
        assert_eq!(ask("/pkg/big.safetensors", "br, gzip").2.len(), 100_000);
        let (status, head, body) = site.ask("GET", "/pkg/a%20b.wasm", "Range: bytes=1-3\r\nAccept-Encoding: br\r\n");
        assert_eq!((status, body.as_slice()), (206, [1, 2, 3].as_slice()));
        assert!(!head.contains("content-encoding"), "{head}");
        let (_, head, body) = site.ask("HEAD", "/pkg/a%20b.wasm", "Accept-Encoding: br\r\n");
        assert!(
            head.contains("content-encoding: br") && head.contains("content-length: 6") && body.is_empty(),
            "{head}"
        );
    }

    #[test]
    fn head_sends_no_body() {
        let site = Site::new("head");
        let (status, head, body) = site.ask("HEAD", "/pkg/a%20b.wasm", "");
        assert_eq!((status, body.len()), (200, 0));
        assert!(head.contains("content-length: 256"), "{head}");
        assert_eq!(site.ask("POST", "/", "Content-Length: 0\r\n").0, 405);
    }

    #[test]
    fn ranges() {
        let site = Site::new("ranges");
        let ask = |range: &str| site.ask("GET", "/pkg/a%20b.wasm", &format!("Range: {range}\r\n"));
        let (status, head, body) = ask("bytes=10-19");
        assert_eq!((status, body), (206, (10..20).collect()));
        assert!(head.contains("content-range: bytes 10-19/256"), "{head}");
        assert_eq!(ask("bytes=250-").2, (250..=255).collect::<Vec<u8>>());
        assert_eq!(ask("bytes=-3").2, [253, 254, 255]);
        assert_eq!(ask("bytes=200-9999").2.len(), 56);
        let (status, head, _) = ask("bytes=256-");
        assert_eq!(status, 416);
        assert!(head.contains("content-range: bytes */256"));
        for whole in ["bytes=0-1,5-6", "bytes=9-3", "items=0-1", "bytes=x-"] {
            let (status, _, body) = ask(whole);
            assert_eq!((status, body.len()), (200, 256), "{whole}");
        }
        assert_eq!(Part::of("bytes=0-", 0), Part::None);
        assert_eq!(Part::of("bytes=-0", 9), Part::None);
    }

    #[test]
    fn nothing_outside_is_reachable() {
        let site = Site::new("outside");
        let targets = [
            "/../secret.txt",
            "/%2e%2e/secret.txt",
            "/pkg/..%2f..%2fsecret.txt",
            "/pkg/../../secret.txt",
            "/..%5csecret.txt",
            "//../secret.txt",
            "/pkg/%00",
            "/%zz",
            "/%ff",
            "/.stamp",
            "/C:/secret.txt",
            "/absent",
        ];
        for target in targets {
            let (status, _, body) = site.ask("GET", target, "");
            assert_eq!(status, 404, "{target}");
            assert_eq!(body, b"not found\n", "{target}");
        }
        #[cfg(unix)]
        {
            let link = site.folder.join("dist/link.txt");
            std::os::unix::fs::symlink(site.folder.join("secret.txt"), link).unwrap();
            assert_eq!(site.ask("GET", "/link.txt", "").0, 404);
        }
    }

    #[test]
    fn a_folder_without_slash_redirects_and_one_without_page_is_absent() {
        let site = Site::new("folder");
        let (status, head, _) = site.ask("GET", "/pkg?x=1", "");
        assert_eq!(status, 301);
        assert!(head.contains("location: /pkg/\r\n"), "{head}");
        assert_eq!(site.ask("GET", "/pkg/", "").0, 404);
    }

    #[test]
    fn a_taken_port_is_an_error() {
        let site = Site::new("port");
        let port = site.server.server_addr().to_ip().unwrap().port();
        assert!(open(Some(port)).is_err());
    }
}
