//! Disk work of async tasks, on threads that may block.

use tokio::task::spawn_blocking;

/// Runs what blocks on a thread that may block. A panic there is a panic here.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is being taken down and this task with it.
            Err(_) => std::future::pending().await,
        },
    }
}
