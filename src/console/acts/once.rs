//! Runs each form once, however often it is sent.
//!
//! A person clicks twice, or a browser repeats a request. Most acts would do nothing the second
//! time, but a replay would deliver an event again. So each page has a number, and the second
//! request with that number waits for the first and gets its answer. A form that failed may be sent
//! again. Restarting the console forgets the numbers.

use super::run::Failure;
use crate::store::Credential;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// How long a number is known.
const KNOWN: Duration = Duration::from_secs(15 * 60);
/// How many numbers are known.
const MOST: usize = 1_000;
/// The longest number.
const LONGEST: usize = 64;

/// Who sent it, and the number that its page had.
pub(super) type FormKey = (Credential, String);

type Answered = Arc<tokio::sync::Mutex<Option<String>>>;

/// The forms that were sent in the last minutes.
#[derive(Default)]
pub(in crate::console) struct Once(Mutex<HashMap<FormKey, (Instant, Answered)>>);

impl Once {
    /// Runs an act, or returns the answer of the same form. The act goes on if the client has gone.
    pub(super) async fn run(
        &self,
        key: Option<FormKey>,
        act: impl Future<Output = Result<String, Failure>> + Send + 'static,
    ) -> Result<String, Failure> {
        let answered = key
            .filter(|(_, form)| form.len() <= LONGEST)
            .map_or_else(Answered::default, |key| self.answered(key));
        let running = tokio::spawn(async move {
            let mut answered = answered.lock().await;
            if let Some(location) = &*answered {
                return Ok(location.clone());
            }
            let location = act.await?;
            *answered = Some(location.clone());
            Ok(location)
        });
        match running.await {
            Ok(answer) => answer,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The process is being shut down.
                Err(_) => Err(Failure::unknown()),
            },
        }
    }

    fn answered(&self, key: FormKey) -> Answered {
        let mut known = self.0.lock();
        let now = Instant::now();
        known.retain(|_, (since, _)| now.duration_since(*since) < KNOWN);
        if known.len() >= MOST
            && let Some(oldest) = known.iter().min_by_key(|(_, (since, _))| *since)
        {
            let oldest = oldest.0.clone();
            known.remove(&oldest);
        }
        let (_, answered) = known.entry(key).or_insert((now, Answered::default()));
        answered.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    async fn send(once: &Once, form: &str, ran: &Arc<AtomicU32>, fails: bool) -> bool {
        let ran = ran.clone();
        let act = async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            ran.fetch_add(1, Ordering::Relaxed);
            match fails {
                true => Err(Failure::unknown()),
                false => Ok("/done".to_owned()),
            }
        };
        once.run(Some((Credential::Session([0; 32]), form.to_owned())), act)
            .await
            .is_ok()
    }

    #[tokio::test]
    async fn a_form_runs_once() {
        let (once, ran) = (Once::default(), Arc::new(AtomicU32::new(0)));
        let both = tokio::join!(send(&once, "a", &ran, false), send(&once, "a", &ran, false));
        assert_eq!(both, (true, true));
        assert!(send(&once, "a", &ran, false).await);
        assert_eq!(ran.load(Ordering::Relaxed), 1);
        assert!(send(&once, "b", &ran, false).await);
        assert_eq!(ran.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_form_that_failed_runs_again() {
        let (once, ran) = (Once::default(), Arc::new(AtomicU32::new(0)));
        assert!(!send(&once, "a", &ran, true).await);
        assert!(send(&once, "a", &ran, false).await);
        assert_eq!(ran.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn an_act_goes_on_if_the_client_has_gone() {
        let (once, ran) = (Once::default(), Arc::new(AtomicU32::new(0)));
        let gone = tokio::time::timeout(Duration::ZERO, send(&once, "a", &ran, false)).await;
        assert!(gone.is_err());
        assert!(send(&once, "a", &ran, false).await);
        assert_eq!(ran.load(Ordering::Relaxed), 1);
    }
}
