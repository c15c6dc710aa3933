//! The command line of the receiver.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use ipnet::IpNet;

use super::receiver::{Settings, TlsFiles};

/// Where notifications are received.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Notifications")]
pub struct NotifyArguments {
    /// Address and port on which the providers' notifications are received, such as 0.0.0.0:8443. Without it nothing listens, and
    /// sessions are polled.
    #[arg(long, env = "QOS_NOTIFY_LISTEN")]
    pub notify_listen: Option<SocketAddr>,
    /// File with the certificate that the receiver shows, and the intermediate ones behind it (PEM; `tls.crt` of a mounted Secret).
    /// It is read again when it changes. Without it the receiver speaks plain HTTP, for an Ingress in front of it.
    #[arg(long, env = "QOS_NOTIFY_TLS_CERT", requires = "notify_tls_key", requires = "notify_listen")]
    pub notify_tls_cert: Option<PathBuf>,
    /// File with the certificate's private key (PEM; `tls.key` of the same Secret).
    #[arg(long, env = "QOS_NOTIFY_TLS_KEY", requires = "notify_tls_cert")]
    pub notify_tls_key: Option<PathBuf>,
    /// Network of the proxies in front of the receiver (an Ingress controller's Pods), such as 192.0.2.0/24; may be given more than
    /// once. From these peers only, X-Forwarded-For says who sent a request, which the limits per source go by.
    #[arg(long, env = "QOS_NOTIFY_TRUSTED_PROXY", value_delimiter = ',', value_parser = network)]
    pub notify_trusted_proxy: Vec<IpNet>,
}

impl NotifyArguments {
    /// The receiver's settings; none where there is to be no receiver.
    pub fn settings(self) -> Option<Settings> {
        let Self { notify_listen, notify_tls_cert, notify_tls_key, notify_trusted_proxy } = self;
        let tls = notify_tls_cert.zip(notify_tls_key).map(|(certificate, key)| TlsFiles { certificate, key });
        Some(Settings { listen: notify_listen?, tls, trusted_proxies: notify_trusted_proxy, ..Settings::default() })
    }
}

/// A network, or one address.
fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let parsed = text.parse::<IpNet>().ok().or_else(address);
    parsed.ok_or_else(|| "write a network such as 192.0.2.0/24 or 2001:db8::/32, or one address".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        notify: NotifyArguments,
    }

    fn parse(words: &[&str]) -> Result<Option<Settings>, String> {
        let words = std::iter::once(&"qos-operator").chain(words);
        Line::try_parse_from(words).map(|line| line.notify.settings()).map_err(|error| error.to_string())
    }

    #[test]
    fn without_an_address_there_is_no_receiver() {
        assert!(parse(&[]).unwrap().is_none());
    }

    #[test]
    fn certificate_and_key_come_together_and_need_a_receiver() {
        let listen = ["--notify-listen", "127.0.0.1:8443"];
        let (cert, key) = (["--notify-tls-cert", "/tls/tls.crt"], ["--notify-tls-key", "/tls/tls.key"]);
        let settings = parse(&[&listen[..], &cert, &key].concat()).unwrap().unwrap();
        assert_eq!(settings.tls, Some(TlsFiles { certificate: "/tls/tls.crt".into(), key: "/tls/tls.key".into() }));
        assert!(parse(&[&listen[..], &cert].concat()).unwrap_err().contains("--notify-tls-key"));
        assert!(parse(&[&listen[..], &key].concat()).unwrap_err().contains("--notify-tls-cert"));
        assert!(parse(&[&cert[..], &key].concat()).unwrap_err().contains("--notify-listen"));
        assert_eq!(parse(&listen).unwrap().unwrap().tls, None);
    }

    #[test]
    fn trusted_proxies_are_networks_or_addresses() {
        let proxies = ["--notify-trusted-proxy", "192.0.2.0/24,2001:db8::/32", "--notify-trusted-proxy", "198.51.100.7"];
        let settings = parse(&[&["--notify-listen", "127.0.0.1:0"][..], &proxies].concat()).unwrap().unwrap();
        let texts: Vec<_> = settings.trusted_proxies.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["192.0.2.0/24", "2001:db8::/32", "198.51.100.7/32"]);
        assert!(parse(&["--notify-trusted-proxy", "ingress"]).unwrap_err().contains("such as 192.0.2.0/24"));
    }
}
