"""Routes of all kinds that Gateway API's definitions admit, good, bad and odd ones, as hypothesis draws them.

A cluster may hold any of them, so whoever reads routes has to come to an end with each. They refer to a small world:
the Gateways `my-hotel` and `other`, the Services `rates` and `parking`, and much that is not there.
"""

from typing import Any

from hypothesis import strategies as st

GROUP = "gateway.networking.k8s.io"

Json = dict[str, Any]

WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=["Cs"]), min_size=1, max_size=6)
GATEWAYS = st.sampled_from(["my-hotel", "my-hotel", "my-hotel", "other", "nowhere"])
PARENTS = st.lists(
    st.fixed_dictionaries(
        {"name": GATEWAYS},
        optional={"sectionName": st.sampled_from(["http", "https", "tls", "none"]), "namespace": st.just("elsewhere")},
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda ref: (ref["name"], ref.get("sectionName"), ref.get("namespace")),
).filter(
    # The definitions want section names to tell references to one Gateway apart: all of them have one, or it is alone.
    lambda refs: all(
        ("sectionName" in one) == ("sectionName" in other) and one.get("sectionName") != other.get("sectionName")
        for index, one in enumerate(refs)
        for other in refs[index + 1 :]
        if (one["name"], one.get("namespace")) == (other["name"], other.get("namespace"))
    )
)
HOSTNAMES = st.lists(
    st.sampled_from(["a.example.com", "b.example.com", "c.example.org", "*.example.com", "*.org", "x." + "y" * 63]),
    max_size=4,
)
WEIGHTS = st.one_of(st.integers(0, 3), st.integers(0, 1_000_000))
HEADERS = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["x", "X", "y", "z", "a-b", "c" * 101, "d", "e", "f"]), "value": WORDS},
        optional={"type": st.sampled_from(["Exact", "RegularExpression"])},
    ),
    max_size=7,
    unique_by=lambda header: header["name"],
)
FILTERS = st.lists(
    st.sampled_from(
        [
            {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x", "value": "y"}]}},
            {"type": "ExtensionRef", "extensionRef": {"group": "example.com", "kind": "Odd", "name": "one"}},
        ]
    ),
    max_size=1,
)


def backends(*, filters: bool, least: int = 0) -> st.SearchStrategy[list[Json]]:
    reference = st.fixed_dictionaries(
        {"name": st.sampled_from(["rates", "parking", "rates", "nowhere"]), "port": st.sampled_from([80, 80, 81])},
        optional={
            "weight": WEIGHTS,
            "namespace": st.sampled_from(["default", "elsewhere"]),
            "kind": st.sampled_from(["Service", "Odd"]),
            **({"filters": FILTERS} if filters else {}),
        },
    )
    return st.lists(reference, min_size=least, max_size=12)


def names(pieces: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(pieces, min_size=1, max_size=3).map(".".join)


IDENTIFIERS = st.sampled_from(["a", "hotel", "Rates", "_x9", "Z" * 120])
GRPC_METHODS = st.one_of(
    st.fixed_dictionaries({"service": names(IDENTIFIERS)}, optional={"method": IDENTIFIERS, "type": st.just("Exact")}),
    st.fixed_dictionaries({"method": IDENTIFIERS}),
    st.fixed_dictionaries({"service": WORDS, "method": WORDS, "type": st.just("RegularExpression")}),
)
GRPC_RULES = st.fixed_dictionaries(
    {"backendRefs": backends(filters=True)},
    optional={
        "matches": st.lists(
            st.fixed_dictionaries({}, optional={"method": GRPC_METHODS, "headers": HEADERS}), max_size=5
        ),
        "filters": FILTERS,
    },
)
PATHS = st.sampled_from(["/", "/a", "/a/", "/a/b", "/it's", "/" + "a" * 300])
HTTP_MATCHES = st.fixed_dictionaries(
    {},
    optional={
        "path": st.fixed_dictionaries({"type": st.sampled_from(["Exact", "PathPrefix"]), "value": PATHS}),
        "method": st.sampled_from(["GET", "POST"]),
        "headers": HEADERS,
        "queryParams": st.just([{"name": "q", "value": "1"}]),
    },
)
HTTP_RULES = st.fixed_dictionaries(
    {"backendRefs": backends(filters=True)},
    optional={
        "matches": st.lists(HTTP_MATCHES, min_size=1, max_size=5),
        "filters": FILTERS,
        "timeouts": st.just({"request": "1s"}),
    },
)

AGES = st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"])


def _route(kind: str, spec: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries(
        {
            "apiVersion": st.just(f"{GROUP}/v1"),
            "kind": st.just(kind),
            "metadata": st.fixed_dictionaries(
                {"name": st.sampled_from(["one", "two", "three", "x" * 60]), "creationTimestamp": AGES},
                optional={"namespace": st.sampled_from(["default", "elsewhere"])},
            ).map(lambda metadata: {"namespace": "default", **metadata}),
            "spec": spec,
        }
    )


def admitted() -> st.SearchStrategy[Json]:
    """A route of one of the kinds."""
    shared = {"parentRefs": PARENTS}
    return st.one_of(
        _route(
            "HTTPRoute",
            st.fixed_dictionaries(
                shared, optional={"hostnames": HOSTNAMES, "rules": st.lists(HTTP_RULES, min_size=1, max_size=4)}
            ),
        ),
        _route(
            "GRPCRoute",
            st.fixed_dictionaries(shared, optional={"hostnames": HOSTNAMES, "rules": st.lists(GRPC_RULES, max_size=4)}),
        ),
        _route(
            "TLSRoute",
            st.fixed_dictionaries(
                shared
                | {
                    "hostnames": HOSTNAMES.filter(bool),
                    "rules": st.lists(
                        st.fixed_dictionaries({"backendRefs": backends(filters=False, least=1)}), min_size=1, max_size=1
                    ),
                },
            ),
        ),
    )
