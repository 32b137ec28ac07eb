#!/bin/sh
# Says where promptops is, and builds it from the source of this action when nobody brings one.
#
#   install.sh key       writes `key` and `folder`: by what a built program is cached, and where
#   install.sh program   writes `path`: the program to run
set -eu

source=$(CDPATH='' cd -- "$GITHUB_ACTION_PATH/.." && pwd)

case $1 in
key)
  # Every file that the program is built from. Two commits with the same source share a program.
  key=$(cd "$source" && find Cargo.lock Cargo.toml rust-toolchain.toml crates -type f \( -name '*.rs' -o -name '*.toml' -o -name '*.lock' -o -path '*/src/*' \) -print |
    LC_ALL=C sort | while IFS= read -r file; do cksum "$file"; done | sha256sum | cut -c 1-32)
  {
    echo "key=$key"
    echo "folder=${RUNNER_TOOL_CACHE:-${RUNNER_TEMP:-/tmp}}/promptops/$key"
  } >>"$GITHUB_OUTPUT"
  ;;
program)
  if [ -n "${PROGRAM:-}" ]; then
    path=$(command -v -- "$PROGRAM") || {
      echo "::error::there is no program \`$PROGRAM\`"
      exit 2
    }
  else
    path=$FOLDER/bin/promptops
    if [ ! -x "$path" ]; then
      # Without the lake: the gate reads no invocations, and DataFusion takes longest to build.
      cargo install --locked --path "$source/crates/promptops-cli" --no-default-features --root "$FOLDER"
    fi
  fi
  "$path" --version
  echo "path=$path" >>"$GITHUB_OUTPUT"
  ;;
*)
  echo "usage: install.sh key|program" >&2
  exit 2
  ;;
esac
