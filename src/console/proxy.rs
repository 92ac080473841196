//! A reverse proxy for single sign-on. It says with every request who the visitor is; the console
//! keeps no session.
//!
//! Anybody can send these headers. So a request is trusted only if it comes from the proxy's address
//! and has the secret, and if each header occurs once: of a client's header beside the proxy's, two
//! programs may read different ones.

use super::{Console, problem};
use crate::domain::ProxySettings;
use crate::http_server::PeerAddress;
use crate::store::Credential;
use crate::throttle::throttled;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    middleware::Next,
    response::Response,
};
use std::net::IpAddr;

/// The longest name of a visitor.
const LONGEST: usize = 200;

/// Why a request is not trusted, or its visitor has no role.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Refusal {
    /// It does not come from the proxy.
    Address,
    /// It has no secret, or another one.
    Secret,
    /// It has a header twice.
    Doubled(String),
    /// It names nobody.
    User,
    /// No group of the visitor has a role.
    Group(String),
}

/// Refuses requests that are not the proxy's, and notes who the visitor is. Does nothing on the
/// other listener.
pub(super) async fn identify(
    State(console): State<Console>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(proxy) = &console.proxy else {
        return next.run(request).await;
    };
    let peer = request.extensions().get().map(|PeerAddress(peer)| *peer);
    let identified =
        admitted(proxy, peer, request.headers()).and_then(|()| visitor(proxy, request.headers()));
    match identified {
        Ok(credential) => {
            request.extensions_mut().insert(credential);
        }
        // The pages that refuse have a stylesheet, too.
        Err(Refusal::User | Refusal::Group(_)) if request.uri().path().starts_with("/assets/") => {}
        Err(refusal) => {
            throttled!(
                warn,
                ?peer,
                ?refusal,
                "refused a request at the console's listener for the reverse proxy"
            );
            return refused(&refusal, proxy);
        }
    }
    next.run(request).await
}

/// Whether the proxy sent the request.
fn admitted(
    proxy: &ProxySettings,
    peer: Option<IpAddr>,
    headers: &HeaderMap,
) -> Result<(), Refusal> {
    if !peer.is_some_and(|peer| proxy.is_proxy(peer)) {
        return Err(Refusal::Address);
    }
    let secret = one(headers, &proxy.secret_header)?.ok_or(Refusal::Secret)?;
    // Every one is compared, so that the time does not tell which one it was.
    let is_right = proxy
        .secrets
        .iter()
        .fold(false, |right, own| right | own.is(secret));
    match is_right {
        true => Ok(()),
        false => Err(Refusal::Secret),
    }
}

/// Who the visitor is, and the role of the first group of the configuration that the visitor is in.
fn visitor(proxy: &ProxySettings, headers: &HeaderMap) -> Result<Credential, Refusal> {
    let text = |name: &str| -> Result<Option<&str>, Refusal> {
        let value = one(headers, name)?;
        Ok(value.and_then(|value| std::str::from_utf8(value).ok()))
    };
    let groups = text(&proxy.groups_header)?.unwrap_or_default();
    let user = text(&proxy.user_header)?.map(str::trim);
    let user = user.filter(|user| is_name(user)).ok_or(Refusal::User)?;
    let role = proxy
        .role(groups)
        .ok_or_else(|| Refusal::Group(user.to_owned()))?;
    Ok(Credential::Proxied {
        person: format!("proxy:{user}"),
        role: role.to_string(),
    })
}

/// Plain ASCII without commas: other characters can look like those of somebody else's name, and
/// programs join two headers of one name with a comma.
fn is_name(user: &str) -> bool {
    let is_plain = |b: u8| b == b' ' || b.is_ascii_graphic() && b != b',';
    !user.is_empty() && user.len() <= LONGEST && user.bytes().all(is_plain)
}

/// The value of a header that is there at most once.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a [u8]>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    match values.next() {
        None => Ok(first.map(|value| value.as_bytes())),
        Some(_) => Err(Refusal::Doubled(name.to_owned())),
    }
}

fn refused(refusal: &Refusal, proxy: &ProxySettings) -> Response {
    let (title, text) = match refusal {
        Refusal::Address | Refusal::Secret => (
            "Not the reverse proxy",
            "This address of the console is for its reverse proxy only, so the request was not served and nothing was \
             changed. Open the console at the address of the proxy. Its log has the reason."
                .to_owned(),
        ),
        Refusal::Doubled(name) => (
            "A header is there twice",
            format!(
                "The request has the header {name} twice, so it is not known which one is the proxy's. It was not served and \
                 nothing was changed. Have the proxy remove what browsers send under this name."
            ),
        ),
        Refusal::User => (
            "The proxy named nobody",
            format!(
                "The header {} is missing or has no name in plain ASCII, so the request was not served and nothing was \
                 changed. Log in at the proxy again, or have it send an e-mail address or an id.",
                proxy.user_header
            ),
        ),
        Refusal::Group(user) => (
            "You have no role here",
            format!(
                "You are logged in as {user}, and none of your groups has a role in the console. Nothing was shown or \
                 changed. Ask to be added to one of the groups in [console.proxy] groups, then log in at the proxy again."
            ),
        ),
    };
    problem::message(StatusCode::FORBIDDEN, title, &text)
}

