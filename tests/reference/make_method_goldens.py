"""Reference maps of every attribution method, from the field's libraries, on small models of every kind.

usage: python tests/reference/make_method_goldens.py [model...]      (from the repository root; versions: requirements.txt)

Writes tests/golden/methods/<model>/{golden.safetensors, cases.json}, described in tests/golden/methods/README.md.  The models are those of
tests/golden/models (weights from the hash of make_model_goldens.py) and tests/golden/packages.

Libraries that clip, scale or resize a map at the end are tapped before they do; `definition` of a case says where.  Randomness (noise, masks,
samples, segments) is drawn here and handed to the library and, by way of golden.safetensors, to Sightline.  What no library has is computed
from its paper's formula in a few plain lines here, on timm's modules; such a case's library is `definition`.

A random net is chaotic: where an activation lies within rounding of a kink, two correct float32 programs differ.  So each golden takes the first
input at which float32 and float64 agree on every map (1 - cosine < 1e-7).
"""
import contextlib, copy, itertools, json, math, os, shutil, sys
from unittest import mock
import numpy as np, torch, timm, captum, lime, scipy, scipy.ndimage, shap, sklearn, skimage
import torch.nn.functional as F
from importlib.metadata import version
from safetensors.torch import load_file, save_file
from captum._utils.models.linear_model import SkLearnRidge
from torch import nn

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from make_model_goldens import ROOT, fill
import captum.attr as ca
import pytorch_grad_cam as pgc
import saliency.core as pair
import torchcam.methods as tc
import zennit.attribution, zennit.canonizers, zennit.composites, zennit.layer, zennit.rules
from lime.lime_image import LimeImageExplainer

torch.set_num_threads(1)
CAPTUM, PGC, TORCHCAM, PAIR, ZENNIT, LIME, SHAP = (f'{name} {version(package)}' for name, package in dict(
    captum='captum', **{'pytorch-grad-cam': 'grad-cam', 'torch-cam': 'torchcam', 'PAIR saliency': 'saliency'}, zennit='zennit', lime='lime', shap='shap').items())
PLAIN = 'definition'
NEAR = 1e-7


def load(path):
    """The model of a golden folder, its input size and its weights' origin as the Rust tests read them."""
    folder = os.path.join(ROOT, path)
    config, meta = (json.load(open(f'{folder}/{name}.json')) for name in ('config', 'golden'))
    model = timm.create_model(config['architecture'], pretrained=False, pretrained_cfg=dict(config['pretrained_cfg']),
                              num_classes=config['num_classes'], **config.get('model_args', {})).eval()
    for module in model.modules():
        if getattr(module, 'inplace', False):
            module.inplace = False
        if hasattr(module, 'fused_attn'):
            module.fused_attn = False   # so that attention exists as a tensor
    if os.path.exists(f'{folder}/model.safetensors'):
        model.load_state_dict({k: v.float() for k, v in load_file(f'{folder}/model.safetensors').items()}, strict=False)
    else:
        fill(model, meta['seed'], False, meta.get('gain', 1))
    return model, config['pretrained_cfg']['input_size'], meta['layer']


def score(logits, target, output='logit'):
    """The scalar that is explained, [N], as Sightline's request says it."""
    if output == 'log_probability':
        logits = logits.log_softmax(-1)
    if isinstance(target, int):
        return logits[..., target]
    if 'contrast' in target:
        a, b = target['contrast']
        return logits[..., a] - logits[..., b]
    group = target['group']
    inside = logits[..., group].logsumexp(-1)
    rest = [k for k in range(logits.shape[-1]) if k not in group]
    return inside if output == 'log_probability' else inside - logits[..., rest].logsumexp(-1)


class Scored(nn.Module):
    """The model with that score as its only output, [N, 1]."""
    def __init__(self, model, target, output='logit'):
        super().__init__()
        self.model, self.target, self.output = model, target, output

    def forward(self, x):
        return score(self.model(x), self.target, self.output)[:, None]


class Cases:
    """The cases of one model at one input in one precision."""
    def __init__(self, model, x, default_layer):
        self.model, self.x, self.default_layer, self.dtype = model, x, default_layer, x.dtype
        with torch.no_grad():
            order = model(x)[0].argsort(descending=True).tolist()
        self.top, self.contrast, self.group = order[0], dict(contrast=order[:2]), dict(group=sorted(order[:3]))
        self.entries, self.maps, self.tensors = [], {}, {}

    def cast(self, array):
        return torch.as_tensor(np.asarray(array)).to(self.dtype)

    def keep(self, name, array):
        """Stores a tensor that goes into both programs, whole numbers as bytes; returns its name."""
        array = np.asarray(array)
        self.tensors[name] = torch.as_tensor(array.astype(np.float32 if array.dtype.kind == 'f' else np.uint8)).contiguous()
        return name

    def add(self, case, request, library, values, definition='', clip='none', inject=None, cosine=.9999, of=None):
        assert case not in self.maps, case
        values = torch.as_tensor(np.asarray(values.detach() if isinstance(values, torch.Tensor) else values))
        self.maps[case] = values
        self.entries.append(dict(case=case, request=request, **(dict(inject=inject) if inject else {}), expected=f'map.{case}', **(dict(of=of) if of else {}),
                                 library=library, definition=definition, clip=clip, cosine=cosine))

    def module(self, name):
        return self.model.get_submodule(name)

    def gradient(self, x, target=None):
        """d score / dx for a batch of inputs."""
        x = x.detach().clone().requires_grad_()
        score(self.model(x), self.top if target is None else target).sum().backward()
        return x.grad

    def scores(self, x, target=None):
        with torch.no_grad():
            return torch.cat([score(self.model(part), self.top if target is None else target) for part in x.split(64)])


def tokens_to_grid(model):
    """[N, T, D] -> [N, D, h, w] without prefix tokens; None for a net of maps."""
    if not hasattr(model, 'patch_embed'):
        return None
    h, w = model.patch_embed.grid_size
    return lambda t: t[:, model.num_prefix_tokens:].transpose(1, 2).reshape(t.shape[0], -1, h, w)


