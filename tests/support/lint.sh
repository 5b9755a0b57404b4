#!/bin/sh
# Everything that is checked without running the service.
set -eux
.venv/bin/ruff format --check .
.venv/bin/ruff check .
.venv/bin/mypy
.venv/bin/lint-imports
.venv/bin/hadolint deploy/Dockerfile
.venv/bin/check-jsonschema --builtin-schema vendor.compose-spec deploy/compose.yaml deploy/compose.distributed.yaml
