"""Draws scenes (one shape on a textured background, with its exact mask) and trains two small models on them.

usage, from the repository root, with tests/reference/requirements.txt installed:
    python training/scenes.py train cnn       about half an hour on one core; resumes from training/checkpoints/
    python training/scenes.py train vit       the same for the ViT
    python training/scenes.py evaluate        accuracy and Grad-CAM mass of the shipped f16 packages on held-out scenes
    python training/scenes.py samples         writes tests/golden/scenes/

Everything is seeded; training, held-out and sample scenes come from different seeds.  Packages are written in timm's layout to
www/models/scene-<cnn|vit>/.  Images reach the models as on the page: drawn at 128 pixels, resized with Pillow's bilinear filter.

A loss on the exact masks teaches both models where to look (`losses`).  Their Grad-CAM mass inside the mask therefore shows that this training
worked; it does not measure Grad-CAM, and says nothing about models that were trained on labels alone.
"""
import json, math, os, sys, time
import numpy as np
from PIL import Image, ImageDraw

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
CLASSES = ['circle', 'square', 'triangle', 'star', 'cross', 'ring', 'crescent', 'hexagon']
DRAWN, SIZE = 128, 64
ARCHITECTURES = {
    'cnn': ('mobilenetv2_035', 'avg', dict(output_stride=8)),
    'vit': ('vit_tiny_patch16_224', 'token', dict(img_size=64, patch_size=8, embed_dim=128, depth=4, num_heads=4)),
}


def polygon(kind, r, angle):
    def ring(n, radii):
        return [(radii[i % len(radii)] * math.cos(angle + 2 * math.pi * i / n), radii[i % len(radii)] * math.sin(angle + 2 * math.pi * i / n)) for i in range(n)]
    if kind == 'square': return ring(4, [r])
    if kind == 'triangle': return ring(3, [r * 1.1])
    if kind == 'star': return ring(10, [r * 1.15, r * .48])
    if kind == 'hexagon': return ring(6, [r])
    a, b = r, r * .34
    pts = [(a, b), (b, b), (b, a), (-b, a), (-b, b), (-a, b), (-a, -b), (-b, -b), (-b, -a), (b, -a), (b, -b), (a, -b)]
    return [(x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)) for x, y in pts]


def shape_mask(kind, n, cx, cy, r, angle):
    """Coverage in [0, 1], drawn at four times the size and averaged."""
    k = 4
    image = Image.new('L', (n * k, n * k))
    draw = ImageDraw.Draw(image)
    disc = lambda x, y, q, fill: draw.ellipse([(x - q) * k, (y - q) * k, (x + q) * k, (y + q) * k], fill=fill)
    if kind in ('circle', 'ring', 'crescent'):
        disc(cx, cy, r, 255)
        if kind == 'ring': disc(cx, cy, r * .58, 0)
        if kind == 'crescent': disc(cx + r * .5 * math.cos(angle), cy + r * .5 * math.sin(angle), r * .8, 0)
    else:
        draw.polygon([((cx + x) * k, (cy + y) * k) for x, y in polygon(kind, r, angle)], fill=255)
    return np.asarray(image.resize((n, n), Image.BOX), np.float32) / 255


def ground(rng, n):
    """A texture [n, n, 3] in [0, 1] around one colour."""
    y, x = np.mgrid[0:n, 0:n] / n
    angle, f = rng.uniform(0, math.pi), rng.uniform(3, 12)
    t = x * math.cos(angle) + y * math.sin(angle)
    kind = rng.integers(4)
    if kind == 0: v = np.sin(2 * math.pi * f * t + rng.uniform(0, 6))
    elif kind == 1: v = np.sign(np.sin(2 * math.pi * f * x + rng.uniform(0, 6)) * np.sin(2 * math.pi * f * y + rng.uniform(0, 6)))
    elif kind == 2: v = 2 * (t - t.min()) / (t.max() - t.min()) - 1
    else:
        coarse = Image.fromarray((rng.uniform(0, 255, (int(f) + 2,) * 2)).astype(np.uint8))
        v = np.asarray(coarse.resize((n, n), Image.BICUBIC), np.float64) / 127.5 - 1
    base, tint = rng.uniform(.06, .42, 3), rng.uniform(-.1, .1, 3)
    return base + v[..., None] * tint + rng.normal(0, rng.uniform(0, .05), (n, n, 3))