# Class activation maps

def grad_cam_library(g, cls, layers, target, **kwargs):
    """pytorch-grad-cam's maps before it clips, scales and resizes them: what its `get_cam_image` returns, one per layer."""
    with cls(g.model, [g.module(name) for name in layers], reshape_transform=tokens_to_grid(g.model), **kwargs) as cam:
        seen, inner = [], cam.get_cam_image
        cam.get_cam_image = lambda *a, **k: (seen.append(inner(*a, **k)), seen[-1])[1]
        cam(g.x.clone(), [lambda logits: score(logits, target)])
    return [torch.as_tensor(np.asarray(s[0])) for s in seen]


def torchcam_library(g, cls, layer, target, **kwargs):
    """torch-cam's map before it scales it (`normalized=False`); a ReLU is applied."""
    with cls(g.model, layer, reshape_transform=tokens_to_grid(g.model), **kwargs) as cam:
        logits = g.model(g.x.clone().requires_grad_())
        return cam(scores=logits, targets=lambda sample: score(sample, target), normalized=False)[0][0].clone()


def outputs(g, modules, target=None):
    """What modules give out; with a target, and the score, as a graph."""
    kept = []
    hooks = [(g.module(m) if isinstance(m, str) else m).register_forward_hook(lambda m, i, o: kept.append(o)) for m in modules]
    with torch.set_grad_enabled(target is not None):
        logits = g.model(g.x.clone().requires_grad_(target is not None))
    for hook in hooks:
        hook.remove()
    return kept if target is None else (kept, score(logits, target).sum())


def activation_and_gradient(g, layer, target):
    """A and d score / d A at a layer, folded to [C, h, w]."""
    (a,), s = outputs(g, [layer], target)
    d, = torch.autograd.grad(s, a)
    fold = tokens_to_grid(g.model) or (lambda t: t)
    return fold(a.detach())[0], fold(d)[0]


def signed(projection, matrix):
    """A singular vector's sign is free: the one that correlates with the mean over channels of what was decomposed."""
    mean = matrix.mean(0) - matrix.mean()
    return projection if (projection * mean).sum() >= 0 else -projection


TAPPED = "tapped at get_cam_image, before the ReLU, the min-max scale and the resize"


def cams(g, layer, target=None, tag='', only=None, masked=True):
    """Every class activation map at one layer.  `masked`: with those that run the model once per channel."""
    target = g.top if target is None else target
    where = {} if layer == g.default_layer else dict(layer=layer)
    request = lambda method, **options: dict(method=method, target=target, **where, **options)
    wanted = lambda method: only is None or method in only
    a, d = activation_and_gradient(g, layer, target)
    whole, = outputs(g, [layer])
    for method, cls in dict(grad_cam=pgc.GradCAM, grad_cam_plus_plus=pgc.GradCAMPlusPlus, hires_cam=pgc.HiResCAM, layer_cam=pgc.LayerCAM, xgrad_cam=pgc.XGradCAM,
                            eigen_cam=pgc.EigenCAM, eigen_grad_cam=pgc.EigenGradCAM, score_cam=pgc.ScoreCAM, ablation_cam=pgc.AblationCAM).items():
        if not wanted(method) or (not masked and method in ('score_cam', 'ablation_cam')):
            continue
        kwargs, definition, options = {}, TAPPED, {}
        if method == 'grad_cam_plus_plus':
            definition, options = definition + '; 1e-6 in the denominator of the weights: `epsilon` 1e-6', dict(epsilon=1e-6)
        if method == 'xgrad_cam':
            definition += '; 1e-7 in the denominator'
        if method.startswith('eigen'):
            definition += '; the sign, which the library leaves free, is ours'
        if method == 'score_cam':
            definition, options = definition + '; masks are resized corner to corner: `alignCorners`', dict(alignCorners=True)
        if method == 'ablation_cam':
            if hasattr(g.model, 'patch_embed'):
                kwargs['ablation_layer'] = pgc.ablation_layer.AblationLayerVit()
            if whole.min() != 0:
                definition += "; where a layer has negative values the library sets a channel to its minimum - 1e7, ours and the paper's to 0: `replacement` (one channel per pass: in a larger batch the minimum falls with every row)"
                options, kwargs['batch_size'] = dict(replacement=float(whole.min()) - 1e7), 1
        m, = grad_cam_library(g, cls, [layer], target, **kwargs)
        if method == 'eigen_cam':
            m = signed(m, a)
        if method == 'eigen_grad_cam':
            m = signed(m, a * d)
        g.add(f'{method}{tag}.pytorch-grad-cam', request(method, **options), PGC, m, definition)
    for method, cls in dict(grad_cam=tc.GradCAM, grad_cam_plus_plus=tc.GradCAMpp, layer_cam=tc.LayerCAM, xgrad_cam=tc.XGradCAM, score_cam=tc.ScoreCAM).items():
        if not wanted(method) or (not masked and method == 'score_cam'):
            continue
        definition, options = 'before its scaling (normalized=False), after its ReLU', {}
        if method == 'grad_cam_plus_plus':
            definition += '; a bug in the library: its division writes into a copy, so that alpha is the squared gradient itself, the limit of a large `epsilon`'
            options = dict(epsilon=1e3)
        if method == 'score_cam':
            definition += '; masks are scaled before they are resized: `scaleFirst`; the softmax of its differences is that of the scores'
            options = dict(scaleFirst=True)
        g.add(f'{method}{tag}.torch-cam', request(method, **options), TORCHCAM, torchcam_library(g, cls, layer, target), definition, clip='relu')
    if wanted('norm_grad'):
        g.add(f'norm_grad{tag}.definition', request('norm_grad'), PLAIN, a.norm(dim=0) * d.norm(dim=0), 'norm over channels of A times that of g, per location (2004.02866)')
    if wanted('eigen_cam') and only is None:
        u, s, v = np.linalg.svd(np.asarray(a.flatten(1).T), full_matrices=False)
        g.add(f'eigen_cam{tag}.not-centred', request('eigen_cam', centre=False), PLAIN, signed((u[:, 0] * s[0]).reshape(a.shape[1:]), np.asarray(a)),
              'the paper (2008.00299): A not centred before the decomposition')
    if a.dim() == 3 and wanted('grad_cam') and not hasattr(g.model, 'patch_embed'):
        m = ca.LayerGradCam(Scored(g.model, target), g.module(layer)).attribute(g.x, target=0)[0, 0]
        g.add(f'grad_cam{tag}.captum', request('grad_cam'), CAPTUM, m)


