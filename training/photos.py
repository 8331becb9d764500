"""Trains the page's two built-in models on 64 everyday classes, measures them and writes their cards.

usage, from the repository root, with tests/reference/requirements.txt installed and ../shared beside the repository:
    python training/photos.py train           everything, in order: teach, cnn, vit, finish, evaluate.  Resumes where it stopped.
    python training/photos.py teach           what two ImageNet models say of seeded crops of every training photo
    python training/photos.py cnn | vit       one model; a checkpoint after every epoch in training/checkpoints/
    python training/photos.py finish          temperature, f16 packages in www/models/sightline-<cnn|vit>/
    python training/photos.py evaluate        accuracy and calibration of the shipped packages on val.tar, and the model cards

Data: ../shared/training/photos64 (32,000 photos to train on, 3,200 to measure; 64 x 64 pixels).  Nothing of it is copied here.
Recipe: both students learn from the label and from two teachers' logits (../shared/models) on the same crop.  The teachers know
1,000 classes; a linear read-out, fitted on one half of the photos and applied to the other, turns their logits into the 64.
"""
import io, json, math, os, sys, tarfile, time
import numpy as np
from PIL import Image

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
SHARED = os.path.join(ROOT, '../shared')
STATE = os.path.join(ROOT, 'training/checkpoints/photos')
SIZE, K, VIEWS, TEACHER_SIZE = 64, 64, 6, 160
TEACHERS = ['deit_tiny_patch16_224', 'mobilenetv2_100_same']
THREADS = int(os.environ.get('THREADS', os.cpu_count()))


def classes():
    return json.load(open(f'{SHARED}/training/photos64/classes.json'))


def photos(split):
    """uint8 [n, 64, 64, 3] and class indices [n], in the order of the file names."""
    kept = f'{STATE}/{split}.npz'
    if not os.path.exists(kept):
        index = {c['wnid']: c['index'] for c in classes()}
        xs, ys = [], []
        with tarfile.open(f'{SHARED}/training/photos64/{split}.tar') as tar:
            for member in sorted((m for m in tar.getmembers() if m.isfile()), key=lambda m: m.name):
                xs.append(np.asarray(Image.open(io.BytesIO(tar.extractfile(member).read())).convert('RGB')))
                ys.append(index[member.name.split('/')[0]])
        os.makedirs(STATE, exist_ok=True)
        np.savez(kept, x=np.stack(xs), y=np.array(ys))
    z = np.load(kept)
    return z['x'], z['y']


def crops(view, n):
    """Seeded crops of view `view`: affine maps [n, 2, 3] from output to input coordinates in [-1, 1].  View 0 is the whole photo; odd views mirror."""
    rng = np.random.default_rng(100 + view)
    area, ratio = rng.uniform(.35, 1, n), np.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3), n))
    w, h = np.minimum(np.sqrt(area * ratio), 1), np.minimum(np.sqrt(area / ratio), 1)
    x, y = (1 - w) * rng.uniform(-1, 1, n), (1 - h) * rng.uniform(-1, 1, n)
    if view == 0: w[:], h[:], x[:], y[:] = 1, 1, 0, 0
    zero = np.zeros(n)
    return np.stack([np.stack([w * (-1 if view % 2 else 1), zero, x], 1), np.stack([zero, h, y], 1)], 1).astype(np.float32)


def cut(x, theta, size, mode='bilinear'):
    """float [n, 3, size, size] in [0, 1] from uint8 photos [n, 64, 64, 3] by affine maps."""
    import torch, torch.nn.functional as F
    x = torch.from_numpy(x).permute(0, 3, 1, 2).float() / 255
    grid = F.affine_grid(torch.from_numpy(theta), (len(x), 3, size, size), align_corners=False)
    return F.grid_sample(x, grid, mode, 'reflection', align_corners=False).clamp_(0, 1)


def teacher(name):
    import timm
    from safetensors.torch import load_file
    from timm.models.vision_transformer import checkpoint_filter_fn
    folder = f'{SHARED}/models/{name}'
    config = json.load(open(folder + '/config.json'))
    state = load_file(folder + '/model.safetensors')
    if name.startswith('deit'):
        model = timm.create_model(config['architecture'], img_size=TEACHER_SIZE)
        state = checkpoint_filter_fn(state, model)
    else:
        model = timm.create_model(config['architecture'], **config.get('model_args') or {})
    model.load_state_dict(state, strict=not name.startswith('mobile'))
    return model.eval(), config['pretrained_cfg']


def teach():
    """training/checkpoints/photos/<split>-<view>.npy: float16 [n, 2000], the logits of both teachers."""
    import torch
    torch.set_num_threads(THREADS)
    models = [teacher(name) for name in TEACHERS]
    for split, views in (('val', 1), ('train', VIEWS)):
        x, _ = photos(split)
        for view in range(views):
            path = f'{STATE}/{split}-{view}.npy'
            if os.path.exists(path): continue
            start, theta, out = time.time(), crops(view, len(x)), []
            with torch.inference_mode(), torch.autocast('cpu', torch.bfloat16):
                for i in range(0, len(x), 100):
                    seen = cut(x[i:i + 100], theta[i:i + 100], TEACHER_SIZE, 'bicubic')
                    logits = []
                    for model, cfg in models:
                        mean, std = (torch.tensor(cfg[k]).view(3, 1, 1) for k in ('mean', 'std'))
                        logits.append(model(((seen - mean) / std).contiguous(memory_format=torch.channels_last)).float())
                    out.append(torch.cat(logits, 1).half().numpy())
            np.save(path + '.part.npy', np.concatenate(out)); os.replace(path + '.part.npy', path)
            print(f'teachers, {split}, view {view}: {time.time() - start:.0f} s', flush=True)


if __name__ == '__main__':
    task = (sys.argv[1:] or ['help'])[0]
    if task == 'teach': teach()
    else: print(__doc__)