def scene(rng, kind, n=DRAWN):
    """An RGB image and its mask, both uint8.  The position is uniform and the shape lies wholly inside; short lines and dots distract."""
    picture = ground(rng, n)
    clutter = Image.new('L', (n, n))
    draw = ImageDraw.Draw(clutter)
    for _ in range(rng.integers(0, 6)):
        x, y, a, l = *rng.uniform(0, n, 2), rng.uniform(0, 6.3), rng.uniform(.04, .14) * n
        if rng.random() < .5: draw.line([x, y, x + l * math.cos(a), y + l * math.sin(a)], 255, max(1, n // 96))
        else: draw.ellipse([x, y, x + l * .25, y + l * .25], 255)
    c = np.asarray(clutter, np.float64)[..., None] / 255
    picture = picture * (1 - c) + rng.uniform(0, .7, 3) * c
    r = rng.uniform(.17, .27) * n
    cx, cy = rng.uniform(r * 1.15, n - r * 1.15, 2)
    mask = shape_mask(kind, n, cx, cy, r, rng.uniform(0, 2 * math.pi))
    # The shape is lighter than any background.
    colour = rng.uniform(.55, 1, 3)
    fill = colour + rng.normal(0, .03, (n, n, 3))
    m = mask[..., None]
    return (np.clip(picture * (1 - m) + fill * m, 0, 1) * 255).round().astype(np.uint8), (mask * 255).round().astype(np.uint8)


def scenes(seed, count):
    """Inputs [count, 3, SIZE, SIZE] uint8, classes, masks [count, SIZE, SIZE]."""
    rng = np.random.default_rng(seed)
    xs, ms = np.empty((count, SIZE, SIZE, 3), np.uint8), np.empty((count, SIZE, SIZE), np.uint8)
    ys = np.arange(count) % len(CLASSES)
    for i in range(count):
        p, m = scene(rng, CLASSES[ys[i]])
        xs[i] = Image.fromarray(p).resize((SIZE, SIZE), Image.BILINEAR)
        ms[i] = Image.fromarray(m).resize((SIZE, SIZE), Image.BILINEAR)
    return np.ascontiguousarray(xs.transpose(0, 3, 1, 2)), ys, ms


def config(kind):
    architecture, pool, args = ARCHITECTURES[kind]
    return dict(architecture=architecture, num_classes=len(CLASSES), global_pool=pool, model_args=dict(args, global_pool=pool), label_names=CLASSES, pretrained_cfg=dict(
        num_classes=len(CLASSES), input_size=[3, SIZE, SIZE], fixed_input_size=kind == 'vit', crop_pct=1.0, interpolation='bilinear', mean=[.5] * 3, std=[.5] * 3))


def create(kind):
    import timm
    architecture, pool, args = ARCHITECTURES[kind]
    return timm.create_model(architecture, num_classes=len(CLASSES), global_pool=pool, **args)


def folder(kind):
    return os.path.join(ROOT, 'www/models/scene-' + kind)


def tensor(x):
    import torch
    return torch.from_numpy(x).float() / 127.5 - 1


def forward(kind, model, x, fresh):
    """(logits, logits of the classifier applied to every cell of the last grid).  With `fresh`, a transformer's class token enters the last block as if
    it had read nothing before, so that all it knows comes from the patches in that block, which is where Grad-CAM looks."""
    if kind == 'cnn':
        maps = model.forward_features(x)
        return model.forward_head(maps), model.classifier(maps.permute(0, 2, 3, 1)).flatten(1, 2)
    import torch
    tokens = model._pos_embed(model.patch_embed(x))
    first = tokens[:, :1]
    for block in model.blocks[:-1]: tokens = block(tokens)
    if fresh: tokens = torch.cat([first, tokens[:, 1:]], 1)
    tokens = model.norm(model.blocks[-1](tokens))
    return model.head(tokens[:, 0]), model.head(tokens[:, 1:])


def losses(kind, model, x, y, masks, fresh):
    """Cross-entropy of the prediction, plus a loss on the masks: cells on the shape have to name it, cells off it to favour no class.  The masks speed
    training up and teach the model where to look: they keep the evidence where the shape is."""
    import torch.nn.functional as F
    logits, cells = forward(kind, model, x, fresh)
    side = int(cells.shape[1] ** .5)
    share = F.adaptive_avg_pool2d(masks[:, None], side).flatten(1)
    log = F.log_softmax(cells, -1)
    named, uniform = -log[range(len(y)), :, y], -log.mean(-1)
    on, off = (share > .4).float(), (share < .05).float()
    smoothing, a, b = (.05, .5, .25) if kind == 'cnn' else (0., .3, .15)
    return F.cross_entropy(logits, y, label_smoothing=smoothing) + a * (named * on).sum() / on.sum().clamp(min=1) + b * (uniform * off).sum() / off.sum().clamp(min=1)


def train(kind, epochs, count, rate, batch=32):
    import torch
    from safetensors.torch import save_file
    torch.set_num_threads(1); torch.manual_seed(1)  # one thread: the order of the sums, and so the result, is the same everywhere
    log = open(os.path.join(ROOT, f'training/log/scene-{kind}.txt'), 'a')
    def say(*a):
        print(*a, flush=True); print(*a, file=log, flush=True)
    x, y, masks = scenes(10, count); vx, vy, _ = scenes(20, 800)
    model = create(kind).to(memory_format=torch.channels_last)
    decay = .05 if kind == 'vit' else .02
    opt = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=decay)
    steps = count // batch * epochs
    sched = torch.optim.lr_scheduler.OneCycleLR(opt, rate, total_steps=steps, pct_start=.1)
    checkpoint, first = os.path.join(ROOT, f'training/checkpoints/{kind}.pt'), 0
    os.makedirs(os.path.dirname(checkpoint), exist_ok=True)
    if os.path.exists(checkpoint):
        s = torch.load(checkpoint); model.load_state_dict(s['model']); opt.load_state_dict(s['opt']); sched.load_state_dict(s['sched']); first = s['epoch']
    say(f'scene-{kind}: {sum(p.numel() for p in model.parameters())} parameters, {count} scenes, {epochs} epochs, seed 1, torch {torch.__version__}')
    for epoch in range(first, epochs):
        start, rng, total = time.time(), np.random.default_rng(1000 + epoch), 0.
        model.train()
        order = rng.permutation(count)
        for i in range(0, count - batch + 1, batch):
            pick = order[i:i + batch]
            # Every class stays the same in any orientation, so quarter turns, mirrors and shifts of contrast are free.
            turns, mirror = rng.integers(4), rng.choice([-1, 1])
            turned = lambda a: np.rot90(a[pick], turns, (-2, -1))[..., ::mirror].copy()
            xb = tensor(turned(x))
            xb = xb * float(rng.uniform(.8, 1.2)) + float(rng.uniform(-.15, .15))
            loss = losses(kind, model, xb, torch.from_numpy(y[pick]), torch.from_numpy(turned(masks)).float() / 255, i // batch % 2)
            opt.zero_grad(); loss.backward(); torch.nn.utils.clip_grad_norm_(model.parameters(), 1.); opt.step(); sched.step(); total += loss.item()
        model.eval()
        with torch.no_grad(): right = np.mean([(model(tensor(vx[i:i + 200])).argmax(1).numpy() == vy[i:i + 200]).mean() for i in range(0, 800, 200)])
        torch.save(dict(model=model.state_dict(), opt=opt.state_dict(), sched=sched.state_dict(), epoch=epoch + 1), checkpoint + '.part'); os.replace(checkpoint + '.part', checkpoint)
        say(f'epoch {epoch + 1}: loss {total / (count // batch):.4f}, held-out accuracy {right:.4f}, {time.time() - start:.0f} s')
        os.makedirs(folder(kind), exist_ok=True)
        # num_batches_tracked counts training steps and is never read.
        save_file({k: v.half().contiguous() for k, v in model.state_dict().items() if not k.endswith('num_batches_tracked')}, folder(kind) + '/model.safetensors')
        json.dump(config(kind), open(folder(kind) + '/config.json', 'w'), indent=1)


def load(kind):
    from safetensors.torch import load_file
    model = create(kind)
    state = {k: v.float() for k, v in load_file(folder(kind) + '/model.safetensors').items()}
    missing, extra = model.load_state_dict(state, strict=False)
    assert not extra and all('num_batches' in k for k in missing)
    return model.eval()


def grad_cam(kind, model, x):
    import torch
    layer = model.bn2 if kind == 'cnn' else model.blocks[-1].norm1
    keep = {}
    hook = layer.register_forward_hook(lambda m, i, o: (o.retain_grad(), keep.__setitem__('a', o)) and None)
    logits = model(x); logits.max(1).values.sum().backward(); hook.remove()
    a, g = keep['a'], keep['a'].grad
    if a.dim() == 3:
        a, g = a[:, 1:], g[:, 1:]
        side = int(a.shape[1] ** .5)
        a, g = (v.transpose(1, 2).reshape(len(x), -1, side, side) for v in (a, g))
    return logits.detach(), (g.mean((2, 3), keepdim=True) * a).sum(1).detach()


def evaluate(kind):
    """Accuracy on 3200 held-out scenes, and the share of the positive Grad-CAM inside the mask over the first 800."""
    import torch
    model = load(kind)
    x, y, masks = scenes(30, 3200)
    with torch.no_grad(): right = np.concatenate([model(tensor(x[i:i + 200])).argmax(1).numpy() == y[i:i + 200] for i in range(0, 3200, 200)])
    _, maps = grad_cam(kind, model, tensor(x[:800]))
    up = torch.nn.functional.interpolate(maps.clamp(min=0)[:, None], (SIZE, SIZE), mode='bilinear')[:, 0].numpy()
    inside = masks[:800] / 255.
    mass = (up * inside).sum((1, 2)) / np.maximum(up.sum((1, 2)), 1e-12)
    pointing = np.mean([inside[i].reshape(-1)[up[i].argmax()] > .5 for i in range(800)])
    line = f'scene-{kind}, f16 package: held-out accuracy {right.mean():.4f}, Grad-CAM mass inside the mask {mass.mean():.3f}, mask share {inside.mean():.3f}, ratio {mass.mean() / inside.mean():.2f}, pointing game {pointing:.3f}'
    print(line)
    print(line, file=open(os.path.join(ROOT, f'training/log/scene-{kind}.txt'), 'a'))
    json.dump(dict(top1=round(float(right.mean()), 4)), open(os.path.join(ROOT, f'www/models/scene-{kind}/figures.json'), 'w'))


def samples():
    """Writes held-out scenes with masks for the tests."""
    out = os.path.join(ROOT, 'tests/golden/scenes'); os.makedirs(out, exist_ok=True)
    rng, entries = np.random.default_rng(40), []
    for i in range(16):
        kind = CLASSES[i % 8]
        p, m = scene(rng, kind)
        Image.fromarray(p).save(f'{out}/{i:02}.png'); Image.fromarray(m).save(f'{out}/{i:02}-mask.png')
        entries.append(dict(file=f'{i:02}.png', mask=f'{i:02}-mask.png', **{'class': i % 8}, label=kind))
    json.dump(entries, open(out + '/scenes.json', 'w'), indent=1)


if __name__ == '__main__':
    task, *rest = sys.argv[1:] or ['help']
    if task == 'train': train(rest[0], **dict(cnn=dict(epochs=10, count=8000, rate=2e-3), vit=dict(epochs=16, count=8000, rate=1e-3))[rest[0]])
    elif task == 'evaluate':
        for kind in rest or ARCHITECTURES: evaluate(kind)
    elif task == 'samples': samples()
    else: print(__doc__)
