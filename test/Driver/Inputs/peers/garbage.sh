#!/usr/bin/env bash
# An interpreter that answers nonsense on the channel of `effc bench --against`.
set -euo pipefail
echo "what is this?" >&"$2"
sleep 1000
