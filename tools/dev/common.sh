# shellcheck shell=bash
# Helpers of the shell scripts; sourced, never run. Each script sets `set -euo pipefail` itself.

if [ -t 1 ]; then on_terminal=1; else on_terminal=0; fi

say() { printf '%s\n' "$*"; }

# A step of a longer way: one line, so that a newcomer sees what takes the time.
step() { printf '== %s\n' "$*"; }

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# as_root COMMAND...: runs it as root, through sudo when we are not.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo -- "$@"
  else
    fail "this needs root for: $* (run as root, or install sudo)"
  fi
}

# need COMMAND PACKAGE: fails loudly when a tool is not there although its package should have brought it.
need() {
  command -v "$1" >/dev/null || fail "the program '$1' is missing; install the Debian package '$2'"
}

# show_last_line LABEL: keeps one terminal line up to date with what it reads.
show_last_line() {
  local line
  while IFS= read -r line; do printf '\r\033[K   %s: %.90s' "$1" "$line"; done
  printf '\r\033[K'
}

# with_progress LABEL LOG COMMAND...: the command's output goes to LOG, its last line to the terminal, its last 60 lines out when it fails.
with_progress() {
  local label=$1 log=$2 status=0 began=$SECONDS
  shift 2
  if [ "$on_terminal" -eq 1 ]; then
    { "$@" 2>&1 | tee "$log" | tr '\r' '\n' | show_last_line "$label"; } || status=$?
  else
    "$@" >"$log" 2>&1 || status=$?
  fi
  if [ "$status" -ne 0 ]; then
    tail -n 60 "$log" >&2
    fail "$label failed (exit code $status); the whole output is in $log"
  fi
  say "   $label: done in $((SECONDS - began)) s"
}

# wait_for_end PID SECONDS: returns as soon as the process is gone, 1 when it still runs after that time.
wait_for_end() {
  timeout "$2" tail --pid="$1" -f /dev/null
}

# runs_as PID TEXT: whether this process lives and its command line contains TEXT (a process id alone may have been given to another).
runs_as() {
  [ -n "$1" ] && [ -r "/proc/$1/cmdline" ] && tr '\0' ' ' <"/proc/$1/cmdline" | grep -qF -- "$2"
}
