"""Two projects with one of everything in each, and everybody who could look at them."""

import json
from dataclasses import dataclass
from uuid import UUID, uuid4

import psycopg

from app.core.keys.api_key import display_prefix, hash_key, mint_key
from app.core.stream.events import Event, encode_event, new_event_id
from tests.databases import kept_connection
from tests.sign_in import add_member, create_project, create_user
from tests.stored_events import an_event, store_events

VISITORS = ("nobody", "member", "admin", "admin elsewhere", "operator")
"""Admin and member are of the project `own`, the admin elsewhere of `foreign`, the operator of none."""

INSERT_KEY = """
INSERT INTO api_keys (project_id, name, key_hash, prefix, scopes) VALUES (%s, %s, %s, %s, %s) RETURNING id
"""
INSERT_PROMPT = "INSERT INTO prompts (project_id, prompt_id, name) VALUES (%s, %s, %s) RETURNING id"
INSERT_LETTER = """
INSERT INTO dead_letters (entry_id, payload, reason, received_at, project_id)
VALUES (%s, %s, %s, now(), %s) RETURNING id
"""
INSERT_ENTRY = "INSERT INTO audit_log (action, actor, subject, project_id) VALUES ('key made', %s, %s, %s)"
INSERT_WEBHOOK = """
INSERT INTO webhooks (project_id, name, host, sealed_address, sealed_secret, kinds)
VALUES (%s, %s, 'example.com', '', '', '{budget}') RETURNING id
"""
INSERT_NEWS = """
INSERT INTO news (project_id, kind, subject, period, payload)
VALUES (%s, 'test', 'x', 'x', jsonb_build_object('webhook', %s::text)) RETURNING id
"""
INSERT_DELIVERY = """
INSERT INTO deliveries (news_id, webhook_id, state, give_up_at) VALUES (%s, %s, 'given_up', now()) RETURNING id
"""
INSERT_BUDGET = "INSERT INTO budgets (project_id, prompt_key, usd_per_month) VALUES (%s, 0, 10)"
INSERT_INVITATION = "INSERT INTO invitations (project_id, user_id, role) VALUES (%s, %s, 'member')"
# What no visitor of one project may change in the other.
SELECT_STATE = """
SELECT (SELECT json_agg(k ORDER BY id) FROM api_keys k WHERE project_id = %(project_id)s),
       (SELECT json_agg(m ORDER BY user_id) FROM memberships m WHERE project_id = %(project_id)s),
       (SELECT json_agg(i ORDER BY user_id) FROM invitations i WHERE project_id = %(project_id)s),
       (SELECT json_agg(p ORDER BY id) FROM prompts p WHERE project_id = %(project_id)s),
       (SELECT json_agg(d ORDER BY id) FROM dead_letters d WHERE project_id = %(project_id)s),
       (SELECT json_agg(c ORDER BY prompt_key) FROM comparison_margins c WHERE project_id = %(project_id)s),
       (SELECT json_agg(a ORDER BY id) FROM audit_log a WHERE project_id = %(project_id)s),
       (SELECT json_agg(w ORDER BY id) FROM webhooks w WHERE project_id = %(project_id)s),
       (SELECT json_agg(n ORDER BY id) FROM news n WHERE project_id = %(project_id)s),
       (SELECT json_agg(e ORDER BY e.id) FROM deliveries e JOIN webhooks w ON w.id = e.webhook_id
         WHERE w.project_id = %(project_id)s),
       (SELECT json_agg(b ORDER BY prompt_key) FROM budgets b WHERE project_id = %(project_id)s),
       (SELECT silence_minutes FROM projects WHERE id = %(project_id)s)
"""


@dataclass(frozen=True)
class Objects:
    """The ids of what is in a project, as the paths of routes name them; and its key, which may read."""

    project_id: int
    prompt_id: UUID
    key_id: int
    user_id: int
    invited_id: int
    dead_letter_id: int
    webhook_id: int
    delivery_id: int
    api_key: str


@dataclass(frozen=True)
class TwoProjects:
    """`users`: the ids of the visitors who are signed in."""

    own: Objects
    foreign: Objects
    users: dict[str, int]


def make_two_projects(database_url: str) -> TwoProjects:
    """Two new ones: names, emails and texts of one begin with "own", those of the other with "foreign"."""
    own, foreign = _fill(database_url, "own"), _fill(database_url, "foreign")
    users = {
        "member": own.user_id,
        "admin": create_user(database_url, f"own-admin-{own.project_id}@example.com"),
        "admin elsewhere": create_user(database_url, f"foreign-admin-{own.project_id}@example.com"),
        "operator": create_user(database_url, f"root-{own.project_id}@example.com", is_operator=True),
    }
    add_member(database_url, own.project_id, users["admin"], "admin")
    add_member(database_url, foreign.project_id, users["admin elsewhere"], "admin")
    return TwoProjects(own, foreign, users)


def state_of(database_url: str, project_id: int) -> str:
    with kept_connection(database_url) as connection:
        return json.dumps(connection.execute(SELECT_STATE, {"project_id": project_id}).fetchone())


def _fill(database_url: str, name: str) -> Objects:
    project_id = create_project(database_url, f"{name} {uuid4()}")
    user_id = create_user(database_url, f"{name}-member-{project_id}@example.com")
    invited_id = create_user(database_url, f"{name}-invited-{project_id}@example.com")
    add_member(database_url, project_id, user_id, "member")
    key, prompt_id = mint_key(), uuid4()
    payload = encode_event(Event(new_event_id(), project_id, prompt_id, f"{name} version"))
    with kept_connection(database_url) as connection:
        key_values = [project_id, f"{name} key", hash_key(key), display_prefix(key), ["read"]]
        key_id = _id(connection, INSERT_KEY, key_values)
        _id(connection, INSERT_PROMPT, [project_id, prompt_id, f"{name} prompt"])
        letter_id = _id(connection, INSERT_LETTER, [str(uuid4()), payload, f"{name} reason", project_id])
        connection.execute(INSERT_ENTRY, [f"{name}-admin@example.com", f"{name} entry", project_id])
        connection.execute(INSERT_INVITATION, [project_id, invited_id])
        webhook_id = _id(connection, INSERT_WEBHOOK, [project_id, f"{name} webhook"])
        news_id = _id(connection, INSERT_NEWS, [project_id, f"{name} webhook"])
        delivery_id = _id(connection, INSERT_DELIVERY, [news_id, webhook_id])
        connection.execute(INSERT_BUDGET, [project_id])
    store_events(database_url, [an_event(project_id, prompt=prompt_id, version=version) for version in ("v", "w")])
    return Objects(
        *(project_id, prompt_id, key_id, user_id, invited_id, letter_id, webhook_id, delivery_id),
        api_key=key,
    )


def _id(connection: psycopg.Connection[tuple[object, ...]], statement: str, values: list[object]) -> int:
    row = connection.execute(statement.encode(), values).fetchone()
    assert row is not None
    return int(str(row[0]))
