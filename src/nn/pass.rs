//! What a forward pass may be asked to do on its way: tap, replace, or follow another rule.
//!
//! Models call the pass at every point that has a name (timm's module names) and for every
//! operation that has a rule. Without requests a pass is the plain forward computation and costs
//! nothing.

use std::collections::BTreeMap;

use burn::tensor::{Gradients, Tensor, module};
use sightline_kernels::Act;

use crate::device;
use crate::error::{Error, Result};
use crate::nn::layers::{Conv2d, LayerNorm, Linear, Pool};

/// A tensor of any rank that a pass hands over: a stage's state, a tapped activation.
#[derive(Debug, Clone)]
pub enum Activation {
    /// `[N, C, h, w]`: feature maps; also attention, `[N, heads, T, T]`.
    Map(Tensor<4>),
    /// `[N, T, D]`: tokens.
    Tokens(Tensor<3>),
    /// `[N, K]`: logits.
    Logits(Tensor<2>),
}

impl Activation {
    /// The shape, leading axis N.
    pub fn shape(&self) -> Vec<usize> {
        match self {
            Self::Map(t) => t.dims().to_vec(),
            Self::Tokens(t) => t.dims().to_vec(),
            Self::Logits(t) => t.dims().to_vec(),
        }
    }

    /// The values alone, without what a gradient needs.
    #[must_use]
    pub fn inner(self) -> Self {
        match self {
            Self::Map(t) => Self::Map(t.inner()),
            Self::Tokens(t) => Self::Tokens(t.inner()),
            Self::Logits(t) => Self::Logits(t.inner()),
        }
    }

    /// Repeats it this many times along the leading axis.
    #[must_use]
    pub fn repeat(self, times: usize) -> Self {
        match self {
            Self::Map(t) => Self::Map(t.repeat_dim(0, times)),
            Self::Tokens(t) => Self::Tokens(t.repeat_dim(0, times)),
            Self::Logits(t) => Self::Logits(t.repeat_dim(0, times)),
        }
    }
}

/// A tensor rank that can be an [`Activation`].
pub trait Tappable: Sized {
    /// Wraps.
    fn wrap(self) -> Activation;
    /// Unwraps.
    ///
    /// # Errors
    /// [`Error::Internal`] where the activation has another rank.
    fn unwrap(activation: Activation) -> Result<Self>;
}

macro_rules! tappable {
    ($($rank:literal $variant:ident),*) => { $(
        impl Tappable for Tensor<$rank> {
            fn wrap(self) -> Activation {
                Activation::$variant(self)
            }
            fn unwrap(activation: Activation) -> Result<Self> {
                match activation {
                    Activation::$variant(t) => Ok(t),
                    other => Err(Error::Internal(format!(
                        "expected a tensor of rank {}, got shape {:?}", $rank, other.shape()
                    ))),
                }
            }
        }
    )* };
}
tappable!(2 Logits, 3 Tokens, 4 Map);

/// What a tap recorded.
#[derive(Debug, Clone)]
pub struct Tapped {
    /// The activation, outside any graph.
    pub value: Activation,
    leaf: Option<Activation>,
}

impl Tapped {
    /// Whether the backpropagated score depends on this activation at all.
    pub fn reached(&self, gradients: &Gradients) -> bool {
        match &self.leaf {
            Some(Activation::Map(t)) => t.grad(gradients).is_some(),
            Some(Activation::Tokens(t)) => t.grad(gradients).is_some(),
            Some(Activation::Logits(t)) => t.grad(gradients).is_some(),
            None => false,
        }
    }

    /// The gradient of the backpropagated score with respect to this activation, same shape; zeros
    /// where the score does not depend on it.
    ///
    /// # Errors
    /// [`Error::Internal`] where the tap was not asked for a gradient.
    pub fn gradient(&self, gradients: &Gradients) -> Result<Activation> {
        fn of<const D: usize>(leaf: &Tensor<D>, gradients: &Gradients) -> Tensor<D> {
            let gradient = leaf.grad(gradients);
            gradient.unwrap_or_else(|| leaf.clone().inner().zeros_like())
        }
        match &self.leaf {
            Some(Activation::Map(t)) => Ok(of(t, gradients).wrap()),
            Some(Activation::Tokens(t)) => Ok(of(t, gradients).wrap()),
            Some(Activation::Logits(t)) => Ok(of(t, gradients).wrap()),
            None => Err(Error::Internal("this tap keeps no gradient".into())),
        }
    }
}

