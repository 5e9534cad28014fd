# What training needs: Python, the CUDA libraries from the lock file, Git and make. The repository is mounted; see docs/docker.md.
FROM python:3.12-slim

RUN apt-get update && apt-get install --yes --no-install-recommends git make && rm -rf /var/lib/apt/lists/*

COPY requirements-gpu.lock /tmp/requirements-gpu.lock
RUN python -m pip install --no-cache-dir --require-hashes -r /tmp/requirements-gpu.lock

# Any user id may run it: the one that owns the mounted repository has no name and no home in the image.
ENV DVC_NO_ANALYTICS=1 HOME=/tmp PYTHONPATH=/work/src
WORKDIR /work
CMD ["dvc", "repro"]