def several_layers(g, layers):
    """One pass, several layers: each map, and their combination by our rule."""
    request = dict(method='grad_cam', target=g.top, layer=layers)
    maps = grad_cam_library(g, pgc.GradCAM, layers, g.top)
    for name, m in zip(layers, maps):
        g.add(f'grad_cam.layers.{name}', request, PGC, m, TAPPED, of=name)
    finest = max((m.shape for m in maps), key=lambda s: s[0] * s[1])
    scaled = [F.interpolate((m / m.abs().max())[None, None], size=finest, mode='bilinear', align_corners=False)[0, 0] for m in maps]
    g.add('grad_cam.layers.combined', request, PGC, sum(scaled) / len(scaled),
          "its raw maps, combined by our rule (each divided by its largest magnitude, resized to the finest grid, averaged); "
          "the library clips, min-max scales and resizes each to the input before averaging")


# Gradients and paths

def gradients(g, target=None, tag='', output=None):
    target = g.top if target is None else target
    extra = dict(output=output) if output else {}
    m = Scored(g.model, target, output or 'logit')
    g.add(f'saliency{tag}.captum', dict(method='saliency', target=target, **extra), CAPTUM, ca.Saliency(m).attribute(g.x, target=0)[0])
    if tag in ('', '.contrast'):   # the rest is in the gradient
        g.add(f'input_x_gradient{tag}.captum', dict(method='input_x_gradient', target=target, **extra), CAPTUM, ca.InputXGradient(m).attribute(g.x, target=0)[0])


def as_image(t):
    """[C, H, W] -> [H, W, C], PAIR's and lime's axes."""
    return np.ascontiguousarray(np.moveaxis(np.asarray(t), 0, -1))


def as_tensor(image):
    return torch.as_tensor(np.ascontiguousarray(np.moveaxis(np.asarray(image), -1, 0)))


def pair_model(g, target=None):
    """PAIR's view of the model: batches [N, H, W, C] to gradients."""
    def call(batch, call_model_args=None, expected_keys=None):
        x = g.cast(np.moveaxis(np.asarray(batch), -1, 1))
        if pair.base.OUTPUT_LAYER_VALUES in expected_keys:
            return {pair.base.OUTPUT_LAYER_VALUES: g.scores(x, target).numpy()}
        return {pair.base.INPUT_OUTPUT_GRADIENTS: np.moveaxis(g.gradient(x, target).numpy(), 1, -1)}
    return call


def noisy(g, samples=4, level=.15, target=None, tag=''):
    target = g.top if target is None else target
    noise = np.random.RandomState(5).standard_normal((samples, *g.x.shape[1:])).astype(np.float32)
    name = g.keep('noise', noise)
    std = float(level * (g.x.max() - g.x.min()))
    request = lambda method: dict(method=method, target=target, nSamples=samples, noiseLevel=level)
    for method, kind in dict(smooth_grad='smoothgrad', smooth_grad_sq='smoothgrad_sq', var_grad='vargrad').items():
        left = list(g.cast(noise))
        draw = lambda mean, std: std.to(g.dtype) * torch.stack([left.pop(0) for _ in range(std.shape[0])])
        with mock.patch('torch.normal', draw):
            m = ca.NoiseTunnel(ca.Saliency(Scored(g.model, target))).attribute(g.x, nt_type=kind, nt_samples=samples, nt_samples_batch_size=3, stdevs=std, target=0, abs=False)
        g.add(f'{method}{tag}.captum', request(method), CAPTUM, m[0], 'NoiseTunnel over the signed gradient (Saliency with abs=False), with our noise', inject=dict(noise=name))
    for method, squares in dict(smooth_grad=False, smooth_grad_sq=True).items():
        left = [as_image(n) for n in noise]
        with mock.patch('numpy.random.normal', lambda mean, std, shape: std * left.pop(0)):
            m = pair.GradientSaliency().GetSmoothedMask(as_image(g.x[0]), pair_model(g, target), stdev_spread=level, nsamples=samples, magnitude=squares)
        g.add(f'{method}{tag}.pair', request(method), PAIR, as_tensor(m), f'magnitude={squares}, with our noise' + ('; squares are its default' if squares else ''), inject=dict(noise=name))


def flat(g, level):
    """A picture of one pixel value, as fed to the model (mean and std are .5)."""
    return torch.full_like(g.x, (level - .5) / .5)


