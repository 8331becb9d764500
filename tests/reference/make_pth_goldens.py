"""Files that torch.save wrote of small state dicts, and of what is not one.

usage: python tests/reference/make_pth_goldens.py      (from the repository root; versions: requirements.txt)

Writes tests/golden/pth/<name>.pth and, where the file is to be read, <name>.safetensors with the same tensors under the names and in the
types expected.  tiny-vit is torch.save's file of tests/golden/packages/tiny-vit without its tensors' values, which are there already:
tiny-vit.json lists where [offset in the whole file, tensor] they belong, ascending.
"""
import argparse, io, json, os, struct, warnings, zipfile
from collections import OrderedDict
import numpy as np, timm, torch
from safetensors.torch import load_file, save_file
from torch import nn

warnings.simplefilter('ignore')
torch.manual_seed(3)
HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, '../golden/pth')
os.makedirs(OUT, exist_ok=True)


def save(name, what, expected=None, **kw):
    torch.save(what, os.path.join(OUT, name + '.pth'), **kw)
    if expected is not None:
        save_file({k: v.detach().clone().contiguous() for k, v in expected.items()}, os.path.join(OUT, name + '.safetensors'))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.norm(self.conv(x)).mean((2, 3)))


net = Net()
x = torch.randn(4, 3, 5, 5)
optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
for _ in range(2):
    optimizer.zero_grad(); net(x).square().mean().backward(); optimizer.step()
state = net.state_dict()

# To be read.
save('plain', state, state)
save('protocol-4', state, state, pickle_protocol=4)
save('wrapped', {'epoch': 3, 'arch': 'net', 'best': 71.5, 'big': 1 << 70, 'done': None, 'state_dict': state, 'optimizer': optimizer.state_dict(),
                 'history': [[1, 2.5], [2, -3]], 'bytes': torch.zeros(3, dtype=torch.uint8)}, state)
save('data-parallel', {'model': nn.DataParallel(net).state_dict()}, state)
save('ema', {'state_dict': {'w': torch.zeros(3)}, 'state_dict_ema': {'w': torch.arange(3.)}}, {'w': torch.arange(3.)})
types = [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool]
types = {str(t).removeprefix('torch.'): (torch.arange(6).reshape(2, 3) * 37 % 5 - (0 if t in (torch.uint8, torch.bool) else 2)).to(t) for t in types}
save('types', types, types)
base = torch.randn(24)
views = OrderedDict(whole=base, tail=base[10:], middle=base[4:16].view(3, 4), again=base, row=base.view(4, 6)[2], one=base[7],
                    pointwise=torch.randn(4, 3, 1, 1).to(memory_format=torch.channels_last), empty=torch.empty(0, 5), scalar=torch.tensor(2.5))
save('views', views, views)
parameters = {'a': nn.Parameter(torch.randn(2, 2)), 'frozen': nn.Parameter(torch.randn(3), requires_grad=False), 'scale': nn.Parameter(torch.tensor(0.5))}
save('parameters', parameters, parameters)

# To be refused.
save('legacy', state, _use_new_zipfile_serialization=False)
torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)), os.path.join(OUT, 'script.pth'))
save('whole', net)
save('whole-inside', {'epoch': 1, 'model': nn.Linear(2, 2)})
save('namespace', {'model': state, 'args': argparse.Namespace(lr=0.1)})
save('numpy', {'state_dict': state, 'accuracy': np.float64(0.5)})
save('channels-last', {'weight': torch.randn(2, 3, 2, 2).to(memory_format=torch.channels_last)})
save('transposed', {'weight': torch.randn(2, 3).T})
save('expanded', {'weight': torch.randn(1, 3).expand(2, 3)})
save('float8', {'weight': torch.zeros(3).to(torch.float8_e4m3fn)})
save('conjugate', {'weight': torch.zeros(3, dtype=torch.complex64).conj()})
save('no-tensors', {'epoch': 3, 'weights': {'deeper': {'w': torch.zeros(2)}}})
save('list', [torch.zeros(2)])

# The package tiny-vit.
folder = os.path.join(HERE, '../golden/packages/tiny-vit')
vit = timm.create_model('local-dir:' + folder, pretrained=True)
state, buffer = vit.state_dict(), io.BytesIO()
weights = load_file(os.path.join(folder, 'model.safetensors'))
assert state.keys() == weights.keys() and all(torch.equal(weights[k], v) for k, v in state.items())
torch.save(state, buffer)
whole, cuts = buffer.getvalue(), []
for i, name in enumerate(state):
    entry = zipfile.ZipFile(buffer).getinfo(f'archive/data/{i}')
    start = entry.header_offset + 30 + sum(struct.unpack_from('<HH', whole, entry.header_offset + 26))
    assert whole[start:start + entry.file_size] == state[name].numpy().tobytes()
    cuts.append([start, name])
shell, at = b'', 0
for start, name in cuts:
    shell, at = shell + whole[at:start], start + state[name].nbytes
with open(os.path.join(OUT, 'tiny-vit.shell'), 'wb') as f:
    f.write(shell + whole[at:])
with open(os.path.join(OUT, 'tiny-vit.json'), 'w') as f:
    f.write(json.dumps(dict(torch=torch.__version__, bytes=len(whole), cuts=cuts)).replace(', [', ',\n[') + '\n')
