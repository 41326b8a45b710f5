"""Every route of the app, every kind of visitor, and everything of another project: who gets what.

A route without an expectation in tests/expected_answers.py fails the walk: say there what it answers to an admin of the
project, and the rest follows from its decorator.
"""

from collections.abc import Container, Iterator

import httpx
import pytest
from flask import Flask
from werkzeug.routing import Rule

from app.web.application import create_app
from config.settings import load_settings
from tests.expected_answers import (
    ACROSS_PROJECTS,
    API,
    API_OF_AN_OBJECT,
    OF_USERS,
    OPEN,
    OPERATORS_ONLY,
    PAGES,
)
from tests.sign_in import client_of, csrf_token
from tests.two_projects import VISITORS, Objects, TwoProjects, make_two_projects, state_of

Case = tuple[Rule, str]


def access_of(app: Flask, case: Case) -> str:
    return str(app.view_functions[case[0].endpoint].__dict__["access"])


@pytest.fixture(scope="module")
def app(database_url: str, redis_url: str) -> Flask:
    return create_app(load_settings({"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SECRET_KEY": "s" * 32}))


@pytest.fixture
def world(database_url: str, redis_url: str, clean_database: None, clean_redis: None) -> TwoProjects:
    return make_two_projects(database_url)


def cases(app: Flask, *accesses: str | None) -> Iterator[Case]:
    """The routes that carry one of these marks, with each of their methods."""
    for rule in app.url_map.iter_rules():
        if app.view_functions[rule.endpoint].__dict__["access"] in accesses:
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield rule, method


def path_of(rule: Rule, objects: Objects) -> str:
    """With the ids of these objects. Raises KeyError for a variable of a path that is new: say whose id it is."""
    invited = rule.endpoint == "pages_members.confirm"
    values = {
        "prompt_id": objects.prompt_id,
        "key_id": objects.key_id,
        "user_id": objects.invited_id if invited else objects.user_id,
        "dead_letter_id": objects.dead_letter_id,
        "webhook_id": objects.webhook_id,
        "delivery_id": objects.delivery_id,
        "token": "x" * 43,
        "digest": "x",
        "name": "x",
    }
    built = rule.build({name: values[name] for name in rule.arguments})
    assert built is not None
    return str(built[1])


def ask(
    client: httpx.Client, visitor: str, case: Case, objects: Objects, project_id: int | None = None
) -> httpx.Response:
    """A form is sent whole and with its token: what refuses it is nothing but who sends it."""
    rule, method = case
    query = {} if project_id is None else {"project": project_id}
    data = None
    if method == "POST":
        _, form = PAGES.get(rule.endpoint) or OF_USERS.get(rule.endpoint) or (0, {})
        data = {"csrf_token": csrf_token(client, "/login" if visitor == "nobody" else "/account"), **form}
    return client.request(method, path_of(rule, objects), params=query, data=data, follow_redirects=False)


def client_as(visitor: str, web: str, database_url: str, world: TwoProjects) -> httpx.Client:
    if visitor == "nobody":
        return httpx.Client(base_url=web)
    return client_of(web, database_url, world.users[visitor])


def test_every_route_has_an_expectation_and_every_expectation_a_route(app: Flask):
    expected = [*PAGES, *OF_USERS, *OPEN, *API]
    assert sorted(expected) == sorted({rule.endpoint for rule in app.url_map.iter_rules()})
    by_rule: dict[str | None, Container[str]] = {"member": PAGES, "admin": PAGES, "user": OF_USERS}
    by_rule |= {None: OPEN, "ingest": API, "read": API}
    for rule in app.url_map.iter_rules():
        assert rule.endpoint in by_rule[app.view_functions[rule.endpoint].__dict__["access"]], rule


def expected_status(access: str, case: Case, visitor: str) -> int:
    """In the own project, of the objects in it."""
    rule, method = case
    if visitor == "nobody":
        return 303 if method == "GET" else 401
    if visitor == "admin elsewhere":
        return 404
    if visitor == "operator" and rule.endpoint in OPERATORS_ONLY:
        return OPERATORS_ONLY[rule.endpoint]
    return 403 if visitor == "member" and access == "admin" else PAGES[rule.endpoint][0]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("visitor", VISITORS)
