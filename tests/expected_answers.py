"""What each route answers to whom, for tests/api/test_every_route.py."""

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
    "pages_version_table.versions_csv": (200, {}),
    **dict.fromkeys(["pages_events.events", "pages_events.events_csv"], (200, {})),
    **dict.fromkeys(["pages_project_charts.chart_csv", "pages_project_charts.latencies"], (200, {})),
    **dict.fromkeys(["pages_version_chart.chart_csv", "pages_version_chart.latencies"], (200, {})),
    **dict.fromkeys(["pages_comparison_csv.intervals", "pages_comparison_csv.latencies"], (200, {})),
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
    "pages_api_key_changes.form": (200, {}),
    "pages_first_event.first_event": (200, {}),
    "pages_api_key_changes.change": (303, {"name": "ours", "unit": "minute", "expiry": "kept"}),
    **dict.fromkeys(["pages_refusals.refusals", "pages_refusals.download"], (200, {})),
    "pages_members.members": (200, {}),
    "pages_members.download": (200, {}),
    "pages_members.add": (200, {"email": "new@example.com", "role": "member"}),
    "pages_members.set_role": (303, {"role": "admin"}),
    "pages_members.remove": (303, {}),
    "pages_members.confirm": (403, {}),
    "pages_audit_log.audit_log": (200, {}),
    "pages_audit_log.download": (200, {}),
    "pages_system.system": (200, {}),
    "pages_health.health": (200, {}),
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
