//! Cut and damaged files.

use super::*;

#[test]
fn no_cut_of_a_file_panics_or_hangs() {
    for name in ["plain.pth", "views.pth", "protocol-4.pth"] {
        let bytes = file(name);
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length]).is_err(), "{name} cut to {length} bytes");
        }
    }
    let small = zip(&simple());
    (0..small.len()).for_each(|length| assert!(read(&small[..length]).is_err()));
    // A pickle cut short within a sound archive.
    let plain = file("wrapped.pth");
    let start = find(&plain, b"\x80\x02}");
    let pickle = &plain[start..start + 4000];
    for length in 0..pickle.len() {
        refusal(&zip(&[made("data.pkl", &pickle[..length])]));
    }
}

/// splitmix64
fn random(state: &mut u64) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ z >> 31) as usize >> 1
}

#[test]
fn no_damage_to_a_file_panics_or_hangs() {
    let mut state = 1;
    let (mut good, mut bad) = (0, 0);
    for name in ["plain.pth", "views.pth", "protocol-4.pth", "wrapped.pth", "types.pth", "data-parallel.pth"] {
        let bytes = file(name);
        // The pickle, the directory, and anything.
        let pickle = find(&bytes, b"data.pkl") + 8..find(&bytes, b".format_version");
        let directory = find(&bytes, b"PK\x01\x02")..bytes.len();
        for span in [pickle, directory, 0..bytes.len()] {
            for _ in 0..2000 {
                let mut damaged = bytes.clone();
                for _ in 0..1 + random(&mut state) % 3 {
                    let at = span.start + random(&mut state) % span.len();
                    damaged[at] = match random(&mut state) % 3 {
                        0 => damaged[at] ^ 1 << (random(&mut state) % 8),
                        1 => [0, 0xff, b'R', b'(', b't', b'u', b'b', b'Q'][random(&mut state) % 8],
                        _ => bytes[random(&mut state) % bytes.len()],
                    };
                }
                match read(&damaged) {
                    Ok(_) => good += 1,
                    Err(_) => bad += 1,
                }
            }
        }
    }
    // Both must occur, or the damage is all of one kind.
    assert!(good > 1000 && bad > 1000, "{good} read, {bad} refused");
}