def test_pages_of_a_project(app: Flask, web: str, database_url: str, world: TwoProjects, visitor: str):
    told = {"nobody": "own ", "admin elsewhere": "own ", "operator": None}.get(visitor, "foreign")
    for case in cases(app, "member", "admin"):
        own, foreign = (state_of(database_url, objects.project_id) for objects in (world.own, world.foreign))
        with client_as(visitor, web, database_url, world) as client:
            answer = ask(client, visitor, case, world.own, world.own.project_id)
        assert answer.status_code == expected_status(access_of(app, case), case, visitor), (case, answer.text)
        assert told is None or told not in answer.text, case
        assert state_of(database_url, world.foreign.project_id) == foreign, case
        if case[1] == "GET" or answer.is_error:
            assert state_of(database_url, world.own.project_id) == own, case
        else:
            world = make_two_projects(database_url)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("visitor", VISITORS)
def test_objects_of_another_project_by_an_address_of_the_own_one(
    app: Flask, web: str, database_url: str, world: TwoProjects, visitor: str
):
    for case in cases(app, "member", "admin"):
        if not case[0].arguments:
            continue
        untouched = state_of(database_url, world.foreign.project_id)
        status = expected_status(access_of(app, case), case, visitor)
        with client_as(visitor, web, database_url, world) as client:
            answer = ask(client, visitor, case, world.foreign, world.own.project_id)
        if visitor == "operator" and case[0].endpoint in ACROSS_PROJECTS:
            assert answer.status_code == 303, case
            world = make_two_projects(database_url)
            continue
        refused = visitor == "nobody" or status in {403, 404}
        assert answer.status_code == (status if refused else 404), (case, answer.text)
        assert visitor not in {"member", "admin"} or "foreign" not in answer.text, case
        assert state_of(database_url, world.foreign.project_id) == untouched, case


@pytest.mark.parametrize("visitor", VISITORS)
def test_pages_of_users(app: Flask, web: str, database_url: str, world: TwoProjects, visitor: str):
    for case in cases(app, "user"):
        with client_as(visitor, web, database_url, world) as client:
            answer = ask(client, visitor, case, world.own)
        status, _ = OF_USERS[case[0].endpoint]
        if visitor == "nobody":
            status = 303 if case[1] == "GET" else 401
        elif visitor == "operator":
            status = OPERATORS_ONLY.get(case[0].endpoint, status)
        assert answer.status_code == status, (case, answer.text)


@pytest.mark.parametrize("visitor", VISITORS)
def test_what_is_open_to_everybody(app: Flask, web: str, database_url: str, world: TwoProjects, visitor: str):
    for case in cases(app, None):
        with client_as(visitor, web, database_url, world) as client:
            answer = ask(client, visitor, case, world.own)
        assert answer.status_code == OPEN[case[0].endpoint][visitor != "nobody"], (case, answer.text)


@pytest.mark.parametrize("visitor", VISITORS)
def test_no_session_opens_the_api(app: Flask, web: str, database_url: str, world: TwoProjects, visitor: str):
    with client_as(visitor, web, database_url, world) as client:
        for rule, method in cases(app, "ingest", "read"):
            assert client.request(method, path_of(rule, world.own)).status_code == 401, rule


def test_a_key_opens_what_it_is_for_in_its_own_project(app: Flask, web: str, world: TwoProjects):
    with httpx.Client(base_url=web, headers={"Authorization": f"Bearer {world.own.api_key}"}) as client:
        for rule, method in cases(app, "ingest", "read"):
            answer = client.request(method, path_of(rule, world.own))
            assert answer.status_code == API[rule.endpoint], (rule, answer.text)
            if rule.endpoint in API_OF_AN_OBJECT:
                assert client.request(method, path_of(rule, world.foreign)).status_code == 404, rule
