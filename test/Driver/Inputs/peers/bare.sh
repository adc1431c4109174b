#!/usr/bin/env bash
# An interpreter without any package.
set -euo pipefail
exec python3 -I -S "$@"
