"""`router`: the most specific route, and what is answered when none fits."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.kinds.control.conftest import make

from penstock.core.errors import NodeError
from penstock.engine.kind import FieldError
from penstock.kinds.http.router import Router
from penstock.kinds.http.routes import Pattern, Routes


def router(*routes: tuple[Any, str]) -> Router:
    """A router with `(method, path)` at out[0], out[1], …"""
    listed = [
        {"method": method, "path": path, "port": f"out[{number}]"}
        for number, (method, path) in enumerate(routes)
    ]
    return make(Router, routes=listed)


def ask(node: Router, method: str, path: str) -> tuple[str, Any]:
    """The port that a request leaves by, and its payload there."""
    ((port, payload),) = (node.run({"in": {"method": method, "path": path, "params": {}}}) or {}).items()
    return port, payload


def port(node: Router, method: str, path: str) -> str:
    return ask(node, method, path)[0]


def params(node: Router, path: str) -> dict[str, str]:
    return ask(node, "GET", path)[1]["params"]


def mistakes(**config: Any) -> dict[tuple[Any, ...], str]:
    with pytest.raises(ExceptionGroup) as caught:
        make(Router, **config)
    return {error.path: str(error) for error in caught.value.exceptions if isinstance(error, FieldError)}


def test_a_request_goes_to_the_port_of_its_method_and_path() -> None:
    node = router(("POST", "/v1/nodes"), ("GET", "/v1/nodes"), ("GET", "/v1/values"))

    assert port(node, "POST", "/v1/nodes") == "out[0]"
    assert port(node, "GET", "/v1/nodes") == "out[1]"
    assert port(node, "GET", "/v1/values") == "out[2]"


def test_a_fixed_route_sends_the_request_on_as_it_is() -> None:
    request = {"method": "GET", "path": "/", "params": {}, "body": [1]}

    assert router(("GET", "/")).run({"in": request})["out[0]"] is request


def test_what_parameters_fit_is_in_params() -> None:
    node = router(("GET", "/users/:id/files/:name"))

    assert params(node, "/users/7/files/a.txt") == {"id": "7", "name": "a.txt"}


def test_the_request_that_came_in_is_not_changed() -> None:
    request = {"method": "GET", "path": "/users/7", "params": {}}
    router(("GET", "/users/:id")).run({"in": request})

    assert request["params"] == {}


def test_params_of_a_router_before_are_kept() -> None:
    request = {"method": "GET", "path": "/users/7", "params": {"tenant": "x"}}

    sent = router(("GET", "/users/:id")).run({"in": request})["out[0]"]
    assert sent["params"] == {"tenant": "x", "id": "7"}


def test_a_request_without_params_gets_them() -> None:
    assert router(("GET", "/")).run({"in": {"method": "GET", "path": "/"}})["out[0]"]["params"] == {}


@pytest.mark.parametrize(
    ("path", "rest"), [("/files", ""), ("/files/", ""), ("/files/a", "a"), ("/files/a/b.txt", "a/b.txt")]
)
def test_a_star_fits_the_rest_or_nothing(path: str, rest: str) -> None:
    assert params(router(("GET", "/files/*rest")), path) == {"rest": rest}


def test_a_star_without_a_name_is_called_star() -> None:
    assert params(router(("GET", "/files/*")), "/files/a/b") == {"*": "a/b"}
    assert params(router(("GET", "*")), "/files/a/b") == {"*": "files/a/b"}


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_the_most_specific_route_fits_in_whatever_order(order: tuple[int, ...]) -> None:
    paths = ["/users/me", "/users/:id", "/users/*", "/*"]
    node = router(*(("GET", paths[number]) for number in order))
    found = {path: paths[order[int(port(node, "GET", path)[4:-1])]] for path in asked}

    assert found == asked


asked = {"/users/me": "/users/me", "/users/7": "/users/:id", "/users/7/x": "/users/*", "/x": "/*"}


def test_a_way_that_leads_nowhere_is_given_up_for_a_less_specific_one() -> None:
    node = router(("GET", "/a/b/c"), ("GET", "/a/:x/d"), ("GET", "/:y/b/e"))

    assert port(node, "GET", "/a/b/d") == "out[1]"
    assert port(node, "GET", "/a/b/e") == "out[2]"


def test_a_less_specific_route_takes_the_methods_that_the_other_does_not() -> None:
    node = router(("GET", "/users/me"), ("DELETE", "/users/:id"))

    assert port(node, "DELETE", "/users/me") == "out[1]"


def test_a_route_that_names_the_method_goes_before_one_for_all() -> None:
    node = router(("*", "/a"), ("GET", "/a"))

    assert port(node, "GET", "/a") == "out[1]"
    assert port(node, "PURGE", "/a") == "out[0]"


def test_a_route_without_a_method_takes_every_one() -> None:
    node = make(Router, routes=[{"path": "/a", "port": "out[0]"}])

    assert port(node, "PATCH", "/a") == "out[0]"


def test_a_route_takes_several_methods_in_any_case() -> None:
    node = router((["put", "PATCH"], "/a"))

    assert port(node, "PUT", "/a") == port(node, "PATCH", "/a") == "out[0]"


@pytest.mark.parametrize("path", ["/users", "/users/"])
@pytest.mark.parametrize("route", ["/users", "/users/"])
def test_a_slash_at_the_end_makes_no_difference(route: str, path: str) -> None:
    assert port(router(("GET", route)), "GET", path) == "out[0]"


@pytest.mark.parametrize("path", ["//", "//users", "/users//"])
def test_an_empty_segment_is_a_segment(path: str) -> None:
    node = router(("GET", "/users"), ("GET", "/:id"), ("GET", "/users/:id"))

    assert ask(node, "GET", path)[1]["status"] == 404


@pytest.mark.parametrize("route", ["/café", "/caf%C3%A9"])
def test_fixed_segments_are_compared_without_their_encoding(route: str) -> None:
    assert port(router(("GET", route)), "GET", "/caf%c3%a9") == "out[0]"


def test_an_encoded_slash_belongs_to_its_segment() -> None:
    node = router(("GET", "/files/:name"), ("GET", "/files/a/b"), ("GET", "/x%2Fy"))

    assert ask(node, "GET", "/files/a%2Fb")[1]["params"] == {"name": "a/b"}
    assert port(node, "GET", "/x%2fy") == "out[2]"
    assert port(node, "GET", "/x/y") == "miss"


def test_a_percent_sign_that_encodes_nothing_stays() -> None:
    assert params(router(("GET", "/:rate")), "/100%") == {"rate": "100%"}
    assert port(router(("GET", "/100%25")), "GET", "/100%25") == "out[0]"


def test_a_path_that_is_not_utf8_is_answered_with_400() -> None:
    status, answer = ask(router(("GET", "/:name")), "GET", "/%ff")

    assert (status, answer["status"], answer["body"]["detail"]) == ("miss", 400, "the path is not UTF-8")


def test_nothing_at_the_path_is_404() -> None:
    way, answer = ask(router(("GET", "/a")), "GET", "/b")

    assert way == "miss"
    assert answer["status"] == 404
    assert answer["headers"] == {"content-type": "application/problem+json"}
    assert answer["body"] == {
        "title": "Not Found",
        "status": 404,
        "detail": "there is nothing at `/b`",
    }


def test_another_method_is_405_and_says_which_are_allowed() -> None:
    way, answer = ask(router(("GET", "/a/:x"), ("PUT", "/a/b"), ("POST", "/c")), "POST", "/a/b")

    assert (way, answer["status"], answer["headers"]["allow"]) == (
        "miss",
        405,
        "GET, HEAD, OPTIONS, PUT",
    )


def test_options_is_answered_with_what_is_allowed() -> None:
    way, answer = ask(router(("GET", "/a"), ("POST", "/a")), "OPTIONS", "/a")

    assert (way, answer) == ("miss", {"status": 204, "headers": {"allow": "GET, HEAD, OPTIONS, POST"}})


def test_options_of_everything_names_the_methods_of_every_route() -> None:
    way, answer = ask(router(("GET", "/a/:b"), ("POST", "/"), ("PUT", "/c/*")), "OPTIONS", "*")

    assert (way, answer["headers"]["allow"]) == ("miss", "GET, HEAD, OPTIONS, POST, PUT")


def test_options_of_nothing_is_404() -> None:
    assert ask(router(("GET", "/a")), "OPTIONS", "/b")[1]["status"] == 404


def test_options_with_a_route_goes_there() -> None:
    assert port(router(("GET", "/a"), ("OPTIONS", "/a")), "OPTIONS", "/a") == "out[1]"


def test_head_goes_where_get_goes_unless_it_has_a_route() -> None:
    assert port(router(("GET", "/a")), "HEAD", "/a") == "out[0]"
    assert port(router(("GET", "/a"), ("HEAD", "/a")), "HEAD", "/a") == "out[1]"
    assert port(router(("*", "/a"), ("GET", "/a")), "HEAD", "/a") == "out[1]"


def test_a_long_path_is_not_repeated_in_full() -> None:
    assert len(ask(router(("GET", "/a")), "GET", "/" + "x" * 9000)[1]["body"]["detail"]) < 300


def test_a_router_without_routes_finds_nothing() -> None:
    assert ask(make(Router, routes=[]), "GET", "/")[1]["status"] == 404


@pytest.mark.parametrize(
    "payload", [None, 3, "GET /", [], {}, {"method": "GET"}, {"method": "GET", "path": 3}, {"path": "/"}]
)
def test_what_is_no_request_fails_the_node(payload: Any) -> None:
    with pytest.raises(NodeError) as caught:
        router(("GET", "/")).run({"in": payload})
    assert caught.value.code == "router.request"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("users", "write `/users`"),
        ("/a/*rest/b", "nothing may follow it"),
        ("/a/:", "needs a name"),
        ("/a/:1", "no usable name"),
        ("/a/*b c", "no usable name"),
        ("/:a/:a", "two parameters are called `a`"),
        ("/a?x=1", "a path ends before `?`"),
        ("/%ff", "not UTF-8"),
    ],
)
def test_a_bad_path_is_a_mistake_in_the_document(path: str, said: str) -> None:
    found = mistakes(routes=[{"path": "/ok", "port": "out[0]"}, {"path": path, "port": "out[1]"}])

    assert said in found["routes", 1, "path"]


@pytest.mark.parametrize("again", ["/users/:name", "/users/:id/"])
def test_a_route_that_is_there_already_is_a_mistake(again: str) -> None:
    routes = [{"method": "GET", "path": "/users/:id", "port": "out[0]"}]
    found = mistakes(routes=[*routes, {"method": ["PUT", "GET"], "path": again, "port": "out[1]"}])

    assert found == {("routes", 1, "path"): f"there is a route for GET `{again}` already"}


def test_a_port_that_is_not_there_and_a_bad_method_are_mistakes() -> None:
    found = mistakes(
        routes=[
            {"path": "/a", "port": "users"},
            {"method": "GET POST", "path": "/b", "port": "out[1]"},
            {"method": [], "path": "/c", "port": "out[2]"},
        ]
    )

    assert found["routes", 0, "port"] == "there is no port `users`; write `out[0]`"
    assert "`GET POST` is no method" in found["routes", 1, "method"]
    assert "name a method" in found["routes", 2, "method"]


SEGMENTS = st.sampled_from(["a", "b", "c", ":x", ":y"])
PATHS = st.builds(
    lambda segments, rest: "/" + "/".join([*dict.fromkeys(segments), *rest]),
    st.lists(SEGMENTS, max_size=4),
    st.sampled_from([[], ["*"], ["*rest"]]),
)
TABLES = st.lists(st.tuples(st.sampled_from(["GET", "HEAD", "POST", "*"]), PATHS), max_size=12)
ASKED = st.tuples(
    st.sampled_from(["GET", "HEAD", "POST", "PUT"]),
    st.lists(st.sampled_from(["a", "b", "c", "d", ""]), max_size=5).map(
        lambda parts: "/" + "/".join(parts)
    ),
)


def naive(table: list[tuple[str, str]], method: str, path: str) -> int | None:
    """The route that a patient reader would choose: try all, and compare those that fit."""
    fitting = [
        (rank, names.index(wanted), number)
        for number, (wanted, pattern) in enumerate(table)
        if (rank := fit(Pattern.parse(pattern), path)) is not None
        and wanted in (names := [method, *(["GET"] if method == "HEAD" else []), "*"])
    ]
    return min(fitting)[2] if fitting else None


def fit(pattern: Pattern, path: str) -> tuple[int, ...] | None:
    """How specific a pattern is for a path, from left to right; None when it does not fit."""
    parts = path.removesuffix("/").split("/")[1:]
    if len(parts) < len(pattern.segments) or (len(parts) > len(pattern.segments) and not pattern.open):
        return None
    rank: list[int] = []
    for segment, part in zip(pattern.segments, parts, strict=False):
        if segment is None and not part:
            return None
        if segment is not None and segment != part:
            return None
        rank.append(1 if segment is None else 0)
    return (*rank, 2) if pattern.open else tuple(rank)


@given(table=TABLES, asked=st.lists(ASKED, min_size=1, max_size=20))
def test_routes_answer_as_a_search_through_all_of_them_would(
    table: list[tuple[str, str]], asked: list[tuple[str, str]]
) -> None:
    routes: Routes[int] = Routes()
    kept: list[tuple[str, str]] = []
    for method, path in table:
        try:
            routes.add(path, [method], len(kept))
        except ValueError:
            continue  # the same path again, perhaps with other names
        kept.append((method, path))

    for method, path in asked:
        found = routes.find(method, path)
        assert (found and found.target) == naive(kept, method, path), (method, path)