/// `/login` and `/logout` of this listener.
pub(super) async fn no_session() -> Response {
    problem::message(
        StatusCode::NOT_FOUND,
        "No tickets and no sessions here",
        "At this address the reverse proxy says with every request who you are, so tickets are not taken and nothing was \
         changed. Log in and out at the proxy.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::Secret;
    use axum::http::{HeaderName, HeaderValue};

    const SECRET: &str = "a-secret-of-the-proxy";

    fn proxy() -> ProxySettings {
        let secret = |text: &str| Secret::new("env:X", text.as_bytes().to_vec()).expect("long");
        ProxySettings {
            addresses: vec!["10.0.0.0/8".parse().expect("a range")],
            secrets: vec![secret("the-one-before-this"), secret(SECRET)],
            secret_header: "x-secret".to_owned(),
            user_header: "x-user".to_owned(),
            groups_header: "x-groups".to_owned(),
            groups: vec![("ops".to_owned(), "operators".parse().expect("a role"))],
        }
    }

    fn headers(pairs: &[(&str, &[u8])]) -> HeaderMap {
        let pair = |(name, value): &(&str, &[u8])| {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            (name, HeaderValue::from_bytes(value).expect("a value"))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn a_request_needs_the_address_and_the_secret() {
        let address = |text: &str| Some(text.parse().expect(text));
        let admitted = |peer, pairs: &[(&str, &[u8])]| admitted(&proxy(), peer, &headers(pairs));
        let right: &[(&str, &[u8])] = &[("x-secret", SECRET.as_bytes())];
        for peer in ["10.1.2.3", "::ffff:10.1.2.3"] {
            assert_eq!(admitted(address(peer), right), Ok(()), "{peer}");
        }
        for peer in [None, address("11.0.0.1"), address("::1")] {
            assert_eq!(admitted(peer, right), Err(Refusal::Address), "{peer:?}");
        }
        let former: &[(&str, &[u8])] = &[("x-secret", b"the-one-before-this")];
        assert_eq!(admitted(address("10.0.0.1"), former), Ok(()));
        for wrong in ["", "a-secret-of-the-prox", "a-secret-of-the-proxy2", "ops"] {
            let refused = admitted(address("10.0.0.1"), &[("x-secret", wrong.as_bytes())]);
            assert_eq!(refused, Err(Refusal::Secret), "{wrong}");
        }
        assert_eq!(admitted(address("10.0.0.1"), &[]), Err(Refusal::Secret));
        let twice = [right[0], right[0]];
        let refused = admitted(address("10.0.0.1"), &twice);
        assert_eq!(refused, Err(Refusal::Doubled("x-secret".to_owned())));
    }

    #[test]
    fn a_visitor_has_one_plain_name_and_the_role_of_a_group() {
        let visitor = |pairs: &[(&str, &[u8])]| visitor(&proxy(), &headers(pairs));
        let found = visitor(&[("x-user", b"mira@example.com"), ("x-groups", b"all, ops")]);
        let expected = Credential::Proxied {
            person: "proxy:mira@example.com".to_owned(),
            role: "operators".to_owned(),
        };
        assert_eq!(found, Ok(expected));
        let long = [b'a'; LONGEST + 1];
        for nobody in [
            &b""[..],
            b" ",
            b"mira,root",
            b"a\tb",
            "m\u{131}ra".as_bytes(),
            b"\xff",
            &long,
        ] {
            let found = visitor(&[("x-user", nobody), ("x-groups", b"ops")]);
            assert_eq!(found, Err(Refusal::User), "{nobody:?}");
        }
        for (pairs, header) in [
            ([("x-user", &b"a"[..]), ("x-user", b"a")], "x-user"),
            (
                [("x-groups", &b"ops"[..]), ("x-groups", b"ops")],
                "x-groups",
            ),
        ] {
            let twice = visitor(&pairs);
            assert_eq!(twice, Err(Refusal::Doubled(header.to_owned())));
        }
        for groups in [&[][..], &[("x-groups", &b"all"[..])]] {
            let with = [&[("x-user", &b"mira"[..])], groups].concat();
            assert_eq!(visitor(&with), Err(Refusal::Group("mira".to_owned())));
        }
    }
}
