//! Who may operate: whoever knows the token, and for a while the browser that did.
//!
//! A session is a cookie that no script can read and no other site's page can make a browser send (`SameSite=Strict`).
//! What changes something must also carry the header `X-Tidegate`, which a form of another site cannot set. Only digests
//! of sessions are kept, in memory: a restart signs everybody out, and so does a new token. What lasts, such as a tail, holds
//! an `Admission` and ends with it.

use std::{
    collections::HashMap,
    future::pending,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use axum::http::{
    HeaderMap, HeaderValue, Method,
    header::{AUTHORIZATION, COOKIE},
};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::problem::Problem;
use crate::{
    clock::Clock,
    secret::Secret,
    sources::key::{Key, KeyRing},
};

/// How long a session lasts.
pub(super) const SESSION_LASTS: Duration = Duration::from_hours(8);

/// The cookie's name.
pub(super) const COOKIE_NAME: &str = "tidegate_session";

/// More sessions than this have to make room, the oldest first.
const SESSIONS_MAX: usize = 64;

/// The header that proves that a request comes from our own page.
const OWN_PAGE: &str = "x-tidegate";

/// The lock of the admin API.
pub struct Access {
    token: ArcSwap<Token>,
    sessions: Mutex<HashMap<[u8; 32], Admission>>,
    clock: Clock,
}

/// A token, and who was let in by it.
struct Token {
    keys: KeyRing,
    revoked: CancellationToken,
}

/// Somebody was let in, for as long as it holds.
#[derive(Clone, Debug)]
pub(super) struct Admission {
    /// Cancelled when the session ends before its time, or the token is replaced.
    revoked: CancellationToken,
    /// When a session ends.
    expires: Option<Instant>,
}

impl Admission {
    /// Returns when it holds no longer.
    pub(super) async fn ended(&self) {
        let expired = async {
            match self.expires {
                Some(expires) => sleep_until(expires).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = self.revoked.cancelled() => {}
            () = expired => {}
        }
    }

    fn is_live(&self) -> bool {
        !self.revoked.is_cancelled() && self.expires.is_none_or(|expires| Instant::now() < expires)
    }
}

impl Access {
    /// Opens to this token; without one to nobody.
    pub fn new(token: Option<&Secret>, clock: Clock) -> Self {
        Self { token: ArcSwap::from_pointee(Token::new(token)), sessions: Mutex::default(), clock }
    }

    /// Opens to this token from now on, and no longer to whoever was let in by another one.
    pub fn replace(&self, token: Option<&Secret>) {
        let fits = token.is_some_and(|token| self.opens_to(token.expose().as_bytes()));
        if !fits {
            self.token.swap(Token::new(token).into()).revoked.cancel();
            self.sessions().clear();
        }
    }

    /// Whether a request may be carried out.
    pub(super) fn admit(&self, method: &Method, headers: &HeaderMap) -> Result<Admission, Problem> {
        if let Some(offered) = bearer(headers) {
            let token = self.token.load();
            return match token.keys.find(offered, self.clock.now()) {
                Some(_) => Ok(Admission { revoked: token.revoked.clone(), expires: None }),
                None => Err(Problem::unauthorized()),
            };
        }
        let session = cookie(headers).ok_or_else(Problem::unauthorized)?;
        let admission = self.sessions().get(&digest(session)).cloned().filter(Admission::is_live);
        let admission = admission.ok_or_else(Problem::unauthorized)?;
        let is_safe = *method == Method::GET || *method == Method::HEAD;
        if is_safe || headers.contains_key(OWN_PAGE) {
            Ok(admission)
        } else {
            Err(Problem::forbidden("with a session this also needs the header `X-Tidegate: page`"))
        }
    }

    /// A new session for whoever knows the token.
    pub(super) fn sign_in(&self, token: &str) -> Result<Secret, Problem> {
        let current = self.token.load();
        if current.keys.find(token.as_bytes(), self.clock.now()).is_none() {
            return Err(Problem::unauthorized());
        }
        let session =
            Secret::generate().map_err(|_| Problem::unavailable("the machine has no randomness to give"))?;
        let admission = Admission {
            revoked: current.revoked.child_token(),
            expires: Some(Instant::now() + SESSION_LASTS),
        };
        let mut sessions = self.sessions();
        sessions.retain(|_, admission| admission.is_live());
        if sessions.len() >= SESSIONS_MAX {
            let oldest = sessions.iter().min_by_key(|(_, admission)| admission.expires);
            let oldest = oldest.map(|(digest, _)| *digest);
            oldest.and_then(|oldest| sessions.remove(&oldest)).inspect(|oldest| oldest.revoked.cancel());
        }
        sessions.insert(digest(session.expose().as_bytes()), admission);
        Ok(session)
    }

    /// Ends the session of a request, if it has one.
    pub(super) fn sign_out(&self, headers: &HeaderMap) {
        let ended = cookie(headers).and_then(|session| self.sessions().remove(&digest(session)));
        ended.inspect(|ended| ended.revoked.cancel());
    }

    fn opens_to(&self, offered: &[u8]) -> bool {
        self.token.load().keys.find(offered, self.clock.now()).is_some()
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<[u8; 32], Admission>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Token {
    fn new(token: Option<&Secret>) -> Self {
        let key = token.map(|token| Key::new("operator".into(), token, None));
        Self { keys: KeyRing::new(key.into_iter().collect()), revoked: CancellationToken::new() }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

fn cookie(headers: &HeaderMap) -> Option<&[u8]> {
    let cookies = headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|value: &HeaderValue| value.as_bytes().split(|byte| *byte == b';'));
    cookies
        .filter_map(|cookie| cookie.trim_ascii().strip_prefix(COOKIE_NAME.as_bytes())?.strip_prefix(b"="))
        .next_back()
}

fn digest(session: &[u8]) -> [u8; 32] {
    Sha256::digest(session).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    fn access() -> Access {
        Access::new(Some(&Secret::new(TOKEN.into())), Clock::default())
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn admits(access: &Access, method: &Method, pairs: &[(&'static str, &str)]) -> bool {
        access.admit(method, &headers(pairs)).is_ok()
    }

    #[test]
    fn only_the_token_opens() {
        let access = access();
        for (offered, opens) in [
            (format!("Bearer {TOKEN}"), true),
            (format!("bearer  {TOKEN}"), true),
            (format!("Basic {TOKEN}"), false),
            (TOKEN.to_owned(), false),
            ("Bearer".to_owned(), false),
            ("Bearer ".to_owned(), false),
            (format!("Bearer {TOKEN}x"), false),
        ] {
            assert_eq!(admits(&access, &Method::POST, &[("authorization", &offered)]), opens, "{offered}");
        }
        assert!(!admits(&access, &Method::GET, &[]));
        for shut in [None, Some(Secret::default())] {
            let access = Access::new(shut.as_ref(), Clock::default());
            assert!(!admits(&access, &Method::GET, &[("authorization", "Bearer ")]));
            assert!(access.sign_in("").is_err());
        }
    }

    #[test]
    fn a_session_reads_and_changes_only_from_the_page() {
        let access = access();
        assert!(access.sign_in("wrong").is_err());
        let session = access.sign_in(TOKEN).unwrap();
        let cookie = format!("other=1; {COOKIE_NAME}={}", session.expose());
        assert!(admits(&access, &Method::GET, &[("cookie", &cookie)]));
        assert!(!admits(&access, &Method::POST, &[("cookie", &cookie)]));
        assert!(admits(&access, &Method::POST, &[("cookie", &cookie), ("x-tidegate", "page")]));
        assert!(!admits(&access, &Method::GET, &[("cookie", &format!("{COOKIE_NAME}=guess"))]));
        access.sign_out(&headers(&[("cookie", &cookie)]));
        assert!(!admits(&access, &Method::GET, &[("cookie", &cookie)]));
    }

    #[test]
    fn a_new_token_signs_everybody_out_and_the_same_one_nobody() {
        let access = access();
        let cookie = format!("{COOKIE_NAME}={}", access.sign_in(TOKEN).unwrap().expose());
        access.replace(Some(&Secret::new(TOKEN.into())));
        assert!(admits(&access, &Method::GET, &[("cookie", &cookie)]));
        access.replace(Some(&Secret::new("another".into())));
        assert!(!admits(&access, &Method::GET, &[("cookie", &cookie)]));
        assert!(!admits(&access, &Method::GET, &[("authorization", &format!("Bearer {TOKEN}"))]));
        assert!(admits(&access, &Method::GET, &[("authorization", "Bearer another")]));
    }

    #[test]
    fn sessions_are_bounded_and_the_oldest_makes_room() {
        let access = access();
        let first = access.sign_in(TOKEN).unwrap();
        for _ in 0..SESSIONS_MAX {
            access.sign_in(TOKEN).unwrap();
        }
        assert_eq!(access.sessions().len(), SESSIONS_MAX);
        assert!(!admits(&access, &Method::GET, &[("cookie", &format!("{COOKIE_NAME}={}", first.expose()))]));
    }
}
