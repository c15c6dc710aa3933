//! Who sends a request, for the limits per source. The address is used for nothing else, and never printed.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Whom a limit counts as one: an IPv4 address, or an IPv6 network of 64 bits, which is what one site has at least.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Source(IpAddr);

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

/// The proxies in front of the receiver.
pub(super) struct Proxies(Vec<IpNet>);

impl Proxies {
    pub(super) fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Whether `address` is one of them.
    pub(super) fn has(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Who sent a request that came from `peer`. Each proxy appends whom it heard to X-Forwarded-For, so the rightmost address that is
    /// no proxy's is the last that one of ours vouches for; what stands left of it is the sender's own word. The same holds for an
    /// entry that is no address: then the proxy that took it is the source.
    pub(super) fn source(&self, peer: IpAddr, headers: &HeaderMap) -> Source {
        let mut source = peer;
        if self.has(peer) {
            let lines: Vec<_> = headers.get_all(X_FORWARDED_FOR).iter().collect();
            let entries = lines.into_iter().rev().flat_map(|line| line.to_str().unwrap_or("?").rsplit(','));
            for entry in entries {
                let Some(address) = address(entry.trim()) else { break };
                source = address;
                if !self.has(address) {
                    break;
                }
            }
        }
        source.into()
    }
}

/// An address, as proxies write it: bare, in brackets, or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn proxies() -> Proxies {
        Proxies::new(vec!["192.0.2.0/24".parse().unwrap(), "2001:db8:1::/48".parse().unwrap()])
    }

    fn source(peer: &str, lines: &[&str]) -> IpAddr {
        let headers = lines.iter().map(|line| (X_FORWARDED_FOR, line.parse().unwrap())).collect();
        proxies().source(peer.parse().unwrap(), &headers).0
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_a_trusted_proxy_may_say_who_sent_a_request() {
        assert_eq!(source("198.51.100.9", &["203.0.113.5"]), ip("198.51.100.9"));
        assert_eq!(source("192.0.2.1", &["203.0.113.5"]), ip("203.0.113.5"));
        assert_eq!(source("::ffff:192.0.2.1", &["203.0.113.5"]), ip("203.0.113.5"), "a dual-stack socket's form");
        assert_eq!(source("192.0.2.1", &[]), ip("192.0.2.1"));
    }

    #[test]
    fn the_rightmost_address_that_is_no_proxy_is_the_source_whatever_the_sender_wrote_before_it() {
        assert_eq!(source("192.0.2.1", &["203.0.113.99, 203.0.113.5, 192.0.2.7"]), ip("203.0.113.5"));
        assert_eq!(source("192.0.2.1", &["203.0.113.99", "203.0.113.5,192.0.2.7"]), ip("203.0.113.5"), "on two lines");
        assert_eq!(source("192.0.2.1", &["192.0.2.8, 192.0.2.7"]), ip("192.0.2.8"), "nobody else");
    }

    #[test]
    fn an_entry_that_is_no_address_leaves_the_proxy_that_took_it() {
        assert_eq!(source("192.0.2.1", &["203.0.113.5, unknown, 192.0.2.7"]), ip("192.0.2.7"));
        assert_eq!(source("192.0.2.1", &[""]), ip("192.0.2.1"));
    }

    #[test]
    fn ports_and_brackets_are_passed_over_and_a_site_of_ipv6_is_one_source() {
        assert_eq!(source("192.0.2.1", &["203.0.113.5:4711"]), ip("203.0.113.5"));
        for form in ["2001:db8:2:3::1", "[2001:db8:2:3::2]", "[2001:db8:2:3::3]:443"] {
            assert_eq!(source("2001:db8:1::1", &[form]), ip("2001:db8:2:3::"), "{form}");
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_the_reader_panic_or_lets_an_untrusted_peer_be_another(
            text in "[ -~]{0,80}", peer in any::<[u8; 4]>(),
        ) {
            let peer = IpAddr::from(peer);
            prop_assume!(!proxies().has(peer));
            let headers: HeaderMap = [(X_FORWARDED_FOR, text.parse().unwrap())].into_iter().collect();
            prop_assert!(proxies().source(peer, &headers).0 == peer);
            proxies().source(ip("192.0.2.1"), &headers);
        }
    }
}
