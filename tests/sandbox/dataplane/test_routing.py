"""Which rule serves a request."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.dataplane.routing import RequestHead, matches, route, split_authority
from sandbox.lattice.directory import FixedResponse, Forward, HeaderMatch, Listener, Match, Rule


def head(path="/", method="GET", **headers):
    return RequestHead(method, path, [(name.replace("_", "-"), value) for name, value in headers.items()])


def listener(*rules):
    return Listener("listener-1", 80, "HTTP", tuple(rules), FixedResponse(404))


def rule(priority, match, to=None):
    return Rule(f"rule-{priority}", priority, match, Forward({to or f"tg-{priority}": 1}))


class TestRules:
    def test_the_lowest_priority_number_that_matches_wins(self):
        table = listener(rule(20, Match(path_prefix="/")), rule(10, Match(path_prefix="/parking")))
        assert route(head("/parking"), table).rule == table.rules[1]
        assert route(head("/review"), table).rule == table.rules[0]

    def test_the_default_action_serves_what_no_rule_takes(self):
        decision = route(head("/review"), listener(rule(1, Match(path_exact="/parking"))))
        assert decision.rule is None
        assert decision.action == FixedResponse(404)

    def test_a_match_without_conditions_takes_everything(self):
        assert matches(Match(), head("/anything", method="BREW"))

    def test_all_conditions_of_a_match_must_hold(self):
        match = Match(
            method="GET", path_prefix="/a", headers=(HeaderMatch("x", exact="1"), HeaderMatch("y", exact="2"))
        )
        assert matches(match, head("/a", x="1", y="2"))
        assert not matches(match, head("/a", method="PUT", x="1", y="2"))
        assert not matches(match, head("/b", x="1", y="2"))
        assert not matches(match, head("/a", x="1"))


class TestPaths:
    @pytest.mark.parametrize("path", ["/parking", "/parking/", "/parking/lot"])
    def test_a_prefix_matches_whole_elements(self, path):
        assert matches(Match(path_prefix="/parking"), head(path))

    def test_a_prefix_does_not_end_inside_an_element(self):
        assert not matches(Match(path_prefix="/parking"), head("/parkinglot"))

    def test_a_prefix_with_a_slash_at_its_end_needs_that_slash(self):
        assert matches(Match(path_prefix="/parking/"), head("/parking/lot"))
        assert not matches(Match(path_prefix="/parking/"), head("/parking"))

    def test_an_exact_path_is_all_of_the_path(self):
        assert matches(Match(path_exact="/parking"), head("/parking"))
        assert not matches(Match(path_exact="/parking"), head("/parking/"))

    def test_paths_are_compared_as_they_are_on_the_wire(self):
        assert not matches(Match(path_exact="/a/b"), head("/a%2Fb"))
        assert not matches(Match(path_exact="/a/b"), head("/a//b"))

    @pytest.mark.parametrize("field", ["path_exact", "path_prefix"])
    def test_case_counts_only_where_the_match_says_so(self, field):
        assert matches(Match(**{field: "/Parking"}), head("/pARKING"))
        assert not matches(Match(**{field: "/Parking"}, path_case_sensitive=True), head("/pARKING"))


class TestHeaders:
    def test_names_have_no_case(self):
        assert matches(Match(headers=(HeaderMatch("X-Version", exact="1"),)), head(x_version="1"))

    @pytest.mark.parametrize("operator", ["exact", "prefix", "contains"])
    def test_values_have_case_only_where_the_match_says_so(self, operator):
        assert matches(Match(headers=(HeaderMatch("v", **{operator: "Blue"}),)), head(v="bLUE"))
        assert not matches(
            Match(headers=(HeaderMatch("v", **{operator: "Blue"}, case_sensitive=True),)), head(v="bLUE")
        )

    @pytest.mark.parametrize(
        ("operator", "matching", "other"),
        [
            ("exact", "blue", "blue-green"),
            ("prefix", "blue-green", "dark-blue"),
            ("contains", "dark-blue-ish", "green"),
        ],
    )
    def test_operators(self, operator, matching, other):
        match = Match(headers=(HeaderMatch("v", **{operator: "blue"}),))
        assert matches(match, head(v=matching))
        assert not matches(match, head(v=other))

    def test_an_absent_header_matches_nothing(self):
        assert not matches(Match(headers=(HeaderMatch("v", contains=""),)), head())

    def test_a_repeated_header_is_its_values_joined_with_commas(self):
        repeated = RequestHead("GET", "/", [("V", "a"), ("v", "b")])
        assert matches(Match(headers=(HeaderMatch("v", exact="a, b"),)), repeated)


class TestAuthority:
    @pytest.mark.parametrize(
        ("authority", "expected"),
        [
            ("rates.example", ("rates.example", None)),
            ("RATES.Example:8080", ("rates.example", 8080)),
            ("rates.example.", ("rates.example", None)),
        ],
    )
    def test_domain_and_port(self, authority, expected):
        assert split_authority(authority) == expected

    @pytest.mark.parametrize("authority", ["", ":80", "rates.example:", "rates.example:http", "rates.example:99999"])
    def test_what_is_no_host_is_refused(self, authority):
        with pytest.raises(ValueError, match="not a host"):
            split_authority(authority)


paths = st.lists(st.sampled_from(["a", "A", "b", "ab", ""]), max_size=4).map(lambda parts: "/" + "/".join(parts))
values = st.text(st.sampled_from("aAb"), min_size=1, max_size=3)
conditions = st.builds(
    lambda name, operator, value, case: HeaderMatch(name, **{operator: value}, case_sensitive=case),
    st.sampled_from(["x", "X", "y"]),
    st.sampled_from(["exact", "prefix", "contains"]),
    values,
    st.booleans(),
)
path_matches = st.one_of(
    st.just({}), st.builds(lambda p: {"path_exact": p}, paths), st.builds(lambda p: {"path_prefix": p}, paths)
)
match_objects = st.builds(
    lambda method, path, case, headers: Match(method=method, path_case_sensitive=case, headers=tuple(headers), **path),
    st.sampled_from([None, "GET", "PUT"]),
    path_matches,
    st.booleans(),
    st.lists(conditions, max_size=2),
)
heads = st.builds(
    lambda method, path, headers: RequestHead(method, path, list(headers.items())),
    st.sampled_from(["GET", "PUT", "get"]),
    paths,
    st.dictionaries(st.sampled_from(["x", "y"]), values),
)


def elements(path):
    """The path as a list, so that a prefix of it is a prefix of the list."""
    return path.split("/")


def obviously(match, request):
    """The reference: every condition written out by itself, paths as lists of elements."""

    def same(one, other, case):
        return one == other if case else one.lower() == other.lower()

    if match.method is not None and request.method != match.method:
        return False
    if match.path_exact is not None and not same(request.path, match.path_exact, match.path_case_sensitive):
        return False
    if match.path_prefix is not None:
        prefix, path = elements(match.path_prefix), elements(request.path)
        if prefix[-1] == "":
            prefix = prefix[:-1]
            if len(path) == len(prefix):
                return False
        if not same("\n".join(path[: len(prefix)]), "\n".join(prefix), match.path_case_sensitive):
            return False
    present = {name.lower(): value for name, value in request.headers}
    for condition in match.headers:
        value = present.get(condition.name.lower())
        if value is None:
            return False
        wanted = condition.exact or condition.prefix or condition.contains
        parts = {
            condition.exact: [value],
            condition.prefix: [value[: len(wanted)]],
            condition.contains: [value[at : at + len(wanted)] for at in range(len(value))],
        }[wanted]
        if not any(same(part, wanted, condition.case_sensitive) for part in parts):
            return False
    return True


@given(match_objects, heads)
def test_matching_agrees_with_the_reference(match, request):
    assert matches(match, request) == obviously(match, request)


@given(st.permutations(range(1, 6)), st.lists(match_objects, min_size=5, max_size=5), heads)
def test_the_first_of_the_matching_rules_by_priority_decides_however_they_are_stored(order, matching, request):
    table = listener(*(rule(priority, match) for priority, match in zip(order, matching, strict=True)))
    taking = [rule for rule in table.rules if obviously(rule.match, request)]
    assert route(request, table).rule == min(taking, key=lambda rule: rule.priority, default=None)


@given(st.text(string.ascii_lowercase + ".-", min_size=1).filter(lambda t: t.strip(".")), st.integers(1, 65535))
def test_an_authority_gives_its_parts_back(domain, port):
    assert split_authority(f"{domain}:{port}") == (domain.rstrip("."), port)
