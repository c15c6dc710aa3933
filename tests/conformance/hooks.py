"""What the documents say in prose and not in their schemas, done to the requests that schemathesis means to be good.

Without it hardly any of them would be accepted: a profile's name, for example, is any text by the schema, and one of the provider's
own by the prose. Requests that are meant to be refused stay as they are.
"""

import ipaddress

import schemathesis

# One that settings.json offers.
PROFILE = "QOS_E"
PHONE = "+447700900123"


@schemathesis.hook
def before_load_schema(context, raw_schema):
    # 0.8 contradicts itself: these have a mask in pattern, description and example, and a format that allows none.
    for name in ("Ipv4Addr", "Ipv6Addr"):
        schema = raw_schema["components"]["schemas"].get(name, {})
        if "<address/mask>" in schema.get("description", ""):
            schema.pop("format", None)


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or case.meta.generation.mode.value != "positive" or not isinstance(case.body, dict):
        return
    if case.operation.schema.raw_schema["info"]["version"].startswith("1.2."):
        # "This API rejects requests with JSON request bodies that contain properties not declared in this specification, at any nesting
        # level."
        drop_undeclared(case.body)
    if case.path.endswith("/sessions"):
        creation(case.body)
    elif case.path.endswith(("/retrieve-sessions", "/retrieve-qos-profiles")):
        device(case.body, "device", "phoneNumber")


# Every property of a request of 1.2.
DECLARED = set(
    """accessToken accessTokenExpiresUtc accessTokenType applicationServer applicationServerPorts clientId credentialType device
    devicePorts duration from ipAddresses ipv4Address ipv6Address name networkAccessIdentifier phoneNumber ports privateAddress
    publicAddress publicPort qosProfile ranges requestedAdditionalDuration sink sinkCredential status to tokenUri""".split()
)


def drop_undeclared(value):
    if isinstance(value, dict):
        for name in value.keys() - DECLARED:
            del value[name]
        value = value.values()
    elif not isinstance(value, list):
        return
    for part in value:
        drop_undeclared(part)


def creation(body):
    first = "qos" in body  # 0.8 has names of its own
    body["qos" if first else "qosProfile"] = PROFILE
    device(body, *(("ueId", "msisdn") if first else ("device", "phoneNumber")))
    server(body, *(("asId", "ipv4addr") if first else ("applicationServer", "ipv4Address")))
    for name in ("devicePorts", "applicationServerPorts", "uePorts", "asPorts"):
        for part in body.get(name, {}).get("ranges", []):
            # "from" comes first.
            part["from"], part["to"] = sorted((part["from"], part["to"]))
    if "ipv4addr" in body.get("ueId", {}):
        # Telefónica's 0.8: "uePorts is required if ueId.ipv4addr is".
        body.setdefault("uePorts", {"ports": [5060]})
    if "sink" in body and not body["sink"].startswith("https://"):
        # 0.11 says "format: url", which is no format that schemathesis knows.
        body["sink"] = "https://events.example.com/e"
    if "sinkCredential" in body:
        # "MUST be set to ACCESSTOKEN for now", whatever the enumeration has.
        body["sinkCredential"] = {
            "credentialType": "ACCESSTOKEN",
            "accessToken": "n3mZ0q2Jr8vK5tYx1LwB7dPfHs4GcUaE",
            "accessTokenExpiresUtc": "2100-01-01T00:00:00Z",
            "accessTokenType": "bearer",
        }


def device(body, name, phone):
    identifiers = body.get(name)
    if not isinstance(identifiers, dict):
        # The token of the run names no device, so the request has to.
        identifiers = body[name] = {}
    # The patterns of 0.8 and 0.9 let through what is no address, 5057:196:0:0:9:530:0: for example.
    for field in ("ipv4addr", "ipv6addr", "ipv6Address"):
        if field in identifiers and not is_network(identifiers[field]):
            del identifiers[field]
    ipv4 = identifiers.get("ipv4Address", {})
    for field in ("publicAddress", "privateAddress"):
        if field in ipv4 and not is_network(ipv4[field]):
            ipv4[field] = "203.0.113.1"
    # Not supported since 1.0, and the one identifier that no schema restricts.
    identifiers.pop("networkAccessIdentifier", None)
    if not {phone, "ipv4Address", "ipv6Address", "externalId", "ipv4addr", "ipv6addr"} & identifiers.keys():
        identifiers[phone] = PHONE


def server(body, name, first):
    addresses = body.get(name, {})
    if "ipAddresses" in addresses:
        return
    for field in ("ipv4Address", "ipv6Address", "ipv4addr", "ipv6addr"):
        # 0.9 to 1.1 restrict them in prose only.
        if field in addresses and not is_network(addresses[field]):
            addresses[field] = "198.51.100.10" if "4" in field else "2001:db8::10"
    if not {"ipv4Address", "ipv6Address", "ipv4addr", "ipv6addr"} & addresses.keys():
        addresses[first] = "198.51.100.10"


def is_network(text):
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True