def path_integrals(g, steps=16, rules=True, baselines=True, target=None, tag=''):
    target = g.top if target is None else target
    m, method = Scored(g.model, target), 'integrated_gradients'
    run = lambda baseline, rule='gausslegendre', n=steps: ca.IntegratedGradients(m).attribute(g.x, baseline, target=0, n_steps=n, method=rule, internal_batch_size=8)[0]
    request = lambda **options: dict(method=method, target=target, nSteps=steps, **options)
    zeros = torch.zeros_like(g.x)
    g.add(f'{method}{tag}.captum', request(), CAPTUM, run(zeros))
    if rules:
        g.add(f'{method}{tag}.captum.middle', request(quadrature='midpoint'), CAPTUM, run(zeros, 'riemann_middle'))
        g.add(f'{method}{tag}.captum.trapezoid', request(quadrature='trapezoid'), CAPTUM, run(zeros, 'riemann_trapezoid'),
              'its weights sum to (n - 1) / n, ours to 1: the maps are proportional')
        for rule in ('left', 'right'):
            g.add(f'{method}{tag}.captum.{rule}', request(quadrature=rule), CAPTUM, run(zeros, f'riemann_{rule}'))
        g.add(f'{method}{tag}.pair', request(quadrature='both_ends'), PAIR, as_tensor(pair.IntegratedGradients().GetMask(as_image(g.x[0]), pair_model(g, target), x_steps=steps, batch_size=steps)),
              'equal weights at n points from end to end')
        with torch.enable_grad():
            out, rel = zennit.attribution.IntegratedGradients(copy.deepcopy(m), n_iter=steps)(g.x, torch.ones(1, 1, dtype=g.dtype))
        g.add(f'{method}{tag}.zennit', request(quadrature='right'), ZENNIT, rel[0])
    if baselines:
        black, white = flat(g, 0), flat(g, 1)
        g.add(f'{method}{tag}.captum.black', request(baseline='black'), CAPTUM, run(black))
        g.add(f'{method}{tag}.captum.white', request(baseline='white'), CAPTUM, run(white))
        blurred = scipy.ndimage.gaussian_filter(g.x.numpy(), (0, 0, 3, 3))
        g.add(f'{method}{tag}.captum.blur', request(baseline='blur', blurSigma=3), CAPTUM, run(torch.as_tensor(blurred)), 'the baseline blurred by scipy.ndimage.gaussian_filter')
        noise = g.cast(np.random.RandomState(7).rand(2, *g.x.shape[1:]).astype(np.float32) * 2 - 1)
        names = [g.keep(f'baseline.{i}', n) for i, n in enumerate(noise)]
        g.add(f'{method}{tag}.captum.given', request(), CAPTUM, run(noise[:1]), 'uniform noise as the baseline', inject=dict(baseline=names[0]))
        g.add(f'{method}{tag}.captum.several', request(), CAPTUM, sum(run(n[None]) for n in noise) / 2, 'the mean of two runs', inject=dict(baseline=names))


def blur_ig(g, steps=20, sigma=8, sqrt=(False, True)):
    for root in sqrt:
        m = pair.BlurIG().GetMask(as_image(g.x[0]), pair_model(g), max_sigma=sigma, steps=steps, sqrt=root)
        g.add('blur_ig.pair' + '.sqrt' * root, dict(method='blur_ig', target=g.top, nSteps=steps, maxSigma=sigma, **(dict(sqrtScale=True) if root else {})), PAIR, as_tensor(m))


@contextlib.contextmanager
def quantile_as_before():
    """numpy 2.4 has dropped the name `interpolation` that PAIR 0.2.1 gives; its meaning is `method` now."""
    quantile = np.quantile
    with mock.patch('numpy.quantile', lambda a, q, interpolation: quantile(a, q, method=interpolation)):
        yield


def guided_ig(g, variants):
    for name, options in variants.items():
        with quantile_as_before():
            m = pair.GuidedIG().GetMask(as_image(g.x[0]), pair_model(g), x_steps=options['nSteps'], fraction=options['fraction'], max_dist=options['maxDist'])
        g.add(f'guided_ig.pair{name}', dict(method='guided_ig', target=g.top, **options), PAIR, as_tensor(m))


def segments(g, counts, seed=11):
    """Partitions of the picture into cells around random points, one per count: ids [len(counts), H, W]."""
    h, w = g.x.shape[2:]
    r = np.random.RandomState(seed)
    y, x = np.mgrid[:h, :w]
    out = []
    for n in counts:
        py, px = r.rand(n, 1, 1) * h, r.rand(n, 1, 1) * w
        ids = ((y - py) ** 2 + (x - px) ** 2).argmin(0)
        assert len(np.unique(ids)) == n
        out.append(ids)
    return np.stack(out)


def xrai(g, steps=20, pixels=20):
    cells = segments(g, (4, 9, 16))
    masks = np.stack([ids == i for ids in cells for i in range(ids.max() + 1)])
    name = g.keep('segments', masks)
    black, white = flat(g, 0), flat(g, 1)
    ig = lambda baseline: ca.IntegratedGradients(Scored(g.model, g.top)).attribute(g.x, baseline, target=0, n_steps=steps, method='gausslegendre', internal_batch_size=10)[0]
    base = (ig(black) + ig(white)) / 2
    for algorithm in ('full', 'fast'):
        parameters = pair.XRAIParameters(algorithm=algorithm)
        parameters.experimental_params['min_pixel_diff'] = pixels
        m = pair.XRAI().GetMask(as_image(g.x[0]), None, segments=list(masks), base_attribution=as_image(base), extra_parameters=parameters)
        g.add(f'xrai.pair.{algorithm}', dict(method='xrai', target=g.top, nSteps=steps, minPixelDiff=pixels, algorithm=algorithm), PAIR, m[None],
              "with our segments; base_attribution is captum's integrated gradients by Gauss-Legendre, the mean over black and white "
              "(the library's own rule gives both ends full weight, and its baselines are the image's extremes)", inject=dict(segments=name))


# Rules of the backward pass

def relu_rules(g, target=None, tag=''):
    target = g.top if target is None else target
    m = Scored(g.model, target)
    g.add(f'guided_backprop{tag}.captum', dict(method='guided_backprop', target=target), CAPTUM, ca.GuidedBackprop(m).attribute(g.x, target=0)[0])
    g.add(f'guided_backprop{tag}.captum.deconvolution', dict(method='guided_backprop', target=target, rule='deconvolution'), CAPTUM, ca.Deconvolution(m).attribute(g.x, target=0)[0])


def relu6_rules(g):
    """For ReLU6, which captum's hooks pass over."""
    rules = dict(guided=lambda m, inside, outside: (inside[0].relu(),), deconvolution=lambda m, inside, outside: (outside[0].relu(),))
    for rule, hook in rules.items():
        hooks = [m.register_full_backward_hook(hook) for m in g.model.modules() if isinstance(m, nn.ReLU6)]
        gradient = g.gradient(g.x)[0]
        for h in hooks:
            h.remove()
        g.add(f'guided_backprop.relu6.{rule}', dict(method='guided_backprop', target=g.top, rule=rule), PLAIN, gradient,
              'g [0 < a < 6] [g > 0]; captum hooks only nn.ReLU and returns the plain gradient here' if rule == 'guided' else 'g [g > 0] at each ReLU6')


