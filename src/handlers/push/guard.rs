//! The address guard: a handler's URL must not lead into our own network, unless the handler allows
//! it.
//!
//! One function, [`special_purpose`], judges all addresses. It checks a literal host when the
//! handler is made, because a client skips the resolver for those. It checks everything the
//! resolver returns at each connect, so a name that changes its address between a check and the
//! connect gains nothing.

use crate::domain::special_purpose;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, SocketAddr};

/// The handler must not reach this address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "address blocked: {host} is {address} ({why}), which is not a public address, so nothing is sent to it. If this \
     is intended, set allow_private = true for this handler"
)]
pub struct AddressBlocked {
    host: String,
    address: IpAddr,
    why: &'static str,
}

/// Checks a literal host.
///
/// # Errors
/// [`AddressBlocked`] if the address is not public.
pub(super) fn check_literal(address: IpAddr) -> Result<(), AddressBlocked> {
    match special_purpose(address) {
        Some(why) => Err(AddressBlocked {
            host: "the URL's host".to_owned(),
            address,
            why,
        }),
        None => Ok(()),
    }
}

/// The system's resolver, limited to the addresses that the handler may reach.
pub(super) struct GuardedResolver {
    pub(super) allow_private: bool,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let allowed = if allow_private {
                found
            } else {
                public(name.as_str(), found)?
            };
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// The public addresses of a name. An error if there are addresses but none is public.
fn public(host: &str, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, AddressBlocked> {
    let refused = found
        .iter()
        .find_map(|address| Some((address.ip(), special_purpose(address.ip())?)));
    let allowed: Vec<_> = found
        .into_iter()
        .filter(|address| special_purpose(address.ip()).is_none())
        .collect();
    match refused {
        Some((address, why)) if allowed.is_empty() => Err(AddressBlocked {
            host: host.to_owned(),
            address,
            why,
        }),
        _ => Ok(allowed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_names_addresses_only_the_public_ones_are_tried() {
        let addresses = |list: &[&str]| {
            list.iter()
                .map(|a| SocketAddr::new(a.parse().expect(a), 0))
                .collect::<Vec<_>>()
        };
        let mixed = public("x", addresses(&["10.0.0.1", "8.8.8.8", "::1"])).expect("one is left");
        assert_eq!(mixed, addresses(&["8.8.8.8"]));
        let error = public("evil.example", addresses(&["10.0.0.1", "::1"]))
            .expect_err("none is left")
            .to_string();
        for part in ["evil.example", "10.0.0.1", "private", "allow_private"] {
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(
            public("x", vec![]),
            Ok(vec![]),
            "no address is the resolver's error, not a refusal"
        );
    }
}