/// How operations with a rule are computed. Every function defaults to the plain computation;
/// relevance methods override what they change.
pub trait Rules {
    /// Convolution, `[N, C, H, W] -> [N, O, h, w]`.
    fn conv2d(&self, layer: &Conv2d, x: Tensor<4>) -> Tensor<4> {
        layer.forward(x)
    }
    /// Linear layer on the last axis, `[N, T, D] -> [N, T, O]`.
    fn linear(&self, layer: &Linear, x: Tensor<3>) -> Tensor<3> {
        layer.forward(x)
    }
    /// Linear layer and activation function, which need not be two steps where both are plain.
    fn linear_act(&self, layer: &Linear, act: Act, x: Tensor<3>) -> Tensor<3> {
        let y = self.linear(layer, x);
        let shape = y.dims();
        self.act(act, flat(y)).reshape(shape)
    }
    /// Layer norm over the last axis.
    fn layer_norm(&self, layer: &LayerNorm, x: Tensor<3>) -> Tensor<3> {
        layer.forward(x)
    }
    /// Activation function, elementwise.
    fn act(&self, act: Act, x: Tensor<4>) -> Tensor<4> {
        device::act(x, act)
    }
    /// Convolution and activation function, which need not be two steps where both are plain.
    fn conv2d_act(&self, layer: &Conv2d, act: Act, x: Tensor<4>) -> Tensor<4> {
        self.act(act, self.conv2d(layer, x))
    }
    /// Max pooling, `[N, C, H, W] -> [N, C, h, w]`.
    fn max_pool(&self, pool: &Pool, x: Tensor<4>) -> Tensor<4> {
        pool.max(x)
    }
    /// Average pooling, `[N, C, H, W] -> [N, C, h, w]`.
    fn avg_pool(&self, pool: &Pool, x: Tensor<4>) -> Tensor<4> {
        pool.avg(x)
    }
    /// Mean over space, `[N, C, h, w] -> [N, C]`.
    fn global_avg_pool(&self, x: Tensor<4>) -> Tensor<2> {
        x.mean_dims(&[2, 3]).flatten(1, 3)
    }
    /// Means over a grid of so many rows and columns, `[N, C, H, W] -> [N, C, h, w]`.
    fn adaptive_avg_pool(&self, size: [usize; 2], x: Tensor<4>) -> Tensor<4> {
        module::adaptive_avg_pool2d(x, size)
    }
    /// The sum of tensors of one shape, at least one.
    fn sum(&self, first: Tensor<4>, rest: Vec<Tensor<4>>) -> Tensor<4> {
        rest.into_iter().fold(first, |sum, part| sum + part)
    }
    /// `y`, which a factor and a shift of each channel have made of `x`: a batch norm that no
    /// convolution precedes, a scale.
    fn affine(&self, _x: Tensor<4>, y: Tensor<4>) -> Tensor<4> {
        y
    }
}

/// The plain computation.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plain;
impl Rules for Plain {
    fn conv2d_act(&self, layer: &Conv2d, act: Act, x: Tensor<4>) -> Tensor<4> {
        layer.forward_act(act, x)
    }
    fn linear_act(&self, layer: &Linear, act: Act, x: Tensor<3>) -> Tensor<3> {
        layer.forward_act(act, x)
    }
}

/// `x` with ones for leading axes, as [`Rules::act`] wants it.
fn flat<const D: usize>(x: Tensor<D>) -> Tensor<4> {
    let mut flat = [1; 4];
    for (to, from) in flat.iter_mut().rev().zip(x.dims().iter().rev()) {
        *to = *from;
    }
    x.reshape(flat)
}

type Edit<'a> = Box<dyn Fn(Activation) -> Result<Activation> + 'a>;

/// The requests of one forward pass, and what they recorded.
pub struct Pass<'a> {
    wanted: BTreeMap<String, bool>,
    edits: BTreeMap<String, Edit<'a>>,
    tapped: BTreeMap<String, Tapped>,
    rules: &'a dyn Rules,
}

