"""Superpixels of scikit-image's SLIC on a picture drawn here.

usage: python tests/reference/make_superpixel_goldens.py       (from the repository root; versions: requirements.txt)

Writes tests/golden/superpixels/: picture.png (RGB, 150 x 120: a dozen shaded, noisy regions with curved borders), regions.png (grey: the
region of each pixel) and golden.json: for each (count, compactness) scikit-image's number of segments and its boundary recall, the share of
region border pixels with a border of a segment within two rows and columns (Achanta et al. 2012 count so).
"""
import json, os
import numpy as np, skimage
from PIL import Image
from skimage.segmentation import slic

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'golden', 'superpixels')
H, W, REGIONS = 120, 150, 12


def draw(seed):
    r = np.random.RandomState(seed)
    y, x = np.mgrid[:H, :W].astype(float)
    # Voronoi cells of bent coordinates.
    by, bx = y + 5 * np.sin(x / 11), x + 6 * np.sin(y / 13)
    sites = r.rand(REGIONS, 2) * [H, W]
    regions = np.argmin([(by - sy) ** 2 + (bx - sx) ** 2 for sy, sx in sites], 0)
    colours = r.randint(30, 226, (REGIONS, 3))
    slopes = r.uniform(-.25, .25, (REGIONS, 3))
    shade = (y - H / 2)[..., None] * slopes[regions] + (x - W / 2)[..., None] * slopes[regions][..., ::-1]
    picture = colours[regions] + shade + r.normal(0, 4, (H, W, 3))
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8), regions.astype(np.uint8)


def borders(ids):
    """Pixels that differ from the right or the lower neighbour."""
    out = np.zeros(ids.shape, bool)
    out[:, :-1] |= ids[:, :-1] != ids[:, 1:]
    out[:-1] |= ids[:-1] != ids[1:]
    return out


def recall(ids, regions, tolerance=2):
    truth, found = borders(regions), np.pad(borders(ids), tolerance)
    near = np.zeros(truth.shape, bool)
    for dy in range(2 * tolerance + 1):
        for dx in range(2 * tolerance + 1):
            near |= found[dy:dy + H, dx:dx + W]
    return float(near[truth].mean())


if __name__ == '__main__':
    os.makedirs(OUT, exist_ok=True)
    picture, regions = draw(7)
    Image.fromarray(picture).save(os.path.join(OUT, 'picture.png'), optimize=True)
    Image.fromarray(regions).save(os.path.join(OUT, 'regions.png'), optimize=True)
    cases = []
    for count, compactness in [(30, 10), (50, 10), (50, 20), (100, 10), (200, 5)]:
        ids = slic(picture, n_segments=count, compactness=compactness, start_label=0)
        cases.append(dict(count=count, compactness=compactness, segments=int(ids.max()) + 1, recall=round(recall(ids, regions), 4)))
        print(cases[-1])
    json.dump(dict(library=f'scikit-image {skimage.__version__}', cases=cases), open(os.path.join(OUT, 'golden.json'), 'w'), indent=1)
