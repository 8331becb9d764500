//! Pickles made by hand, that lie.

use super::*;

#[test]
fn pickles_that_lie_are_refused() {
    let refused = |pickle: &[u8]| refusal(&zip(&[made("data.pkl", pickle), made("data/0", &[0; 16])]));
    let tensor = |numbers| refused(&pickled_dict(&[("w", pickled("0", numbers))]));
    let two = pickled("0", [0, 1, 1]);
    for (text, part) in [
        (
            refused(b"\x80\x02cos\nsystem\n\x8c\x08rm -rf /\x85R."),
            "names os.system, which no state dict needs; none of it was run",
        ),
        (refused(b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02ls\x85R."), "names os.system"),
        (refused(b"cbuiltins\neval\n."), "names builtins.eval"),
        (refused(b"}\x8c\x01wctorch.storage\n_load_from_bytes\nC\x01x\x85Rs."), "names torch.storage._load_from_bytes"),
        (refused(b"ctorch\nload\n."), "names torch.load"),
        (refused(b"ctorch.storage\nUntypedStorage\n."), "names torch.storage.UntypedStorage"),
        (refused(b"c\x1b[31mevil\n\x07\n."), "names \\u{1b}[31mevil.\\u{7}"),
        (refused(&[b"c", &[b'x'; 300][..], b"\ny\n."].concat()), "xxx…"),
        (refused(&[b"c", &[b'x'; 2000][..], b"\ny\n."].concat()), "truncated"),
        // Instructions that no state dict needs: INST, OBJ, NEWOBJ, NEWOBJ_EX, EXT1, PERSID, and
        // nonsense.
        (refused(b"(ios\nsystem\n."), "damaged"),
        (refused(b"(ccollections\nOrderedDict\no."), "damaged"),
        (refused(b"ccollections\nOrderedDict\n)\x81."), "damaged"),
        (refused(b"ccollections\nOrderedDict\n)}\x92."), "damaged"),
        (refused(b"\x82\x01."), "damaged"),
        (refused(b"P0\n."), "damaged"),
        (refused(b"\xff."), "damaged"),
        (refused(b"\x80\x09}."), "damaged"),
        (refused(b""), "truncated"),
        (refused(b"."), "damaged"),
        (refused(b"(."), "damaged"),
        (refused(b"t."), "damaged"),
        (refused(b"}(Nu."), "damaged"),
        (refused(b"}NNb."), "damaged"),
        (refused(b"h\x05."), "damaged"),
        (refused(b"}q\x00(\x8c\x01wh\x00u."), "no tensors"),
        (refused(b"X\xff\xff\xff\xff"), "truncated"),
        (refused(b"\x8c\x01\xff."), "UTF-8"),
        (refused(b"ccollections\nOrderedDict\nN\x85R."), "damaged"),
        (refused(b"ctorch\nFloatStorage\n)R."), "damaged"),
        (refused(b"\x8c\x01xQ."), "damaged"),
        (refused(b"ctorch._utils\n_rebuild_parameter\nN\x88N\x87R."), "damaged"),
        (refused(&pickled_dict(&[("w", two.clone()), ("w", two.clone())])), "tensor w appears twice"),
        (refused(&pickled_dict(&[("w", pickled("/../0", [0, 1, 1]))])), "storage that is not in the file"),
        (tensor([-1, 1, 1]), "damaged"),
        (tensor([0, -1, 1]), "damaged"),
        (tensor([4, 1, 1]), "extends past"),
        (tensor([0, 5, 1]), "extends past"),
        (tensor([1, 4, 1]), "extends past"),
        (tensor([0, i32::MAX, 1]), "extends past"),
        (tensor([0, 2, 2]), "not contiguous"),
        (tensor([0, 2, 0]), "not contiguous"),
    ] {
        assert!(text.contains(part), "{text}; expected: {part}");
        assert!(text.len() < 500, "{text}");
    }
    assert!(read(&zip(&[made("data.pkl", &pickled_dict(&[("w", two)])), made("data/0", &[0; 16])])).is_ok());

    // Sizes whose product overflows: [2^62, 2^62], contiguous.
    let huge = b"\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x40";
    let pickle = [
        &b"}\x8c\x01wctorch._utils\n_rebuild_tensor_v2\n((\x8c\x07storagectorch\nFloatStorage\n\x8c\x010\x8c\x03cpu\
          K\x01tQK\x00"[..],
        huge,
        huge,
        b"\x86",
        huge,
        b"K\x01\x86\x89NtRs.",
    ]
    .concat();
    assert!(refused(&pickle).contains("impossible size"));
}