impl Default for Pass<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Pass<'a> {
    /// A pass without requests.
    pub fn new() -> Self {
        Self { wanted: BTreeMap::new(), edits: BTreeMap::new(), tapped: BTreeMap::new(), rules: &Plain }
    }

    /// Keeps the activation named `id`.
    #[must_use]
    pub fn keep(mut self, id: &str) -> Self {
        self.wanted.entry(id.to_owned()).or_insert(false);
        self
    }

    /// Keeps the activation named `id` and makes its gradient available after the backward pass.
    #[must_use]
    pub fn keep_gradient(mut self, id: &str) -> Self {
        self.wanted.insert(id.to_owned(), true);
        self
    }

    /// Puts what `edit` returns (same shape) in place of the activation named `id`.
    #[must_use]
    pub fn replace(mut self, id: &str, edit: impl Fn(Activation) -> Result<Activation> + 'a) -> Self {
        self.edits.insert(id.to_owned(), Box::new(edit));
        self
    }

    /// Computes operations by `rules`.
    #[must_use]
    pub fn with_rules(mut self, rules: &'a dyn Rules) -> Self {
        self.rules = rules;
        self
    }

    /// What was kept under `id`.
    ///
    /// # Errors
    /// [`Error::Internal`] where the stages that ran have no point of that name.
    pub fn tapped(&self, id: &str) -> Result<&Tapped> {
        self.tapped.get(id).ok_or_else(|| Error::Internal(format!("the pass met no layer {id:?}")))
    }

    /// Whether anything was requested at the point named `id`.
    pub fn wants(&self, id: &str) -> bool {
        self.wanted.contains_key(id) || self.edits.contains_key(id)
    }

    /// A named point: the identity unless something was requested there.
    ///
    /// # Errors
    /// Those of a replacement.
    pub fn tap<const D: usize>(&mut self, id: &str, x: Tensor<D>) -> Result<Tensor<D>>
    where
        Tensor<D>: Tappable,
    {
        let x = match self.edits.get(id) {
            Some(edit) => {
                let shape = x.dims();
                let edited = <Tensor<D> as Tappable>::unwrap(edit(x.wrap())?)?;
                if edited.dims() != shape {
                    return Err(Error::Internal(format!(
                        "the replacement of {id:?} has shape {:?}, expected {shape:?}",
                        edited.dims()
                    )));
                }
                edited
            }
            None => x,
        };
        let Some(&gradient) = self.wanted.get(id) else { return Ok(x) };
        let value = x.clone().inner();
        let (x, leaf) = if !gradient {
            (x, None)
        } else if x.is_tracked() {
            // `require_grad` panics on a tracked tensor; a zero leaf added to it receives the same
            // gradient.
            let leaf = value.zeros_like().autodiff().require_grad();
            (x + leaf.clone(), Some(leaf))
        } else {
            let leaf = value.clone().autodiff().require_grad();
            (leaf.clone(), Some(leaf))
        };
        self.tapped.insert(id.to_owned(), Tapped { value: value.wrap(), leaf: leaf.map(Tappable::wrap) });
        Ok(x)
    }

    /// Convolution by the pass' rules.
    pub fn conv2d(&self, layer: &Conv2d, x: Tensor<4>) -> Tensor<4> {
        self.rules.conv2d(layer, x)
    }
    /// Linear layer on `[N, T, D]` by the pass' rules.
    pub fn linear(&self, layer: &Linear, x: Tensor<3>) -> Tensor<3> {
        self.rules.linear(layer, x)
    }
    /// Layer norm by the pass' rules.
    pub fn layer_norm(&self, layer: &LayerNorm, x: Tensor<3>) -> Tensor<3> {
        self.rules.layer_norm(layer, x)
    }
    /// Activation function by the pass' rules.
    pub fn act<const D: usize>(&self, act: Act, x: Tensor<D>) -> Tensor<D> {
        let shape = x.dims();
        self.rules.act(act, flat(x)).reshape(shape)
    }
    /// Convolution and activation function by the pass' rules.
    pub fn conv2d_act(&self, layer: &Conv2d, act: Act, x: Tensor<4>) -> Tensor<4> {
        self.rules.conv2d_act(layer, act, x)
    }
    /// Linear layer on `[N, T, D]` and activation function by the pass' rules.
    pub fn linear_act(&self, layer: &Linear, act: Act, x: Tensor<3>) -> Tensor<3> {
        self.rules.linear_act(layer, act, x)
    }
    /// Max pooling by the pass' rules.
    pub fn max_pool(&self, pool: &Pool, x: Tensor<4>) -> Tensor<4> {
        self.rules.max_pool(pool, x)
    }
    /// Average pooling by the pass' rules.
    pub fn avg_pool(&self, pool: &Pool, x: Tensor<4>) -> Tensor<4> {
        self.rules.avg_pool(pool, x)
    }
    /// Mean over space by the pass' rules.
    pub fn global_avg_pool(&self, x: Tensor<4>) -> Tensor<2> {
        self.rules.global_avg_pool(x)
    }
    /// Means over a grid of another size by the pass' rules.
    pub fn adaptive_avg_pool(&self, size: [usize; 2], x: Tensor<4>) -> Tensor<4> {
        self.rules.adaptive_avg_pool(size, x)
    }
    /// The sum by the pass' rules.
    pub fn sum(&self, first: Tensor<4>, rest: Vec<Tensor<4>>) -> Tensor<4> {
        self.rules.sum(first, rest)
    }
    /// `y`, an affine function of each of `x`'s channels, by the pass' rules.
    pub fn affine(&self, x: Tensor<4>, y: Tensor<4>) -> Tensor<4> {
        self.rules.affine(x, y)
    }
}