def guided_cams(g, layer):
    where = {} if layer == g.default_layer else dict(layer=layer)
    for mode in ('nearest', 'bilinear'):
        m = ca.GuidedGradCam(Scored(g.model, g.top), g.module(layer)).attribute(g.x, target=0, interpolate_mode=mode)[0]
        g.add(f'guided_grad_cam.captum.{mode}', dict(method='guided_grad_cam', target=g.top, interpolation=mode, **where), CAPTUM, m,
              'nearest is its default' if mode == 'nearest' else '')


class WindowsApart(nn.Module):
    """The same max pooling over windows laid side by side, each input copied into every window that it is in."""
    def __init__(self, pool):
        super().__init__()
        self.kernel, self.stride, self.padding = pool.kernel_size, pool.stride, pool.padding
        self.pool = nn.MaxPool2d(self.kernel)

    def forward(self, x):
        x = F.pad(x, [self.padding] * 4, value=-1e9)
        windows = x.unfold(2, self.kernel, self.stride).unfold(3, self.kernel, self.stride)   # [N, C, h, w, kernel, kernel]
        n, c, h, w, k, _ = windows.shape
        return self.pool(windows.permute(0, 1, 2, 4, 3, 5).reshape(n, c, h * k, w * k))


def windows_apart(model):
    model = copy.deepcopy(model)
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.MaxPool2d):
            parent, _, leaf = name.rpartition('.')
            setattr(model.get_submodule(parent), leaf, WindowsApart(module))
    return model


def deep_lift(g, target=None, tag=''):
    target = g.top if target is None else target
    request = lambda name: dict(method='deep_lift', target=target, baseline=name)
    for name, baseline in dict(mean=torch.zeros_like(g.x), black=flat(g, 0)).items():
        m = ca.DeepLift(Scored(windows_apart(g.model), target)).attribute(g.x, baseline, target=0)[0]
        g.add(f'deep_lift{tag}.captum.{name}', request(name), CAPTUM, m,
              'on the same network with the windows of max pooling laid side by side, where its rule for max pooling holds')
    if not tag:
        m = ca.DeepLift(Scored(copy.deepcopy(g.model), target)).attribute(g.x, torch.zeros_like(g.x), target=0)[0]
        g.add('deep_lift.captum.as-is', request('mean'), CAPTUM, m,
              "on the network as it is: a ReLU before a max pooling takes its gradient before the pooling's rule has changed it, as both hook one tensor, and where "
              'windows overlap max_unpool2d keeps one share per input; so attributions do not add up to the difference of the scores', cosine=None)


class ResidualSum(zennit.canonizers.AttributeCanonizer):
    """timm's residual blocks with their sums as zennit's Sum, so that its Norm rule applies, as zennit does for torchvision's."""
    def __init__(self):
        super().__init__(self.attributes)

    @staticmethod
    def attributes(name, module):
        if isinstance(module, timm.models.resnet.BasicBlock):
            def forward(x):
                out = module.bn2(module.conv2(module.act1(module.bn1(module.conv1(x)))))
                shortcut = x if module.downsample is None else module.downsample(x)
                return module.act2(module.canonizer_sum(torch.stack([shortcut, out], dim=-1)))
        elif isinstance(module, timm.models._efficientnet_blocks.InvertedResidual) and module.has_skip:
            def forward(x):
                out = module.bn3(module.conv_pwl(module.bn2(module.conv_dw(module.bn1(module.conv_pw(x))))))
                return module.canonizer_sum(torch.stack([x, out], dim=-1))
        elif isinstance(module, timm.models._efficientnet_blocks.DepthwiseSeparableConv) and module.has_skip:
            def forward(x):
                return module.canonizer_sum(torch.stack([x, module.bn2(module.conv_pw(module.bn1(module.conv_dw(x))))], dim=-1))
        elif isinstance(module, timm.models.vgg.ConvMlp):
            def forward(x):
                return module.act2(module.fc2(module.act1(module.fc1(module.pool(x)))))
            return dict(forward=forward, pool=nn.AdaptiveAvgPool2d(7))   # a function in timm, which zennit's Norm rule would miss
        else:
            return None
        return dict(forward=forward, canonizer_sum=zennit.layer.Sum())

    def copy(self):
        return ResidualSum()


def batch_norms(model):
    """(convolution, batch norm) by name, in the order of the modules: timm's batch norms with an activation inside are no leaves."""
    pairs, last = [], None
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            last = name
        elif isinstance(module, nn.BatchNorm2d):
            pairs.append(([last], name))
    return pairs


def lrp(g, epsilon=1e-6, tag='', target=None):
    target = g.top if target is None else target
    model = copy.deepcopy(g.model)
    norm = zennit.rules.Norm(stabilizer=1e-6)
    composite = zennit.composites.EpsilonPlusFlat(epsilon=epsilon, layer_map=[(timm.layers.adaptive_avgmax_pool.FastAdaptiveAvgPool, norm)],
                                                  canonizers=[zennit.canonizers.NamedMergeBatchNorm(batch_norms(model)), ResidualSum()])
    with torch.enable_grad(), zennit.attribution.Gradient(model=model, composite=composite) as attributor:
        logits = g.model(g.x).detach().requires_grad_()
        slope, = torch.autograd.grad(score(logits, target).sum(), logits)
        out, relevance = attributor(g.x, (slope * logits).detach())
    assert torch.allclose(out, logits, rtol=1e-2, atol=1e-3 * logits.abs().max().item()), 'the canonised model is another one'
    options = {} if epsilon == 1e-6 else dict(epsilon=epsilon)
    g.add(f'lrp{tag}.zennit', dict(method='lrp', target=target, **options), ZENNIT, relevance[0],
          "EpsilonPlusFlat; batch norms merged, residual sums and average pools by its Norm rule; starts from the logit times the score's gradient")


