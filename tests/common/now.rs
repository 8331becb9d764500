use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Runs a future that never waits for anything: on the CPU every await is ready.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
}
