# A server of one exported tagger, on CPUs. docs/docker.md has the commands that fetch the model, build and run.
FROM python:3.12-slim

COPY docker/serve.lock /tmp/serve.lock
RUN python -m pip install --no-cache-dir --require-hashes -r /tmp/serve.lock

COPY docker/model /model
RUN useradd --create-home tagger
USER tagger
ENV MLFLOW_DISABLE_TELEMETRY=true TF_CPP_MIN_LOG_LEVEL=2

EXPOSE 8080
HEALTHCHECK --start-period=120s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/ping', timeout=5)"]
CMD ["mlflow", "models", "serve", "--model-uri", "/model", "--env-manager", "local", "--host", "0.0.0.0", "--port", "8080"]
