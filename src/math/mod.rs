//! Numerical methods on plain numbers, which know nothing of photos, networks or methods. What may
//! take long awaits `breathe` now and then, which lets messages in; an error of it ends the work.

pub mod cholesky;
pub mod grid;
pub mod lanczos;
pub mod quadrature;
pub mod random;
pub mod superpixels;

/// x^T A y of a square row-major A.
pub fn quadratic(a: &[f64], x: &[f64], y: &[f64]) -> f64 {
    a.chunks(y.len().max(1)).zip(x).map(|(line, x)| x * dot(line, y)).sum()
}

/// x^T y, in eight sums that run side by side.
pub fn dot(x: &[f64], y: &[f64]) -> f64 {
    let (x, x_rest) = x.as_chunks::<8>();
    let (y, y_rest) = y.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (x, y) in x.iter().zip(y) {
        for i in 0..8 {
            sums[i] += x[i] * y[i];
        }
    }
    sums.iter().sum::<f64>() + x_rest.iter().zip(y_rest).map(|(x, y)| x * y).sum::<f64>()
}

/// What unit tests of long work need.
#[cfg(test)]
pub(crate) mod waiting {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use crate::error::Result;

    /// Runs work that never waits for anything.
    pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        loop {
            if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return value;
            }
        }
    }

    /// A breath that lets nothing in.
    pub(crate) async fn idle() -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quadratic_form_is_that_of_the_definition() {
        assert_eq!(quadratic(&[1.0, 2.0, 3.0, 4.0], &[1.0, -1.0], &[2.0, 1.0]), -6.0);
    }
}
