from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.auth.provider import KEYS

from penstock.auth import HOST, Permission, Resource, Scope
from penstock.auth.directory import Directory
from penstock.auth.permission import strongest
from penstock.auth.picture import Picture
from penstock.auth.principal import Principal
from penstock.auth.records import EVERYWHERE, Grant, User, kept
from penstock.auth.rights import NOTHING, ROLES, Rights, rights_of
from penstock.auth.signing import Signing
from penstock.core.catalog import Entry
from penstock.core.errors import AccountError
from penstock.core.store import RunRow
from penstock.store import open_store
from penstock.testing.clock import FakeClock

FLOWS = ["a", "b", "*"]
permissions = st.sampled_from(list(Permission))
resources = st.one_of(
    st.just(HOST),
    st.builds(Resource, st.sampled_from([Scope.FLOW, Scope.EVENTS]), st.sampled_from(FLOWS)),
)
grants = st.builds(
    Grant,
    id=st.uuids().map(str),
    subject=st.just("user:u-1"),
    permission=permissions,
    resource=resources.map(str),
    created=st.just(0.0),
    namespace=st.sampled_from([EVERYWHERE, "default", "other"]),
)
everybody = st.lists(grants, max_size=6)
roles = st.lists(st.sampled_from(list(ROLES)), max_size=2)


def rights(roles: list[str], grants: list[Grant]) -> Rights:
    return rights_of(roles, grants, namespace="default")


def at_least(one: Permission | None, other: Permission | None) -> bool:
    return other is None or (one is not None and one.includes(other))


def test_each_permission_includes_those_before_it() -> None:
    order = [Permission.VIEW, Permission.LAUNCH, Permission.OPERATE, Permission.ADMIN]
    for place, one in enumerate(order):
        assert [one.includes(other) for other in order] == [other <= place for other in range(4)]


@given(st.lists(st.none() | permissions))
def test_the_strongest_includes_all_others(some: list[Permission | None]) -> None:
    assert all(at_least(strongest(some), one) for one in some)


@given(roles, everybody, grants)
def test_one_more_grant_takes_nothing_away(roles: list[str], some: list[Grant], more: Grant) -> None:
    before, after = rights(roles, some), rights(roles, [*some, more])
    assert at_least(after.host, before.host)
    assert at_least(after.everywhere, before.everywhere)
    for flow in FLOWS:
        assert at_least(after.on_flow(flow), before.on_flow(flow))
        assert at_least(after.on_runs(flow), before.on_runs(flow))


@given(roles, everybody)
def test_the_order_of_grants_does_not_matter(roles: list[str], some: list[Grant]) -> None:
    assert rights(roles, some) == rights(roles, some[::-1])


@given(roles, everybody)
def test_what_holds_on_the_host_holds_on_everything(roles: list[str], some: list[Grant]) -> None:
    found = rights(roles, some)
    assert at_least(found.host, found.everywhere)
    for flow in [*FLOWS, "never heard of"]:
        assert at_least(found.on_flow(flow), found.host)
        assert at_least(found.on_runs(flow), found.host)


@given(everybody)
def test_grants_of_another_namespace_give_nothing(some: list[Grant]) -> None:
    elsewhere = [grant for grant in some if grant.namespace == "other"]
    assert rights([], elsewhere) == NOTHING


@given(everybody, st.sampled_from(FLOWS[:2]), st.sampled_from(["", "u-1", "u-2"]), permissions)
def test_the_list_of_runs_shows_those_that_may_be_looked_at(
    some: list[Grant], flow: str, launcher: str, ceiling: Permission
) -> None:
    directory = directory_of(some)
    principal = Principal(id="u-1", name="ada", ceiling=ceiling)
    row = RunRow(fid="f", flow=flow, launcher=launcher, namespace="default")
    sight = directory.sight(principal)
    may = directory.may(principal, Permission.VIEW, flow=flow, launcher=launcher)
    assert (sight is None or sight.admits(row)) == may


@given(everybody, st.sampled_from(FLOWS[:2]), permissions, permissions)
def test_no_token_is_good_for_more_than_it_says(
    some: list[Grant], flow: str, ceiling: Permission, wanted: Permission
) -> None:
    directory = directory_of(some)
    bound = Principal(id="u-1", name="ada", ceiling=ceiling)
    free = Principal(id="u-1", name="ada")
    for launcher in (None, "", "u-1", "u-2"):
        may = directory.may(bound, wanted, flow=flow, launcher=launcher)
        assert may == (
            ceiling.includes(wanted) and directory.may(free, wanted, flow=flow, launcher=launcher)
        )


def directory_of(grants: list[Grant]) -> Directory:
    directory = Directory(open_store("memory:"), signing=Signing(KEYS), clock=FakeClock())
    records = [User(id="u-1", name="ada", created=0.0), *grants]
    directory.picture = Picture()
    directory.picture.take(
        Entry(
            collection=write.collection,
            namespace=write.namespace,
            id=write.id,
            name=write.name,
            revision=1,
            position=place,
            at=0.0,
            content=write.content,
        )
        for place, write in enumerate(kept(record, revision=0) for record in records)
    )
    return directory


def test_who_launched_a_run_may_operate_it_without_any_grant() -> None:
    directory = directory_of([])
    ada = Principal(id="u-1", name="ada")
    assert directory.may(ada, Permission.OPERATE, flow="a", launcher="u-1")
    assert not directory.may(ada, Permission.VIEW, flow="a", launcher="u-2")
    assert not directory.may(ada, Permission.LAUNCH, flow="a")


def test_who_may_launch_a_flow_does_not_see_what_others_did_with_it() -> None:
    directory = directory_of([grant(Permission.LAUNCH, "flow:a")])
    ada = Principal(id="u-1", name="ada")
    assert directory.may(ada, Permission.LAUNCH, flow="a")
    assert not directory.may(ada, Permission.VIEW, flow="a", launcher="u-2")


def test_who_may_operate_a_flow_operates_its_runs() -> None:
    directory = directory_of([grant(Permission.OPERATE, "flow:a")])
    ada = Principal(id="u-1", name="ada")
    assert directory.may(ada, Permission.OPERATE, flow="a", launcher="u-2")
    assert not directory.may(ada, Permission.VIEW, flow="b", launcher="u-2")


def test_runs_that_nobody_launched_are_not_those_of_somebody_who_is_not_known() -> None:
    directory = directory_of([])
    assert not directory.may(Principal(), Permission.VIEW, flow="a", launcher="")


def grant(permission: Permission, resource: str) -> Grant:
    return Grant(id="r-1", subject="user:u-1", permission=permission, resource=resource, created=0.0)


@given(resources)
def test_a_resource_reads_as_it_is_written(resource: Resource) -> None:
    assert Resource.parse(str(resource)) == resource


@pytest.mark.parametrize(
    "text", ["", "hosts", "flow", "flow:", "events:", "host:", "run:x", "flow:a\nb"]
)
def test_what_is_no_resource_is_refused(text: str) -> None:
    with pytest.raises(AccountError) as caught:
        Resource.parse(text)
    assert caught.value.field == "resource"


def test_a_misspelt_permission_is_told() -> None:
    with pytest.raises(AccountError, match="operat") as caught:
        Permission.parse("operat")
    assert "operate" in caught.value.remedy
