"""Small pure parts: durations, JSONPath, request bodies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.kube.bodies import duplicates, parse
from sandbox.kube.durations import human
from sandbox.kube.jsonpath import compile_path
from sandbox.kube.protobuf import UnreadableError, decode


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "<invalid>"), (0, "0s"), (119.9, "119s"), (120, "2m"), (125, "2m5s"), (600, "10m"), (10799, "179m"),
        (10800, "3h"), (10860, "3h1m"), (28800, "8h"), (172800, "2d"), (176400, "2d1h"), (691200, "8d"),
        (63072000, "2y"), (63158400, "2y1d"), (315360000, "10y"),
    ],
)  # fmt: skip
def test_durations_have_two_parts_at_most(seconds, shown):
    assert human(seconds) == shown


DOCUMENT = {
    "spec": {"hosts": ["a", "b"], "x.y": 1},
    "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}]},
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.hosts", [["a", "b"]]),
        (".spec.hosts[*]", ["a", "b"]),
        (".spec.hosts[1]", ["b"]),
        (".spec.hosts[-1]", ["b"]),
        (".spec.hosts[2]", []),
        (r".spec.x\.y", [1]),
        (".spec['x.y']", [1]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".status.conditions[?(@.type != 'Ready')].type", ["Other"]),
        (".nothing.here", []),
    ],
)
def test_paths_find_values(path, found):
    assert compile_path(path)(DOCUMENT) == found


@pytest.mark.parametrize("path", [".a[", ".a[?(x)]", ".a..b", ""])
def test_other_paths_are_refused(path):
    with pytest.raises(ValueError, match="unsupported JSONPath"):
        compile_path(path)


def test_fields_that_come_twice_are_named_by_their_path():
    raw = b'{"a":[{"b":1,"b":2}],"c":1,"c":{}}'
    assert duplicates(raw, "application/json") == ('duplicate field "c"', 'duplicate field "a[0].b"')


def test_fields_of_yaml_that_come_twice_are_named_by_their_line():
    raw = b"a: 1\nb:\n- c: 1\n  c: 2\n"
    assert duplicates(raw, "application/yaml") == ('line 4: key "c" already set in map',)


def test_times_in_yaml_are_text():
    assert parse(b"a: 2020-01-01T00:00:00Z\nb: 1.5\n", "application/yaml") == {"a": "2020-01-01T00:00:00Z", "b": 1.5}


def message(number, content):
    return bytes([number << 3 | 2, len(content)]) + content


def test_a_protobuf_body_is_read():
    types = message(1, message(1, b"v1") + message(2, b"ConfigMap"))
    config_map = message(1, message(1, b"a")) + message(2, message(1, b"k") + message(2, b"v")) + bytes([4 << 3, 0])
    body = b"k8s\x00" + types + message(2, config_map)
    expected = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a"},
        "data": {"k": "v"},
        "immutable": False,
    }
    assert decode(body) == expected


def test_a_protobuf_field_that_is_not_described_is_refused():
    types = message(1, message(1, b"v1") + message(2, b"ConfigMap"))
    with pytest.raises(UnreadableError, match="field 9 of ConfigMap"):
        decode(b"k8s\x00" + types + message(2, message(9, b"x")))


@given(st.binary())
def test_what_is_no_protobuf_is_refused(raw):
    with pytest.raises(UnreadableError):
        decode(b"k8s\x00" + raw)
