# shellcheck shell=bash
# Shared by the shell scripts of tools/ and tools/dev/: where the repository is, how to speak, which Python to use.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
venv=$root/build/venv
# shellcheck disable=SC2034 # used by the scripts that source this file
python=$venv/bin/python

# Progress goes to standard error, so that results can be piped.
say() { printf '%s\n' "$*" >&2; }
step() { say "==> $*"; }
die() {
  say "error: $*"
  exit 1
}

# Runs a command whose output nobody needs unless it fails.
quietly() {
  local log status=0
  log=$(mktemp)
  "$@" >"$log" 2>&1 || status=$?
  [ "$status" = 0 ] || tail -n 40 "$log" >&2
  rm -f "$log"
  return "$status"
}

# How many compilers to run at once: an MLIR source file takes up to 1.5 GB of memory.
jobs() {
  local cores memory_mb by_memory
  cores=$(nproc)
  memory_mb=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
  by_memory=$((memory_mb / 1500))
  [ "$by_memory" -ge 1 ] || by_memory=1
  echo $((cores < by_memory ? cores : by_memory))
}

# configure_and_build PRESET [TARGET...]: both are no-ops within a second when nothing changed.
configure_and_build() {
  local preset=$1 dir=$root/build/$1
  shift
  # A build folder remembers where the repository lay; after a move it starts anew.
  if [ ! -f "$dir/build.ninja" ] || ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$dir/CMakeCache.txt"; then
    step "configuring build/$preset"
    (cd "$root" && quietly cmake --fresh --preset "$preset" -DEFFC_PYTHON="$python") || die "cmake --preset $preset failed"
  fi
  step "building build/$preset"
  ninja -C "$dir" -j "$(jobs)" "$@" >&2 || die "the build failed; run again with: ninja -C build/$preset"
}
