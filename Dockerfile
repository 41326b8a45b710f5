# One image for web, worker and release: docs/deploying.md says how to run each.

FROM python:3.11-slim-bookworm AS packages
WORKDIR /build
RUN python -m venv /opt/venv
COPY requirements.txt ./
RUN /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary=:all: -r requirements.txt

FROM python:3.11-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1
# What one container keeps for the others, in a volume: the secret of compose.yaml.
RUN install -d -m 0700 -o 10001 -g 10001 /var/lib/prompt-analytics
WORKDIR /srv/prompt-analytics
COPY --from=packages /opt/venv /opt/venv
COPY app ./app
COPY config ./config
COPY docs ./docs
COPY worker ./worker
# Whoever runs it cannot write here.
RUN python -m compileall -q app config worker
USER 10001:10001
EXPOSE 8000
# Of web. Workers and release have none to ask: switch it off for them (--no-healthcheck).
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["python", "-c", "import http.client, os, sys; web = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('PORT') or 8000), timeout=4); web.request('GET', '/healthz'); sys.exit(web.getresponse().status != 200)"]
CMD ["gunicorn", "--config", "config/gunicorn.py", "app.web.application:create_app()"]
