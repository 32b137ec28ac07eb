#!/bin/sh
# Runs the gate and keeps its report. The verdict never ends this step, so that the report is not lost on the way: the last
# step of the action does.
set -eu

cd "$WORKING_DIRECTORY"
folder=$(mktemp -d "${RUNNER_TEMP:-/tmp}/promptops.XXXXXX")
report=$folder/report.md

# No base: a first push, or an event that is about no change.
case $BASE in
'' | 0000000000000000000000000000000000000000) BASE=$(git rev-parse --verify --quiet 'origin/HEAD^{commit}' || git rev-parse HEAD) ;;
esac
# Parents of versions are read from history, so all of it has to be there.
if [ "$(git rev-parse --is-shallow-repository)" = true ]; then
  git fetch --quiet --unshallow origin || echo "::warning::the history is not whole; check out with \`fetch-depth: 0\`"
fi
if ! git cat-file -e "$BASE^{commit}" 2>/dev/null; then
  git fetch --quiet --no-tags origin "$BASE" || echo "::warning::the base \`$BASE\` cannot be fetched"
fi

code=0
# What the input gives is parted at spaces, and nothing else is made of it.
set -f
# shellcheck disable=SC2086
"$PROMPTOPS" gate --base "$BASE" --replay "$REPLAY" --format markdown --output "$report" $ARGUMENTS \
  >"$folder/out" 2>"$folder/err" || code=$?
set +f
cat "$folder/out"
cat "$folder/err" >&2

case $code in
0) verdict=passed ;;
1) verdict=refused ;;
3) verdict=inconclusive ;;
*) verdict=failed ;;
esac
if [ ! -s "$report" ]; then
  verdict=failed
  {
    echo "## Prompt gate: failed"
    echo
    echo "\`promptops gate\` ended with $code and gave no report."
    echo
    echo '````text'
    head -c 20000 "$folder/err"
    echo '````'
  } >"$report"
fi

if [ "$SARIF" = true ]; then
  # Findings end this command with 1; anything above means that there are none to hand on.
  found=0
  "$PROMPTOPS" check --base "$BASE" --format sarif >"$folder/promptops.sarif" || found=$?
  if [ "$found" -le 1 ] && [ -s "$folder/promptops.sarif" ]; then
    echo "sarif=$folder/promptops.sarif" >>"$GITHUB_OUTPUT"
  fi
else
  "$PROMPTOPS" check --base "$BASE" --format github || true
fi

# GitHub drops a summary of more than a mebibyte as a whole.
head -c 1000000 "$report" >>"$GITHUB_STEP_SUMMARY"
{
  echo "exit-code=$code"
  echo "verdict=$verdict"
  echo "report=$report"
} >>"$GITHUB_OUTPUT"
