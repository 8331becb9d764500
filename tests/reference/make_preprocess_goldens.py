"""Inputs that timm's evaluation transform makes of small pictures, for shapes, crops and filters of every kind.

usage: python tests/reference/make_preprocess_goldens.py      (from the repository root; versions: requirements.txt, but Pillow 12.3.0)

Pillow up to 12 resamples the horizontal axis first; 13.0 takes the vertical one first where the height shrinks much more than the width,
which moves single values of noise by up to 41.  (Both do so in `squash` when a picture is over 100 times as tall as wide: not tested.)
Writes tests/golden/preprocess/{cases.json, expected.safetensors}.  The pictures are not stored: byte i of RGB is
(i * 2654435761 mod 2^32) >> 24, blended half and half with a ramp over the bytes, so that there are edges and slopes.
"""
import json, os
import numpy as np, PIL, timm
from PIL import Image
from safetensors.numpy import save_file
from timm.data import create_transform

assert int(PIL.__version__.split('.')[0]) <= 12, 'see above'
OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../golden/preprocess')
os.makedirs(OUT, exist_ok=True)


def picture(w, h):
    i = np.arange(w * h * 3, dtype=np.uint64)
    noise, ramp = (i * 2654435761 % 2**32) >> 24, i * 255 // (w * h * 3)
    return Image.fromarray(((noise + ramp) // 2).astype(np.uint8).reshape(h, w, 3))


IMAGENET = dict(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
HALF = dict(mean=[0.5] * 3, std=[0.5] * 3)
photos = [(37, 23), (23, 37), (64, 97), (131, 40), (40, 131), (1, 1), (1, 30), (30, 1), (1, 1500), (1500, 1), (16, 16), (18, 25), (200, 150)]
shapes = [([16, 16], 0.875), ([16, 16], 1.0), ([15, 15], 0.95), ([12, 20], 0.9), ([20, 12], 0.875), ([13, 14], 0.6), ([7, 7], 0.35)]
filters, cases, expected = ['bicubic', 'bilinear', 'lanczos'], [], {}
for w, h in photos:
    for size, crop_pct in shapes:
        k = len(cases)
        mode = 'squash' if k % 4 == 3 and max(w, h) < 100 else 'center'
        cfg = dict(input_size=[3, *size], crop_pct=crop_pct, interpolation=filters[k % 3], crop_mode=mode, **(HALF if k % 5 == 0 else IMAGENET))
        transform = create_transform(tuple(cfg['input_size']), **{k: v for k, v in cfg.items() if k != 'input_size'})
        expected[str(k)] = transform(picture(w, h)).numpy()
        cases.append(dict(width=w, height=h, pretrained_cfg=cfg))

save_file(expected, os.path.join(OUT, 'expected.safetensors'))
with open(os.path.join(OUT, 'cases.json'), 'w') as f:
    f.write(json.dumps(dict(timm=timm.__version__, pillow=PIL.__version__, cases=cases)).replace('{"width"', '\n{"width"') + '\n')
print(len(cases), 'cases')
