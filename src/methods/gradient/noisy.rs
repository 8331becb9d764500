//! Gradients at noisy copies of the input, gathered as they come: what SmoothGrad and its relatives
//! share.

use burn::tensor::{Tensor, TensorData};
use rand::RngExt;
use rand_distr::StandardNormal;

use crate::error::Result;
use crate::math::random::stream;
use crate::methods::Context;
use crate::methods::{CHUNK_SIZE, Kind, OptionSpec, Output, SEED};

/// The options of every method that is made of them.
pub const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        id: "nSamples",
        kind: Kind::Integer { default: Some(25), min: 1, max: 1000 },
        unit: Some("noisy copies"),
        help: "number of noisy copies",
    },
    OptionSpec {
        id: "noiseLevel",
        kind: Kind::Number { default: 0.15, min: 0.0, max: 1.0 },
        unit: Some("of the input's range"),
        help: "standard deviation of the noise, as a share of the input's range (largest minus smallest value)",
    },
    SEED,
    OptionSpec {
        id: "noise",
        kind: Kind::Tensor { shape: "[nSamples, C, H, W]" },
        unit: None,
        help: "standard normal noise to use instead of drawing it",
    },
    CHUNK_SIZE,
];

/// Moments of the gradients so far, each `[1, C, H, W]`, however many there were.
pub struct Moments {
    count: usize,
    mean: Tensor<4>,
    /// Sum of the squared deviations from the mean.
    deviations: Tensor<4>,
}

impl Moments {
    /// Takes in `[N, C, H, W]`, N > 0, by the pairwise update of Chan, Golub and LeVeque 1979,
    /// which loses no digits where the variance is small beside the mean.
    fn of(gradients: Tensor<4>) -> Self {
        let [count, ..] = gradients.dims();
        let mean = gradients.clone().mean_dim(0);
        let deviations = (gradients - mean.clone()).square().sum_dim(0);
        Self { count, mean, deviations }
    }

    fn and(self, other: Self) -> Self {
        let count = self.count + other.count;
        let share = other.count as f64 / count as f64;
        let shift = other.mean - self.mean.clone();
        let between = shift.clone().square() * (self.count as f64 * share);
        Self { count, mean: self.mean + shift * share, deviations: self.deviations + other.deviations + between }
    }

    /// Mean.
    pub fn mean(&self) -> Tensor<4> {
        self.mean.clone()
    }

    /// Population variance.
    pub fn variance(&self) -> Tensor<4> {
        self.deviations.clone() / self.count as f64
    }

    /// Mean of the squares.
    pub fn mean_square(&self) -> Tensor<4> {
        self.variance() + self.mean.clone().square()
    }
}

/// `statistic` of d score / dx at `nSamples` copies x + N(0, (noiseLevel (max x - min x))^2).
/// Memory does not grow with their number.
///
/// # Errors
/// [`crate::Error::BadOption`] for noise of another shape; [`crate::Error::Aborted`] between
/// chunks; those of the model and the device.
pub async fn run(context: &Context<'_>, statistic: fn(&Moments) -> Tensor<4>) -> Result<Output> {
    let options = context.options();
    let samples = options.count("nSamples")?;
    let seed = options.count("seed")? as u64;
    let [c, h, w] = context.spec().input_size;
    let expected = [samples, c, h, w];
    let given = options.tensor("noise", |shape| shape == expected, &format!("{expected:?}"))?;
    let x = context.input();
    let (low, high) = x.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)));
    let sigma = (options.number("noiseLevel")? * f64::from(high - low)) as f32;
    let copy = |sample: usize| -> Vec<f32> {
        let start = sample * x.len();
        match given.and_then(|noise| noise.data.get(start..start + x.len())) {
            Some(noise) => x.iter().zip(noise).map(|(x, z)| x + sigma * z).collect(),
            None => {
                let mut random = stream(seed, sample as u64);
                x.iter().map(|x| x + sigma * random.sample::<f32, _>(StandardNormal)).collect()
            }
        }
    };

    let shape = context.spec().input_size;
    let mut gathered: Option<Moments> = None;
    let mut warnings = Vec::new();
    for chunk in context.chunks(samples)? {
        let done = chunk.end;
        let copies = TensorData::new(chunk.clone().flat_map(copy).collect::<Vec<f32>>(), [chunk.len(), c, h, w]);
        let fresh = Moments::of(context.input_gradient(Tensor::from_data(copies, context.device()))?);
        let moments = match gathered.take() {
            Some(before) => before.and(fresh),
            None => fresh,
        };
        context.settle(&moments.deviations).await?;
        context.progress(done, samples).await?;
        if done < samples && context.wants_estimate() {
            context.estimate(&context.read(statistic(&moments)).await?, &shape);
        }
        gathered = Some(moments);
        if done < samples && context.stopped() {
            warnings.push(context.stopped_after(done, samples));
            break;
        }
    }
    let Some(moments) = gathered else { return Err(crate::Error::Internal("there are no samples".into())) };
    let values = context.read(statistic(&moments)).await?;
    Ok(Output { warnings, ..Output::new(values, shape) })
}
