//! Who may operate: whoever knows the token, and for a while the browser that did.
//!
//! A session is a cookie that no script can read and no other site's page can make a browser send (`SameSite=Strict`).
//! What changes something must also carry the header `X-Tidegate`, which a form of another site cannot set. Only digests
//! of sessions are kept, in memory: a restart signs everybody out, and so does a new token.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use axum::http::{
    HeaderMap, HeaderValue, Method,
    header::{AUTHORIZATION, COOKIE},
};
use sha2::{Digest, Sha256};

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
    keys: ArcSwap<KeyRing>,
    sessions: Mutex<HashMap<[u8; 32], Instant>>,
    clock: Clock,
}

impl Access {
    /// Opens to this token; without one to nobody.
    pub fn new(token: Option<&Secret>, clock: Clock) -> Self {
        Self { keys: ArcSwap::from_pointee(ring(token)), sessions: Mutex::default(), clock }
    }

    /// Opens to this token from now on, and to nobody who signed in with another one.
    pub fn replace(&self, token: Option<&Secret>) {
        let fits = token.is_some_and(|token| self.opens_to(token.expose().as_bytes()));
        if !fits {
            self.keys.store(ring(token).into());
            self.sessions().clear();
        }
    }

    /// Whether a request may be carried out.
    pub(super) fn admit(&self, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
        if let Some(offered) = bearer(headers) {
            return if self.opens_to(offered) { Ok(()) } else { Err(Problem::unauthorized()) };
        }
        let session = cookie(headers).ok_or_else(Problem::unauthorized)?;
        let expires = self.sessions().get(&digest(session)).copied();
        if expires.is_none_or(|expires| expires <= Instant::now()) {
            return Err(Problem::unauthorized());
        }
        let is_safe = *method == Method::GET || *method == Method::HEAD;
        if is_safe || headers.contains_key(OWN_PAGE) {
            Ok(())
        } else {
            Err(Problem::forbidden("with a session this also needs the header `X-Tidegate: page`"))
        }
    }

    /// A new session for whoever knows the token.
    pub(super) fn sign_in(&self, token: &str) -> Result<Secret, Problem> {
        if !self.opens_to(token.as_bytes()) {
            return Err(Problem::unauthorized());
        }
        let session =
            Secret::generate().map_err(|_| Problem::unavailable("the machine has no randomness to give"))?;
        let now = Instant::now();
        let mut sessions = self.sessions();
        sessions.retain(|_, expires| *expires > now);
        if sessions.len() >= SESSIONS_MAX {
            let oldest = sessions.iter().min_by_key(|(_, expires)| **expires).map(|(digest, _)| *digest);
            oldest.and_then(|oldest| sessions.remove(&oldest));
        }
        sessions.insert(digest(session.expose().as_bytes()), now + SESSION_LASTS);
        Ok(session)
    }

    /// Ends the session of a request, if it has one.
    pub(super) fn sign_out(&self, headers: &HeaderMap) {
        if let Some(session) = cookie(headers) {
            self.sessions().remove(&digest(session));
        }
    }

    fn opens_to(&self, offered: &[u8]) -> bool {
        self.keys.load().find(offered, self.clock.now()).is_some()
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<[u8; 32], Instant>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ring(token: Option<&Secret>) -> KeyRing {
    KeyRing::new(token.map(|token| Key::new("operator".into(), token, None)).into_iter().collect())
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