# Black box

def occlusion(g, variants):
    for (window, stride) in variants:
        m = ca.Occlusion(Scored(g.model, g.top)).attribute(g.x, (3, window, window), (3, stride, stride), baselines=0, target=0, perturbations_per_eval=32)[0, :1]
        g.add(f'occlusion.captum.{window}-{stride}', dict(method='occlusion', target=g.top, window=window, stride=stride), CAPTUM, m)


def occlusion_pair(g, window):
    m = as_tensor(pair.Occlusion().GetMask(as_image(g.x[0]), pair_model(g), size=window))[:1]
    count = pair.Occlusion().GetMask(np.zeros(as_image(g.x[0]).shape), lambda x, **_: {pair.base.OUTPUT_LAYER_VALUES: [float((x == 1).sum() == 0)]}, size=window, value=1)
    g.add('occlusion.pair', dict(method='occlusion', target=g.top, window=window, stride=1), PAIR, m / as_tensor(count)[:1],
          'adds up the differences of the windows over a pixel, where ours takes the mean: divided by their number')


def rise(g, samples=12, cells=4, probability=.5):
    """Masks by the paper's recipe: a coarse Bernoulli grid, resized bilinearly, cropped at a random offset."""
    h, w = g.x.shape[2:]
    r = np.random.RandomState(13)
    ch, cw = -(-h // cells), -(-w // cells)
    masks = []
    for _ in range(samples):
        grid = torch.as_tensor((r.rand(1, 1, cells, cells) < probability).astype(np.float32))
        up = F.interpolate(grid, size=((cells + 1) * ch, (cells + 1) * cw), mode='bilinear', align_corners=False)[0, 0]
        y, x = r.randint(ch), r.randint(cw)
        masks.append(up[y:y + h, x:x + w])
    masks = torch.stack(masks)
    name, m = g.keep('masks', masks), masks.to(g.dtype)
    weights = g.scores(m[:, None] * g.x)
    for centre, tag in ((False, ''), (True, '.centred')):
        scores = weights - weights.mean() * centre
        g.add(f'rise.definition{tag}', dict(method='rise', target=g.top, nSamples=samples, cells=cells, probability=probability, centre=centre), PLAIN,
              ((scores[:, None, None] * m).sum(0) / (samples * probability))[None],
              'sum of score times mask / (N p) (1806.07421), with our masks' + '; the mean score subtracted first' * centre, inject=dict(masks=name))


def superpixels(g, count, samples, lime_seed=3):
    ids = segments(g, (count,), seed=17)[0]
    h, w = ids.shape
    name = g.keep('segmentation', ids)
    paint = lambda weights: torch.as_tensor(np.asarray(weights, dtype=np.float64)[ids])[None]
    image, target = as_image(g.x[0]), g.top
    forward = lambda images: g.scores(g.cast(np.moveaxis(images, -1, 1)))[:, None].numpy()

    explainer = LimeImageExplainer(kernel_width=.25, random_state=lime_seed, verbose=False)
    seen, inner = [], explainer.data_labels
    explainer.data_labels = lambda *a, **k: (seen.append(inner(*a, **k)), seen[-1])[1]
    with mock.patch('lime.lime_image.tqdm', lambda rows: rows):
        told = explainer.explain_instance(image, forward, labels=(0,), hide_color=0, top_labels=None, num_samples=samples, segmentation_fn=lambda _: ids)
    weights = np.zeros(count)
    for segment, weight in told.local_exp[0]:
        weights[segment] = weight
    rows = seen[0][0]
    drawn = g.keep('samples', rows)
    inject = dict(segmentation=name, samples=drawn)
    g.add('lime.lime', dict(method='lime', target=target, nSamples=samples, kernelWidth=.25 * 2 ** .5), LIME, paint(weights),
          'kernel sqrt(exp(-d^2 / w^2)), w = .25: ours, exp(-d^2 / w^2), at w = .25 sqrt(2); with our samples and segments', inject=inject)

    feature_mask = torch.as_tensor(ids)[None, None].expand(1, 3, h, w)
    similar = lambda original, perturbed, row, **_: torch.exp(-(1 - F.cosine_similarity(row.to(g.dtype), torch.ones_like(row, dtype=g.dtype))) ** 2 / .25 ** 2)

    def draw(original, **_):
        yield from (torch.as_tensor(row)[None] for row in rows)
    m = ca.Lime(Scored(g.model, target), interpretable_model=SkLearnRidge(alpha=1), similarity_func=similar, perturb_func=draw)
    m = m.attribute(g.x, target=0, feature_mask=feature_mask, n_samples=samples, perturbations_per_eval=1, return_input_shape=False)
    g.add('lime.captum', dict(method='lime', target=target, nSamples=samples), CAPTUM, paint(m[0]),
          "Lime with scikit-learn's ridge, and our kernel on rows of the sample (its default compares images)", inject=inject)

    # All coalitions: the solution is the Shapley values, whatever the sampling.
    few = segments(g, (7,), seed=19)[0]
    few_name = g.keep('segmentation.few', few)
    every = np.array([row for row in itertools.product((0, 1), repeat=7) if 0 < sum(row) < 7])
    inject = dict(segmentation=few_name, samples=g.keep('samples.every', every))
    of_rows = lambda rows: g.scores(g.x * g.cast(np.asarray(rows)[:, few])[:, None]).numpy()
    values = shap.KernelExplainer(of_rows, np.zeros((1, 7))).shap_values(np.ones((1, 7)), nsamples=len(every) + 2, l1_reg=False, silent=True)
    request = dict(method='kernel_shap', target=target, nSamples=len(every))
    paint = lambda weights: torch.as_tensor(np.asarray(weights, dtype=np.float64).reshape(-1)[few])[None]
    g.add('kernel_shap.shap', request, SHAP, paint(values), 'KernelExplainer over all coalitions', inject=inject)
    exact = np.zeros(7)
    score_of = {tuple(row): v for row, v in zip(itertools.product((0, 1), repeat=7), of_rows(list(itertools.product((0, 1), repeat=7))))}
    for row, v in score_of.items():
        for i in range(7):
            k = sum(row) - row[i]
            exact[i] += (1 if row[i] else -1) * v * math.factorial(k) * math.factorial(6 - k) / math.factorial(7)
    g.add('kernel_shap.shapley', request, PLAIN, paint(exact), "the Shapley values themselves", inject=inject)

    # A sample of coalitions: the weighted least squares with both constraints eliminated.
    r = np.random.RandomState(23)
    some = every[np.sort(r.permutation(len(every))[:40])]
    weight = np.array([6 / (math.comb(7, s) * s * (7 - s)) for s in some.sum(1)])
    f = of_rows(np.concatenate([some, np.zeros((1, 7), int), np.ones((1, 7), int)])).astype(np.float64)
    y, empty, full = f[:-2], f[-2], f[-1]
    a = some[:, :-1] - some[:, -1:].astype(float)
    b = y - empty - some[:, -1] * (full - empty)
    root = np.sqrt(weight)
    phi, *_ = np.linalg.lstsq(a * root[:, None], b * root, rcond=None)
    phi = np.append(phi, full - empty - phi.sum())
    g.add('kernel_shap.definition', dict(method='kernel_shap', target=target, nSamples=len(some)), PLAIN, paint(phi),
          'least squares with the weights (M-1) / (C(M,k) k (M-k)), both constraints eliminated (1705.07874)',
          inject=dict(segmentation=few_name, samples=g.keep('samples.some', some)))


# Transformers

def attention(g, target):
    """Per block softmax attention [heads, T, T] and d score / d attention."""
    kept, s = outputs(g, [b.attn.attn_drop for b in g.model.blocks], target)
    return [a.detach()[0] for a in kept], [d[0] for d in torch.autograd.grad(s, kept)]


def transformer(g):
    model, prefix = g.model, g.model.num_prefix_tokens
    h, w = model.patch_embed.grid_size
    a, _ = attention(g, g.top)
    one = torch.eye(a[0].shape[-1], dtype=g.dtype)
    of_class = model.global_pool == 'token'
    seen_from = (lambda r: r[0]) if of_class else (lambda r: r[prefix:].mean(0))
    patches = lambda r: seen_from(r)[prefix:].reshape(h, w)
    from_class = "class token's row" if of_class else "mean over the patches' rows"

    def rollout(fuse, discard=0):
        r = one
        for block in a:
            fused = fuse(block).flatten()
            fused[fused.argsort()[:int(discard * len(fused))]] = 0
            mixed = fused.reshape(one.shape) + one
            r = (mixed / mixed.sum(-1, keepdim=True)) @ r
        return patches(r)
    fusions = dict(mean=lambda b: b.mean(0), max=lambda b: b.amax(0), min=lambda b: b.amin(0))
    for name, fuse in fusions.items():
        g.add(f'attention_rollout.{name}', dict(method='attention_rollout', target=g.top, headFusion=name), PLAIN, rollout(fuse),
              f'product over blocks of row-normalised (A + 1), {name} over heads, {from_class} (2005.00928)')

    g.add('attention_rollout.discard', dict(method='attention_rollout', target=g.top, discard=.6), PLAIN, rollout(fusions['mean'], .6),
          f'the same, mean over heads, the smallest 60 % of each block set to 0 first, {from_class}')

    def chefer(target):
        r = one
        for block, d in zip(*attention(g, target)):
            r = r + (d * block).relu().mean(0) @ r
        return patches(r if of_class else r - one)
    for tag, target in {'': g.top, '.contrast': g.contrast, '.group': g.group}.items():
        g.add(f'chefer{tag}.definition', dict(method='chefer', target=target), PLAIN, chefer(target),
              f'R += mean over heads of ReLU(dA * A) R, R0 = 1, {from_class}{"" if of_class else " of R - 1"} (2103.15679)')

    if of_class:
        g.add('raw_attention.last', dict(method='raw_attention', target=g.top), PLAIN, a[-1].mean(0)[0, prefix:].reshape(h, w), 'mean over heads of the last block, from the class token')
        g.add('raw_attention.head', dict(method='raw_attention', target=g.top, block=0, head=1), PLAIN, a[0][1][0, prefix:].reshape(h, w), 'head 1 of block 0, from the class token')
    g.add('raw_attention.patch', dict(method='raw_attention', target=g.top, block=len(a) - 1, query=5), PLAIN, a[-1].mean(0)[prefix + 5, prefix:].reshape(h, w),
          'mean over heads of the last block, from patch 5')

    keys = [k[0] for k in outputs(g, [block.attn.k_norm for block in model.blocks])]

    def token_cut(keys, tau):
        f = F.normalize(keys.transpose(0, 1).reshape(-1, keys.shape[0] * keys.shape[2])[prefix:], dim=-1)
        similar = np.where(np.asarray(f @ f.T) > tau, 1., 1e-5)
        degree = np.diag(similar.sum(1))
        _, v = scipy.linalg.eigh(degree - similar, degree, subset_by_index=[1, 1])
        v = v[:, 0]
        return (v if v[np.abs(v).argmax()] > 0 else -v).reshape(h, w)
    for name, options in dict(last={}, wide=dict(tau=.4), first=dict(block=0, tau=.3)).items():
        g.add(f'token_cut.{name}', dict(method='token_cut', target=g.top, **options), PLAIN, token_cut(keys[options.get('block', -1)], options.get('tau', .2)),
              "second generalised eigenvector by scipy.linalg.eigh on the keys' graph (2202.11539), its largest magnitude positive")


# Models

def resnet(g):
    several_layers(g, ['layer2', 'layer3', 'layer4'])
    cams(g, 'layer2')
    cams(g, 'layer4', tag='.last', only=['grad_cam', 'hires_cam', 'layer_cam'])
    for tag, target in {'.contrast': g.contrast, '.group': g.group}.items():
        cams(g, 'layer2', target=target, tag=tag, only=['grad_cam', 'grad_cam_plus_plus', 'layer_cam', 'ablation_cam'])
        gradients(g, target=target, tag=tag)
    path_integrals(g, rules=False, baselines=False, target=g.contrast, tag='.contrast')
    relu_rules(g, target=g.group, tag='.group')
    deep_lift(g, target=g.contrast, tag='.contrast')
    lrp(g, target=g.contrast, tag='.contrast')
    gradients(g)
    gradients(g, tag='.log-probability', output='log_probability')
    gradients(g, target=g.group, tag='.group.log-probability', output='log_probability')
    path_integrals(g)
    noisy(g)
    relu_rules(g)
    guided_cams(g, 'layer2')
    deep_lift(g)
    lrp(g)
    lrp(g, epsilon=.01, tag='.epsilon')
    blur_ig(g)
    guided_ig(g, {'': dict(nSteps=20, fraction=.25, maxDist=.02), '.far': dict(nSteps=20, fraction=.1, maxDist=.2)})
    xrai(g)
    occlusion(g, [(8, 4), (7, 5)])
    occlusion_pair(g, 15)
    rise(g)
    superpixels(g, 12, 80)


def vgg(g):
    cams(g, 'features.27', masked=False)
    cams(g, 'features.21', tag='.inner', only=['grad_cam', 'hires_cam', 'layer_cam', 'norm_grad'])
    gradients(g)
    relu_rules(g)
    guided_cams(g, 'features.27')
    deep_lift(g)
    lrp(g)


def mobilenet(g):
    cams(g, 'bn2', masked=False)
    cams(g, 'bn2', tag='.masked', only=['ablation_cam'])
    cams(g, 'blocks.4', tag='.inner', only=['grad_cam', 'hires_cam', 'xgrad_cam', 'norm_grad', 'score_cam', 'ablation_cam'])
    gradients(g)
    path_integrals(g, steps=12, rules=False, baselines=False)
    relu6_rules(g)
    lrp(g)


def vit(g):
    last = g.default_layer
    cams(g, last)
    cams(g, 'blocks.0', tag='.first', only=['grad_cam', 'hires_cam', 'norm_grad'])
    for tag, target in {'.contrast': g.contrast, '.group': g.group}.items():
        cams(g, last, target=target, tag=tag, only=['grad_cam', 'score_cam'])
        gradients(g, target=target, tag=tag)
        path_integrals(g, rules=False, baselines=False, target=target, tag=tag)
    gradients(g)
    path_integrals(g)
    noisy(g)
    blur_ig(g)
    guided_ig(g, {'': dict(nSteps=40, fraction=.25, maxDist=.02), '.far': dict(nSteps=30, fraction=.1, maxDist=.2), '.free': dict(nSteps=30, fraction=.25, maxDist=1)})
    xrai(g)
    occlusion(g, [(8, 4), (7, 5)])
    rise(g)
    superpixels(g, 9, 60)
    transformer(g)


def registers(g):
    cams(g, g.default_layer, masked=False)
    gradients(g)
    path_integrals(g, rules=False, baselines=False)
    transformer(g)


def attention_alone(g):
    cams(g, g.default_layer, only=['grad_cam', 'hires_cam'])
    transformer(g)


MODELS = {
    'models/resnet_basic': resnet,
    'models/vgg11_bn': vgg,
    'packages/tiny-cnn': mobilenet,
    'packages/tiny-vit': vit,
    'models/vit_reg': registers,
    'models/deit_distilled': attention_alone,
    'models/vit_avg_norm': attention_alone,
    'models/vit_avg_fc_norm': attention_alone,
}


def agreement(a, b):
    """1 - cosine, or 1 - correlation where that is more, as tests/native/methods/conformance.rs compares."""
    a, b = a.double().flatten(), b.double().flatten()
    return max(1 - torch.cosine_similarity(a, b, 0).item(), 1 - torch.cosine_similarity(a - a.mean(), b - b.mean(), 0).item())


def main():
    for path, cases in MODELS.items():
        name = path.split('/')[1]
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        model, size, layer = load(path)
        for seed in range(1, 200):
            x = torch.randn(1, *size, generator=torch.Generator().manual_seed(seed))
            g, exact = Cases(model, x, layer), Cases(copy.deepcopy(model).double(), x.double(), layer)
            cases(g)
            cases(exact)
            asserted = [e['case'] for e in g.entries if e['cosine'] is not None]
            bad = {c: agreement(g.maps[c], exact.maps[c]) for c in asserted if not agreement(g.maps[c], exact.maps[c]) < NEAR}
            flat = [c for c in asserted if not g.maps[c].isfinite().all() or g.maps[c].double().std() < 1e-3 * g.maps[c].abs().max() or g.maps[c].abs().max() == 0]
            if not bad and not flat:
                break
            print(f'{name}: input {seed} will not do:', {k: f'{v:.1e}' for k, v in bad.items()}, 'flat', flat, flush=True)
        else:
            raise SystemExit(f'{name}: no sound input')
        out = os.path.join(ROOT, 'methods', name)
        shutil.rmtree(out, ignore_errors=True)
        os.makedirs(out)
        tensors = {'input': x, **g.tensors, **{f'map.{k}': v.float().contiguous().clone() for k, v in g.maps.items()}}
        save_file(tensors, f'{out}/golden.safetensors')
        with open(f'{out}/cases.json', 'w') as file:
            json.dump(dict(model=path, input_seed=seed, cases=g.entries), file, indent=1)
        worst = max(agreement(g.maps[c], exact.maps[c]) for c in asserted)
        print(f'{name}: {len(g.entries)} cases, input {seed}, float64 within {worst:.1e}, {os.path.getsize(f"{out}/golden.safetensors") // 1024} KiB', flush=True)


if __name__ == '__main__':
    main()
