//! The flags of the traces.

use clap::Args;
use url::Url;

/// Where traces go, if anywhere. Where OpenTelemetry has a name for a setting, the environment variable has that name.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Traces")]
pub struct TraceArguments {
    /// URL of a collector that takes traces by OTLP over HTTP (protobuf, usually port 4318); `/v1/traces` is added to it. Empty:
    /// nothing is traced.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", default_value = "", value_parser = endpoint)]
    pub otlp_endpoint: Endpoint,
    /// Share of the passes that are traced, from 0 to 1. One that is traced is traced whole.
    #[arg(long, env = "QOS_TRACE_RATIO", default_value_t = 1.0, value_parser = ratio)]
    pub trace_ratio: f64,
    /// Name of the operator in its traces (default: service.name of OTEL_RESOURCE_ATTRIBUTES, or qos-operator).
    #[arg(long, env = "OTEL_SERVICE_NAME")]
    pub trace_service_name: Option<String>,
}

/// Where traces are sent to, with the path; none: nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(pub Option<Url>);

fn endpoint(text: &str) -> Result<Endpoint, String> {
    if text.is_empty() {
        return Ok(Endpoint(None));
    }
    // Credentials are headers (OTEL_EXPORTER_OTLP_HEADERS): in a URL they would be seen wherever it is.
    let plain =
        |url: &Url| url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host() && plain(url));
    let mut url = url.ok_or("write an http:// or https:// URL without query, fragment or credentials")?;
    // A URL with a host always has segments.
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(["v1", "traces"]);
    }
    Ok(Endpoint(Some(url)))
}

fn ratio(text: &str) -> Result<f64, String> {
    let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.ok_or_else(|| "write a number from 0 to 1, such as 0.1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent_to(text: &str) -> String {
        endpoint(text).unwrap().0.unwrap().into()
    }

    #[test]
    fn the_path_of_traces_is_added_to_the_endpoint_and_an_empty_one_is_none() {
        assert_eq!(endpoint(""), Ok(Endpoint(None)));
        assert_eq!(sent_to("http://collector.example.com:4318"), "http://collector.example.com:4318/v1/traces");
        assert_eq!(sent_to("http://collector.example.com:4318/"), "http://collector.example.com:4318/v1/traces");
        assert_eq!(sent_to("https://example.com/otlp/"), "https://example.com/otlp/v1/traces");
    }

    #[test]
    fn an_endpoint_that_cannot_be_used_or_holds_credentials_is_refused() {
        for text in
            ["collector:4318", "grpc://collector.example.com", "http://", "https://a:b@example.com", "http://example.com?a=b"]
        {
            assert!(endpoint(text).unwrap_err().contains("without query"), "{text}");
        }
    }

    #[test]
    fn a_ratio_is_a_share() {
        assert_eq!([ratio("0"), ratio("0.25"), ratio("1.0")], [Ok(0.0), Ok(0.25), Ok(1.0)]);
        for text in ["-0.1", "1.1", "NaN", "inf", "10%", ""] {
            assert!(ratio(text).is_err(), "{text}");
        }
    }
}
