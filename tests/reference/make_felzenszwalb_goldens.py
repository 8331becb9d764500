"""Segments that scikit-image's felzenszwalb finds in small pictures.

usage: python tests/reference/make_felzenszwalb_goldens.py      (from the repository root; versions: requirements.txt)

Writes tests/golden/felzenszwalb/{cases.json, labels.safetensors}.  The pictures are not stored: colours of blocks, and noise from a hash, both in
exact fractions, within [-1, 1] like the pictures that PAIR saliency 0.2.1 segments.
"""
import json, os
import numpy as np, skimage
from safetensors.numpy import save_file
from skimage.segmentation import felzenszwalb

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../golden/felzenszwalb')
os.makedirs(OUT, exist_ok=True)


def picture(h, w, block, noise):
    y, x, c = np.mgrid[:h, :w, :3].astype(np.uint64)
    region = (y // block + 3 * (x // (block + 3)) + (x * x + y * y) // (block * block * 7)) % 11
    colour = ((region + 1) * (c + 2) * 37 % 101) / 128
    i = (y * w + x) * 3 + c
    grain = ((i * 2654435761 % 2**32) >> 24) / 256
    return colour * (1 - noise) + grain * noise * 0.5 - 0.5


cases, labels = [], {}
for h, w, block, noises in [(40, 56, 9, [0.0625, 0.25, 0.5]), (64, 31, 14, [0.125, 0.375]), (1, 50, 8, [0.25]), (96, 96, 17, [0.25])]:
    for noise in noises:
        for scale, sigma, min_size in [(50, 0.8, 20), (150, 0.8, 20), (500, 0.8, 60), (1200, 1.5, 1), (20, 0.4, 5)]:
            seg = felzenszwalb(picture(h, w, block, noise), scale=scale, sigma=sigma, min_size=min_size)
            labels[str(len(cases))] = seg.astype(np.uint16)
            cases.append(dict(height=h, width=w, block=block, noise=noise, scale=scale, sigma=sigma, min_size=min_size, segments=int(seg.max()) + 1))

save_file(labels, os.path.join(OUT, 'labels.safetensors'))
with open(os.path.join(OUT, 'cases.json'), 'w') as f:
    f.write(json.dumps(dict(scikit_image=skimage.__version__, cases=cases)).replace('{"height"', '\n{"height"') + '\n')
print(len(cases), 'cases,', [c['segments'] for c in cases])
