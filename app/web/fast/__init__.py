"""Speed patches: each does what a library does, sooner; FAST_PATHS=off switches all of them off.

CPU time that each saves of a request's, on 2 cores with Python 3.11 and 16 clients: together more than half of 540 µs.

    shared_connection   155 µs   one Redis connection for all requests in flight, FastScript 2 µs, and ScriptPacker 7 µs
    lean_way             60 µs   Flask, for a single event that is taken
    gunicorn             65 µs   what gunicorn works out anew for every request, or looks for in headers that are ours
    flights              20 µs   one call of the script for all that wait, and 10 µs of Redis
    counting             10 µs   a lock and a look for a fork at every count
    ingest                9 µs   marshmallow's bookkeeping for an event, completing a 204, and a timer of its body
    lean_flask            7 µs   what Flask and Werkzeug ask that is always answered alike

And of memory:

    memory                4 MB   large buffers, after batches

tests/unit/test_fast_paths.py fails where a library no longer has what is patched. Nothing here imports the rest of
app.web but the worker that `gunicorn` goes on from and what `lean_way` does in the place of its view.

No patches, and so always in use, are two ways of setting libraries up: Flask-Limiter's hooks are not registered
(app.web.limits) and the API has no sessions (app.web.pages.access.session_cookie).
"""
