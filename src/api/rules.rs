//! The CEL rules and patterns that several types share. A rule that may see personal data or a URL stands on the parent object with
//! a `fieldPath`: the API server echoes a refused string into its error, but not an object.

use kube::core::Rule;

/// Names of Secrets and of `QosProvider`s.
pub(super) const NAME: &str = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$";

/// Keys of a Secret.
pub(super) const SECRET_KEY: &str = "^[-._a-zA-Z0-9]+$";

/// CAMARA's profile names.
pub(super) const PROFILE: &str = "^[a-zA-Z0-9_.-]+$";

/// A list of scopes (RFC 6749, appendix A.4).
pub(super) const SCOPE: &str = r"^[\x21\x23-\x5B\x5D-\x7E]+( [\x21\x23-\x5B\x5D-\x7E]+)*$";

/// P3 of a required URL: `https`, or `http` where the token cannot leave the host or the cluster.
pub(super) fn url(field: &str) -> Rule {
    url_rule(field, url_expression(field))
}

/// P3 of an optional URL.
pub(super) fn optional_url(field: &str) -> Rule {
    url_rule(field, format!("!has(self.{field}) || ({})", url_expression(field)))
}

fn url_rule(field: &str, expression: String) -> Rule {
    Rule::new(expression).field_path(format!(".{field}")).message(
        "must be an https:// URL without query, fragment or credentials (http:// only for loopback or a Service of the \
         cluster, *.svc or *.svc.cluster.local: the token travels with every call)",
    )
}

/// The URL is matched as a whole: a rule with `url(self).getHostname().matches(…)` exceeds the API server's cost budget.
fn url_expression(field: &str) -> String {
    let url = format!("self.{field}");
    let https = r"^https://[^/?#@]+(/[^?#]*)?$";
    // In a CEL string a backslash is written twice.
    let http = r"^http://(localhost|127[.]0[.]0[.]1|\\[::1\\]|[a-z0-9.-]+[.]svc([.]cluster[.]local)?)(:[0-9]+)?(/[^?#]*)?$";
    format!("isURL({url}) && {url}.matches('{https}') || {url}.matches('{http}')")
}

/// `field` of this object, if it is set, is one IP address of `family` (4 or 6).
pub(super) fn optional_address(field: &str, family: u8) -> Rule {
    address_rule(field, family, format!("!has(self.{field}) || ({})", address_expression(field, family)))
}

/// `field` of this object is one IP address of `family` (4 or 6).
pub(super) fn address(field: &str, family: u8) -> Rule {
    address_rule(field, family, address_expression(field, family))
}

fn address_expression(field: &str, family: u8) -> String {
    format!("isIP(self.{field}) && ip(self.{field}).family() == {family}")
}

fn address_rule(field: &str, family: u8, expression: String) -> Rule {
    let message = if family == 4 {
        "must be one IPv4 address, without a mask"
    } else {
        "must be one IPv6 address, without a prefix length"
    };
    Rule::new(expression).field_path(format!(".{field}")).message(message)
}

/// This string is an IP address or a subnet of `family` (4 or 6).
pub(super) fn address_or_subnet(family: u8) -> Rule {
    let message = if family == 4 {
        "must be an IPv4 address or CIDR, such as 198.51.100.7 or 198.51.100.0/24"
    } else {
        "must be an IPv6 address or CIDR, such as 2001:db8::7 or 2001:db8::/64"
    };
    Rule::new(format!("(isIP(self) && ip(self).family() == {family}) || (isCIDR(self) && cidr(self).ip().family() == {family})"))
        .message(message)
}

/// No item of this list is there twice. (`x-kubernetes-list-type: set` would say the same, but makes the list granular.)
pub(super) fn no_repetition(item: &str) -> Rule {
    Rule::new("self.all(x, self.exists_one(y, x == y))").message(format!("must not repeat {item}").as_str())
}

/// P1 and P2: `field` of `spec.api` stays as it is while sessions live on the provider. The rule stands at the root of the
/// object, where spec and status are both visible. It locks too long rather than too short, since `status.sessions` lags only on
/// its way down.
pub(super) fn locked_while_in_use(field: &str) -> Rule {
    Rule::new(format!(
        "self.spec.api.{field} == oldSelf.spec.api.{field} || !has(self.status) || !has(self.status.sessions) || \
         self.status.sessions == 0"
    ))
    .field_path(format!(".spec.api.{field}"))
    .reason(kube::core::Reason::FieldValueForbidden)
    .message(
        format!(
            "{field} cannot change while sessions live on this provider: make a second QosProvider and point the sessions' \
             providerRef at it"
        )
        .as_str(),
    )
}
