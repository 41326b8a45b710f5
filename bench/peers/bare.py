"""The reference: a Flask view that does nothing."""

from flask import Flask

app = Flask(__name__)


@app.get("/healthz")
def healthz() -> str:
    return "ok"


@app.route("/api/v1/prompts/analytics", methods=["GET", "POST"])
def log_event() -> tuple[str, int]:
    return "", 204
