//! The flags of the server for admins.

use std::net::SocketAddr;

use clap::Args;

/// Where metrics and health are served.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Metrics and health")]
pub struct AdminArguments {
    /// Address and port of `/metrics`, `/healthz` and `/readyz`; empty: they are not served.
    #[arg(long = "admin-listen", env = "QOS_ADMIN_LISTEN", default_value = "0.0.0.0:8080", value_parser = listen)]
    pub listen: Listen,
}

/// An address to listen at, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen(pub Option<SocketAddr>);

fn listen(text: &str) -> Result<Listen, String> {
    if text.is_empty() {
        return Ok(Listen(None));
    }
    // `:8080` is what Go's servers take.
    let address = if text.starts_with(':') { format!("[::]{text}") } else { text.to_owned() };
    let address = address.parse().map_err(|_| "write an address and a port, such as 0.0.0.0:8080 or [::]:8080".to_owned())?;
    Ok(Listen(Some(address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_address_serves_nothing_and_a_bad_one_is_told() {
        assert_eq!(listen(""), Ok(Listen(None)));
        assert_eq!(listen("127.0.0.1:0"), Ok(Listen(Some("127.0.0.1:0".parse().unwrap()))));
        assert_eq!(listen(":8080"), Ok(Listen(Some("[::]:8080".parse().unwrap()))));
        assert!(listen("8080").unwrap_err().contains("such as 0.0.0.0:8080"));
    }
}
