"""Every route of the app, every kind of visitor, and everything of another project: who gets what.

A route without an expectation here fails the walk: say what it answers to an admin of the project, and the rest
follows from its decorator.
"""

from collections.abc import Container, Iterator

import httpx
import pytest
from flask import Flask
from werkzeug.routing import Rule

from app.web.application import create_app
from config.settings import load_settings
from tests.sign_in import client_of, csrf_token
from tests.two_projects import VISITORS, Objects, TwoProjects, make_two_projects, state_of

MARGINS = {"cost_usd": "3", "latency_ms": "4", "latency_p95_ms": "5", "score": "0.1"}
NAMES = {"name": "ours", "version_hash": "v"}
KEY = {"name": "ci", "ingest": "y", "expiry": "never", "unit": "minute"}
WEBHOOK = {"name": "ops", "address": "https://example.com/x", "kinds": "budget", "is_enabled": "y"}
# What a page of a project answers to its admin, and the form with which it does so.
PAGES: dict[str, tuple[int, dict[str, str]]] = {
    "pages_dashboard.dashboard": (200, {}),
    "pages_dashboard.prompts_csv": (200, {}),
    "pages_raw_events.events_csv": (200, {}),
    "pages_prompt.prompt": (200, {}),
    "pages_prompt.versions_csv": (200, {}),
    "pages_names.name_prompt": (303, NAMES),
    "pages_names.name_version": (303, NAMES),
    "pages_comparisons.comparisons": (200, {}),
    "pages_comparisons.download": (200, {}),
    "pages_margins.margins": (200, {}),
    "pages_margins.change": (303, MARGINS),
    "pages_margins.reset": (303, {}),
    "pages_margins.change_of_prompt": (303, MARGINS),
    "pages_margins.reset_of_prompt": (303, {}),
    **dict.fromkeys(["pages_news.news", "pages_news.download", "pages_budgets.budgets"], (200, {})),
    **dict.fromkeys(["pages_webhooks.webhooks", "pages_webhooks.webhook", "pages_webhooks.rotate"], (200, {})),
    **dict.fromkeys(["pages_webhooks.send_test", "pages_webhooks.delete", "pages_webhooks.repeat"], (303, {})),
    "pages_webhooks.download": (200, {}),
    "pages_webhooks.create": (200, WEBHOOK),
    "pages_webhooks.change": (303, WEBHOOK),
    "pages_budgets.change_budget": (303, {"prompt": "", "amount": "25"}),
    "pages_budgets.change_silence": (303, {"minutes": "30"}),
    "pages_api_keys.api_keys": (200, {}),
    "pages_api_keys.download": (200, {}),
    "pages_api_keys.create": (200, KEY),
    "pages_api_keys.confirm_rotation": (200, {}),
    "pages_api_keys.rotate": (200, {"overlap": "1h", "expiry": "never"}),
    "pages_api_keys.confirm_revocation": (200, {}),
    "pages_api_keys.revoke": (303, {}),
    "pages_members.members": (200, {}),
    "pages_members.download": (200, {}),
    "pages_members.add": (200, {"email": "new@example.com", "role": "member"}),
    "pages_members.set_role": (303, {"role": "admin"}),
    "pages_members.remove": (303, {}),
    "pages_members.confirm": (403, {}),
    "pages_audit_log.audit_log": (200, {}),
    "pages_audit_log.download": (200, {}),
    "pages_system.system": (200, {}),
    "pages_system.download_refusals": (200, {}),
    "pages_dead_letters.download": (200, {}),
    "pages_dead_letters.replay": (303, {}),
    "pages_dead_letters.discard": (303, {}),
    "pages_dead_letters.replay_all": (303, {"reason": "own reason"}),
    "pages_dead_letters.discard_all": (303, {"reason": "own reason"}),
}
# What only operators may do.
OPERATORS_ONLY = {"pages_members.confirm": 303, "pages_projects.new_project": 200, "pages_projects.add": 303}
# They see the dead letters of the whole service.
ACROSS_PROJECTS = {"pages_dead_letters.replay", "pages_dead_letters.discard"}
# Pages of users, which are about no project: what they answer to whoever is signed in.
OF_USERS: dict[str, tuple[int, dict[str, str]]] = {
    "pages_account.account": (200, {}),
    "pages_account.set_password": (400, {}),
    "pages_projects.new_project": (403, {}),
    "pages_projects.add": (403, {"name": "a new one"}),
}
# Open to everybody: what they answer to who is not signed in, and to who is.
OPEN: dict[str, tuple[int, int]] = {
    "pages_sign_in.home": (303, 303),
    "pages_sign_in.login": (200, 303),
    "pages_sign_in.sign_in": (401, 401),
    "pages_sign_in.sign_out": (303, 303),
    "pages_one_time_link.show_link": (404, 404),
    "pages_one_time_link.use_link": (404, 404),
    "assets.asset": (404, 404),
    "assets.docs_asset": (404, 404),
    "documents.document": (200, 200),
    "openapi.docs": (200, 200),
    "openapi.openapi": (200, 200),
    "health.healthz": (200, 200),
    "health.readyz": (200, 200),
    "metrics.metrics": (200, 200),
}
# With a key of the own project that may read, and nothing else.
API = {
    "ingest.log_event": 403,
    "ingest.log_events": 403,
    "usage.read_project": 200,
    "usage.read_prompt": 200,
    "comparison.read_comparison": 200,
}
API_OF_AN_OBJECT = {"usage.read_prompt", "comparison.read_comparison"}

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
        untouched = state_of(database_url, world.foreign.project_id)
        with client_as(visitor, web, database_url, world) as client:
            answer = ask(client, visitor, case, world.own, world.own.project_id)
        assert answer.status_code == expected_status(access_of(app, case), case, visitor), (case, answer.text)
        assert told is None or told not in answer.text, case
        assert state_of(database_url, world.foreign.project_id) == untouched, case
        world = world if case[1] == "GET" else make_two_projects(database_url)


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
